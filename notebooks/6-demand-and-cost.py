# %% [markdown]
# # 6 · The demand curve, and what it costs
#
# How many workers does a load need? Each point is a run at one load with so many workers, which held the SLO or did
# not; the curve goes through the fewest that held it. With a price file it says what a million jobs cost. `make
# demand` looks for the points, by bisection.
#
# Whether a run held is judged here again, from its events. The prices in `loadtests/prices.yaml` are made up: put
# yours.

# %%
import pandas as pd
from matplotlib.ticker import MaxNLocator

from accepted.demand import prices as pricing
from accepted.load.report import Bundle
from accepted.load.slo import Objective, judge
from accepted.notebooks import choosing, style
from accepted.notebooks.jobs import quantile, table
from accepted.stack.state import root

runs = choosing.group("demand", 2, "demand")
LOADS = root() / "loadtests"
prices = pricing.load(LOADS / "prices.yaml", LOADS / "schema" / "prices.json")


def held(run: Bundle) -> bool:
    """Every objective about a time that the run was judged by, from its events alone."""
    for each in run.verdict["objectives"]:
        if each["metric"] in ("accept", "wait", "end_to_end"):
            objective = Objective(
                each["metric"], each["op"], each["value"], each["target"], each["phase"], each["kind"]
            )
            rows = [row for row in run.rows if each["phase"] in (None, row.phase) and each["kind"] in (None, row.kind)]
            if not judge(objective, [took for row in rows if (took := row.took(each["metric"])) is not None]).held:
                return False
    return all(row.t_over is not None for row in run.rows if row.accepted)


points = pd.DataFrame(
    [
        {
            "load": next(each["rate"] for each in run.manifest["scenario"]["phases"] if each["name"] == "steady"),
            "workers": int(run.manifest["scenario"]["settings"]["IO_SLOTS"]),
            "held": held(run),
            "p95": quantile(table(run).query("phase == 'steady'")["end_to_end"], 0.95),
        }
        for run in runs
    ]
).sort_values(["load", "workers"])
points

# %% [markdown]
# ## The fewest workers that hold

# %%
curve = points[points["held"]].groupby("load")["workers"].min()
backend = runs[0].manifest["backend"]
per_worker = (curve.index / curve).max()

figure, axes = style.canvas(height=4.8)
axes.plot(curve.index, curve, color=style.BLUE, zorder=1, label="the fewest that held")
for kept, colour, mark, name in ((True, style.BLUE, "o", "held the SLO"), (False, style.VERMILION, "x", "broke it")):
    there = points[points["held"] == kept]
    axes.scatter(there["load"], there["workers"], color=colour, marker=mark, s=80, linewidth=2.4, label=name, zorder=2)
for each in points.itertuples():
    axes.annotate(style.time(each.p95), (each.load, each.workers), (9, -4), textcoords="offset points", fontsize=10)
axes.xaxis.set_major_locator(MaxNLocator(integer=True))
axes.yaxis.set_major_locator(MaxNLocator(integer=True))
axes.set(xlabel="arrivals a second", ylabel="workers", ylim=(0, points["workers"].max() + 0.6))
axes.set_xlim(0, points["load"].max() * 1.12)
style.key(figure, axes, title="beside each point: its end-to-end p95")
style.finding(
    figure,
    f"From {curve.index.min():g} to {curve.index.max():g} arrivals a second the need goes from {curve.iloc[0]} to "
    f"{curve.iloc[-1]} workers; a worker holds {per_worker:.1f} a second at best",
)

# %% [markdown]
# ## What a million jobs cost

# %%
million = pd.Series({load: prices.million(backend, workers, load) for load, workers in curve.items()})
fixed = pd.Series({load: prices.million(backend, 0, load) for load in curve.index})

figure, axes = style.canvas()
places = [f"{load:g}/s\n{workers} workers" for load, workers in curve.items()]
axes.bar(places, fixed, color="#b8c0c8", width=0.55, label="what runs anyway")
axes.bar(places, million - fixed, bottom=fixed, color=style.BLUE, width=0.55, label="workers")
for place, whole in zip(places, million, strict=True):
    axes.annotate(f"{whole:.1f}", (place, whole), (0, 4), textcoords="offset points", ha="center")
axes.set(ylabel=f"{prices.currency} for a million jobs", ylim=(0, million.max() * 1.15))
style.key(figure, axes)
made_up = " (made-up prices)" if prices.example else ""
style.finding(
    figure,
    f"A million jobs cost {million.iloc[0]:.0f} {prices.currency} at {million.index[0]:g} a second and "
    f"{million.iloc[-1]:.0f} at {million.index[-1]:g}, where what runs anyway is shared by more{made_up}",
)
