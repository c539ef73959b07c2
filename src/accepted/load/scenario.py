"""A scenario: which work arrives, how fast, in which phases, and what goes wrong meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from accepted.load import trace
from accepted.load.reading import Document, documents, seconds
from accepted.stack.errors import Problem

KINDS = ("payout.send", "email.send", "webhook.fanout", "report.export", "noop")
FAULTS = (
    "kill_worker", "kill_relay", "restart_broker", "wipe_broker", "stop_partner", "slow_partner", "freeze_worker",
    "cut_network", "deploy",
)  # fmt: skip
PHASES = ("warmup", "steady", "burst", "soak", "ramp", "trace", "drain", "fault")
Phasing = Literal["poisson", "constant"]


@dataclass(frozen=True)
class Work:
    """A part of the mix. `share` is relative to the others'. `poison`: the partner refuses it for good, so that its
    right end is among the dead letters."""

    kind: str
    share: float
    tenant: str = "acme"
    poison: bool = False
    only: tuple[str, ...] = ()  # phases in which it arrives; empty: all
    format: Literal["csv", "pdf"] = "csv"  # of a report
    period: Literal["month", "year"] = "month"  # that a report covers


@dataclass(frozen=True)
class Phase:
    """`seconds` at `rate` arrivals a second. A drain lasts until the work that came before it is over, `seconds` at
    most. `fault` begins `at` seconds into the phase and is lifted `lasts` seconds later. A ramp's rate goes evenly from
    `rate` to `to`. A trace has its own `moments` (seconds into the phase) instead of a rate."""

    name: str
    seconds: float
    rate: float
    fault: str | None = None
    at: float = 0.0
    lasts: float = 0.0
    to: float | None = None
    moments: tuple[float, ...] | None = None

    @property
    def judged(self) -> bool:
        return self.name != "warmup"


@dataclass(frozen=True)
class Scenario:
    """`partner`: how long the partner takes for each op, in seconds. `settings`: the tree's environment."""

    name: str
    title: str
    work: tuple[Work, ...]
    phases: tuple[Phase, ...]
    seed: int = 7
    arrivals: Phasing = "poisson"
    lines: int = 12_000
    subscribers: int = 1
    patience: float = 30.0
    slo: str = "slo.yaml"
    partner: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    def starts(self) -> list[float]:
        """When each phase begins, in seconds from the first arrival's clock."""
        found, at = [], 0.0
        for phase in self.phases:
            found.append(at)
            at += phase.seconds
        return found

    @property
    def seconds(self) -> float:
        """The longest that arrivals can go on."""
        return sum(phase.seconds for phase in self.phases)

    def phase_at(self, moment: float) -> Phase:
        """The phase of a moment; before the first it is the first, after the last the last."""
        found = self.phases[0]
        for start, phase in zip(self.starts(), self.phases, strict=True):
            if start <= moment:
                found = phase
        return found


def names(folder: Path) -> list[str]:
    """The scenarios that there are."""
    return sorted(path.stem for path in (folder / "scenarios").glob("*.yaml"))


