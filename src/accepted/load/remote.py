"""A run against a deployment that is up elsewhere: loaded by the clock, accounted for by what HTTP tells."""

import secrets
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit

from accepted.load import bundle, deployment
from accepted.load.account import account
from accepted.load.deployment import Deployment
from accepted.load.driving import Generator
from accepted.load.figures import Figures
from accepted.load.plan import Objects, invoices_needed, plan
from accepted.load.progress import Progress
from accepted.load.run import LEAD, Settings, conducted, manifest
from accepted.load.scenario import Scenario
from accepted.load.schedule import arrivals
from accepted.load.settling import GRACE, Standing, settle
from accepted.load.slo import Objective
from accepted.load.summary import Ran
from accepted.load.verdict import reach
from accepted.stack.errors import Problem
from accepted.stack.tether import Tether

LOOK = 2.0  # s from one look at what is unfinished to the next: a look is a load too
SKEW = 2.0  # s that the clocks of a deployment's own machines may differ
HERE = ("127.0.0.1", "localhost", "::1")


def check(scenario: Scenario, url: str, mine: bool) -> None:
    """A Problem where this scenario can't be played there, or nobody said that it may."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Problem(f"{url} is no address", "it has to name a scheme and a host", "Write it as https://HOST")
    if parts.hostname not in HERE and not mine:
        rate = max(max(phase.rate, phase.to or 0) for phase in scenario.phases)
        why = f"up to {rate:.0f} requests/s, for {scenario.seconds:.0f} s at most, would go to {parts.hostname}"
        cure = "Only where that host is yours to load: say so with --mine."
        raise Problem("load is sent to hosts of your own only", why, cure)
    if faults := [phase.fault for phase in scenario.phases if phase.fault]:
        why = f"{scenario.name} plays {', '.join(map(str, faults))}, on processes of this machine"
        raise Problem("no fault is played on a deployment", why, "Take a scenario without: burst, steady, soak, ramp.")
    if any(work.poison for work in scenario.work):
        why = f"{scenario.name} poisons some jobs, which only the kit's own partner refuses"
        raise Problem("nothing is poisoned on a deployment", why, "Take a scenario without: burst, steady, soak, ramp.")


def unfinished(there: Deployment, ours: frozenset[str]) -> dict[str, tuple[str, int]] | None:
    """As Deployment's; None where there is no answer: one is no end of a run, the next look may be better."""
    try:
        return there.unfinished(ours)
    except Problem:
        return None


class RemoteRun:
    """As Run, but for what can't be known from there: who is judged, and by what, is said first."""

    def __init__(
        self, scenario: Scenario, objectives: list[Objective], settings: Settings, url: str,
        tenants: Mapping[str, Objects],
    ) -> None:  # fmt: skip
        self.scenario, self.settings, self.url, self.tenants = scenario, settings, url, tenants
        self.objectives = [each for each in objectives if each.metric not in deployment.UNSEEN]
        self.progress = Progress(scenario, self.objectives, settings.out, settings.quiet)

    def play(self) -> Ran:
        """Loads, waits until all of ours is over, judges, and writes the bundle. Raises Problem where it can't."""
        due = arrivals(self.scenario, self.settings.seed)
        host = urlsplit(self.url).hostname
        self.progress.say(f"{len(due):,} requests at most go to {host}, which has to be a host of yours.")
        self.progress.say("Its jobs are taken at their word: doubles, phantoms and settings can't be seen from here.")
        with ExitStack() as done, Deployment(self.url, self.tenants) as there:
            requests = plan(due, there.objects(invoices_needed(due)), f"load{secrets.token_hex(3)}")
            tether = Tether(f"load-{secrets.token_hex(4)}")
            done.callback(tether.release)
            with Generator(
                self.settings.folder, self.url, requests, self.scenario.patience, tether, self.settings.clients,
                self.settings.workers, self.settings.web,
            ) as generator:  # fmt: skip
                if self.settings.web:
                    self.progress.say(f"Locust's own page: http://127.0.0.1:{self.settings.web}")
                began = there.clock() - SKEW
                zero = time.time() + LEAD
                generator.go(zero)
                died = self._listen(generator, zero)
                lines, told = generator.lines(), generator.told
            accepted = {line["job"]: line["t_acc"] for line in lines if line.get("job")}
            ours = frozenset(accepted)

            def look() -> Standing | None:
                standing = unfinished(there, ours)
                if standing is None:
                    return None
                states = Counter(state for state, _ in standing.values())
                self.progress.show(time.time() - zero, told, [], states)
                return len(standing), states["retrying"], standing

            standstill = settle(look, GRACE, LOOK)
            end = time.time()
            jobs = there.jobs(ours)
        seen = deployment.seen(jobs, accepted)
        found = account(zero, requests, lines, seen, deployment.effects(seen), standstill)
        older = deployment.older(jobs, ours, began)
        odd = [f"{older} requests were answered with the job of an earlier run"] if older else []
        conduct = conducted(found, told, died, odd, self.settings)
        figures = Figures(found, self.scenario, self.objectives, zero, end, (), self.settings.promised)
        about = manifest(self.scenario, self.settings, self.url, {"commit": None, "changed": None}, zero,
                         generator.priority)  # fmt: skip
        ran = Ran(reach(conduct, self.objectives, figures), figures, found, conduct, about, [], [],
                  told.get("locust", {}), end - zero)  # fmt: skip
        bundle.leave(self.settings.folder, ran)
        return ran

    def _listen(self, generator: Generator, zero: float) -> str | None:
        """Until everything is sent and answered. Why the generator was lost; None: it was not."""
        try:
            while not generator.listen(0.5):
                self.progress.show(time.time() - zero, generator.told, generator.recent, {})
        except Problem as problem:
            return str(problem)
        return None
