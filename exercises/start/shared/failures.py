"""What an exception says about the run: the one place where classes of error are told apart."""

from sqlalchemy.exc import DBAPIError

from billing.db import DatabaseDown
from billing.storage import PartChanged, StoreDown

from .core import BrokerDown, Failure, PartnerError

# Two transactions in each other's way: deadlock, serialization, lock or statement time-out.
_COLLISIONS = frozenset({"40P01", "40001", "55P03", "57014"})
_OUTAGES = (DatabaseDown, BrokerDown, StoreDown, PartChanged)


def failure_of(error: BaseException, *, timed_out: tuple[type[BaseException], ...] = ()) -> Failure:
    """A value that `retries.decide` can judge. What is not known to pass by itself is taken for a mistake of ours,
    which the same code would only repeat; `timed_out` are the backend's own exceptions for the end of the time box.
    """
    name = type(error).__name__
    if isinstance(error, PartnerError):
        return error.failure
    if isinstance(error, timed_out):
        return Failure("TimeBoxExceeded", "the run did not end within its time box")
    if isinstance(error, _OUTAGES):
        return Failure(name, str(error))
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _COLLISIONS:
        return Failure(name, "two transactions were in each other's way")
    return Failure(name, str(error), transient=False)
