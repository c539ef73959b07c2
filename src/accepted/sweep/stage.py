"""A run with proxies on all its lines, and the knowledge of what it does when it has nothing to do."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median_low
from types import TracebackType
from typing import Self

import httpx

from accepted.faults.crossings import Class
from accepted.faults.lines import Lines
from accepted.faults.proxy import Proxies
from accepted.oracle.reader import Witnesses
from accepted.stack.errors import Problem
from accepted.stack.processes import until
from accepted.stack.run import Stack
from accepted.sweep.client import Client
from accepted.sweep.stories import STORIES, TENANT, Objects
from billing.seed import token

# Shortened, so that a killed worker's job is back in about a second; everything else is as shipped.
TIMINGS: Mapping[str, str] = {
    "LEASE": "1", "REAPER_PERIOD": "0.4", "RETRY_BASE": "0.4", "RETRY_CAP": "0.4", "RELAY_POLL": "0.2",
}  # fmt: skip
# A lease of a second is lost on a busy machine with nobody dead: more of that before a job is parked as poison.
TRIES: Mapping[str, str] = {"MAX_CRASHES": "8", "MAX_ATTEMPTS": "12"}
# Nobody's requests are to be spared here, and a worker that gives way to all else makes every case wait.
AT_ONCE: Mapping[str, str] = {"WORKER_NICE": "0"}
# One of each, so that what crosses in a clean run crosses in the same order in the next.
SIZES: Mapping[str, str] = {"WEB_WORKERS": "1", "WEB_THREADS": "2", "IO_SLOTS": "1", "CPU_SLOTS": "1", **AT_ONCE}
SEED_DATA = 7  # of the made-up data
IDLE = 6.5  # s of watching: longer than any worker's blocking wait
BOOT = 300.0  # s for each of what a boot waits for, several stages side by side
UP = 120.0  # s for all processes to be up and at rest; on an idle machine it takes two
OFTEN = 1.0  # crossings a second; what an idle process does as often as this is polling


@dataclass
class Idle:
    """What crosses when nobody asks for anything: how often a second, and what is always under way."""

    rates: Mapping[Class, float] = field(default_factory=dict)
    waiting: Mapping[str, Counter[str]] = field(default_factory=dict)

    def polled(self, kind: Class) -> bool:
        return self.rates.get(kind, 0.0) >= OFTEN


def mostly(samples: Sequence[Counter[str]]) -> Counter[str]:
    """What was under way in most of the samples, and how often at once. Not in all: a blocking wait ends after some
    seconds, and is asked for again a moment later."""
    names = {name for one in samples for name in one}
    return +Counter({name: median_low([one[name] for one in samples]) for name in names})


class Stage:
    """`with Stage(tree, backend) as stage:` boots, watches the idle system, and is ready for cases.

    `idle`: what another stage of the same shape has watched. Without `proxied` everything runs at its own speed, and
    nothing can be named or cut.
    """

    stack: Stack
    client: Client
    objects: Objects
    where: Witnesses

    def __init__(
        self, tree: Path, backend: str, seed: int = 0, env: Mapping[str, str] | None = None,
        scale: Mapping[str, int] | None = None, idle: Idle | None = None, proxied: bool = True,
    ) -> None:  # fmt: skip
        self.tree, self.backend, self.seed = tree, backend, seed
        self.env = {**TIMINGS, **TRIES, **SIZES, **(env or {})}
        self.scale, self.proxied, self._known = scale, proxied, idle
        self.idle = idle or Idle()
        self._seq = 0
        self._done = ExitStack()

    def __enter__(self) -> Self:
        try:
            self.proxies = self._done.enter_context(Proxies())
            lines = Lines(self.proxies) if self.proxied else None
            self.stack = self._done.enter_context(
                Stack(self.tree, backend=self.backend, seed="small", env=self.env, lines=lines, scale=self.scale,
                      seconds=BOOT)
            )  # fmt: skip
            urls, bearer = self.stack.addresses, token(TENANT, SEED_DATA)
            self.client = self._done.enter_context(Client(urls.web, bearer))
            partner = self._done.enter_context(httpx.Client(base_url=urls.partner, timeout=20, trust_env=False))
            self.where = Witnesses(urls.web, bearer, urls.database, partner, urls.object_store)
            self.objects = Objects(urls.database, self.seed)
            if not until(self._ready, UP):
                raise Problem("the system is not ready", "GET /readyz did not answer 200", "See its logs.")
            if self.proxied and self._known is None:
                self._watch()
        except BaseException:
            self._done.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.close()

    @property
    def processes(self) -> list[str]:
        """The tree's processes, by their Procfile names."""
        return sorted({child.spec.name for child in self.stack.runner.children() if child.spec.env})

    def settle(self, seconds: float = UP) -> bool:
        """Waits until all processes are up and do what they do when nothing is to be done."""
        try:
            self.stack.runner.wait_healthy(seconds)
        except Problem:
            return False
        return until(lambda: self.restless() is None, seconds, pause=0.05)

    def ledger_seq(self) -> int:
        """The ledger's newest effect or call."""
        told = self.where.partner.get("/ledger", params={"after": str(self._seq)}).raise_for_status()
        self._seq = max((one["seq"] for group in told.json().values() for one in group), default=self._seq)
        return self._seq

    def play(self, *rules: Mapping[str, object]) -> None:
        """The partner's faults from now on."""
        self.where.partner.put("/faults", json={"rules": list(rules)}).raise_for_status()

    def _ready(self) -> bool:
        try:
            return self.client.http.get("/readyz").is_success
        except httpx.HTTPError:
            return False

    def _watch(self) -> None:
        self._warm_up()
        until(lambda: False, 1.0)  # let what only happens at a start pass by
        window, began = self.proxies.open(), time.monotonic()
        samples: dict[str, list[Counter[str]]] = {process: [] for process in self.processes}
        while time.monotonic() - began < IDLE:
            for process, seen in samples.items():
                seen.append(Counter(self.proxies.waiting(process)))
            time.sleep(0.05)
        counts = Counter(one.kind for one in window.shown())
        waiting = {process: mostly(seen) for process, seen in samples.items()}
        self.idle = Idle({kind: number / IDLE for kind, number in counts.items()}, waiting)

    def _warm_up(self) -> None:
        """One job of each kind. Who has done one is up, which no health check of a worker says."""
        asked = [self.client.ask(story(self.objects), UP) for story in STORIES.values()]
        if not self.client.drained(asked, UP):
            raise Problem(
                "the system is not ready", f"one job of each kind took longer than {UP:.0f} s", "See its logs."
            )

    def restless(self, asking: bool = False) -> str | None:
        """What still goes on, or None where all is at rest.

        `asking`: that a client looks at its job, for which web asks Postgres, is no unrest.
        """
        if failure := self.stack.runner.failure:
            return str(failure)
        busy = time.time() - 0.15
        for one in self.proxies.window.shown()[-200:]:
            if one.at > busy and one.kind not in self.idle.rates and not (asking and one.process == "web"):
                return f"{one} is nothing that an idle system does"
        talkers = {process for process, _, _ in self.idle.rates}
        for child in self.stack.runner.children():
            name = child.spec.name
            if not child.spec.env:
                continue
            if child.pid is None or (name in talkers and self.proxies.last.get(name, 0.0) < child.born):
                return f"{name} is not up yet"
            if missing := self.idle.waiting.get(name, Counter()) - Counter(self.proxies.waiting(name)):
                return f"{name} does not wait for {', '.join(missing)}"
        return None
