"""A line chart as SVG text: seconds to the right, phases shaded, limits dashed. Pure.

Colours are Okabe and Ito's, which people with any colour vision tell apart; lines differ in their dashes as well.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

BLUE, ORANGE, VERMILION, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
DASHES = {BLUE: "", ORANGE: "6 3", VERMILION: "2 3", GREEN: "9 3 2 3"}
WIDTH, HEIGHT = 920, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 26, 40


@dataclass(frozen=True)
class Line:
    """`points`: (seconds, value), in order; a None breaks the line."""

    name: str
    colour: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Limit:
    """A promise: from one moment to another no more than `value`."""

    name: str
    begins: float
    ends: float
    value: float


@dataclass(frozen=True)
class Span:
    name: str
    begins: float
    ends: float


def steps(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers from `low` to `high`: 1, 2 or 5 times a power of ten apart."""
    raw = max(1e-9, (high - low) / wanted)
    power = 10 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 5, 10) if each * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten from `low` to `high`; with twice and five times each where that would be fewer than three."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    tens = [10.0**n for n in powers if low <= 10.0**n]
    if len(tens) >= 3:
        return tens
    return [value for n in powers for value in (10.0**n, 2 * 10.0**n, 5 * 10.0**n) if low <= value <= high]


def chart(
    lines: Sequence[Line], unit: str, spans: Sequence[Span], limits: Sequence[Limit] = (),
    marks: Sequence[tuple[float, str]] = (), log: bool = False,
) -> str:  # fmt: skip
    """The picture; `unit` is that of the vertical axis. `marks`: moments worth a line, each with its name."""
    values = [value for line in lines for _, value in line.points if value is not None]
    values += [each.value for each in limits]
    end = max([span.ends for span in spans] + [at for line in lines for at, _ in line.points] + [1.0])
    high = max([*values, 1e-3]) * (1.6 if log else 1.12)
    low = max(min([v for v in values if v > 0], default=1e-3) / 1.6, high / 1e5) if log else 0.0

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at / end

    def y(value: float) -> float:
        part = math.log(max(value, low) / low) / math.log(high / low) if log else value / high
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, part)

    floor = HEIGHT - BOTTOM
    drawn = []
    for n, span in enumerate(spans):
        shade = ("#eef2f7", "#ffffff")[n % 2]
        width = x(span.ends) - x(span.begins)
        drawn.append(
            f'<rect x="{x(span.begins):.1f}" y="{TOP}" width="{width:.1f}" height="{floor - TOP}" fill="{shade}"/>'
        )
        drawn.append(text((x(span.begins) + x(span.ends)) / 2, TOP - 8, span.name, "middle", "ph"))
    ticks = decades(low, high) if log else steps(0, high)
    for tick in ticks:
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" class="grid"/>')
        drawn.append(text(LEFT - 6, y(tick) + 4, f"{tick:g}", "end"))
    drawn += [text(x(tick), floor + 16, f"{tick:g}", "middle") for tick in steps(0, end, 9)]
    drawn.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "seconds since the first arrival was due", "middle"))
    drawn.append(f'<text x="14" y="{(TOP + floor) / 2:.0f}" transform="rotate(-90 14 {(TOP + floor) / 2:.0f})" '
                 f'text-anchor="middle">{escape(unit)}</text>')  # fmt: skip
    for limit in limits:
        drawn.append(f'<line x1="{x(limit.begins):.1f}" x2="{x(limit.ends):.1f}" y1="{y(limit.value):.1f}" '
                     f'y2="{y(limit.value):.1f}" class="slo"/>')  # fmt: skip
        drawn.append(text(x(limit.begins) + 4, y(limit.value) - 5, limit.name, "start", "slot"))
    for n, (at, name) in enumerate(marks):
        drawn.append(f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP}" y2="{floor}" class="mark"/>')
        drawn.append(text(x(at) + 4, floor - 8 - 13 * (n % 4), name, "start", "markt"))
    for line in lines:
        drawn.append(f'<path d="{_path(line, x, y)}" fill="none" stroke="{line.colour}" stroke-width="2" '
                     f'stroke-dasharray="{DASHES[line.colour]}"/>')  # fmt: skip
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(drawn)}</svg><p class="key">'
        + "".join(_key(line) for line in lines) + "</p>"
    )  # fmt: skip


def _path(line: Line, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    words, pen = [], "M"
    for at, value in line.points:
        if value is None:
            pen = "M"
            continue
        words.append(f"{pen}{x(at):.1f} {y(value):.1f}")
        pen = "L"
    return " ".join(words)


def _key(line: Line) -> str:
    stroke = f'stroke="{line.colour}" stroke-width="3" stroke-dasharray="{DASHES[line.colour]}"'
    picture = f'<svg class="k" viewBox="0 0 34 8"><line x1="0" x2="34" y1="4" y2="4" {stroke}/></svg>'
    return f"<span>{picture}{escape(line.name)}</span>"


def text(x: float, y: float, said: str, anchor: str, kind: str = "") -> str:
    """`anchor`: which end of it is at x: start, middle or end."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(said)}</text>'
