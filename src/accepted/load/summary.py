"""A finished run, and the figures that a person asks for first."""

from dataclasses import dataclass
from typing import Any

from accepted.load.account import Account, counts
from accepted.load.figures import Figures, finite
from accepted.load.slo import GUARANTEES, METRICS, at_quantile, shown
from accepted.load.verdict import WORDS, Conduct, Verdict, allowed_lag, broken_promises


@dataclass
class Ran:
    """A finished run."""

    verdict: Verdict
    figures: Figures
    account: Account
    conduct: Conduct
    manifest: dict[str, Any]
    faults: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    locust: dict[str, Any]
    end: float  # seconds since zero


def summary(ran: Ran) -> dict[str, Any]:
    """The figures that a person asks for first; seconds."""
    lags = ran.conduct.lags
    return {
        "schema": "summary/v1", "seconds": round(ran.end, 3), "counts": dict(counts(ran.account)),
        "phases": ran.figures.table(),
        "drain": None if ran.figures.drained is None else finite(ran.figures.drained),
        "lost": ran.account.lost,
        "stuck": ran.account.stuck, "duplicated": ran.account.duplicated, "phantom": ran.account.phantom,
        "generator": {
            "lag_p50": finite(at_quantile(lags, 0.5, "lte")), "lag_p99": finite(at_quantile(lags, 0.99, "lte")),
            "busiest": round(ran.conduct.busiest, 3), "dropped": ran.conduct.dropped,
        },
        "locust": ran.locust,
    }  # fmt: skip


def lines(ran: Ran) -> list[str]:
    """The verdict as a person reads it in a terminal."""
    verdict, figures = ran.verdict, ran.figures
    rows = [(" ", "", "objective", "found", "")]
    for one in verdict.outcomes:
        unit = METRICS[one.objective.metric][0]
        mark = "✓" if one.held else "✗"
        rows.append((mark, one.objective.what, one.objective.limit, shown(one.found, unit), f"of {one.occurrences:,}"))
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    found = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    totals = counts(ran.account)
    lag = shown(at_quantile(ran.conduct.lags, 0.99, "lte"), "s")
    most = shown(allowed_lag([one.objective for one in verdict.outcomes]), "s")
    states = ("sent", "accepted", "done", "parked", "unfinished")
    found += [
        "",
        ", ".join(f"{name} {totals[name]:,}" for name in states)
        + "; "
        + ", ".join(f"{name} {len(getattr(ran.account, name))}" for name in (*GUARANTEES, "stuck")),
        f"drain {shown(figures.drained, 's')}; generator lag p99 {lag} (at most {most}), "
        f"{ran.conduct.busiest:.0%} of a core",
    ]
    for name, keys in broken_promises(ran.account).items():
        found += [f"{name}: {key}" for key in keys[:5]]
        if len(keys) > 5:
            found.append(f"{name}: … and {len(keys) - 5} more")
    found += [f"invalid: {why}" for why in verdict.invalid]
    return [*found, "", f"Verdict: {WORDS[verdict.code]} (exit status {verdict.code})"]
