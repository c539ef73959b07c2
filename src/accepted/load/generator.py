"""The load generator, a process of its own: `python -m accepted.load.generator PLAN SENT`.

Locust is the client. One user is the pacer: it releases each request by the clock, in a greenlet of the request's own,
whatever the answers do. Locust's own figures count from the moment of sending; they are handed on, and never judged.

Every request has a fresh connection, as if each came from a client of its own. A kept-alive one that the server closes
just as it is used again would fail through no fault of the system's, and sending a POST a second time is not ours to
do: the server may have begun on the first.

It says a line of JSON on stdout twice a second, waits for a first line on stdin with the run's zero (seconds since the
epoch), and stops pacing at SIGTERM; what is under way is waited for. SENT gets a line for every arrival.
"""

import os
import sys

os.environ.setdefault("GEVENT_RESOLVER", "block")  # hosts are numeric: no thread is needed to look them up
from locust import FastHttpUser, task  # isort: skip  # first: it patches what the others import

import gc
import json
import resource
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import gevent
from gevent.event import Event
from locust.env import Environment

AHEAD = 0.0005  # s: a timer that is closer than this is not worth setting


class Pacer:
    """Sends the plan by the clock, and writes down what became of each request."""

    def __init__(self, plan: Sequence[dict[str, Any]], patience: float, sent: TextIO) -> None:
        self.plan, self.patience, self.sent = plan, patience, sent
        self.zero = 0.0  # epoch seconds
        self.stopping, self.over = Event(), Event()
        self.released = self.answered = self.failed = 0
        self.busiest = 0.0  # share of one core in the busiest second
        self.recent: list[tuple[str, float]] = []
        self._under_way: dict[int, float] = {}  # when each left, by its number
        self._greenlets: set[gevent.Greenlet] = set()

    def run(self, client: Any) -> None:
        """Until all is sent and answered, or given up on."""
        offset = self.zero - time.time() + time.monotonic()  # a clock that is set anew moves no arrival
        for each in self.plan:
            due = offset + each["at"]
            while (wait := due - time.monotonic()) > AHEAD and not self.stopping.is_set():
                self.stopping.wait(wait)
            if self.stopping.is_set():
                break
            self.released += 1
            greenlet = gevent.spawn(self._send, client, each, offset)
            self._greenlets.add(greenlet)
            greenlet.rawlink(self._greenlets.discard)
        gevent.joinall(list(self._greenlets), timeout=self.patience + 1)
        for n, at in self._under_way.items():  # never answered, and yet they left
            line = {"n": n, "t_int": self.zero + self.plan[n]["at"], "t_send": at, "status": 0, "error": "no answer"}
            self.sent.write(json.dumps(line) + "\n")
        self.over.set()

    def _send(self, client: Any, each: dict[str, Any], offset: float) -> None:
        began, epoch = time.monotonic(), self.zero - offset
        self._under_way[each["n"]] = began + epoch
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

    def tell(self) -> None:
        """Twice a second, how far it is; and how much of a core that took."""
        then, used = time.monotonic(), _cpu()
        while not self.over.wait(0.5):
            now, spent = time.monotonic(), _cpu()
            if self.released and not self.stopping.is_set():
                self.busiest = max(self.busiest, (spent - used) / (now - then))
            recent, self.recent = self.recent, []
            say(sent=self.released, answered=self.answered, failed=self.failed, recent=recent[-400:])
            self.sent.flush()
            then, used = now, spent


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def locust_figures(environment: Any) -> dict[str, Any]:
    """Its own closed view: from the moment of sending, whole milliseconds."""
    total = environment.stats.total
    p95 = total.get_response_time_percentile(0.95) or 0
    return {
        "requests": total.num_requests,
        "failures": total.num_failures,
        "p95_ms": p95,
        "max_ms": total.max_response_time,
    }


def main(plan_file: str, sent_file: str) -> int:
    plan = json.loads(Path(plan_file).read_text())
    for each in plan["requests"]:
        each["content"] = json.dumps(each["body"])
        each["headers"] = {**each["headers"], "Content-Type": "application/json", "Connection": "close"}
    priority = prefer()

    with Path(sent_file).open("w") as sent:
        pacer = Pacer(plan["requests"], plan["patience"], sent)

        class Arrivals(FastHttpUser):  # type: ignore[misc]
            host = plan["host"]
            concurrency = len(plan["requests"]) + 1  # the pool may never make an arrival wait
            network_timeout = connection_timeout = plan["patience"]
            max_redirects = 0

            @task  # type: ignore[untyped-decorator]
            def pace(self) -> None:
                pacer.run(self.client)
                self.environment.runner.quit()

        environment = Environment(user_classes=[Arrivals])
        runner = environment.create_local_runner()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gevent.signal_handler(signal.SIGTERM, pacer.stopping.set)
        gc.collect()
        gc.disable()  # a pause of the collector would be a pause of the load; a run's garbage is small
        say(ready=True, priority=priority)
        pacer.zero = float(json.loads(sys.stdin.readline())["zero"])
        telling = gevent.spawn(pacer.tell)
        runner.start(1, spawn_rate=1)
        runner.greenlet.join()
        pacer.over.set()
        telling.join()
    say(
        over=True, sent=pacer.released, answered=pacer.answered, failed=pacer.failed, cpu=pacer.busiest,
        unanswered=pacer.released - pacer.answered - pacer.failed, locust=locust_figures(environment),
        cpu_warning=bool(getattr(runner, "cpu_warning_emitted", False)), recent=pacer.recent[-400:],
    )  # fmt: skip
    return 0


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


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
