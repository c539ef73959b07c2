# %% [markdown]
# # 1 · Anatomy of a run
#
# A load run sends work by the clock, whatever the answers do, and writes down seven moments of every job. This
# notebook shows one run from four sides: single jobs, rates, the oldest age, and who used the processors. What each
# stamp and metric means is in [docs/load.md](../docs/load.md).

# %%
import pandas as pd

from accepted.load.figures import ages, drain
from accepted.notebooks import choosing, style
from accepted.notebooks.jobs import per_second, table

run = choosing.run("burst")
jobs = table(run)
burst = next(span for span in run.spans if span.name == "burst")
jobs[["phase", "kind", "t_int", "accept", "relay", "wait", "work", "end_to_end"]].sample(5, random_state=1).round(3)

# %% [markdown]
# ## Single jobs
# A line a job, every fortieth: from the moment at which its request should have left to its end.

# %%
PARTS = [
    ("t_int", "t_acc", "its request is answered", style.BLUE),
    ("t_acc", "t_enq", "the broker gets it", style.ORANGE),
    ("t_enq", "t_start", "it waits for a worker", style.SKY),
    ("t_start", "t_over", "it is worked on", style.GREEN),
]
shown = jobs[jobs["t_over"].notna()].iloc[::40].reset_index(drop=True)
slowest = jobs.loc[jobs["end_to_end"].where(jobs["t_done"].notna()).idxmax()]
waited = slowest["wait"] / slowest["end_to_end"]

figure, axes = style.canvas(height=5)
style.phases(axes, run)
for begins, ends, name, colour in PARTS:
    length = (shown[ends] - shown[begins]).clip(lower=0)
    axes.barh(shown.index, length, left=shown[begins], height=0.8, color=colour, label=name)
axes.set(ylabel="jobs in the order of arrival", yticks=[])
axes.invert_yaxis()
axes.grid(visible=False)
style.key(figure, axes, title="what a line is made of, from left to right")
style.finding(
    figure, f"The slowest job took {style.time(slowest['end_to_end'])}; for {waited:.0%} of that it waited for a worker"
)

# %% [markdown]
# ## Rates

# %%
due = per_second(jobs["t_int"], run.end)
accepted = per_second(jobs["t_acc"], run.end)
ended = per_second(jobs["t_over"], run.end)
left = accepted.cumsum() - ended.cumsum()

figure, axes = style.canvas()
style.phases(axes, run)
axes.step(due.index, due, where="post", color=style.GREY, linestyle=":", label="due")
axes.step(accepted.index, accepted, where="post", color=style.BLUE, label="accepted")
axes.step(ended.index, ended, where="post", color=style.VERMILION, linestyle="--", label="ended")
axes.set(ylabel="jobs per second", ylim=(0, None))
style.key(figure, axes)
style.finding(
    figure,
    f"Up to {due.max()} jobs were due in a second and at most {ended.max()} ended in one: "
    f"{left.max():,} piled up, and {left.iloc[-1]:,} were left at the end",
)

# %% [markdown]
# ## The oldest job
# How long the oldest job that was accepted and is not over has been waiting: what a user feels of a backlog, whatever
# its depth. The dashed lines are what the SLO file promises.

# %%
series = ages(run.rows, 0.0, run.end)
at, oldest = max(series, key=lambda one: one[1])
tightest = min(limit.value for limit in run.limits("oldest_age"))
unfinished = any(row.accepted and row.t_over is None for row in run.rows)
gone = drain(series, burst.ends, tightest, unfinished)
promised = run.limits("drain")[0].value

figure, axes = style.canvas()
style.phases(axes, run)
style.promises(axes, run, "oldest_age")
axes.plot(*zip(*series, strict=True), color=style.VERMILION)
axes.set(ylabel="age of the oldest job (s)", ylim=(0, None))
style.finding(
    figure,
    f"The oldest job was {style.time(oldest)} old, {at:.0f} s into the run; {style.time(gone)} after the burst none "
    f"was over {tightest:.0f} s any more ({promised:.0f} s were promised)",
)

# %% [markdown]
# ## Who used the processors

# %%
cpu = pd.DataFrame([sample["cpu"] for sample in run.samples], index=[sample["at"] for sample in run.samples]).fillna(0)
inside = cpu[(cpu.index >= burst.begins) & (cpu.index < burst.ends)].mean().sort_values(ascending=False)
NAMES = {"web": "the web", "worker-io": "I/O workers", "worker-cpu": "CPU workers", "relay": "the relay"}
drawn = cpu[list(NAMES)].rename(columns=NAMES)
drawn["all the others"] = cpu.drop(columns=list(NAMES)).sum(axis=1)

figure, axes = style.canvas()
style.phases(axes, run)
COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, "#b8c0c8")
axes.stackplot(drawn.index, drawn.T.to_numpy(), labels=list(drawn), colors=COLOURS)
axes.set(ylabel="cores in use by the tree's processes", ylim=(0, None))
style.key(figure, axes)
style.finding(
    figure,
    f"In the burst {inside.iloc[0]:.2f} of a core went to {NAMES.get(inside.index[0], inside.index[0])} "
    f"and {inside.iloc[1]:.2f} to {NAMES.get(inside.index[1], inside.index[1])}",
)
