"""The faults of a scenario, played while the load goes on. Each is begun, and lifted where it lasts."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from accepted.faults.lines import Lines as Proxied
from accepted.faults.proxy import Proxies
from accepted.load.scenario import Scenario
from accepted.stack.errors import Problem
from accepted.stack.given import GivenRabbitMQ, GivenRedis
from accepted.stack.run import Lines, Stack

SLOW = 2.0  # s that a slow partner takes for each call
BEHIND_WEB = ("relay", "scheduler", "worker-io", "worker-cpu")


def lines_of(scenario: Scenario, proxies: Proxies) -> Lines | None:
    """What puts proxies between a process and what it talks to, where the scenario cuts the network; None elsewhere.

    The web has its lines to itself: it is measured, and it goes on accepting.
    """
    if not any(phase.fault == "cut_network" for phase in scenario.phases):
        return None
    through = Proxied(proxies)
    return lambda name, where: through(name, where) if name in BEHIND_WEB else {}


class Trouble:
    """Plays what the scenario says, from `zero` on. `played`: what was done, and when (epoch seconds)."""

    def __init__(self, stack: Stack, scenario: Scenario, proxies: Proxies | None = None) -> None:
        self.stack, self.scenario, self.proxies = stack, scenario, proxies
        self.played: list[dict[str, Any]] = []
        self.failed: str | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def usual(self) -> None:
        """The partner as slow as the scenario has it, poisoned jobs refused."""
        self._partner({})

    def begin(self, zero: float) -> None:
        wanted = [(zero + start + phase.at, phase.fault, phase.lasts)
                  for start, phase in zip(self.scenario.starts(), self.scenario.phases, strict=True)
                  if phase.fault]  # fmt: skip
        self._thread = threading.Thread(target=self._run, args=(wanted,), name="faults", daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(60)

    def _run(self, wanted: list[tuple[float, str, float]]) -> None:
        for moment, fault, lasts in wanted:
            if self._stop.wait(max(0.0, moment - time.time())):
                return
            try:
                begun = time.time()
                lift = self._faults()[fault]()
                self._note(fault, begun)
                if lift:
                    self._stop.wait(lasts)
                    begun = time.time()
                    lift()
                    self._note(f"{fault} is over", begun)
            except (Problem, OSError, KeyError, httpx.HTTPError) as error:
                self.failed = f"{fault} could not be played: {error}"

    def _note(self, what: str, begun: float) -> None:
        self.played.append({"fault": what, "at": begun, "seconds": round(time.time() - begun, 3)})

    def _faults(self) -> Mapping[str, Callable[[], Callable[[], None] | None]]:
        """Each plays one; what it returns lifts it."""
        return {
            "kill_worker": lambda: self._kill("worker-io"),
            "kill_relay": lambda: self._kill("relay"),
            "restart_broker": self._restart_broker,
            "wipe_broker": self._wipe_broker,
            "stop_partner": self._stop_partner,
            "slow_partner": self._slow_partner,
            "freeze_worker": self._freeze_worker,
            "cut_network": self._cut_network,
            "deploy": self._deploy,
        }

    def _kill(self, name: str) -> None:
        self.stack.runner.kill(name)

    def _broker(self) -> Any:
        broker = self.stack.rabbitmq or self.stack.redis
        if isinstance(broker, GivenRabbitMQ | GivenRedis):
            raise Problem("the broker is somebody else's", "it is not ours to kill", "Unset BROKER_URL and REDIS_URL.")
        return broker

    def _restart_broker(self) -> None:
        self._broker().restart(immediate=True)

    def _wipe_broker(self) -> None:
        self._broker().wipe()

    def _stop_partner(self) -> Callable[[], None]:
        self.stack.runner.stop("partner", 2)

        def back() -> None:
            self.stack.runner.start("partner")
            self.stack.runner.wait_healthy(20, "partner")
            self._partner({})

        return back

    def _slow_partner(self) -> Callable[[], None]:
        self._partner({"charge": SLOW, "email": SLOW, "hook": SLOW})
        return lambda: self._partner({})

    def _freeze_worker(self) -> Callable[[], None]:
        self.stack.runner.freeze("worker-io")
        return lambda: self.stack.runner.thaw("worker-io")

    def _cut_network(self) -> Callable[[], None]:
        """Nothing comes through to or from what stands behind the web, and nobody is told."""
        if self.proxies is None:
            raise Problem("there is no network to cut", "its lines have no proxies", "Cut it in a scenario's phase.")
        ends = [self.proxies.silence(name) for name in BEHIND_WEB]

        def back() -> None:
            for end in ends:
                end()

        return back

    def _deploy(self) -> None:
        """What stands behind the web is stopped and started, one after another; gunicorn replaces its workers."""
        known = {child.spec.name for child in self.stack.runner.children()}
        for name in BEHIND_WEB:
            if name in known:
                self.stack.runner.stop(name, 15)
                self.stack.runner.start(name)
        if "web" in known:
            self.stack.runner.kill("web", signal.SIGHUP, tree=False)

    def _partner(self, slower: Mapping[str, float]) -> None:
        takes = {**self.scenario.partner, **slower}
        poison = {"match": {"op": "charge", "key": "*-poison-*"}, "do": {"status": 400}}
        rules = [{"match": {"op": op}, "do": {"delay": delay}} for op, delay in takes.items()]
        url = f"{self.stack.addresses.partner}/faults"
        httpx.put(url, json={"rules": [poison, *rules]}, timeout=10, trust_env=False).raise_for_status()
