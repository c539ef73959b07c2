"""`flask --app app.shared.web ops …`: what an operator sees and does.

With --json, one JSON document on stdout; log lines go to stderr. Times are RFC 3339 in UTC, durations seconds, ids of
jobs uuids and ids of dead letters integers; null is unknown. Fields may be added, none is renamed or removed.
Exit codes: 0 done; 1 not done (Postgres down, the drain's deadline, none of the --id's found); 2 wrong usage. Errors
are text on stderr, and stdout stays empty.

queues        {"broker": "up"|"down", "paused": [scope…], "outbox": {"backlog", "oldest_age_seconds"}, "queues": [
                {"queue", "kinds", "depth" (null: broker down), "oldest_ready_age_seconds", "queued", "running",
                 "retrying", "paused" (all of its kinds), "dead_letters" (open), "owner": {"team", "contact",
                 "action"}}]}
jobs          {"count", "more", "jobs": [{"id", "tenant", "kind", "queue", "natural_key", "state", "percent", "message",
                "failures", "deliveries", "requeues", "parent_id", "trace_id", "accepted_at", "started_at", "due_at",
                "finished_at", "error": {"class", "message", "status"?}|null}]}, newest first
dead-letters  {"count", "more", "dead_letters": [{"id", "job_id", "tenant", "kind", "queue", "natural_key", "reason",
                "error_class", "error_message", "endpoint", "attempts", "deliveries", "trace_id", "context": {…},
                "parked_at", "requeued_at", "purged_at"}]}, newest first
  --by-endpoint {"endpoints": [{"endpoint", "dead_letters", "tenants", "error_classes", "oldest_parked_at",
                "newest_parked_at"}]}, worst first
requeue       {"dry_run", "count", "requeued": [job id…], "skipped": [{"id", "why"}]}
purge         {"dry_run", "count", "purged": [dead letter id…], "skipped": [{"id", "why"}]}
pause         {"scope", "paused": true, "changed"}
resume        {"scope", "paused": false, "changed", "republished"}
drain         {"drained", "waited_seconds", "left": {"queued", "running", "retrying"}, "left_by_kind": [{"kind",
                "queued", "running", "retrying", "paused"}], "paused": [scope…]}
"""

import time
from typing import Any

import click

from billing import db
from billing.db import unit

from . import caps, control, inventory, ops_letters, screen, telemetry
from .core import TERMINAL
from .screen import answer, by_option, explained, json_option, seconds, table


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def ops() -> None:
    """See and steer the background work."""
    telemetry.configure("ops")
    db.limit_connections(caps.connections("ops"))


for command in (ops_letters.letters, ops_letters.requeue, ops_letters.purge):
    ops.add_command(command)


@ops.command()
@json_option
def queues(as_json: bool) -> None:
    """Each queue: how much waits, for how long, who owns it.

    Example: flask --app app.shared.web ops queues --json
    """
    with explained(), unit() as s:
        found = inventory.queues(s)
    answer(as_json, found, lambda: _queues(found))


def _queues(found: dict[str, Any]) -> str:
    columns = ("queue", "depth", "oldest", "queued", "running", "retrying", "dead", "state", "owner")
    rows = [
        (
            one["queue"],
            "unknown" if one["depth"] is None else one["depth"],
            seconds(one["oldest_ready_age_seconds"]),
            one["queued"],
            one["running"],
            one["retrying"],
            one["dead_letters"],
            "paused" if one["paused"] else "open",
            f"{one['owner']['team']} {one['owner']['contact']}",
        )
        for one in found["queues"]
    ]
    lines = [table(columns, rows, "There are no queues.")]
    lines += [f"{one['queue']}: {one['owner']['action']}" for one in found["queues"] if one["dead_letters"]]
    if found["broker"] == "down":
        lines.append(screen.style("The broker is down: accepted work waits in the outbox and loses nothing.", fg="red"))
    if found["paused"]:
        lines.append(screen.style("Paused: " + ", ".join(found["paused"]), fg="yellow"))
    outbox = found["outbox"]
    lines.append(f"Outbox: {outbox['backlog']} to publish, the oldest for {seconds(outbox['oldest_age_seconds'])}")
    return "\n".join(lines)


