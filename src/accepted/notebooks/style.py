"""How a chart looks. Its title says what was found; axes have units; phases are shaded and promises dashed.

Colours are Okabe and Ito's, which people with any colour vision tell apart. A chart is made to be read where it is
shown 900 pixels wide.
"""

import io
import textwrap
from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler
from IPython.display import Image, display
from matplotlib.ticker import FuncFormatter, LogLocator

from accepted.load.report import Bundle
from accepted.load.slo import shown

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, BLACK, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#1b1f24", "#6e7781"
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE)
SHADES = ("#eef2f7", "#ffffff")
WIDTH, HEIGHT = 10.0, 4.4  # inches
WORDS = 90  # a title's line

SETTINGS = {
    "figure.dpi": 110, "savefig.dpi": 110, "figure.figsize": (WIDTH, HEIGHT), "font.size": 12,
    "font.family": "DejaVu Sans", "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY,
    "axes.axisbelow": True, "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#d8dde3", "text.color": BLACK,
    "axes.labelcolor": BLACK, "lines.linewidth": 2, "legend.frameon": False, "axes.titlelocation": "left",
    "axes.prop_cycle": cycler(color=CYCLE), "svg.fonttype": "path", "svg.hashsalt": "accepted",
}  # fmt: skip


def use() -> None:
    """Every chart after this looks like this."""
    plt.rcParams.update(SETTINGS)


def canvas(rows: int = 1, columns: int = 1, height: float = HEIGHT, **how: Any) -> Any:
    """A figure and its axes, as `plt.subplots` gives them."""
    use()
    return plt.subplots(rows, columns, figsize=(WIDTH, height), layout="constrained", **how)


def finding(figure: Any, text: str) -> None:
    """The sentence over the chart, and the chart shown; those who can't see it are told the same sentence."""
    headline(figure, text)
    packed = io.BytesIO()
    figure.savefig(packed, format="png")
    plt.close(figure)
    display(Image(packed.getvalue(), alt=text))


def headline(figure: Any, text: str) -> None:
    lines = "\n".join(textwrap.wrap(text, WORDS))
    figure.suptitle(lines, x=0.01, ha="left", fontsize=13, fontweight="bold", linespacing=1.3)


def phases(axes: Any, of: Bundle, labels: bool = True) -> None:
    """The run's phases shaded, by name over the chart, and its faults as dotted lines."""
    for n, span in enumerate(of.spans):
        axes.axvspan(span.begins, span.ends, color=SHADES[n % 2], zorder=0, linewidth=0)
        if labels and span.ends - span.begins >= 0.05 * of.end:
            where = ((span.begins + span.ends) / 2, 1.01)
            axes.text(*where, span.name, transform=axes.get_xaxis_transform(), ha="center", color=GREY, fontsize=11)
    for at, name in of.marks:
        axes.axvline(at, color=BLACK, linestyle=":", linewidth=1.2)
        axes.text(at, 0.97, f" {name}", transform=axes.get_xaxis_transform(), va="top", fontsize=11)
    axes.set_xlim(0, of.end)
    axes.set_xlabel("seconds since the first arrival was due")


def promises(axes: Any, of: Bundle, metric: str, kind: str | None = None) -> None:
    """What the SLO file promises of a metric, dashed where its phase lies."""
    for limit in of.limits(metric, kind):
        axes.plot([limit.begins, limit.ends], [limit.value] * 2, color=BLACK, linestyle=(0, (5, 3)), linewidth=1.4)
        axes.annotate(limit.name, (limit.begins, limit.value), (3, 4), textcoords="offset points", fontsize=10)


def seconds(axes: Any, low: float | None = None, high: float | None = None) -> None:
    """A logarithmic axis of times, as people say them: 10 ms, 1 s, 2 min."""
    axes.set_yscale("log")
    bottom, top = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(numticks=12, subs=(1.0, 2.0, 5.0) if top < 300 * bottom else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: time(value)))
    axes.minorticks_off()
    if low or high:
        axes.set_ylim(low, high)


def time(value: float) -> str:
    """`12 ms`, `3.1 s`, `never`."""
    return shown(value, "s").replace(" ", "\u00a0")  # a title is not broken there


def key(figure: Any, *axes: Any, columns: int = 5, title: str | None = None) -> None:
    """What the lines and colours mean, under the chart, where it covers nothing."""
    named = dict(zip(*reversed(axes[0].get_legend_handles_labels()), strict=True)) if axes else {}
    for each in axes[1:]:
        named |= dict(zip(*reversed(each.get_legend_handles_labels()), strict=True))
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=columns, fontsize=11, title=title)
