"""How RQ's workers are started: by RQ's own command."""

import os

from billing.settings import settings

from ..shared import pools
from . import broker, worker


def command(pool: str) -> list[str]:
    """`rq worker-pool` for the `io` or the `cpu` pool, as arguments for `python -m`."""
    os.environ["RQ_REDIS_URL"] = settings().broker  # not on the command line, where every user of the machine reads it
    options = {
        "--serializer": broker.SERIALIZER,
        # Imported here as well: what fails to import in a class that RQ is only told the name of, RQ calls an "invalid
        # attribute name", without the reason (rq/utils.py, import_attribute).
        "--worker-class": f"{worker.Worker.__module__}.{worker.Worker.__qualname__}",
        "--job-class": f"{worker.Message.__module__}.{worker.Message.__qualname__}",
        "--num-workers": str(pools.slots(pool)),
    }
    arguments = [part for option in options.items() for part in option]
    return ["rq.cli", "worker-pool", "--quiet", *arguments, *pools.queues_for(pool)]
