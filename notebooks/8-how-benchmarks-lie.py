# %% [markdown]
# # 8 · How benchmarks lie
#
# The same system, the same burst of reports, measured twice. **Open loop**: every request leaves when it is due,
# whatever the answers do, as customers would. **Closed loop**: a few clients, each of which waits for its answer
# before it asks again, and starts its watch when it asks; most load tools work like this by default. When the system
# slows down, a closed loop slows down with it and sends less: the tool waits politely, and calls that a good result.
# It is known as *coordinated omission*.
#
# The system is the app that everyone ships first, which makes a report within the request: `make load-year-end
# TREE=exercises/start`, and the same with `ARGS='--clients 4'`. The harness itself calls the second run invalid.

# %%
from accepted.notebooks import choosing, style
from accepted.notebooks.jobs import quantile, table

opened = choosing.run("year-end", "start")
closed = choosing.run("year-end", "start", clients=4)
clients = closed.manifest["clients"]
NEVER = 600.0  # s: where an answer that never came is drawn, beyond all axes


def reports(run):
    found = table(run)
    return found[found["kind"] == "report.export"]


as_customers = reports(opened)["accept"]
asked = reports(closed)
by_the_tool = asked["t_acc"] - asked["t_send"]  # its watch begins when it asks
by_the_clock = asked["accept"]  # the same answers, from when they should have been asked for
print("The verdict on the closed loop:", *closed.verdict["invalid"], sep="\n  ")

# %% [markdown]
# ## What each would report

# %%
WAYS = {
    "open loop": (as_customers, style.BLUE, "-"),
    f"closed loop, {clients} clients, as the tool says": (by_the_tool, style.VERMILION, "--"),
    "the same answers, from when they were due": (by_the_clock, style.GREEN, ":"),
}
p95 = {name: quantile(values, 0.95) for name, (values, _, _) in WAYS.items()}
names = list(WAYS)

figure, axes = style.canvas(height=5)
for name, (values, colour, dash) in WAYS.items():
    there = values.fillna(NEVER).clip(upper=NEVER).sort_values().to_numpy()
    share = [100 * (n + 1) / len(there) for n in range(len(there))]
    axes.step([0, *there], [0, *share], where="post", color=colour, linestyle=dash, label=name)
axes.axhline(95, color=style.GREY, linewidth=1)
axes.annotate("95 %", (0, 95), (4, 4), textcoords="offset points", color=style.GREY, fontsize=11)
ended = max(values[values < NEVER].max() for values, _, _ in WAYS.values())
axes.set(xlabel="time until POST /v1/reports was answered (s)", ylabel="requests answered by then (%)")
axes.set(xlim=(0, ended * 1.05), ylim=(0, 103))
style.key(figure, axes, columns=2)
true, told = p95[names[0]], p95[names[1]]
unanswered = int(as_customers.eq(float("inf")).sum())
waits = f"customers wait {style.time(true)}, {true / told:.1f} times as long"
if unanswered:
    waits = f"in open loop {unanswered} of {len(as_customers)} customers give up before they are answered"
style.finding(figure, f"The closed loop reports a p95 of {style.time(told)}; {waits}")

# %% [markdown]
# ## Why
# Each line is a request. The grey part, from when it was due until the client got round to sending it, is what the
# tool never sees.

# %%
figure, both = style.canvas(1, 2, height=5, sharex=True, sharey=True)
for axes, all_rows, name in zip(
    both, (reports(opened), asked), ("open loop", f"closed loop, {clients} clients"), strict=True
):
    rows = all_rows.sort_values("t_int").reset_index(drop=True)
    zero = rows["t_int"].min()
    patience = opened.manifest["scenario"]["patience"]
    ends = rows["t_acc"].fillna(rows["t_send"] + patience)  # who gives up has waited for so long
    axes.barh(
        rows.index, rows["t_send"] - rows["t_int"], left=rows["t_int"] - zero, color="#c9ced4", label="due, not sent"
    )
    axes.barh(
        rows.index, ends - rows["t_send"], left=rows["t_send"] - zero, color=style.VERMILION, label="what is timed"
    )
    axes.set_title(name, fontsize=12)
    axes.set_xlabel("seconds since the first was due")
    axes.grid(visible=False, axis="y")
both[0].set(ylabel="requests in the order in which they were due", yticks=[])
both[0].invert_yaxis()
style.key(figure, *both)


def unseen(rows):
    """The share of all waiting that lies before the request was sent."""
    late = (rows["t_send"] - rows["t_int"]).sum()
    return late / (late + (rows["t_acc"] - rows["t_send"]).fillna(opened.manifest["scenario"]["patience"]).sum())


style.finding(
    figure,
    f"In closed loop {unseen(asked):.0%} of the waiting lay before the watch was started; in open loop "
    f"{unseen(reports(opened)):.0%}",
)

# %% [markdown]
# Locust's own figures (from the moment of sending) stand in every run's `summary.json`, shown and never judged. With
# its default of users that wait for their answers, they are the closed loop above.
