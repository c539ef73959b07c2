# %% [markdown]
# # 4 · The fault ledger
#
# A run with a fault in its middle, on the app that everyone ships first and on the reference. Every job is looked up
# afterwards at those who saw its effect: the partner's ledger, the object store, the database. *Lost*: accepted, and
# no effect. *Stuck*: it has its effect, and its end was never written down. *Doubled*: more than one effect.
#
# Lost and stuck are counted from the run's events, doubled from the ledger's keys, which the run's summary lists.

# %%
import pandas as pd
from matplotlib.ticker import MaxNLocator

from accepted.load.figures import ages
from accepted.notebooks import choosing, style
from accepted.notebooks.jobs import ledger, quantile, table

FAULTS = (
    "worker-kill", "freeze-worker", "broker-restart", "broker-wipe", "cut-network", "partner-outage", "poison",
    "deploy",
)  # fmt: skip
TREES = ("start", "solutions")
NAMES = {"start": "the first app", "solutions": "the reference"}
runs = {}
for fault in FAULTS:
    for tree in TREES:
        found = choosing.first(fault, tree)
        if found is not None:
            print(f"Made from {choosing.told(found)}")
            runs[fault, tree] = found
if not any(tree == "solutions" for _, tree in runs):
    choosing.run("worker-kill")  # says how to make one
counts = pd.DataFrame({key: ledger(run) for key, run in runs.items()}).T
counts.index = pd.MultiIndex.from_tuples([(fault, NAMES[tree]) for fault, tree in runs], names=["fault", "tree"])
counts

# %% [markdown]
# ## What was broken

# %%
WRONG = {"lost": style.VERMILION, "stuck": style.PURPLE, "doubled": style.ORANGE}
bad = counts[list(WRONG)].sum(axis=1)
total = {
    name: bad.xs(name, level="tree").sum() if name in bad.index.get_level_values("tree") else 0
    for name in NAMES.values()
}

figure, axes = style.canvas(height=1.6 + 0.42 * len(runs))
labels = [f"{fault}, {NAMES[tree]}" for fault, tree in runs]
left = pd.Series(0.0, index=range(len(runs)))
for kind, colour in WRONG.items():
    axes.barh(labels, counts[kind].to_list(), left=left, color=colour, label=kind)
    left += counts[kind].to_list()
for n, value in left.items():
    axes.annotate(f"{value:.0f}", (value, n), (5, 0), textcoords="offset points", va="center")
axes.invert_yaxis()
axes.grid(visible=False, axis="y")
axes.xaxis.set_major_locator(MaxNLocator(integer=True))
axes.set(xlabel="jobs", xlim=(0, max(1, left.max()) * 1.12))
style.key(figure, axes)
style.finding(
    figure,
    f"The same faults cost {NAMES['start']} {total[NAMES['start']]:.0f} jobs and {NAMES['solutions']} "
    f"{total[NAMES['solutions']]:.0f}",
)

# %% [markdown]
# ## How long it was felt
# The age of the oldest job that is not over, on the reference, counted from the fault. Its height is how long the
# unluckiest job was late; where it returns to the ground, the fault is over for everybody.

# %%
figure, axes = style.canvas(height=4.8)
felt = {}
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 3)))
for (fault, tree), colour, dash in zip(
    [each for each in runs if each[1] == "solutions"], style.CYCLE, LINES, strict=False
):
    run = runs[fault, tree]
    begun = run.marks[0][0] if run.marks else 0.0
    series = [(at - begun, age) for at, age in ages(run.rows, 0.0, run.end) if at >= begun - 3]
    felt[fault] = max(age for at, age in series if at >= 0)
    axes.plot(*zip(*series, strict=True), color=colour, linestyle=dash, label=fault)
worst = max(felt, key=lambda fault: felt[fault])
axes.axvline(0, color=style.BLACK, linestyle=":")
axes.set(xlabel="seconds since the fault", ylabel="age of the oldest job (s)", ylim=(0, None))
style.key(figure, axes, columns=6)
style.finding(
    figure, f"On the reference {len(felt)} faults were felt for {style.time(felt[worst])} at most, after {worst}"
)

# %% [markdown]
# ## Who was hit
# Most jobs never notice. Those that ran at the moment of the fault do, and are begun again.

# %%
rows = []
for (fault, tree), run in runs.items():
    if tree == "solutions":
        jobs = table(run)
        again = jobs[jobs["attempts"] > 1]
        rows.append(
            (fault, len(again), len(jobs), quantile(again["end_to_end"], 0.5), quantile(jobs["end_to_end"], 0.5))
        )
hit = pd.DataFrame(rows, columns=["fault", "begun again", "jobs", "their median end to end (s)", "everybody's (s)"])
hit.round(2)
