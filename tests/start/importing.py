"""`python -m tests.start.importing BROKER_URL TREE…`: imports every module of each tree, each tree in a process of its
own. The libraries are imported before, once, so that a tree costs a fraction of a second."""

import importlib
import multiprocessing
import os
import sys
import traceback
from pathlib import Path

import aiohttp.web
import celery.worker.consumer
import flask
import rq.worker
import sqlalchemy.orm

from accepted.ladder import files
from billing.settings import settings

LIBRARIES = (aiohttp.web, celery.worker.consumer, flask, rq.worker, sqlalchemy.orm)


def import_all(tree: str) -> None:
    """Ends the process: 0 where every module can be imported, and the tree's own choices can be made."""
    os.environ["TREE"] = tree
    try:
        for path in sorted(files(Path(tree))):
            if path.endswith(".py") and not path.endswith("__main__.py"):
                dotted = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                importlib.import_module("app" if dotted == "__init__" else f"app.{dotted}")
        from app.shared import jobs, pools, web
        from app.shared.backend import broker

        web.create_app()
        carried = {broker().queue_of(kind) for kind in jobs.KINDS}
        listened = {queue for pool in ("io", "cpu") for queue in pools.queues_for(pool)}
        assert carried == listened == set(broker().queues())
    except BaseException:
        print(f"{tree}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def main(broker_url: str, trees: list[str]) -> None:
    os.environ["BROKER_URL"] = broker_url
    os.environ.setdefault("SECRET_KEY", "only to import")
    settings.cache_clear()
    fork = multiprocessing.get_context("fork")
    failed = False
    for tree in trees:
        process = fork.Process(target=import_all, args=(tree,))
        process.start()
        process.join(60)
        failed |= process.exitcode != 0
    sys.exit(int(failed))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
