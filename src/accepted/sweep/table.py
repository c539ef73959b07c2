"""The figures at the end. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from accepted.oracle.verdict import FLAWS, Flaw
from accepted.sweep.cases import Result, counted

# What everyone asks for first; the other flaws share a column.
SHOWN: Sequence[tuple[str, Flaw]] = (
    ("lost", "lost"), ("duplicated", "duplicate"), ("phantom", "phantom"), ("stuck", "stuck"),
)  # fmt: skip
HEAD = ("kind", "process", "crossings", "kills", *(name for name, _ in SHOWN), "other", "unknown")


def row(results: Sequence[Result], crossings: int) -> list[int]:
    """Figures of one line: crossings, kills, flaws, unknown."""
    flaws = [sum(one.verdict.count(flaw) for one in results) for _, flaw in SHOWN]
    others = [flaw for flaw in FLAWS if flaw not in dict(SHOWN).values()]
    other = sum(one.verdict.count(flaw) for one in results for flaw in others)
    unknown = sum(one.outcome == "unknown" for one in results)
    return [crossings, sum(one.killed for one in results), *flaws, other, unknown]


def lines(results: Sequence[Result], crossings: Mapping[tuple[str, str], int]) -> list[str]:
    """The table as text."""
    body = [
        [kind, process, *map(str, row(group, crossings.get((kind, process), 0)))]
        for (kind, process), group in counted(results).items()
    ]
    total = ["all", "", *map(str, row(results, sum(crossings.values())))]
    rows = [list(HEAD), *body, total]
    widths = [max(len(one[n]) for one in rows) for n in range(len(HEAD))]
    said = []
    for one in rows:
        cells = [cell.ljust(w) if n < 2 else cell.rjust(w) for n, (cell, w) in enumerate(zip(one, widths, strict=True))]
        said.append("  ".join(cells).rstrip())
    rule = "-" * max(map(len, said))
    return [said[0], rule, *said[1:-1], rule, said[-1]]


def as_json(
    results: Sequence[Result], crossings: Mapping[tuple[str, str], int], by_chance: Sequence[Result] = ()
) -> dict[str, Any]:
    """The same for machines."""
    return {
        "outcome": outcome(results),
        "table": [
            {"kind": kind, "process": process, **dict(zip(HEAD[2:], row(group, crossings.get((kind, process), 0)),
             strict=True))}
            for (kind, process), group in counted(results).items()
        ],
        "cases": [
            {
                "case": one.case, "outcome": one.outcome, "victim": one.victim, "killed": one.killed,
                "seconds": round(one.seconds, 3), "unknown": one.verdict.unknown,
                "findings": [{"flaw": f.flaw, "about": f.about, "how": f.how} for f in one.verdict.findings],
            }
            for one in results
        ],
        "left out": [one.case for one in by_chance],
    }  # fmt: skip


def outcome(results: Sequence[Result]) -> str:
    """`fail` where anything was found, else `unknown` where anything was not judged, else `pass`."""
    outcomes = {one.outcome for one in results}
    return "fail" if "fail" in outcomes else "unknown" if "unknown" in outcomes or not results else "pass"


EXIT = {"pass": 0, "fail": 1, "unknown": 3}
