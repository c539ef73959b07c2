# %% [markdown]
# # 5 · RQ, Celery on Redis, Celery on RabbitMQ
#
# The same system on three libraries, in rounds on one machine: in every round each runs once, in random order, with
# the same arrivals. A point is a run; what counts is how far points of one colour lie from those of another, and
# whether they cross. `make compare` makes the rounds and says for each metric whether the difference is one.

# %%
import pandas as pd

from accepted.compare.metrics import cpu_seconds
from accepted.notebooks import choosing, style
from accepted.notebooks.jobs import quantile, table

runs = choosing.group("compare", 3, "compare")
NAMES = {"rq": "RQ", "celery-redis": "Celery on Redis", "celery-rabbitmq": "Celery on RabbitMQ"}
LOOKS = dict(zip(NAMES, zip(style.CYCLE, "os^", strict=False), strict=False))
of = {name: [run for run in runs if run.manifest["backend"] == name] for name in NAMES}
of = {name: found for name, found in of.items() if found}
PHASES = [span.name for span in runs[0].spans if span.name not in ("warmup", "drain")]
rates = {each["name"]: each["rate"] for each in runs[0].manifest["scenario"]["phases"]}
print({NAMES[name]: f"{len(found)} runs" for name, found in of.items()})


def apart(values: dict[str, list[float]], best: str) -> bool:
    """Every run of the best lies below every run of the others, and there are enough to say so."""
    others = [value for name, mine in values.items() if name != best for value in mine]
    return len(values[best]) >= 3 and max(values[best]) < min(others)


# %% [markdown]
# ## From request to effect

# %%
rows = []
for name, found in of.items():
    for run in found:
        jobs = table(run)
        for phase in PHASES:
            times = jobs[jobs["phase"] == phase]["end_to_end"]
            rows.append((name, phase, quantile(times, 0.5), quantile(times, 0.95)))
seen = pd.DataFrame(rows, columns=["backend", "phase", "p50", "p95"])
middle = seen.groupby(["backend", "phase"])["p95"].median().unstack("backend")[list(of)].loc[PHASES]

figure, axes = style.canvas(height=4.8)
for n, (name, (colour, mark)) in enumerate((name, LOOKS[name]) for name in of):
    mine = seen[seen["backend"] == name]
    at = [PHASES.index(phase) + 0.22 * (n - (len(of) - 1) / 2) for phase in mine["phase"]]
    axes.scatter(at, mine["p95"], color=colour, marker=mark, alpha=0.55, s=36)
    where = [PHASES.index(phase) + 0.22 * (n - (len(of) - 1) / 2) for phase in PHASES]
    axes.scatter(where, middle[name], color=colour, marker="_", s=420, linewidth=3, label=NAMES[name])
style.seconds(axes)
axes.set_xticks(range(len(PHASES)), [f"{phase}\n{rates[phase]:g} a second" for phase in PHASES])
axes.set_ylabel("end-to-end p95 (bar: median of the runs)")
style.key(figure, axes)
busy = "heavy" if "heavy" in PHASES else PHASES[-1]
values = {name: seen[(seen["backend"] == name) & (seen["phase"] == busy)]["p95"].to_list() for name in of}
best, worst = middle.loc[busy].idxmin(), middle.loc[busy].idxmax()
low, high = (f"{style.time(middle.loc[busy, name])} ({NAMES[name]})" for name in (best, worst))
told = "each of its runs below all others'" if apart(values, best) else "and the runs overlap: no winner"
style.finding(figure, f"In the {busy} phase the p95 is from {low} to {high}, {told}")

# %% [markdown]
# ## The whole distribution, in the burst
# A p95 is one point of a curve. Those whose curves cross are better at different things.

# %%
figure, axes = style.canvas(height=4.8)
ends = {}
for name, dash in zip(of, ("-", "--", ":"), strict=False):
    times = pd.concat([table(run).query("phase == 'burst'")["end_to_end"].dropna() for run in of[name]]).sort_values()
    share = [100 * (n + 1) / len(times) for n in range(len(times))]
    axes.step(
        times, share, where="post", color=LOOKS[name][0], linestyle=dash, label=f"{NAMES[name]}, {len(times):,} jobs"
    )
    ends[name] = quantile(times, 0.99)
axes.axhline(95, color=style.GREY, linewidth=1)
axes.annotate("95 %", (0, 95), (4, 4), textcoords="offset points", color=style.GREY, fontsize=11)
axes.set(
    xlabel="from the intended moment to the effect (s)", ylabel="jobs of the burst done by then (%)", xlim=(0, None)
)
style.key(figure, axes)
quick, slow = min(ends, key=ends.get), max(ends, key=ends.get)
style.finding(
    figure,
    f"99 % of the burst was done after {style.time(ends[quick])} on {NAMES[quick]} "
    f"and after {style.time(ends[slow])} on {NAMES[slow]}",
)

# %% [markdown]
# ## What a job costs
# Processor time of every process and server of the system, for each job that ended.

# %%
costs = {
    name: [1000 * cpu_seconds(run.samples) / max(1, sum(row.t_over is not None for row in run.rows)) for run in found]
    for name, found in of.items()
}
median = {name: float(pd.Series(values).median()) for name, values in costs.items()}

figure, axes = style.canvas(height=1.8 + 0.6 * len(of))
for n, (name, values) in enumerate(costs.items()):
    axes.barh(n, median[name], color=LOOKS[name][0], alpha=0.35, height=0.6)
    axes.scatter(values, [n] * len(values), color=LOOKS[name][0], marker=LOOKS[name][1], s=36)
    axes.annotate(f"{median[name]:.0f} ms", (max(values), n), (8, 0), textcoords="offset points", va="center")
axes.set_yticks(range(len(of)), [NAMES[name] for name in of])
axes.invert_yaxis()
axes.grid(visible=False, axis="y")
axes.set(
    xlabel="processor time for a job (ms; bar: median of the runs)", xlim=(0, max(map(max, costs.values())) * 1.15)
)
cheap, dear = min(median, key=median.get), max(median, key=median.get)
told = "each of its runs below all others'" if apart(costs, cheap) else "and the runs overlap: no winner"
style.finding(
    figure,
    f"A job takes from {median[cheap]:.0f} ms of processor ({NAMES[cheap]}) to {median[dear]:.0f} ms ({NAMES[dear]}), "
    f"{told}",
)
