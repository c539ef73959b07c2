"""Processes for tests to stop, freeze and kill: each says on stdout where it is, and waits there until told.

Run as `python tests/spine/actors.py NAME ARGUMENT…`, from the repository's root.
"""

import os
import runpy
import sys

from app.shared import backend, claims, effects, relay, tasks
from app.shared.core import Claim, Envelope, JobId, Receipt

GO_ON = int(os.environ["GO_ON"])


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def wait() -> None:
    """Until the test says so; if the test dies, the end of its pipe is the word."""
    os.read(GO_ON, 1)


def relay_after_confirm() -> None:
    """Publishes one batch, and pauses between the broker's confirmation and its own commit."""
    broker = backend.broker()
    publish = broker.publish

    def paused(envelopes: list[Envelope]) -> set[JobId]:
        confirmed = publish(envelopes)
        say(f"published {len(confirmed)}")
        wait()
        return confirmed

    broker.publish = paused  # type: ignore[method-assign]
    try:
        say(f"took {relay.run_once()}")
    except Exception as error:
        say(type(error).__name__)


def act(key: str) -> None:
    """One effect; pauses within the act, after the other side has done it."""

    def pay(given: str) -> Receipt:
        say(f"acting {given}")
        wait()
        return Receipt("from the first process")

    say(effects.once(key, pay).reference)


def workers() -> None:
    """RQ's pool as `python -m app worker io` starts it, with a noop whose first delivery pauses in the middle."""
    from app.on_rq.main import command

    def noop(claim: Claim) -> dict[str, object]:
        say(f"acting {os.getpid()} {claim.job.deliveries}")
        if claim.job.deliveries == 1:
            wait()
        return {"worker": claims.worker_name(os.getpid())}

    tasks.HANDLERS["noop"] = noop
    sys.argv = command("io")
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    {"relay_after_confirm": relay_after_confirm, "act": act, "workers": workers}[sys.argv[1]](*sys.argv[2:])