def load(folder: Path, name: str, long: bool = False) -> Scenario:
    """The scenario of that name, or of that file. Raises Problem, with the line of what is wrong."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / "scenarios" / f"{name}.yaml"
    if not path.exists():
        raise Problem(f"no scenario {name}", f"there are {', '.join(names(folder))}", "Name one of them, or a file.")
    return parse(documents(path, folder / "schema" / "scenario.json")[0], long)


def parse(document: Document, long: bool = False) -> Scenario:
    """A checked document as a Scenario; `long`: with the phases of its long form."""
    data = document.data
    if long and "long" not in data:
        raise document.problem("it has no long form", (), "Give it `long: {phases: […]}`, or leave --long out.")
    where: list[str | int] = ["long", "phases"] if long else ["phases"]
    given = data["long"]["phases"] if long else data["phases"]
    phases = tuple(_phase(document, each, [*where, n]) for n, each in enumerate(given))
    known = [phase.name for phase in phases]
    if double := [name for name in known if known.count(name) > 1]:
        raise document.problem(f"two phases are called {double[0]}", where, "Name one of them with `name:`.")
    if any(phase.name == "drain" for phase in phases[:-1]):
        raise document.problem("a drain is the end of a run", where, "Let it be the last phase.")
    for n, each in enumerate(data["jobs"]):
        if odd := [name for name in each.get("only", ()) if name not in known]:
            raise document.problem(f"there is no phase {odd[0]}", ["jobs", n, "only"], f"There are {', '.join(known)}.")
    return Scenario(
        name=document.path.stem,
        title=data["title"],
        work=tuple(_work(each) for each in data["jobs"]),
        phases=phases,
        partner={op: _seconds(document, value, ["partner", op]) for op, value in data.get("partner", {}).items()},
        settings={name: str(value) for name, value in data.get("settings", {}).items()} | _scaler(document),
        seed=data.get("seed", 7),
        arrivals=data.get("arrivals", "poisson"),
        lines=data.get("lines", 12_000),
        subscribers=data.get("subscribers", 1),
        patience=_seconds(document, data.get("patience", "30s"), ["patience"]),
        slo=data.get("slo", "slo.yaml"),
    )


def _scaler(document: Document) -> dict[str, str]:
    """The settings of an autoscaler in the loop; the CPU pool stays at its floor."""
    told = document.data.get("scaler")
    if told is None:
        return {}
    floor, cap = told["io"]
    if floor > cap:
        raise document.problem(f"a floor of {floor} is above a cap of {cap}", ["scaler", "io"], "Write [floor, cap].")
    usual = {"age": "5s", "cooldown": "30s", "step": "2s", "tick": "500ms"}
    times = {name: _seconds(document, told.get(name, value), ["scaler", name]) for name, value in usual.items()}
    return {
        "AUTOSCALE": "local", "IO_FLOOR": f"{floor}", "IO_CAP": f"{cap}", "CPU_FLOOR": "1", "CPU_CAP": "1",
        **{f"AUTOSCALE_{name.upper()}": f"{value:g}" for name, value in times.items()},
    }  # fmt: skip


def _work(each: Mapping[str, Any]) -> Work:
    return Work(**{**each, "only": tuple(each.get("only", ()))})


def _phase(document: Document, each: Mapping[str, Any], where: list[str | int]) -> Phase:
    form = next((name for name in PHASES if name in each), None)
    if form is None:
        raise document.problem(f"a phase is one of {', '.join(PHASES)}", where)
    length = {"drain": "max", "fault": "for", "trace": "for"}.get(form, form)
    for needed in (length, "to" if form == "ramp" else length, length if form == "trace" else "rate"):
        if needed not in each:
            raise document.problem(f"a phase of {form} needs `{needed}:`", where)
    fault = each["fault"] if form == "fault" else None
    whole = _seconds(document, each[length], [*where, length])
    at = _seconds(document, each.get("at", "0s"), [*where, "at"])
    lasts = _seconds(document, each.get("lasts", "0s"), [*where, "lasts"])
    if at + lasts > whole:
        raise document.problem(
            "the fault would outlast its phase", [*where, "at"], "Begin it sooner, or end it sooner."
        )
    name, to = each.get("name", form), float(each["to"]) if form == "ramp" else None
    if form == "trace":
        try:
            moments = trace.read(document.path.parent.parent / each["trace"], whole, float(each.get("speed", 1)))
        except trace.BadTrace as error:
            raise document.problem(str(error), [*where, "trace"]) from error
        return Phase(name, whole, len(moments) / whole, moments=moments)
    return Phase(name, whole, float(each["rate"]), fault, at, lasts, to)


def _seconds(document: Document, value: str, where: list[str | int]) -> float:
    try:
        return seconds(value)
    except ValueError as error:
        raise document.problem(str(error), where) from error
