"""One run: the system up, the load on it, the faults, the drain, the account, the bundle."""

import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import psycopg

from accepted.bench.measure import Invalid
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
from accepted.load.slo import Objective
from accepted.load.summary import Ran, summary
from accepted.load.trouble import Trouble
from accepted.load.verdict import Conduct, reach
from accepted.stack.errors import Problem
from accepted.stack.run import Stack

BOOT = 120.0  # s
GRACE = 45.0  # s after the last answer in which what is accepted may still come to its end
STANDSTILL = 15.0  # s without an event: longer than it takes to notice that a worker has died
LEAD = 1.0  # s between the generator's being told and its zero
LINES_AN_INVOICE = 6  # of the made-up data, at least


@dataclass
class Settings:
    """What was asked for on the command line."""

    tree: Path
    backend: str
    seed: int
    folder: Path
    out: TextIO | None = None
    quiet: bool = False
    missed: list[str] = field(default_factory=list)  # by the self-test


class Run:
    def __init__(self, scenario: Scenario, objectives: list[Objective], settings: Settings) -> None:
        self.scenario, self.objectives, self.settings = scenario, objectives, settings
        self.progress = Progress(scenario, objectives, settings.out, settings.quiet)

    def play(self) -> Ran:
        """Boots, loads, drains, judges, and writes the bundle. Raises Problem where the system does not come up."""
        due = arrivals(self.scenario, self.settings.seed)
        lines = max(self.scenario.lines, LINES_AN_INVOICE * invoices_needed(due))
        declared = dict(self.scenario.settings)
        self.progress.say(f"booting {self.settings.tree.name} on {self.settings.backend} …")
        with Stack(
            self.settings.tree, backend=self.settings.backend, seed=f"small --lines {lines}",
            env={**declared, "NOOPS": "1"}, seconds=BOOT,
        ) as stack:  # fmt: skip
            return self._loaded(stack, due, declared)

    def _loaded(self, stack: Stack, due: list[Arrival], declared: dict[str, str]) -> Ran:
        objects = witnesses.prepare(stack.addresses.database, self.scenario.subscribers)
        requests = plan(due, objects, f"load{secrets.token_hex(3)}")
        trouble = Trouble(stack, self.scenario)
        trouble.usual()
        odd = effective.odd(stack, declared)
        try:
            known = effective.manifest(stack, declared)
        except Invalid as cheats:
            odd, known = [*odd, str(cheats)], {}
        folder = self.settings.folder
        with (
            Generator(folder, stack.addresses.web, requests, self.scenario.patience, stack.runner.tether) as generator,
            Samples(stack) as samples,
        ):
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
        conduct = self._conduct(found, told, died, odd, trouble.failed)
        figures = Figures(found, self.scenario, self.objectives, zero, zero + end)
        verdict = reach(conduct, self.objectives, figures)
        ran = Ran(verdict, figures, found, conduct, self._manifest(known, zero, generator.priority), trouble.played,
                  samples.taken, told.get("locust", {}), end)  # fmt: skip
        self._write(ran, zero)
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
        self._settle(stack, lambda: self.progress.show(time.time() - zero, generator.told, [], samples.newest))
        return None

    def _settle(self, stack: Stack, show: Callable[[], None]) -> None:
        """Until all is over, or nothing moves any more, or the grace is."""
        give_up, moved, last = time.monotonic() + GRACE, time.monotonic(), -1
        while time.monotonic() < give_up:
            show()
            try:
                unfinished, retrying, events = witnesses.standing(stack.addresses.database)
            except psycopg.Error:
                unfinished, retrying, events = 1, 0, last
            if not unfinished:
                return
            if events != last or retrying:
                moved, last = time.monotonic(), events
            if time.monotonic() - moved > STANDSTILL:
                self._standstill = True
                return
            time.sleep(0.3)

    def _conduct(
        self, found: Account, told: dict[str, Any], died: str | None, odd: list[str], failed_fault: str | None
    ) -> Conduct:
        sent = int(told.get("sent", 0))
        lags = [row.lag for row in found.rows[:sent]]
        if failed_fault:
            odd = [*odd, failed_fault]
        return Conduct(lags, max(0, len(found.rows) - sent), float(told.get("cpu", 0.0)), died, odd,
                       self.settings.missed)  # fmt: skip

    def _manifest(self, known: dict[str, Any], zero: float, priority: str) -> dict[str, Any]:
        return {
            "schema": "manifest/v1", "scenario": asdict(self.scenario), "seed": self.settings.seed,
            "fingerprint": bundle.fingerprint(self.scenario, self.settings.seed), "zero": zero,
            "tree": self.settings.tree.name, "backend": self.settings.backend,
            "git": bundle.revision(self.settings.tree), "generator_priority": priority, **known,
        }  # fmt: skip

    def _write(self, ran: Ran, zero: float) -> None:
        folder = self.settings.folder
        bundle.write(folder, "manifest.json", ran.manifest)
        bundle.write_events(folder, ran.account, zero)
        bundle.write_lines(
            folder / "samples.jsonl.gz", ({**one, "at": round(one["at"] - zero, 3)} for one in ran.samples)
        )
        faults = [{**one, "at": round(one["at"] - zero, 3)} for one in ran.faults]
        bundle.write(folder, "faults.json", {"schema": "faults/v1", "faults": faults})
        bundle.write_histograms(folder, ran.figures)
        bundle.write(folder, "summary.json", summary(ran))
        bundle.write(folder, "verdict.json", ran.verdict.as_dict())
        for name in ("sent.jsonl", "plan.json"):  # all that is in them is in the events
            (folder / name).unlink(missing_ok=True)
