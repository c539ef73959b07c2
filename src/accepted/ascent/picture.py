"""The chart of a climb: how soon the answer came, and how many exports were there in time, rung by rung."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accepted.ascent.figures import SOON, Step, ratios
from accepted.notebooks import style

NEVER = 1.6  # times the longest time that ended: where one that never ended is drawn


def title(steps: Sequence[Step]) -> str:
    """The finding."""
    first, last = steps[0], steps[-1]
    quicker = ratios(first, last).answer
    answers = f"in {last.said} instead of {first.said}"
    if math.isfinite(quicker) and quicker >= 2:
        least = "at least " if first.gave_up else ""
        answers = f"{least}{quicker:,.0f} times as fast as the first app"
    return (
        f"The same burst of {last.asked} reports: the reference answers {answers}, and has "
        f"{last.soon} ready within {SOON:.0f} s instead of {first.soon}"
    )


def names(labels: Sequence[tuple[int, str]]) -> list[str]:
    """As they stand beside the chart: what was done, exercise by exercise."""
    last = len(labels) - 1
    said = {0: "the first app", last: "the reference"}
    return [said.get(n, f"+ {done} {name}") for n, (done, name) in enumerate(labels)]


def drawn(labels: Sequence[tuple[int, str]], steps: Sequence[Step]) -> Any:
    """The figure, as yet without its title."""
    figure, (left, right) = style.canvas(1, 2, height=1.9 + 0.34 * len(steps), sharey=True)
    rows, said = range(len(steps)), names(labels)
    ended = [each.waited for each in steps if math.isfinite(each.waited)] or [1.0]
    edge = max(ended) * NEVER
    values = [each.waited if math.isfinite(each.waited) else edge for each in steps]
    low = 10 ** math.floor(math.log10(min(values)))
    left.hlines(rows, low, values, color="#b8c0c8", linewidth=2, zorder=1)
    ends = (0, len(steps) - 1)
    left.scatter(values, rows, s=70, color=[style.VERMILION if n == 0 else style.BLUE for n in rows], zorder=2)
    for n, each in enumerate(steps):
        left.annotate(each.said, (values[n], n), (8, 0), textcoords="offset points", va="center",
                      fontweight="bold" if n in ends else "normal", fontsize=11)  # fmt: skip
    left.set_xscale("log")
    left.set_xlim(low, edge * 6)
    left.xaxis.set_major_formatter(lambda value, _: style.time(value))
    left.minorticks_off()
    left.set_title("p95 of POST /v1/reports", fontsize=12)
    left.set_xlabel("from the moment it should have left (logarithmic)", fontsize=11)
    left.set_yticks(list(rows), said)
    left.invert_yaxis()
    right.barh(rows, [each.ever for each in steps], height=0.62, color="#cfe3f1", label="in the end")
    right.barh(rows, [each.soon for each in steps], height=0.62, color=style.BLUE, label=f"within {SOON:.0f} s")
    for n, each in enumerate(steps):
        right.annotate(f"{each.soon} | {each.ever}", (each.asked, n), (6, 0), textcoords="offset points", va="center",
                       fontweight="bold" if n in ends else "normal", fontsize=11)  # fmt: skip
    right.axvline(steps[0].asked, color=style.BLACK, linestyle=(0, (5, 3)), linewidth=1.4)
    right.set_xlim(0, steps[0].asked * 1.25)
    right.set_title(f"exports ready within {SOON:.0f} s | in the end", fontsize=12)
    right.set_xlabel(f"reports (dashed: the {steps[0].asked} that were asked for)", fontsize=11)
    for axes in (left, right):
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2, fontsize=11)
    return figure


def write(folder: Path, labels: Sequence[tuple[int, str]], steps: Sequence[Step]) -> tuple[Path, Path]:
    """before-after.svg and .png, the same bytes for the same steps."""
    figure = drawn(labels, steps)
    style.headline(figure, title(steps))
    found = folder / "before-after.svg", folder / "before-after.png"
    figure.savefig(found[0], metadata={"Date": None})
    figure.savefig(found[1])
    return found
