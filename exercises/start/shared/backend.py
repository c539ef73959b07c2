"""Which library carries the messages: the one place where BACKEND is read."""

from importlib import import_module
from typing import cast

from billing.settings import settings

from . import memory
from .core import Broker

_MODULES = {
    "rq": ".on_rq.broker",
    "celery-redis": ".on_celery.broker",
    "celery-rabbitmq": ".on_celery.broker",
}


def broker() -> Broker:
    """The broker of the backend that BACKEND names. Its library is imported here, when it is needed."""
    name = settings().backend
    if name == "memory":
        return memory.the
    if name not in _MODULES:
        raise RuntimeError(f"BACKEND is {name!r}; it is one of memory, {', '.join(sorted(_MODULES))}.")
    return cast(Broker, import_module(_MODULES[name], __package__.rpartition(".")[0]))
