# %% [markdown]
# # 2 · Where the latency goes
#
# From the moment at which a request should have left until its effect is committed, a job's time has four parts: the
# request, the way to the broker, the wait for a worker, and the work. To make queued work quicker, look first at which
# of them is long.

# %%
import pandas as pd

from accepted.notebooks import choosing, style
from accepted.notebooks.jobs import by_second, parts, quantile, table

run = choosing.run("burst")
jobs = table(run)
PARTS = {"request": style.BLUE, "to the broker": style.ORANGE, "wait": style.SKY, "work": style.GREEN}
WORDS = {
    "request": "the request",
    "to the broker": "the way to the broker",
    "wait": "waiting for a worker",
    "work": "work",
}
done = jobs.drop(columns=["wait", "work"]).join(parts(jobs)).dropna(subset=list(PARTS))

# %% [markdown]
# ## On average, phase by phase
# A stamp may lie before the one that it follows on paper (a broker can have a job before the client has read its
# answer); such a part counts as nothing here, so that the four add up.

# %%
order = [span.name for span in run.spans if span.name in set(done["phase"])]
mean = done.groupby("phase")[list(PARTS)].mean().loc[order]
share = mean.div(mean.sum(axis=1), axis=0)
worst = mean.sum(axis=1).idxmax()
most = share.loc[worst].idxmax()

figure, axes = style.canvas(height=3.8)
left = pd.Series(0.0, index=order)
for name, colour in PARTS.items():
    axes.barh(order, mean[name], left=left, color=colour, label=name, height=0.62)
    left += mean[name]
for phase, whole in left.items():
    axes.annotate(style.time(whole), (whole, phase), (6, 0), textcoords="offset points", va="center")
axes.invert_yaxis()
axes.grid(axis="x")
axes.grid(visible=False, axis="y")
axes.set(xlabel="mean time of a job that came in this phase (s)", xlim=(0, left.max() * 1.12))
style.key(figure, axes)
style.finding(
    figure,
    f"Who came in the {worst} phase took {style.time(left[worst])} on average, and {share.loc[worst, most]:.0%} "
    f"of that went to {WORDS[most]}",
)

# %% [markdown]
# ## The slow ones
# What the time of the jobs around each quantile was made of: the one percent before it and the one after.

# %%
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
ranked = done.sort_values("end_to_end").reset_index(drop=True)
width = max(5, len(ranked) // 100)
rows = {}
for q in QUANTILES:
    middle = min(len(ranked) - width, int(q * len(ranked)))
    rows[f"p{q * 100:g}"] = ranked.iloc[max(0, middle - width) : middle + width][list(PARTS)].mean()
at = pd.DataFrame(rows).T
tail = at.loc["p99"].idxmax()

figure, axes = style.canvas()
bottom = pd.Series(0.0, index=at.index)
for name, colour in PARTS.items():
    axes.bar(at.index, at[name], bottom=bottom, color=colour, label=name, width=0.6)
    bottom += at[name]
for name, whole in bottom.items():
    axes.annotate(style.time(whole), (name, whole), (0, 4), textcoords="offset points", ha="center")
axes.set(ylabel="time (s)", xlabel="quantile of the end-to-end time", ylim=(0, bottom.max() * 1.1))
style.key(figure, axes)
style.finding(
    figure,
    f"{at.loc['p99', tail] / bottom['p99']:.0%} of the p99 went to {WORDS[tail]}, and "
    f"{at.loc['p50'].max() / bottom['p50']:.0%} of the median to {WORDS[at.loc['p50'].idxmax()]}",
)

# %% [markdown]
# ## Kind by kind
# Each kind of job has its own queue, and reports have workers of their own: who waits for whom?

# %%
kinds = jobs[jobs["phase"] == "burst"].groupby("kind")
waits = kinds["wait"].apply(lambda values: quantile(values, 0.95)).sort_values()

figure, axes = style.canvas()
style.phases(axes, run)
style.promises(axes, run, "wait")
LINES = ("-", "--", "-.", ":")
for kind, colour, dash in zip(sorted(jobs["kind"].unique()), style.CYCLE, LINES, strict=False):
    series = by_second(jobs[jobs["kind"] == kind], "wait", 0.95).clip(lower=0.001)
    axes.plot(series.index, series, color=colour, linestyle=dash, label=kind)
style.seconds(axes)
axes.set_ylabel("p95 of the wait")
style.key(figure, axes, title="of the jobs that came in that second")
style.finding(
    figure,
    f"In the burst {waits.index[0]} waited least (p95 {style.time(waits.iloc[0])}) and {waits.index[-1]} longest "
    f"(p95 {style.time(waits.iloc[-1])})",
)
