"""One run: the system up, the load on it, the faults, the drain, the account, the bundle."""

import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import psycopg

from accepted.bench.measure import Invalid
from accepted.faults.proxy import Proxies
from accepted.load import bundle, effective, witnesses
from accepted.load.account import Account, account
from accepted.load.driving import Generator
from accepted.load.figures import Figures
from accepted.load.identity import by_key
from accepted.load.plan import invoices_needed, plan
from accepted.load.progress import Progress
from accepted.load.samples import Samples
from accepted.load.scenario import Scenario
from accepted.load.schedule import Arrival, arrivals
from accepted.load.settling import GRACE, Standing, settle
from accepted.load.slo import Objective
from accepted.load.summary import Ran
from accepted.load.trouble import Trouble, lines_of
from accepted.load.verdict import Conduct, reach
from accepted.scaling import keeping
from accepted.stack.errors import Problem
from accepted.stack.run import Stack

BOOT = 120.0  # s
LEAD = 1.0  # s between the generator's being told and its zero
LINES_AN_INVOICE = 6  # of the made-up data, at least


@dataclass
class Settings:
    """What was asked for on the command line. `around` is entered once the stack is up."""

    tree: Path
    backend: str
    seed: int
    folder: Path
    out: TextIO | None = None
    quiet: bool = False
    missed: list[str] = field(default_factory=list)  # by the self-test
    promised: list[Objective] = field(default_factory=list)  # to `steady`: what a ramp is held to, step by step
    around: Callable[[Stack], AbstractContextManager[object]] = nullcontext
    clients: int | None = None  # closed loop: so many
    workers: int = 1  # processes that share the load
    web: int | None = None  # port of Locust's own page


