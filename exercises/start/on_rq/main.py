"""How RQ's workers are started: by RQ's own command."""

import os

from billing.settings import settings

from ..shared import pools
from . import broker


def command(pool: str) -> list[str]:
    """`rq worker-pool` for the `io` or the `cpu` pool, as arguments for `python -m`."""
    os.environ["RQ_REDIS_URL"] = settings().broker  # not on the command line, where every user of the machine reads it
    options = {
        "--serializer": broker.SERIALIZER,
        "--worker-class": "app.on_rq.worker.Worker",
        "--job-class": "app.on_rq.worker.Message",
        "--num-workers": str(pools.slots(pool)),
    }
    arguments = [part for option in options.items() for part in option]
    return ["rq.cli", "worker-pool", "--quiet", *arguments, *pools.queues_for(pool)]
