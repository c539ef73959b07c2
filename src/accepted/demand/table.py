"""The demand curve as JSON and for a terminal. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from accepted.demand.prices import Prices
from accepted.demand.record import Plan, Point
from accepted.demand.search import Demand
from accepted.load.slo import shown
from accepted.load.verdict import HELD, UNKEPT


def as_dict(plan: Plan, curve: Sequence[Demand], points: Sequence[Point], prices: Prices) -> dict[str, Any]:
    """What demand.json holds. Money in the price file's currency."""
    rows = []
    for each in curve:
        workers = each.least
        at_least = next((one for one in points if (one.load, one.workers) == (each.load, workers)), None)
        rows.append({
            "load": each.load, "least": workers, "breaks": each.breaks,
            "found": at_least.found if at_least else {},
            "hour": None if workers is None else round(prices.hour(plan.backend, workers), 4),
            "million": None if workers is None else round(prices.million(plan.backend, workers, each.load), 4),
        })  # fmt: skip
    return {
        "schema": "demand/v1", "backend": plan.backend, "tree": plan.tree, "scenario": plan.scenario.name,
        "seed": plan.seed, "most": plan.most, "fingerprint": plan.fingerprint, "curve": rows,
        "points": [{name: getattr(one, name) for name in ("load", "workers", "held", "broken")} for one in points],
        "prices": {"currency": prices.currency, "example": prices.example},
        "commits": sorted({one.commit for one in points}),
        "code": UNKEPT if any(one.code == UNKEPT for one in points) else HELD,
    }  # fmt: skip


def lines(found: Mapping[str, Any]) -> list[str]:
    """A row a load, then what has to be said beside it."""
    money = found["prices"]["currency"]
    heads = ("load", "least workers", "broke with", "accept p95", "wait p95", "done p95", f"{money}/million jobs")
    rows: list[tuple[str, ...]] = [heads]
    for each in found["curve"]:
        seen = [
            shown(each["found"][name], "s") if name in each["found"] else "–"
            for name in ("steady accept p95", "steady wait p95", "steady end to end p95")
        ]
        least = f"more than {found['most']}" if each["least"] is None else f"{each['least']}"
        broke = "–" if each["breaks"] is None else f"{each['breaks']}"
        cost = "–" if each["million"] is None else f"{each['million']:,.2f}"
        rows.append((f"{each['load']:g}/s", least, broke, *seen, cost))
    widths = [max(len(row[n]) for row in rows) for n in range(len(heads))]
    told = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [told[0], "-" * len(told[0]), *told[1:], "", *conditions(found)]


def conditions(found: Mapping[str, Any]) -> list[str]:
    runs = f"{len(found['points'])} runs, each of a stack of its own"
    told = [f"{found['backend']}, {found['scenario']}, seed {found['seed']}; {runs}."]
    if found["prices"]["example"]:
        told.append(
            "The prices are made up (loadtests/prices.yaml says how to put yours): only the workers were measured."
        )
    if found["code"] == UNKEPT:
        told.append("In one of the runs a job was lost or doubled.")
    return told
