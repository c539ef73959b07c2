"""One question at several loads, every run a dot, as SVG text: is the order of the systems the same at each? Pure."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from accepted.compare.table import value
from accepted.load.chart import BLUE, GREEN, ORANGE, VERMILION, decades, text

COLOURS = (BLUE, VERMILION, GREEN, ORANGE)
MARKS = ("circle", "square", "diamond", "triangle")
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 920, 64, 16, 14, 34
TALL, FLAT = 260, 150  # with several loads, and with one


def loads(metrics: Sequence[Mapping[str, Any]], systems: Sequence[str]) -> str:
    """Metrics of one family. Empty where no run gave a number above zero: the scale is of ratios."""
    numbers = [number for each in metrics for values in each["values"].values() for number in _above_zero(values)]
    if not numbers:
        return ""
    low, high = min(numbers) / 1.3, max(numbers) * 1.3
    height = TALL if len(metrics) > 1 else FLAT

    def y(number: float) -> float:
        return height - BOTTOM - (height - TOP - BOTTOM) * math.log(number / low) / math.log(high / low)

    width = (WIDTH - LEFT - RIGHT) / len(metrics)
    drawn = []
    for tick in decades(low, high):
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" class="grid"/>')
        drawn.append(text(LEFT - 6, y(tick) + 4, value(tick, metrics[0]["unit"]), "end"))
    for n, each in enumerate(metrics):
        if n % 2 == 0:
            drawn.insert(0, f'<rect x="{LEFT + n * width:.1f}" y="{TOP}" width="{width:.1f}" '
                            f'height="{height - TOP - BOTTOM}" fill="#f3f5f8"/>')  # fmt: skip
        drawn.append(text(LEFT + (n + 0.5) * width, height - 12, each["load"] or each["name"], "middle", "ph"))
        for place, system in enumerate(systems):
            middle = LEFT + (n + (place + 0.5) / len(systems)) * width
            values = _above_zero(each["values"][system])
            drawn += _column(values, middle, width / len(systems), place, y, each["unit"])
    keys = "".join(f"<span>{_key(place)}{escape(name)}</span>" for place, name in enumerate(systems))
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(drawn)}</svg><p class="key">{keys}</p>'


def _above_zero(values: Sequence[float | None]) -> list[float]:
    """As in `stats.pairs`: what was over before the load was counts for nothing here."""
    return [value for value in values if value is not None and value > 0]


def _column(
    values: Sequence[float], middle: float, width: float, place: int, y: Callable[[float], float], unit: str
) -> list[str]:
    """The runs of one system at one load, their median as a bar with its number."""
    if not values:
        return []
    colour, centre = COLOURS[place % 4], statistics.median(values)
    spread = width * 0.5
    found = []
    for n, number in enumerate(values):
        at = middle - spread / 2 + spread * (n + 0.5) / len(values)
        found.append(mark(place, at, y(number), colour, 3.2, 0.7))
    found.append(f'<line x1="{middle - spread / 2 - 4:.1f}" x2="{middle + spread / 2 + 4:.1f}" y1="{y(centre):.1f}" '
                 f'y2="{y(centre):.1f}" stroke="{colour}" stroke-width="2.5"/>')  # fmt: skip
    found.append(text(middle, y(max(values)) - 8, value(centre, unit), "middle"))
    return found


def mark(place: int, x: float, y: float, colour: str, size: float, opacity: float = 1.0) -> str:
    """A dot of a shape of its own for each system, so that colour is not all that tells them apart."""
    style = f'fill="{colour}" opacity="{opacity}"'
    match MARKS[place % 4]:
        case "circle":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" {style}/>'
        case "square":
            return f'<rect x="{x - size:.1f}" y="{y - size:.1f}" width="{2 * size}" height="{2 * size}" {style}/>'
        case "diamond":
            points = f"{x:.1f},{y - 1.4 * size:.1f} {x + 1.4 * size:.1f},{y:.1f} {x:.1f},{y + 1.4 * size:.1f} " \
                     f"{x - 1.4 * size:.1f},{y:.1f}"  # fmt: skip
        case _:
            points = (
                f"{x:.1f},{y - 1.4 * size:.1f} {x + 1.3 * size:.1f},{y + size:.1f} {x - 1.3 * size:.1f},{y + size:.1f}"
            )
    return f'<polygon points="{points}" {style}/>'


def _key(place: int) -> str:
    return f'<svg class="k" viewBox="0 0 34 12">{mark(place, 17, 6, COLOURS[place % 4], 4)}</svg>'
