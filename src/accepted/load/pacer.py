"""The pacer: releases each request by the clock, in a greenlet of its own, whatever the answers do.

Whoever imports this has imported Locust before: it patches what is imported here.
"""

import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore

AHEAD = 0.0005  # s: a timer that is closer than this is not worth setting


class Pacer:
    """Sends the plan by the clock, and writes down what became of each request.

    `clients`: no more requests than so many under way, the next one leaves when one is answered. That is a closed loop,
    and a run with it is worth nothing but to show what it hides."""

    def __init__(
        self, plan: Sequence[dict[str, Any]], patience: float, sent: TextIO, clients: int | None = None
    ) -> None:
        self.plan, self.patience, self.sent = plan, patience, sent
        self.free = BoundedSemaphore(clients) if clients else None
        self.zero = 0.0  # epoch seconds
        self.stopping, self.over = Event(), Event()
        self.released = self.answered = self.failed = 0
        self.busiest = 0.0  # share of one core in the busiest second
        self.recent: list[tuple[str, float]] = []
        self._under_way: dict[int, tuple[float, float]] = {}  # when each was due, in the plan's time, and when it left
        self._greenlets: set[gevent.Greenlet] = set()

    def run(self, client: Any) -> None:
        """Until all is sent and answered, or given up on."""
        offset = self.zero - time.time() + time.monotonic()  # a clock that is set anew moves no arrival
        for each in self.plan:
            due = offset + each["at"]
            while (wait := due - time.monotonic()) > AHEAD and not self.stopping.is_set():
                self.stopping.wait(wait)
            if self.free:
                self.free.acquire()
            if self.stopping.is_set():
                break
            self.released += 1
            greenlet = gevent.spawn(self._send, client, each, offset)
            self._greenlets.add(greenlet)
            greenlet.rawlink(self._greenlets.discard)
            if self.free:
                greenlet.rawlink(lambda _: self.free.release())
        gevent.joinall(list(self._greenlets), timeout=self.patience + 1)
        for n, (at, left) in self._under_way.items():  # never answered, and yet they left
            line = {"n": n, "t_int": self.zero + at, "t_send": left, "status": 0, "error": "no answer"}
            self.sent.write(json.dumps(line) + "\n")
        self.over.set()

    def _send(self, client: Any, each: dict[str, Any], offset: float) -> None:
        began, epoch = time.monotonic(), self.zero - offset
        self._under_way[each["n"]] = each["at"], began + epoch
        answer = client.request(
            each["method"], each["path"], name=each["kind"], data=each["content"], headers=each["headers"]
        )
        ended = time.monotonic()
        del self._under_way[each["n"]]
        ok = 200 <= answer.status_code < 300
        line = {"n": each["n"], "t_int": self.zero + each["at"], "t_send": began + epoch, "status": answer.status_code}
        if ok:
            self.answered += 1
            line["t_acc"] = ended + epoch
            line["job"] = (answer.headers.get("Location") or "").rpartition("/")[2] or None
        else:
            self.failed += 1
            error = getattr(answer, "error", None)
            line["t_refused"] = ended + epoch
            line["error"] = f"{type(error).__name__}: {error}" if not answer.status_code else None
        self.recent.append((each["phase"], ended - offset - each["at"] if ok else -1.0))
        self.sent.write(json.dumps(line) + "\n")

    def tell(self, tell: Callable[..., None]) -> None:
        """Twice a second, how far it is; and how much of a core that took."""
        then, used = time.monotonic(), _cpu()
        while not self.over.wait(0.5):
            now, spent = time.monotonic(), _cpu()
            if self.released and not self.stopping.is_set():
                self.busiest = max(self.busiest, (spent - used) / (now - then))
            recent, self.recent = self.recent, []
            longest = max((time.time() - self.zero - at for at, _ in self._under_way.values()), default=0.0)
            tell(sent=self.released, answered=self.answered, failed=self.failed, recent=recent[-400:], longest=longest)
            self.sent.flush()
            then, used = now, spent

    def last_words(self) -> dict[str, Any]:
        """What is told when all is over."""
        return {
            "over": True, "sent": self.released, "answered": self.answered, "failed": self.failed,
            "cpu": self.busiest, "unanswered": self.released - self.answered - self.failed,
            "recent": self.recent[-400:],
        }  # fmt: skip


def dressed(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with its body as it is sent, and headers for a connection of its own."""
    own = {"Content-Type": "application/json", "Connection": "close"}
    return [{**each, "content": json.dumps(each["body"]), "headers": {**each["headers"], **own}} for each in requests]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def locust_figures(environment: Any) -> dict[str, Any]:
    """Its own closed view: from the moment of sending, whole milliseconds."""
    total = environment.stats.total
    quantiles = {f"p{part}_ms": total.get_response_time_percentile(part / 100) or 0 for part in (50, 95, 99)}
    return {
        "requests": total.num_requests,
        "failures": total.num_failures,
        **quantiles,
        "max_ms": total.max_response_time,
    }


def prefer() -> str:
    """Comes before the measured processes where it may, as a generator on a machine of its own would.

    Niceness alone counts for nothing where each session is scheduled as a group of its own.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        return "round-robin, before all others"
    except (AttributeError, OSError):
        pass
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except OSError:
        pass
    return f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"
