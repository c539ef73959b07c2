# %% [markdown]
# # 3 · Burst and drain, against a prediction
#
# How long a backlog takes to go away can be worked out: pour what arrives into a basin whose drain lets through a
# constant number of jobs a second. That is the *fluid queue*:
#
# backlog after a second = max(0, backlog + arrivals − capacity)
#
# Its one number, the capacity, is taken from the run twice: from the ten seconds after the backlog was highest, as
# somebody on call would; and, on paper, from how long a job was worked on in the quiet phase and how many slots there
# are.

# %%
from accepted.notebooks import choosing, fluid, style
from accepted.notebooks.jobs import per_second, table, unfinished

LOOK = 10  # s: what somebody on call looks at
run = choosing.run("burst")
jobs = table(run)
measured = unfinished(run.rows, run.end)
peak = int(measured.idxmax())
highest = float(measured.max())
ended = per_second(jobs["t_over"], run.end)
arrived = per_second(jobs["t_acc"], run.end)
seen = float(ended.loc[peak : peak + LOOK - 1].mean())
print(f"Seen: {seen:.1f} jobs ended per second, from {peak} s to {peak + LOOK} s")

# %%
quiet = jobs[(jobs["phase"] == "steady") & jobs["t_over"].notna()]
share = quiet["kind"].value_counts(normalize=True)
# A fan-out occupies a worker once, and again for every subscriber that it tells.
pieces = {kind: 1 + run.manifest["scenario"]["subscribers"] if kind == "webhook.fanout" else 1 for kind in share.index}
by_pool = {}
for pool, kinds, timed in (
    ("worker-io", ("payout.send", "email.send", "webhook.fanout"), ("payout.send", "email.send")),
    ("worker-cpu", ("report.export",), ("report.export",)),
):
    work = quiet[quiet["kind"].isin(timed)]["work"].mean()
    a_job = work * sum(share[kind] * pieces[kind] for kind in kinds)  # s of this pool that a job of the mix needs
    by_pool[pool] = run.manifest["pools"][pool] / a_job
    print(f"On paper: {pool} takes {work:.3f} s for a piece, and lets {by_pool[pool]:.0f} jobs/s of the mix through")
paper = min(by_pool.values())

# %% [markdown]
# ## Measured and predicted
# On paper every slot has a processor of its own. Where workers, web and servers share two cores, as they do here,
# paper is too hopeful, and by how much is what sharing costs.

# %%
gone = fluid.emptied(measured.items(), peak)
drawn, foreseen = {}, {}
for name, capacity in (("seen", seen), ("paper", paper)):
    drawn[name] = fluid.backlog(arrived.to_list(), capacity, start=peak, level=highest)
    foreseen[name] = fluid.emptied(drawn[name], peak)
off = {name: (value - gone) / gone for name, value in foreseen.items()}

figure, axes = style.canvas(height=4.8)
style.phases(axes, run)
axes.plot(measured.index, measured, color=style.VERMILION, label="measured")
axes.plot(
    *zip(*drawn["seen"], strict=True), color=style.BLUE, linestyle="--",
    label=f"predicted from the {LOOK} s after the peak: {seen:.0f} jobs/s",
)  # fmt: skip
axes.plot(
    *zip(*drawn["paper"], strict=True),
    color=style.GREEN,
    linestyle=":",
    label=f"predicted on paper: {paper:.0f} jobs/s",
)
axes.plot([peak], [highest], "o", color=style.BLUE, markersize=7)
axes.set(ylabel="jobs accepted and not over", ylim=(0, highest * 1.1))
style.key(figure, axes)


def against(share: float) -> str:
    return f"{abs(share):.0%} {'too long' if share > 0 else 'too short'}"


style.finding(
    figure,
    f"The backlog of {highest:,.0f} was gone in {style.time(gone)}. Looking at it for ten seconds predicted "
    f"{against(off['seen'])}, service times on paper {against(off['paper'])}",
)

# %% [markdown]
# ## Why it isn't a straight line
# A fluid has one kind of drop. Jobs have several: each kind has a queue of its own, which a pool of workers serves in
# turn, and a webhook is over only when the deliveries that it fans out into are, which queue up behind all the others.

# %%
kinds = sorted(jobs["kind"].unique(), key=lambda kind: -jobs[jobs["kind"] == kind]["t_over"].max())
left = {kind: unfinished(run.rows, run.end, of=lambda row, kind=kind: row.kind == kind) for kind in kinds}
quarter = {kind: fluid.emptied(left[kind].items(), peak) for kind in kinds}

figure, axes = style.canvas(height=4.8)
style.phases(axes, run)
axes.stackplot(measured.index, *left.values(), labels=kinds, colors=style.CYCLE)
axes.set(ylabel="jobs accepted and not over", ylim=(0, highest * 1.1))
style.key(figure, axes)
last, first = max(quarter, key=lambda kind: quarter[kind]), min(quarter, key=lambda kind: quarter[kind])
style.finding(
    figure,
    f"{first} had caught up {style.time(quarter[first])} after the peak, {last} only after {style.time(quarter[last])}",
)
