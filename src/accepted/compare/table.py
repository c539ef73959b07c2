"""A comparison as a person reads it in a terminal. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from accepted.load.slo import shown

COLOURS = {"better": "green", "worse": "red", "erratic": "yellow", "generator-bound": "yellow",
           "broker-bound": "yellow", "too few rounds": "yellow"}  # fmt: skip


def value(number: float | None, unit: str) -> str:
    """Three figures and the unit; `–` for none."""
    if number is None:
        return "–"
    if unit == "s":
        return shown(number, "s")
    return f"{number:.3g} {unit}" if number < 1000 else f"{number:,.0f} {unit}"


def ratio(one: Mapping[str, Any]) -> str:
    """`1.21 × (1.15 … 1.28)`."""
    return f"{one['ratio']:.2f} × ({one['low']:.2f} … {one['high']:.2f})" if one["rounds"] else "–"


def between(metric: Mapping[str, Any], base: str, other: str) -> Mapping[str, Any]:
    """The metric's comparison of these two."""
    found: Iterator[Mapping[str, Any]] = (
        one for one in metric["comparisons"] if (one["base"], one["other"]) == (base, other)
    )
    return next(found)


def lines(found: Mapping[str, Any], colour: bool = False) -> list[str]:
    """A block for each other system beside the first, then the winners, then what was not kept."""
    base, *others = found["systems"]
    told = [line for other in others for line in (*_block(found, base, other, colour), "")]
    return [*told, *winners(found), *conditions(found)]


def _block(found: Mapping[str, Any], base: str, other: str, colour: bool) -> list[str]:
    rows = [["metric", base, other, "ratio and 95 % interval", f"{other} is"]]
    for metric in found["metrics"]:
        one = between(metric, base, other)
        medians = [value(metric["median"][name], metric["unit"]) for name in (base, other)]
        rows.append([metric["name"], *medians, ratio(one), one["word"]])
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    told = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        if colour and row[4] in COLOURS:
            cells[4] = click.style(cells[4], fg=COLOURS[row[4]])
        told.append("  ".join(cells).rstrip())
    return [told[0], "-" * (sum(widths) + 8), *told[1:]]


def winners(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each question that was asked at several loads."""
    told = []
    for each in found["winners"]:
        if len(each["at"]) < 2:
            continue
        if not any(each["at"].values()):
            told.append(f"{each['family']}: nobody is better than every other, at any load.")
            continue
        best = ", ".join(f"{name or 'nobody'} at {load}" for load, name in each["at"].items())
        if each["winner"]:
            told.append(f"{each['family']}: {each['winner']} is better than every other at every load.")
        else:
            told.append(f"{each['family']}: no winner; best: {best}.")
    return told


def conditions(found: Mapping[str, Any]) -> list[str]:
    """How many rounds, what was not kept, and what the machine did beside."""
    rounds = "1 round" if found["rounds"] == 1 else f"{found['rounds']} paired rounds"
    what = "no-op jobs" if found["parts"] == "layer" else found["scenario"]
    told = [f"{rounds} of {what}, seed {found['seed']}; medians of the rounds."]
    if found["rounds"] < found["fewest"]:
        least = f"{found['fewest']} are the least of which anything is said"
        told.append(f"No verdict: {least}. The same command with --rounds {found['fewest']} goes on from here.")
    for name, counts in found["promises"].items():
        if any(counts.values()):
            told.append(f"{name}: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count) + ".")
    told += [
        f"Round {one['round']}, {one['system']}: not counted: {'; '.join(one['why'])}." for one in found["invalid"]
    ]
    if len(found["commits"]) > 1:
        told.append(f"Not all of one version: {', '.join(each[:12] for each in found['commits'])}.")
    if found["machine_load"]:
        low, high = found["machine_load"]
        told.append(f"The machine's load when runs began: {low:g} to {high:g}.")
    return told
