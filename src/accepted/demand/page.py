"""The demand curve as a page: every run a mark, the least that held as a step, and what a million jobs cost."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from accepted.demand.record import PAGE
from accepted.demand.table import conditions, lines
from accepted.load.chart import BLUE, GREEN, VERMILION, steps, text
from accepted.load.report import STYLE

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 920, 300, 64, 110, 20, 44


def write_page(folder: Path, found: Mapping[str, Any]) -> Path:
    """Writes the page, and returns where it is."""
    path = folder / PAGE
    path.write_text(page(found))
    return path


def page(found: Mapping[str, Any]) -> str:
    known = [each for each in found["curve"] if each["least"] is not None]
    title = f"Demand of {found['tree']} on {found['backend']}"
    told = "".join(f"<li>{escape(line)}</li>" for line in conditions(found))
    first, last = (known[0], known[-1]) if known else (None, None)
    heading = "No load was held"
    if first is not None and last is not None:
        heading = f"{_rate(last)} takes {_workers(last['least'])}, {_rate(first)} takes {first['least']}"
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>',
        f'<h1>{escape(title)}</h1><div class="verdict {"good" if found["code"] == 0 else "bad"}"><ul>{told}</ul></div>',
        f"<h2>{escape(heading)}</h2>{_demand(found)}",
    ]
    if last is not None and first is not None:
        made_up = " (made-up prices)" if found["prices"]["example"] else ""
        money = found["prices"]["currency"]
        span = f"{_cost(first)} {money} at {_rate(first)} and {_cost(last)} at {_rate(last)}"
        parts.append(f"<h2>{escape(f'A million jobs cost {span}{made_up}')}</h2>")
        parts.append(_costs(known, f"{money} for a million jobs{made_up}"))
    return "".join([*parts, f"<h2>Every load</h2><pre>{escape(chr(10).join(lines(found)))}</pre>"])


def _workers(count: int) -> str:
    return f"{count} worker{'s' * (count != 1)}"


def _rate(each: Mapping[str, Any]) -> str:
    return f"{each['load']:g}/s"


def _cost(each: Mapping[str, Any]) -> str:
    return f"{each['million']:,.2f}"


class _Plot:
    """A frame with axes from zero."""

    def __init__(self, widest: float, highest: float, unit: str, whole: bool = False) -> None:
        self.widest, self.highest = widest * 1.08, highest * 1.12
        self.drawn: list[str] = []
        for tick in steps(0, self.highest, 6):
            if whole and tick != int(tick):
                continue
            self.drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{self.y(tick):.1f}" y2="{self.y(tick):.1f}" '
                              'class="grid"/>')  # fmt: skip
            self.text(LEFT - 8, self.y(tick) + 4, f"{tick:g}", "end")
        for tick in steps(0, self.widest, 8):
            self.text(self.x(tick), HEIGHT - BOTTOM + 18, f"{tick:g}", "middle")
        self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "jobs a second", "middle")
        middle = (TOP + HEIGHT - BOTTOM) / 2
        self.drawn.append(f'<text x="14" y="{middle:.0f}" transform="rotate(-90 14 {middle:.0f})" '
                          f'text-anchor="middle">{escape(unit)}</text>')  # fmt: skip

    def x(self, value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.widest

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.highest

    def text(self, x: float, y: float, said: str, anchor: str, kind: str = "") -> None:
        self.drawn.append(text(x, y, said, anchor, kind))

    def line(self, points: list[tuple[float, float]], colour: str) -> None:
        path = " ".join(f"{'L' if n else 'M'}{self.x(a):.1f} {self.y(b):.1f}" for n, (a, b) in enumerate(points))
        self.drawn.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')

    def svg(self) -> str:
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(self.drawn)}</svg>'


def _demand(found: Mapping[str, Any]) -> str:
    plot = _Plot(max(each["load"] for each in found["curve"]), found["most"], "workers", whole=True)
    corners: list[tuple[float, float]] = []
    for each in found["curve"]:
        if each["least"] is not None:
            corners += [(corners[-1][0] if corners else 0.0, each["least"]), (each["load"], each["least"])]
            plot.text(plot.x(each["load"]) + 10, plot.y(each["least"]) + 4, f"{each['least']}", "start", "ph")
    plot.line(corners, BLUE)
    for one in found["points"]:
        x, y = plot.x(one["load"]), plot.y(one["workers"])
        why = escape(", ".join(one["broken"]) or "held")
        if one["held"]:
            plot.drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{BLUE}"><title>{why}</title></circle>')
        else:
            plot.drawn.append(f'<path d="M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10" stroke="{VERMILION}" '
                              f'stroke-width="2.5"><title>{why}</title></path>')  # fmt: skip
    key = (f'<svg class="k" viewBox="0 0 34 12"><circle cx="17" cy="6" r="5" fill="{BLUE}"/></svg>held',
           f'<svg class="k" viewBox="0 0 34 12"><path d="M12 1l10 10m0 -10l-10 10" stroke="{VERMILION}" '
           'stroke-width="2.5"/></svg>broke')  # fmt: skip
    return plot.svg() + '<p class="key">' + "".join(f"<span>{each}</span>" for each in key) + "</p>"


def _costs(known: list[Mapping[str, Any]], unit: str) -> str:
    plot = _Plot(max(each["load"] for each in known), max(each["million"] for each in known), unit)
    plot.line([(each["load"], each["million"]) for each in known], GREEN)
    for each in known:
        x, y = plot.x(each["load"]), plot.y(each["million"])
        plot.drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{GREEN}"/>')
        plot.text(x + 10, y - 8, f"{_cost(each)} with {_workers(each['least'])}", "start", "ph")
    return plot.svg()
