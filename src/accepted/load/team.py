"""The load from several processes: Locust distributed. One leads and sends nothing itself, the others share it out.

Locust's master and workers carry it: each worker gets every n-th arrival, paces by its own clock, and sends back what
became of its requests. `python -m accepted.load.team HOST PORT` is a worker; the lead starts as many as are wanted.
"""

import os
import sys

os.environ.setdefault("GEVENT_RESOLVER", "block")
from locust import FastHttpUser, User, task  # isort: skip  # first: it patches what the others import

import gc
import io
import json
import signal
import subprocess
from pathlib import Path
from typing import Any, TextIO

import gevent
from gevent.event import Event
from locust.env import Environment

from accepted.load.pacer import Pacer, dressed, locust_figures, prefer, say
from accepted.stack import ports

JOIN = 90.0  # s for the workers to come
FAREWELL = 10.0  # s for Locust's last figures


class Lead:
    """What the workers have said so far."""

    def __init__(self, plan: dict[str, Any], sent: TextIO) -> None:
        self.plan, self.sent = plan, sent
        self.told: dict[str, dict[str, Any]] = {}
        self.priorities: list[str] = []
        self.ready, self.over = Event(), Event()
        self.port = ports.free_port()
        self.environment = Environment(user_classes=[_Nobody])
        self.runner = self.environment.create_master_runner("127.0.0.1", self.port)
        self.runner.register_message("here", self._here)
        self.runner.register_message("planned", self._planned)
        self.runner.register_message("told", self._told)

    def hear_out(self) -> None:
        """Locust's own figures come every three seconds; the last of them are waited for, but not for long."""
        everything = sum(one["answered"] + one["failed"] for one in self.told.values())
        with gevent.Timeout(FAREWELL, False):
            while self.environment.stats.total.num_requests < everything:
                gevent.sleep(0.05)

    def _here(self, environment: Any, msg: Any) -> None:
        """A worker listens: it gets its part."""
        n, each = len(self.told), self.plan["workers"]
        self.told[msg.node_id] = {}
        self.runner.send_message("plan", {**self.plan, "requests": self.plan["requests"][n::each]}, msg.node_id)

    def _planned(self, environment: Any, msg: Any) -> None:
        self.priorities.append(msg.data["priority"])
        if len(self.priorities) == self.plan["workers"]:
            self.ready.set()

    def _told(self, environment: Any, msg: Any) -> None:
        self.sent.write(msg.data.pop("lines"))
        recent = msg.data.pop("recent")
        self.told[msg.node_id] |= msg.data
        everyone = self.told.values()
        totals = {name: sum(one.get(name, 0) for one in everyone) for name in ("sent", "answered", "failed")}
        say(**totals, recent=recent, longest=max(one.get("longest", 0.0) for one in everyone))
        if all(one.get("over") for one in everyone):
            self.over.set()


class _Nobody(User):  # type: ignore[misc]
    """The lead's own users: the workers have the real ones, by the same name."""

    abstract = False

    @task  # type: ignore[untyped-decorator]
    def pace(self) -> None:
        raise NotImplementedError


_Nobody.__name__ = "Arrivals"


def lead(plan: dict[str, Any], sent_file: Path) -> int:
    """As `generator.main`, with workers. A worker that is lost ends the run with an error."""
    with sent_file.open("w") as sent:
        team = Lead(plan, sent)
        command = [sys.executable, "-m", "accepted.load.team", "127.0.0.1", str(team.port)]
        # Not our stdout: whoever reads it has to see that we have ended.
        workers = [
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            for _ in range(plan["workers"])
        ]
        page = team.environment.create_web_ui("127.0.0.1", plan["web"]) if plan.get("web") else None
        with gevent.Timeout(JOIN, SystemExit(f"the Locust workers did not come within {JOIN:.0f} s")):
            team.ready.wait()
        gevent.signal_handler(signal.SIGTERM, team.runner.send_message, "stop-pacing", {})
        say(ready=True, priority=" and ".join(sorted(set(team.priorities))))
        zero = json.loads(gevent.get_hub().threadpool.apply(sys.stdin.readline))["zero"]
        team.runner.send_message("zero", {"zero": zero})
        gevent.spawn(
            team.runner.start, plan["workers"], spawn_rate=plan["workers"]
        )  # it would wait for one that is lost
        while not team.over.wait(0.5):
            if any(worker.poll() is not None for worker in workers):
                print("a Locust worker was lost", file=sys.stderr, flush=True)
                os._exit(1)  # the others still talk to us
        team.hear_out()
        team.runner.quit()
        for worker in workers:
            worker.wait(FAREWELL)
        if page:
            page.stop()
    words = list(team.told.values())
    say(
        over=True, **{name: sum(one[name] for one in words) for name in ("sent", "answered", "failed", "unanswered")},
        cpu=max(one["cpu"] for one in words), locust=locust_figures(team.environment), recent=[],
    )  # fmt: skip
    return 0


def work(host: str, port: int) -> None:
    """A worker: its part comes by message, and so does the run's zero."""
    planned, begun = Event(), Event()
    pacer = Pacer([], 0.0, io.StringIO())

    class Arrivals(FastHttpUser):  # type: ignore[misc]
        max_redirects = 0

        @task  # type: ignore[untyped-decorator]
        def pace(self) -> None:
            begun.wait()
            pacer.run(self.client)
            tell(**pacer.last_words())
            gevent.sleep(3600)  # the lead ends us

    environment = Environment(user_classes=[Arrivals])
    runner = environment.create_worker_runner(host, port)

    def plan(environment: Any, msg: Any) -> None:
        pacer.plan, pacer.patience = dressed(msg.data["requests"]), msg.data["patience"]
        Arrivals.host, Arrivals.concurrency = msg.data["host"], len(pacer.plan) + 1
        Arrivals.network_timeout = Arrivals.connection_timeout = msg.data["patience"]
        gc.collect()
        gc.disable()
        planned.set()
        runner.send_message("planned", {"priority": prefer()})

    def zero(environment: Any, msg: Any) -> None:
        pacer.zero = float(msg.data["zero"])
        begun.set()
        gevent.spawn(pacer.tell, tell)

    def tell(**what: Any) -> None:
        lines, pacer.sent = pacer.sent, io.StringIO()
        assert isinstance(lines, io.StringIO)
        runner.send_message("told", {**what, "lines": lines.getvalue()})

    runner.register_message("plan", plan)
    runner.register_message("zero", zero)
    runner.register_message("stop-pacing", lambda environment, msg: pacer.stopping.set())
    runner.send_message("here")
    runner.greenlet.join()


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
