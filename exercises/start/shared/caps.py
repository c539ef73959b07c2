"""How much we take at once of what others own: calls to partners, connections to Postgres."""

from collections.abc import Iterator
from contextlib import contextmanager

CONNECTIONS = 20  # of one process, opened as they are needed


@contextmanager
def slot(name: str) -> Iterator[None]:
    """A call to the partner `name`: as many at once as there are workers."""
    yield


def connections(process: str) -> int:
    """How many database connections one process of this Procfile name may hold."""
    return CONNECTIONS
