# %% [markdown]
# # 7 · The autoscaler: measured, simulated, and at a thousand times the load
#
# A burst that one worker can't carry, and an autoscaler that calls more. Its law is a pure function: what waits, how
# old the oldest is, what is at work and how long a job takes, in; how many replicas, out. So the same law can be asked
# on a queue that is only reckoned, event by event, with the arrivals and the times of service of the run. Where both
# agree, the reckoned one may be asked about loads that nobody has to have: a thousand times as many jobs, on workers a
# thousand times as wide.

# %%
import os

from accepted.notebooks import choosing, style
from accepted.scaling import course, recorded
from accepted.scaling.asking import Law
from accepted.stack.state import root

TIMES = 1000
run = choosing.run("burst-scaled")
found = recorded.read(run.folder)
age = found.limits["age"]


def reckoned(times: int) -> list[course.Point]:
    """What the reference's law would have done with so many times the load."""
    env = {**os.environ, "TREE": str(root() / "solutions"), "IO_SLOTS": str(found.house.slots)}
    with Law(root() / "solutions", env, root()) as law:
        law.limits(found.limits | {"slots": found.house.slots * times})
        return recorded.again(found, law, times)


once, often = reckoned(1), reckoned(TIMES)
agreed = recorded.agreement(found, once)
print(agreed)

# %% [markdown]
# ## Replicas

# %%
figure, axes = style.canvas()
style.phases(axes, run)
axes.step(
    [p.at for p in found.points],
    [p.replicas for p in found.points],
    where="post",
    color=style.VERMILION,
    label="measured",
)
axes.step(
    [p.at for p in once], [p.there for p in once], where="post", color=style.BLUE, linestyle="--", label="simulated"
)
axes.axhline(found.limits["cap"], color=style.BLACK, linestyle=":", linewidth=1.2, label="cap")
axes.set(ylabel="replicas of the I/O worker", ylim=(0, found.limits["cap"] + 0.6))
style.key(figure, axes)
most, last = max(p.replicas for p in found.points), found.points[-1].replicas
style.finding(
    figure,
    f"From {found.limits['floor']:.0f} to {most} replicas and back to {last}, with {course.turns(found.points)} change "
    f"of direction; the simulated curve is {agreed.curve:.0%} apart from the measured one",
)

# %% [markdown]
# ## Waiting
# The age of the oldest job that waits for a worker: what the law is given to keep.

# %%
figure, axes = style.canvas()
style.phases(axes, run)
axes.plot([p.at for p in found.points], [p.oldest for p in found.points], color=style.VERMILION, label="measured")
axes.plot([p.at for p in once], [p.oldest for p in once], color=style.BLUE, linestyle="--", label="simulated")
axes.axhline(age, color=style.BLACK, linestyle=(0, (5, 3)), linewidth=1.4)
axes.annotate(f"what the law is to keep: {style.time(age)}", (0, age), (4, 4), textcoords="offset points", fontsize=10)
axes.set(ylabel="age of the oldest waiting job (s)", ylim=(0, None))
style.key(figure, axes)


def back(seconds: float | None) -> str:
    return "never" if seconds is None else f"{style.time(seconds)} after the burst began"


style.finding(
    figure,
    f"Measured, the oldest job was inside {style.time(age)} for good {back(agreed.measured)}; "
    f"simulated, {back(agreed.simulated)}",
)

# %% [markdown]
# ## A thousand times the load

# %%
figure, (above, below) = style.canvas(2, 1, height=6.4, sharex=True)
for axes in (above, below):
    style.phases(axes, run, labels=axes is above)
above.step([p.at for p in often], [p.there for p in often], where="post", color=style.PURPLE)
above.set(ylabel="replicas", ylim=(0, found.limits["cap"] + 0.6), xlabel="")
below.plot([p.at for p in often], [p.oldest for p in often], color=style.PURPLE, label=f"{TIMES:,} times the load")
below.plot(
    [p.at for p in once], [p.oldest for p in once], color=style.BLUE, linestyle="--", label="the load itself, simulated"
)
below.axhline(age, color=style.BLACK, linestyle=(0, (5, 3)), linewidth=1.4)
below.set(ylabel="oldest waiting (s)", ylim=(0, None))
style.key(figure, below)
later = [p for p in often if p.at >= found.begins]
inside = course.back_inside(later, age)
style.finding(
    figure,
    f"{TIMES * len(found.jobs):,} jobs: the same law calls {max(p.there for p in often)} replicas at most, and the "
    f"oldest job is inside {style.time(age)} for good {back(None if inside is None else inside - found.begins)}",
)
