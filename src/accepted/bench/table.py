"""The table of figures, for people and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from accepted.bench.measure import Figure

HEAD = ("bench", "what", "system", "beside", "median", "lowest … highest", "bound", "")


def number(value: float, unit: str) -> str:
    """`0.63 ×`, `31 ms`, `10.4 s`."""
    if unit == "s":
        return f"{value:.1f} s"
    return f"{value:.2f} {unit}" if unit == "×" or value < 10 else f"{value:.0f} {unit}"


def row(figure: Figure) -> tuple[str, ...]:
    low, high = figure.interval
    bound = f"at {figure.bound.side} {figure.bound.limit:g} {figure.unit}" + (", each" if figure.bound.every else "")
    if figure.bound.side == "shown":
        bound, verdict = "not judged", ""
    else:
        verdict = "holds" if figure.held else f"FALLS by {figure.missed_by:.0%}"
    return (
        figure.bench, figure.what, figure.system, figure.baseline, number(figure.median, figure.unit),
        f"{number(low, figure.unit)} … {number(high, figure.unit)}", bound,
        verdict + (" (rounds disagree)" if figure.doubtful else ""),
    )  # fmt: skip


def lines(figures: Sequence[Figure]) -> list[str]:
    """The table, a line each."""
    rows = [HEAD, *(row(figure) for figure in figures)]
    widths = [max(len(each[column]) for each in rows) for column in range(len(HEAD))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip() for each in rows]
    return [text[0], "-" * max(map(len, text)), *text[1:]]


def fallen(figures: Sequence[Figure]) -> list[str]:
    """A sentence for each figure that is on the wrong side of its bound."""
    return [
        f"{figure.bench}: {figure.what}: {number(figure.judged, figure.unit)}, and it has to be at {figure.bound.side} "
        f"{figure.bound.limit:g} {figure.unit}: missed by {figure.missed_by:.1%}."
        for figure in figures
        if not figure.held
    ]


def as_dict(figure: Figure) -> dict[str, Any]:
    """One figure in JSON values."""
    return {
        "bench": figure.bench, "what": figure.what, "unit": figure.unit, "rounds": list(figure.rounds),
        "median": figure.median, "held": figure.held, "doubtful": figure.doubtful,
        "bound": {"at": figure.bound.side, "limit": figure.bound.limit, "every": figure.bound.every},
        "system": figure.system, "beside": figure.baseline,
    }  # fmt: skip


def settings_lines(known: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Effective settings, a line a source; what every bench's servers said alike stands once."""
    found = [", ".join(f"{name} {value}" for name, value in known["machine"].items())]
    seen: dict[str, list[str]] = {}
    for bench, settings in known.items():
        if bench != "machine":
            for name, value in settings.items():
                seen.setdefault(f"{name} {value}", []).append(bench)
    benches = [bench for bench in known if bench != "machine"]
    shared = [words for words, where in seen.items() if where == benches]
    found += [", ".join(shared)] if shared else []
    return found + [f"{', '.join(where)}: {words}" for words, where in seen.items() if where != benches]
