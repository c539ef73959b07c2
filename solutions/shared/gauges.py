"""`/metrics`: every figure is read from Postgres and the broker when it is asked for.

So it doesn't matter which process answers, nothing is lost when one dies, and no figure waits for a flush.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db import DatabaseDown, unit

from . import outbox
from .backend import broker
from .core import BrokerDown
from .jobs import KINDS, oldest_ready

CONTENT_TYPE = CONTENT_TYPE_LATEST

# What one row of `jobs` adds to each counter. Retention adds the same sums to `counters` in the transaction that
# deletes the rows, so that no counter ever falls. A requeue starts `failures` anew; what it forgets stands in the
# dead letter that it closes.
TOTALS = {
    "accepted": "1",
    "started": "(started_at IS NOT NULL)::int",
    "succeeded": "(state = 'succeeded')::int",
    "failed": "(state = 'failed')::int + requeues",
    "retried": "greatest(failures - (state = 'failed')::int, 0)",
    "requeued": "requeues",
}
_HELP = {
    "accepted": "Jobs accepted, children included.",
    "started": "Jobs that a worker began at least once.",
    "succeeded": "Jobs that came to a good end.",
    "failed": "Times that a job was parked among the dead letters.",
    "retried": "Runs that failed and were tried again.",
    "requeued": "Times that a dead letter was requeued.",
}
_LIVE = text(
    "SELECT kind, state, count(*) AS n, "
    + ", ".join(f"coalesce(sum({each}), 0) AS {name}" for name, each in TOTALS.items())
    + " FROM jobs GROUP BY kind, state"
)
_REMEMBERED = text("""
SELECT kind, name, value FROM counters WHERE name = ANY(:names)
UNION ALL
SELECT kind, 'retried', sum(greatest(attempts - 1, 0)) FROM dead_letters
WHERE requeued_at IS NOT NULL AND kind IS NOT NULL GROUP BY kind
""")
_LETTERS = text("""
SELECT coalesce(queue, '') AS queue, count(*) AS n FROM dead_letters
WHERE requeued_at IS NULL AND purged_at IS NULL GROUP BY 1
""")
_RUNTIME = text("""
SELECT kind, count(*) AS n, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
    ORDER BY extract(epoch FROM finished_at - started_at)) AS seconds
FROM jobs WHERE finished_at > now() - interval '5 minutes' AND started_at IS NOT NULL GROUP BY kind
""")
_LEASES = text("""
SELECT count(*) AS held, count(*) FILTER (WHERE lease_until < now()) AS expired FROM jobs WHERE state = 'running'
""")
_SCALING = text("SELECT pool, replicas, leaving, ups, downs FROM scaling ORDER BY pool")


def exposition() -> bytes:
    """The figures in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return generate_latest(registry)


class _Figures(Collector):
    def collect(self) -> Iterable[Metric]:
        yield from _of_broker()
        try:
            with unit() as s:
                found = [*_of_jobs(s), *_of_waiting(s), *_of_outbox(s), *_of_ends(s), *_of_scaling(s)]
        except DatabaseDown:
            yield _gauge("postgres_up", "1 where Postgres answers.", 0)
            return
        yield _gauge("postgres_up", "1 where Postgres answers.", 1)
        yield from found


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=value)


def _of_broker() -> Iterator[Metric]:
    depth = GaugeMetricFamily("queue_depth", "Messages that wait on the broker.", labels=["queue"])
    try:
        for queue in broker().queues():
            depth.add_metric([queue], broker().depth(queue))
    except BrokerDown:
        yield _gauge("broker_up", "1 where the broker answers.", 0)
        return
    yield _gauge("broker_up", "1 where the broker answers.", 1)
    yield depth


def _of_jobs(s: Session) -> Iterator[Metric]:
    totals: dict[tuple[str, str], int] = {(kind, name): 0 for kind in KINDS for name in TOTALS}
    live = GaugeMetricFamily("jobs", "Jobs in the table, by state.", labels=["kind", "state"])
    for row in s.execute(_LIVE).mappings():
        live.add_metric([row["kind"], row["state"]], row["n"])
        for name in TOTALS:
            _add(totals, row["kind"], name, row[name])
    for kind, name, value in s.execute(_REMEMBERED, {"names": list(TOTALS)}):
        _add(totals, kind, name, value)
    yield live
    for name, what in _HELP.items():
        family = CounterMetricFamily(f"{name}_jobs", what, labels=["kind"])
        for (kind, counted), value in sorted(totals.items()):
            if counted == name:
                family.add_metric([kind], value)
        yield family


def _add(totals: dict[tuple[str, str], int], kind: str, name: str, value: Any) -> None:
    totals[kind, name] = totals.get((kind, name), 0) + int(value)


def _of_waiting(s: Session) -> Iterator[Metric]:
    port = broker()
    oldest = dict.fromkeys(port.queues(), 0.0)
    for kind, age in oldest_ready(s).items():
        queue = port.queue_of(kind)
        oldest[queue] = max(oldest[queue], age)
    family = GaugeMetricFamily(
        "oldest_ready_age_seconds", "How long the job that has waited longest is ready.", labels=["queue"]
    )
    for queue, age in oldest.items():
        family.add_metric([queue], age)
    yield family


def _of_outbox(s: Session) -> Iterator[Metric]:
    count, age = outbox.backlog(s)
    yield _gauge("outbox_backlog", "Outbox rows that wait to be published.", count)
    yield _gauge("outbox_oldest_age_seconds", "Age of the oldest unpublished outbox row.", age)


def _of_ends(s: Session) -> Iterator[Metric]:
    letters = GaugeMetricFamily("dead_letters", "Dead letters that nobody has dealt with.", labels=["queue"])
    counted = dict.fromkeys(broker().queues(), 0) | {row.queue: row.n for row in s.execute(_LETTERS)}
    for queue, n in counted.items():
        letters.add_metric([queue], n)
    yield letters
    runtime = GaugeMetricFamily(
        "job_runtime_seconds",
        "Run time of jobs that ended in the last 5 minutes.",
        labels=["kind", "quantile"],
    )
    for kind, _, (half, most) in s.execute(_RUNTIME):
        runtime.add_metric([kind, "0.5"], float(half))
        runtime.add_metric([kind, "0.95"], float(most))
    yield runtime
    held, expired = s.execute(_LEASES).one()
    yield _gauge("leases_held", "Jobs that a worker holds.", held)
    yield _gauge("leases_expired", "Leases that ended and were not reaped yet.", expired)


def _of_scaling(s: Session) -> Iterator[Metric]:
    wanted = GaugeMetricFamily(
        "worker_replicas", "Workers that there should be, the floor's included.", labels=["pool"]
    )
    leaving = GaugeMetricFamily("worker_replicas_leaving", "Workers that go when their job is done.", labels=["pool"])
    moves = CounterMetricFamily("scale_events", "Times that the autoscaler changed it.", labels=["pool", "direction"])
    for pool, replicas, going, ups, downs in s.execute(_SCALING):
        wanted.add_metric([pool], replicas)
        leaving.add_metric([pool], going)
        moves.add_metric([pool, "up"], ups)
        moves.add_metric([pool, "down"], downs)
    yield from (wanted, leaving, moves)