class Run:
    def __init__(self, scenario: Scenario, objectives: list[Objective], settings: Settings) -> None:
        self.scenario, self.objectives, self.settings = scenario, objectives, settings
        self.progress = Progress(scenario, objectives, settings.out, settings.quiet)

    def play(self) -> Ran:
        """Boots, loads, drains, judges, and writes the bundle. Raises Problem where the system does not come up."""
        due = arrivals(self.scenario, self.settings.seed)
        lines = max(self.scenario.lines, LINES_AN_INVOICE * invoices_needed(due).total())
        declared = dict(self.scenario.settings)
        self.progress.say(f"booting {self.settings.tree.name} on {self.settings.backend} …")
        with Proxies() as proxies, Stack(
            self.settings.tree, backend=self.settings.backend, seed=lines,
            env={**declared, "NOOPS": "1"}, seconds=BOOT, lines=lines_of(self.scenario, proxies),
        ) as stack, self.settings.around(stack):  # fmt: skip
            return self._loaded(stack, due, declared, Trouble(stack, self.scenario, proxies))

    def _loaded(self, stack: Stack, due: list[Arrival], declared: dict[str, str], trouble: Trouble) -> Ran:
        objects = witnesses.prepare(stack.addresses.database, self.scenario.subscribers)
        requests = plan(due, objects, f"load{secrets.token_hex(3)}")
        trouble.usual()
        odd = effective.odd(stack, declared)
        try:
            known = effective.manifest(stack, declared)
        except Invalid as cheats:
            odd, known = [*odd, str(cheats)], {}
        folder = self.settings.folder
        with (
            Generator(
                folder,
                stack.addresses.web,
                requests,
                self.scenario.patience,
                stack.runner.tether,
                self.settings.clients,
                self.settings.workers,
                self.settings.web,
            ) as generator,
            Samples(stack) as samples,
            keeping.watching(stack, declared) as workers,
        ):
            if self.settings.web:
                self.progress.say(f"Locust's own page, until the last answer: http://127.0.0.1:{self.settings.web}")
            zero = time.time() + LEAD
            generator.go(zero)
            trouble.begin(zero)
            try:
                died = self._drive(stack, generator, samples, zero)
            finally:
                trouble.end()
            end = time.time() - zero
            told = generator.told
        due_by_then = sum(each.at <= (self._stopped or self.scenario.seconds) for each in requests)
        requests = requests[: max(due_by_then, int(told.get("sent", 0)))]
        seen = witnesses.jobs(stack.addresses)
        effects = witnesses.effects(stack.addresses.partner, stack.addresses.database)
        counted = by_key(effects, requests, {one.id: one for one in seen})
        found = account(zero, requests, generator.lines(), seen, counted, self._standstill)
        odd += [trouble.failed] if trouble.failed else []
        conduct = conducted(found, told, died, odd, self.settings)
        figures = Figures(
            found, self.scenario, self.objectives, zero, zero + end, samples.taken, self.settings.promised
        )
        verdict = reach(conduct, self.objectives, figures)
        tree = self.settings.tree
        about = manifest(self.scenario, self.settings, tree.name, bundle.revision(tree), zero, generator.priority)
        ran = Ran(verdict, figures, found, conduct, {**about, **known}, trouble.played, samples.taken,
                  told.get("locust", {}), end)  # fmt: skip
        bundle.leave(folder, ran)
        if workers is not None:
            bundle.write(folder, "replicas.json", keeping.replicas(workers, declared, found.rows, zero))
        return ran

    _standstill = False  # jobs were left, and nothing moved them
    _stopped: float | None = None  # seconds since zero, where the drain was over before its time

    def _drive(self, stack: Stack, generator: Generator, samples: Samples, zero: float) -> str | None:
        """Until everything is sent, answered and over, or given up on. Why the generator was lost; None: it was not."""
        starts = dict(zip((one.name for one in self.scenario.phases), self.scenario.starts(), strict=True))
        drain = starts.get("drain")
        empty_since: float | None = None
        try:
            while not generator.listen(0.5):
                elapsed = time.time() - zero
                self.progress.show(elapsed, generator.told, generator.recent, samples.newest)
                if stack.runner.failure:
                    raise stack.runner.failure
                if drain is None or elapsed < drain + 2 or self._stopped is not None:
                    continue
                # What came before the drain is over when nothing is older than the drain itself.
                age = samples.newest.get("oldest_age")
                answered = generator.told.get("answered", 0) + generator.told.get("failed", 0)
                caught_up = answered >= generator.told.get("sent", 0) - 5
                if age is not None and age < min(2.0, elapsed - drain) and caught_up:
                    empty_since = empty_since or elapsed
                    if elapsed - empty_since >= 2.0:
                        self._stopped = elapsed
                        generator.stop()
                else:
                    empty_since = None
        except Problem as problem:
            if problem is stack.runner.failure:
                raise
            return str(problem)
        drains = 0.0 if self._stopped is not None else max(0.0, zero + self.scenario.seconds - time.time())

        def look() -> Standing | None:
            self.progress.show(time.time() - zero, generator.told, [], samples.newest)
            try:
                return witnesses.standing(stack.addresses.database)
            except psycopg.Error:
                return None

        self._standstill = settle(look, drains + GRACE, 0.3)
        return None


def conducted(found: Account, told: dict[str, Any], died: str | None, odd: list[str], settings: Settings) -> Conduct:
    """How the measuring itself went, from the generator's last words and its lines."""
    sent = int(told.get("sent", 0))
    lags = [row.lag for row in found.rows[:sent]]
    dropped = max(0, len(found.rows) - sent)
    return Conduct(lags, dropped, float(told.get("cpu", 0.0)), died, odd, settings.missed, settings.clients)


def manifest(
    scenario: Scenario, settings: Settings, tree: str, git: dict[str, Any], zero: float, priority: str
) -> dict[str, Any]:
    """What was run: the part of the manifest that every run has."""
    return {
        "schema": "manifest/v1", "scenario": asdict(scenario), "seed": settings.seed,
        "fingerprint": bundle.fingerprint(scenario, settings.seed), "zero": zero, "tree": tree,
        "backend": settings.backend, "git": git, "generator_priority": priority, "clients": settings.clients,
    }  # fmt: skip
