"""After the load: until what was accepted is over, or nothing moves it any more."""

import time
from collections.abc import Callable

GRACE = 45.0  # s after the last answer, and after the drain's longest, in which what is accepted may still end
STANDSTILL = 15.0  # s without an event: longer than it takes to notice that a worker has died

# Jobs that are not over; those of them that wait for another try; what moves with each event.
Standing = tuple[int, int, object]


def settle(look: Callable[[], Standing | None], seconds: float, pause: float) -> bool:
    """Looks until all is over, nothing moves any more, or the time is. Whether it was the second.

    A `look` of None saw nothing: what was moving may be moving still.
    """
    give_up, moved, last = time.monotonic() + seconds, time.monotonic(), object()
    while time.monotonic() < give_up:
        seen = look()
        if seen is not None:
            unfinished, retrying, mark = seen
            if not unfinished:
                return False
            if mark != last or retrying:
                moved, last = time.monotonic(), mark
        if time.monotonic() - moved > STANDSTILL:
            return True
        time.sleep(pause)
    return False
