"""The relay, which carries messages from the outbox to the broker.

`outbox.add` publishes by itself, so there is nothing to carry; the process stands by.
"""

import threading


def run_once() -> int:
    """Publishes one batch; returns how many messages it took on."""
    return 0


def wait(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)


def loop(stop: threading.Event) -> None:
    """Publishes until `stop` is set."""
    while not stop.is_set():
        if not run_once():
            wait(stop, 1)
