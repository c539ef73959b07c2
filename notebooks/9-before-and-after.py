# %% [markdown]
# # 9 · Before and after
#
# The same burst of reports, at the year's end, on the app that everyone ships first, on every rung of the ladder (the
# reference's modules up to exercise *k* in an otherwise untouched first app), and on the reference. `make before-
# after` runs them one after the other on this machine; the README shows its chart.
#
# **How an answer that is the work itself is counted.** The first app makes the report within the request. Its export
# counts as accepted and done at once, from the same intended moment as everybody's: nobody's work is counted away, and
# the client's waiting is where it belongs, in the time of the answer.

# %%
import pandas as pd

from accepted.ascent import climbing, picture, publishing
from accepted.ascent.figures import SOON, caption, ratios, step
from accepted.load.report import Bundle
from accepted.notebooks import style
from accepted.notebooks.jobs import table
from accepted.stack.state import root

climb = publishing.climb(root())
runs = {rung: Bundle(folder) for rung, folder in climbing.found(climb)}
steps = {rung: step(run.rows, run.manifest["scenario"]["patience"]) for rung, run in runs.items()}
first, last = next(iter(runs)), list(runs)[-1]
pd.DataFrame(
    [(rung.folder, each.asked, each.answer, each.soon, each.ever) for rung, each in steps.items()],
    columns=["rung", "asked for", "p95 of the answer (s)", f"ready within {SOON:.0f} s", "ready in the end"],
).set_index("rung").round(3)

# %% [markdown]
# ## Rung by rung

# %%
figure = picture.drawn([(rung.done, rung.label) for rung in steps], list(steps.values()))
style.finding(figure, picture.title(list(steps.values())))

# %%
about = runs[first].manifest
print(caption({rung.folder: each for rung, each in steps.items()}, about["seed"], about["backend"]))
print(ratios(steps[first], steps[last]))

# %% [markdown]
# ## What a customer sees
# Each line is a report: yellow while its request is not answered and the browser spins; blue from the answer until the
# file is there.

# %%
NAMES = {first: "the first app", last: "the reference"}
figure, both = style.canvas(1, 2, height=5, sharex=True, sharey=True)
spinning = {}
for axes, rung in zip(both, NAMES, strict=True):
    rows = table(runs[rung])
    rows = rows[rows["kind"] == "report.export"].sort_values("t_int").reset_index(drop=True)
    zero, end = rows["t_int"].min(), runs[rung].end
    answered = rows["t_acc"].fillna(end)
    spinning[rung] = (answered - rows["t_int"]).mean()
    axes.barh(
        rows.index, answered - rows["t_int"], left=rows["t_int"] - zero, color=style.ORANGE, label="no answer yet"
    )
    ready = rows["t_done"].fillna(end).clip(lower=answered)
    axes.barh(rows.index, ready - answered, left=answered - zero, color=style.BLUE, label="answered, being made")
    axes.axvline(SOON, color=style.BLACK, linestyle=(0, (5, 3)), linewidth=1.4)
    axes.set_title(NAMES[rung], fontsize=12)
    axes.set_xlabel("seconds since the first was due")
    axes.grid(visible=False, axis="y")
both[0].set(ylabel="reports in the order in which they were due", yticks=[])
both[0].invert_yaxis()
style.key(figure, *both)
style.finding(
    figure,
    f"On the first app a customer looks at a spinning browser for {style.time(spinning[first])} on average, on the "
    f"reference for {style.time(spinning[last])}",
)

# %% [markdown]
# ## How many are ready

# %%
figure, axes = style.canvas()
for rung, colour, dash in ((first, style.VERMILION, "--"), (last, style.BLUE, "-")):
    rows = table(runs[rung])
    rows = rows[rows["kind"] == "report.export"]
    zero = rows["t_int"].min()
    ready = (rows["t_done"].dropna().clip(lower=zero) - zero).sort_values()
    axes.step([0, *ready], range(len(ready) + 1), where="post", color=colour, linestyle=dash, label=NAMES[rung])
due = (rows["t_int"] - zero).sort_values()
axes.step([0, *due], range(len(due) + 1), where="post", color=style.GREY, linestyle=":", label="asked for")
axes.set(xlabel="seconds since the first was due", ylabel="reports", ylim=(0, None), xlim=(0, None))
style.key(figure, axes)
found = ratios(steps[first], steps[last])
style.finding(
    figure,
    f"In the end {steps[first].ever} and {steps[last].ever} of {steps[first].asked} reports are ready: the reference "
    "does the same work, and nobody has to wait for it",
)
