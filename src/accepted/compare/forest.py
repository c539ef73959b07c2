"""Ratios with their intervals, a row a metric, as SVG text. Right is good, whichever way the metric counts. Pure."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from accepted.compare.stats import pairs
from accepted.compare.table import between, value
from accepted.compare.words import SAME
from accepted.load.chart import BLUE, VERMILION, text

GREY = "#6e7781"
WIDTH, ROW, TOP, LEFT, RIGHT = 920, 30, 34, 290, 170
WIDEST = 32.0  # ×: what lies beyond is drawn at the edge


def good(ratio: float, better: str) -> float:
    """How many times as good as the base: 2 is twice as fast, whatever the metric counts."""
    return ratio if better == "higher" else 1 / ratio


def forest(metrics: Sequence[Mapping[str, Any]], base: str, other: str) -> str:
    """`other` beside `base`. Metrics without a round that has both are named, and have no mark."""
    rows = [(each, between(each, base, other)) for each in metrics]
    ends = [good(one[end], each["better"]) for each, one in rows if one["rounds"] for end in ("low", "high")]
    reach = min(WIDEST, max([1.25, *(max(end, 1 / end) for end in ends)]) * 1.08)
    height = TOP + ROW * len(rows) + 40
    floor = height - 40

    def x(times: float) -> float:
        part = math.log(min(max(times, 1 / reach), reach)) / math.log(reach)
        return LEFT + (WIDTH - LEFT - RIGHT) * (1 + part) / 2

    drawn = [f'<rect x="{x(1 - SAME):.1f}" y="{TOP}" width="{x(1 + SAME) - x(1 - SAME):.1f}" height="{floor - TOP}" '
             'fill="#e6eaef"/>']  # fmt: skip
    for tick in _ticks(reach):
        drawn.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{floor}" class="grid"/>')
        drawn.append(text(x(tick), floor + 16, f"{tick:.3g} ×", "middle"))
    drawn.append(text(x(1) - 14, TOP - 10, f"← {base} is better", "end", "ph"))
    drawn.append(text(x(1) + 14, TOP - 10, f"{other} is better →", "start", "ph"))
    told = f"{other} as good as so many times {base}; grey: less than {SAME:.0%} apart"
    drawn.append(text((x(1 / reach) + x(reach)) / 2, height - 6, told, "middle"))
    for n, (each, one) in enumerate(rows):
        drawn += _row(each, one, TOP + ROW * (n + 0.5), x, base, other)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(drawn)}</svg>'


def _row(each: Mapping[str, Any], one: Mapping[str, Any], y: float, x: Any, base: str, other: str) -> list[str]:
    colour = {"better": BLUE, "worse": VERMILION}.get(one["word"], GREY)
    found = [text(LEFT - 12, y + 4, each["name"], "end")]
    found.append(text(WIDTH - RIGHT + 12, y + 4, one["word"], "start", "ph" if colour != GREY else ""))
    if not one["rounds"]:
        return found
    for a, b in pairs(each["values"][base], each["values"][other]):
        found.append(f'<circle cx="{x(good(b / a, each["better"])):.1f}" cy="{y + 8:.1f}" r="2" fill="{GREY}" '
                     'opacity=".55"/>')  # fmt: skip
    ends = sorted(x(good(one[end], each["better"])) for end in ("low", "high"))
    found.append(f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
                 'stroke-width="3"/>')  # fmt: skip
    at = x(good(one["ratio"], each["better"]))
    numbers = f"{value(each['median'][base], each['unit'])} and {value(each['median'][other], each['unit'])}"
    mark = f'<rect x="{at - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="{colour}">'
    return [*found, f"{mark}<title>{escape(numbers)}</title></rect>"]


def _ticks(reach: float) -> list[float]:
    for steps in ((0.8, 0.9, 1, 1.1, 1.25), (0.5, 0.67, 1, 1.5, 2), (0.25, 0.5, 1, 2, 4), (0.1, 0.3, 1, 3, 10)):
        if steps[-1] * 1.35 >= reach:
            return [step for step in steps if 1 / reach <= step <= reach]
    return [1 / 30, 0.1, 1, 10, 30]
