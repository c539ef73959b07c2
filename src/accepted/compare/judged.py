"""From the runs of a comparison to its words, winners and exit status. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from accepted.compare.metrics import LAYER, LAYERS_ALIKE, Metric, metrics
from accepted.compare.plan import Plan
from accepted.compare.record import Result
from accepted.compare.words import Comparison, Series, compare, fewest, stable, winner

FINE, UNKEPT, NOTHING = 0, 97, 98  # exit statuses


def judged(plan: Plan, results: Sequence[Result]) -> dict[str, Any]:
    """What comparison.json holds. results: of each round and system one."""
    names = [system.name for system in plan.systems]
    known = [each for each in metrics(plan.scenario) if plan.parts in ("both", _part(each))]
    found, words = [], {}
    for metric in known:
        series = {name: _series(metric, [one for one in results if one.system == name], plan) for name in names}
        words[metric.id] = compare(series, metric.better, plan.seed)
        found.append({
            "id": metric.id, "name": metric.name, "family": metric.family, "load": metric.load, "unit": metric.unit,
            "better": metric.better, "values": {name: list(each.values) for name, each in series.items()},
            "median": {name: _median(each.values) for name, each in series.items()},
            "comparisons": [one.as_dict() for one in words[metric.id]],
        })  # fmt: skip
    promises = {name: _promises([one for one in results if one.system == name]) for name in names}
    broken = [name for name, each in promises.items() if any(each.values())]
    rounds = min((sum(one.system == name for one in results) for name in names), default=0)
    return {
        "schema": "comparison/v1", "systems": names, "rounds": rounds, "fewest": fewest(len(names)),
        "scenario": plan.scenario.name, "parts": plan.parts, "seed": plan.seed, "fingerprint": plan.fingerprint,
        "metrics": found, "winners": _winners(known, words, broken), "promises": promises,
        "invalid": [{"round": one.round, "system": one.system, "why": one.invalid} for one in results if one.invalid],
        "commits": sorted({one.commit for one in results}),
        "machine_load": [round(edge(one.load for one in results), 2) for edge in (min, max)] if results else [],
        "code": _code(words, broken),
    }  # fmt: skip


def _part(metric: Metric) -> str:
    return "layer" if metric in LAYER else "load"


def _series(metric: Metric, runs: Sequence[Result], plan: Plan) -> Series:
    by_round = {one.round: one for one in runs}
    values = [by_round[n].values.get(metric.id) if n in by_round else None for n in range(1, plan.rounds + 1)]
    if not runs:
        return Series(values)
    if metric.id == "price":
        return Series(values)
    if metric.id == "noops":
        alike = [(one.values.get("price") or 0.0) >= LAYERS_ALIKE for one in runs]
        return Series(values, broker=sum(alike) / len(runs))
    return Series(values, sum(one.generator for one in runs) / len(runs), sum(one.broker for one in runs) / len(runs))


def _winners(
    known: Sequence[Metric], words: Mapping[str, Sequence[Comparison]], broken: Sequence[str]
) -> list[dict[str, Any]]:
    """For each family the best at each load, and the one that is it at all of them and kept every promise."""
    found = []
    for family in dict.fromkeys(metric.family for metric in known):
        loads = {metric.load or "": winner(words[metric.id]) for metric in known if metric.family == family}
        name = stable(list(loads.values()))
        found.append({"family": family, "at": loads, "winner": None if name in broken else name})
    return found


def _promises(runs: Sequence[Result]) -> dict[str, int]:
    return {name: sum(one.promises.get(name, 0) for one in runs) for name in ("lost", "duplicated", "phantom")}


def _median(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None


def _code(words: Mapping[str, Sequence[Comparison]], broken: Sequence[str]) -> int:
    if broken:
        return UNKEPT
    said = [one for each in words.values() for one in each if one.word not in ("too few rounds", "generator-bound")]
    return FINE if said else NOTHING
