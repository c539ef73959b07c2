"""The commands of `ops` about dead letters; the shapes of their JSON stand in `ops`."""

from typing import Any

import click

from billing.db import unit

from . import dead_letters, inventory, screen
from .letters import Choice
from .screen import answer, by_option, explained, json_option, table


def choice_options(command: screen.F) -> screen.F:
    for name, metavar, what in (
        ("--error", "CLASS", "With this class of error."),
        ("--trace", "TRACE_ID", "Of this trace."),
        ("--endpoint", "URL", "Refused by this endpoint."),
        ("--tenant", "TENANT", "Of this tenant."),
        ("--kind", "KIND", "Of this kind of work."),
        ("--queue", "QUEUE", "Of this queue."),
    ):
        command = click.option(name, metavar=metavar, help=what)(command)
    return command


def act_options(command: screen.F) -> screen.F:
    for option in (
        click.option("--yes", is_flag=True, help="Don't ask."),
        click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
        click.option("--all", "everything", is_flag=True, help="All open dead letters."),
        click.option("--id", "ids", metavar="N", type=int, multiple=True, help="This dead letter; may be repeated."),
    ):
        command = option(command)
    return choice_options(command)


@click.command("dead-letters")
@choice_options
@click.option("--by-endpoint", is_flag=True, help="Count them by the endpoint that refused: which partner is broken?")
@click.option("--closed", is_flag=True, help="Also those that were requeued or purged.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def letters(as_json: bool, by_endpoint: bool, closed: bool, limit: int, **given: Any) -> None:
    """Jobs that were given up, newest first, with what is known of why.

    Example: flask --app app.shared.web ops dead-letters --by-endpoint
    """
    choice = Choice(**given)
    with explained(), unit() as s:
        if by_endpoint:
            found: dict[str, Any] = {
                "endpoints": [inventory.endpoint(row) for row in dead_letters.by_endpoint(s, choice)]
            }
        else:
            rows = dead_letters.listing(s, choice, limit=limit + 1, closed=closed)
            shown = [inventory.letter(row) for row in rows[:limit]]
            found = {"count": len(shown), "more": len(rows) > limit, "dead_letters": shown}
    answer(as_json, found, lambda: _endpoints(found) if by_endpoint else _letters(found))


def _letters(found: dict[str, Any]) -> str:
    columns = ("id", "parked", "kind", "tenant", "attempts", "error", "endpoint", "reason")
    rows = [
        (d["id"], d["parked_at"][:19], d["kind"] or d["queue"], d["tenant"], d["attempts"], d["error_class"])
        + (d["endpoint"], d["reason"][:70])
        for d in found["dead_letters"]
    ]
    return table(columns, rows, "No dead letters.") + ("\nThere are more: raise --limit." if found["more"] else "")


def _endpoints(found: dict[str, Any]) -> str:
    columns = ("endpoint", "dead letters", "tenants", "errors", "newest")
    rows = [
        (
            e["endpoint"] or "(none)",
            e["dead_letters"],
            e["tenants"],
            ", ".join(e["error_classes"]),
            e["newest_parked_at"][:19],
        )
        for e in found["endpoints"]
    ]
    return table(columns, rows, "No dead letters.")


@click.command()
@act_options
@by_option
@json_option
def requeue(as_json: bool, by: str, dry_run: bool, yes: bool, everything: bool, **given: Any) -> None:
    """Start failed jobs again from the beginning, each once more; finished steps are not repeated.

    Example: flask --app app.shared.web ops requeue --endpoint https://example.org/hooks --dry-run
    """
    choice = _choice(everything, given)
    if not dry_run:
        screen.confirm(f"Requeue the failed jobs of {choice.describe()}?", yes)
    with explained(), unit() as s:
        done, skipped = dead_letters.requeue(s, choice, by, dry_run=dry_run)
    _acted(as_json, "requeued", [str(job) for job in done], skipped, dry_run)


@click.command()
@act_options
@click.option("--reason", required=True, help="Why these jobs may be lost; for the audit.")
@by_option
@json_option
def purge(as_json: bool, by: str, reason: str, dry_run: bool, yes: bool, everything: bool, **given: Any) -> None:
    """Give dead letters up for good. Their jobs stay failed, and can't be requeued any more.

    Example: flask --app app.shared.web ops purge --queue noops --reason "from a bench" --yes
    """
    choice = _choice(everything, given)
    if not dry_run:
        screen.confirm(f"Purge the dead letters of {choice.describe()} for good?", yes)
    with explained(), unit() as s:
        done, skipped = dead_letters.purge(s, choice, by, reason, dry_run=dry_run)
    _acted(as_json, "purged", done, skipped, dry_run)


def _choice(everything: bool, given: dict[str, Any]) -> Choice:
    choice = Choice(**given)
    if everything == bool(choice.given()):
        raise click.UsageError(
            "Say which dead letters: --id, --queue, --kind, --tenant, --endpoint, --trace, --error, or --all."
        )
    return choice


def _acted(as_json: bool, what: str, done: list[Any], skipped: list[tuple[int, str]], dry_run: bool) -> None:
    left = [{"id": id, "why": why} for id, why in skipped]
    shape = {"dry_run": dry_run, "count": len(done), what: done, "skipped": left}
    if not done and skipped and all(why == "unknown" for _, why in skipped):
        raise click.ClickException("There is no dead letter of that number. See them with `ops dead-letters --closed`.")
    lines = [
        f"{'Would be ' if dry_run else ''}{what}: {len(done)}",
        *(f"left alone: {id} ({why})" for id, why in skipped),
    ]
    answer(as_json, shape, lambda: "\n".join(lines))