@ops.command()
@click.option("--state", type=click.Choice(sorted(TERMINAL | set(inventory.STATES))))
@click.option("--kind")
@click.option("--tenant")
@click.option("--trace", metavar="TRACE_ID")
@click.option("--key", metavar="NATURAL_KEY")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def jobs(as_json: bool, limit: int, **given: str | None) -> None:
    """Jobs, newest first.

    Example: flask --app app.shared.web ops jobs --state failed --trace 4bf92f3577b34da6a3ce929d0e0e4736
    """
    with explained(), unit() as s:
        found = inventory.found_jobs(s, given, limit)
    columns = ("id", "kind", "tenant", "state", "%", "failures", "accepted", "message")
    rows = [
        (
            j["id"],
            j["kind"],
            j["tenant"],
            j["state"],
            j["percent"],
            j["failures"],
            j["accepted_at"][:19],
            j["message"][:60],
        )
        for j in found["jobs"]
    ]
    more = "\nThere are more: raise --limit." if found["more"] else ""
    answer(as_json, found, lambda: table(columns, rows, "No such job.") + more)


@ops.command()
@click.argument("scope")
@click.option("--reason", default="", help="Why; for the audit.")
@by_option
@json_option
def pause(as_json: bool, by: str, scope: str, reason: str) -> None:
    """Let nothing of SCOPE start: all, queue:NAME or kind:KIND. What runs goes on; what is accepted waits.

    Example: flask --app app.shared.web ops pause queue:payouts --reason "provider is down"
    """
    with explained(), unit() as s:
        changed = control.pause(s, scope, by, reason)
    shape = {"scope": scope, "paused": True, "changed": changed}
    answer(as_json, shape, lambda: f"{scope} is paused." if changed else f"{scope} was paused already.")


@ops.command()
@click.argument("scope")
@by_option
@json_option
def resume(as_json: bool, by: str, scope: str) -> None:
    """End the pause of SCOPE, and publish again what waits.

    Example: flask --app app.shared.web ops resume queue:payouts
    """
    with explained(), unit() as s:
        count = control.resume(s, scope, by)
    shape = {"scope": scope, "paused": False, "changed": count is not None, "republished": count or 0}
    said = f"{scope} was not paused." if count is None else f"{scope} goes on; {count} published again."
    answer(as_json, shape, lambda: said)


POLL = 0.2


@ops.command()
@click.option("--timeout", type=click.FloatRange(0), default=60, show_default=True, metavar="SECONDS")
@json_option
def drain(as_json: bool, timeout: float) -> None:
    """Wait until no job is queued, running or retrying. Stops nothing, neither new work nor workers; exit 1 if
    something is left at the deadline.

    Example: flask --app app.shared.web ops drain --timeout 120 && deploy
    """
    started = time.monotonic()
    while True:
        with explained(), unit() as s:
            found = inventory.left(s)
        waited = time.monotonic() - started
        drained = not any(found["left"].values())
        if drained or waited >= timeout:
            break
        time.sleep(min(POLL, max(timeout - waited, 0.01)))
    shape = {"drained": drained, "waited_seconds": round(waited, 3), **found}
    answer(as_json, shape, lambda: _drained(shape))
    if not drained:
        raise SystemExit(1)


def _drained(shape: dict[str, Any]) -> str:
    if shape["drained"]:
        return f"Drained after {seconds(shape['waited_seconds'])}: no job is queued, running or retrying."
    columns = ("kind", "queued", "running", "retrying", "state")
    rows = [
        (k["kind"], k["queued"], k["running"], k["retrying"], "paused" if k["paused"] else "open")
        for k in shape["left_by_kind"]
    ]
    head = f"Not drained within {seconds(shape['waited_seconds'])}; still left:\n" + table(columns, rows, "")
    return head + ("\nPaused work never drains: resume it first." if shape["paused"] else "")
