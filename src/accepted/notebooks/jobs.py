"""A bundle's events as a table: a row an arrival, times in seconds, what never ended as infinity."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from accepted.load.account import Row
from accepted.load.report import Bundle
from accepted.load.slo import at_quantile

STAMPS = ("t_int", "t_send", "t_acc", "t_enq", "t_start", "t_done", "t_over")


def table(of: Bundle) -> Any:
    """A DataFrame: the columns of events.jsonl.gz, the metrics of docs/load.md, `work` (t_over − t_start), `second`."""
    found = pd.DataFrame([vars(row) for row in of.rows])
    for stamp in STAMPS:
        found[stamp] = found[stamp].astype("float64")
    for metric in ("accept", "relay", "wait", "end_to_end"):
        found[metric] = pd.Series([row.took(metric) for row in of.rows], dtype="float64")
    found["work"] = found["t_over"] - found["t_start"]
    found["second"] = found["t_int"].astype(int)
    return found


def quantile(values: Iterable[float], q: float) -> float:
    """As the harness takes it: a value that occurred, infinity among them; NaN for none."""
    found = at_quantile([value for value in values if not math.isnan(value)], q, "lte")
    return math.nan if found is None else found


def by_second(rows: Any, metric: str, q: float) -> Any:
    """The quantile of each second's arrivals, as a Series by the middle of the second."""
    found = rows.dropna(subset=[metric]).groupby("second")[metric].apply(lambda values: quantile(values, q))
    found.index = found.index + 0.5
    return found


def per_second(moments: Iterable[float], end: float) -> Any:
    """How many fell into each second of a run of `end` seconds, as a Series by the second's beginning."""
    seconds = pd.Series([int(at) for at in moments if not math.isnan(at)], dtype="int64")
    return seconds.value_counts().reindex(range(int(end) + 1), fill_value=0).sort_index()


def unfinished(
    rows: Iterable[Row], end: float, step: float = 0.25, of: Callable[[Row], bool] = lambda row: True
) -> Any:
    """How many were accepted and not over at each moment, as a Series by seconds."""
    moves = [(row.t_acc, 1) for row in rows if row.t_acc is not None and of(row)]
    moves += [(row.t_over, -1) for row in rows if row.t_acc is not None and row.t_over is not None and of(row)]
    counted = pd.Series(0, index=[round(n * step, 3) for n in range(int(end / step) + 1)])
    changes = pd.DataFrame(sorted(moves), columns=["at", "by"])
    running = changes.set_index("at")["by"].groupby(level=0).sum().cumsum()
    return running.reindex(running.index.union(counted.index)).ffill().fillna(0).loc[counted.index]


def parts(rows: Any) -> Any:
    """The four parts of a job's time, which add up to `t_over − t_int`: a DataFrame of seconds by part.

    A stamp that lies before the one that it follows on paper makes a part of no length. Where nothing was published,
    the way to the broker has none."""
    answered = rows["t_acc"]
    queued = rows["t_enq"].fillna(answered).clip(lower=answered)
    begun = rows["t_start"].fillna(queued).clip(lower=queued)
    over = rows["t_over"].clip(lower=begun)
    return pd.DataFrame({"request": answered - rows["t_int"], "to the broker": queued - answered,
                         "wait": begun - queued, "work": over - begun})  # fmt: skip


def ledger(of: Bundle) -> dict[str, int]:
    """What became of a run's jobs; `doubled` from the keys that the summary lists, all else from the events. No job is
    both lost and stuck: one without an effect is lost, one that has it and yet is not over is stuck."""
    rows = [row for row in of.rows if row.accepted]
    lost = [row for row in rows if not row.effects and row.t_done is None and row.expect == "done"]
    lost += [row for row in rows if row.expect == "parked" and row.state != "failed" and not row.effects]
    return {
        "accepted": len(rows),
        "done": sum(row.t_done is not None for row in rows),
        "begun again": sum(row.attempts > 1 for row in rows),
        "parked": sum(row.state == "failed" for row in rows),
        "lost": len(lost),
        "stuck": sum(row.t_over is None and bool(row.effects) for row in rows),
        "doubled": len(of.summary["duplicated"]),
    }
