"""`accepted demo`: boots everything, plays the story, counts, and stops everything."""

import json
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import httpx
import psycopg

from billing.seed import PERIOD, token

from ..stack.environment import CHOICES
from ..stack.interrupts import Interrupted
from . import closing, story, timeline
from .client import Api, Partner, Stuck, until
from .compose import Compose
from .place import Local, Place
from .screen import Screen

SEED = 7
TENANT = "acme"

# Shortened, so that one watches for seconds what takes minutes in earnest; everything else is as shipped.
TIMINGS = {"LEASE": "3", "RETRY_BASE": "0.4", "RETRY_CAP": "2", "MAX_ATTEMPTS": "3", "REAPER_PERIOD": "0.5"}


@click.command()
@click.option("--tree", default=None, help="The application to show (default: $TREE, else solutions).")
@click.option(
    "--backend",
    envvar="BACKEND",
    type=click.Choice(CHOICES),
    default="rq",
    show_default=True,
    help="The broker and its library.",
)
@click.option(
    "--stack",
    "where",
    envvar="STACK",
    type=click.Choice(["local", "compose"]),
    default="local",
    show_default=True,
    help="Processes of this machine, or the containers of docker-compose.yml.",
)
@click.option("--sunny", is_flag=True, help="Nothing fails: no outage, no kill, no requeue.")
@click.option("--json", "as_json", is_flag=True, help="Print only the closing count, as JSON.")
def demo(tree: str | None, backend: str, where: str, sunny: bool, as_json: bool) -> None:
    """Watch an export, a webhook and a payout go through the whole house.

    Exits 0 where every natural key has exactly one effect, counted from the partner's ledger and Postgres;
    1 where one has none or two, or something did not come to its end. With --sunny it is enough that all work ended
    well and the partner saw as many effects as there were jobs: what every app should be able to do.
    """
    screen = Screen(quiet=as_json)
    tree = tree or os.environ.get("TREE") or "solutions"
    try:
        place = located(screen, where, Path(tree), backend)
        result = play(screen, place, sunny)
    except Interrupted:
        screen.close_bar()
        sys.exit(130)
    except (Stuck, RuntimeError) as error:
        screen.close_bar()
        click.echo(f"accepted: the demo stopped: {error}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps({**asdict(result), "effects": dict(result.effects), "holds": result.holds}))
    sys.exit(0 if result.holds else 1)


def located(screen: Screen, where: str, tree: Path, backend: str) -> Place:
    """Raises stack.errors.Problem for what can't be shown there."""
    return Compose(tree, backend, TIMINGS, screen.say) if where == "compose" else Local(tree, backend, TIMINGS)


def play(screen: Screen, place: Place, sunny: bool) -> closing.Closing:
    """Raises stack.errors.Problem (cannot boot), Stuck (something did not happen in time)."""
    screen.line(screen.style("Accepted: one request's way through the house", bold=True))
    timings = ", ".join(f"{name.lower().replace('_', ' ')} {value}" for name, value in TIMINGS.items())
    screen.line(screen.style(f"   shortened for the stage: {timings} (seconds, and attempts)", dim=True))
    with ExitStack() as leaving:
        leaving.enter_context(place)
        api, partner = Api(place.web, token(TENANT, SEED), any_success=sunny), Partner(place.partner)
        until("the system to be ready", lambda: answers(api, "/readyz"))
        screen.good(f"up: {place.up}")
        if place.hint:
            screen.say(place.hint)
        stage = story.Stage(screen, api, partner, place, PERIOD_ISO)
        ids = pick(place.database)
        screen.act(1, "A report: 202 at once, the work elsewhere")
        story.export(stage, impatient=not sunny)
        screen.act(2, "A webhook to every subscriber" + ("" if sunny else ": one stumbles, one is broken"))
        flaky, broken = (None, None) if sunny else (str(ids["subscribers"][0]), str(ids["subscribers"][1]))
        story.fanout(stage, ids["invoice"], flaky, broken)
        screen.act(3, "An e-mail")
        story.mail(stage, ids["invoice"])
        screen.act(4, "Money" + ("" if sunny else ": a worker dies at the worst moment"))
        paid = story.payout(stage, ids["account"], kill=not sunny)
        show_timeline(screen, place.database, partner, paid.job_id, stage.marks)
        judge = closing.visible if sunny else closing.judge
        result = judge(*closing.read(place.database), ledger=partner.http.get("/ledger/summary").json())
        screen.act(5, "Closing count, from the partner's ledger and Postgres")
        show(screen, result, sunny)
    took = time.monotonic() - screen.began
    screen.line(screen.style(f"   everything is stopped again; {took:.0f} s in all", dim=True))
    return result


PERIOD_ISO = (PERIOD[0].isoformat(), PERIOD[1].isoformat())


def answers(api: Api, path: str) -> bool:
    """Whether it answers with a success; a container's port accepts before its process does."""
    try:
        return api.http.get(path).is_success
    except httpx.TransportError:
        return False


def pick(database_url: str) -> dict[str, Any]:
    """An invoice, an account and the subscribers of the tenant, as the product's users would know them."""
    with psycopg.connect(database_url) as c:
        invoice = c.execute("SELECT min(id) FROM invoices WHERE tenant_id = %s", (TENANT,)).fetchone()
        account = c.execute("SELECT min(id) FROM payout_accounts WHERE tenant_id = %s", (TENANT,)).fetchone()
        rows = c.execute("SELECT id FROM subscribers WHERE tenant_id = %s AND active ORDER BY id", (TENANT,)).fetchall()
    if not (invoice and account and len(rows) > 1):
        raise Stuck(f"tenant {TENANT} has no invoice, account or subscribers to show")
    return {"invoice": invoice[0], "account": account[0], "subscribers": [row[0] for row in rows]}


def show_timeline(
    screen: Screen, database_url: str, partner: Partner, job_id: str, marks: list[tuple[float, str]]
) -> None:
    with psycopg.connect(database_url) as c:
        row = c.execute("SELECT trace_id FROM jobs WHERE id = %s", (job_id,)).fetchone()
    calls = partner.ledger(kind="charge")["calls"]
    trace = str(row[0]) if row else "?"
    seen = {str(call.get("traceparent") or "").split("-")[1:2][0] for call in calls if call.get("traceparent")}
    screen.say(f"its timeline, trace {trace}" + ("" if seen <= {trace} else f" (the partner saw {seen})"))
    for line in timeline.render([*timeline.events(database_url, job_id), *timeline.calls(calls), *marks]):
        screen.line("      " + screen.style(line, dim=True))


def show(screen: Screen, result: closing.Closing, sunny: bool) -> None:
    counts = {
        "jobs accepted": result.accepted,
        "done": result.done,
        "retried": result.retried,
        "dead-lettered": result.dead_lettered,
        "requeued": result.requeued,
    }
    screen.say(", ".join(f"{name} {n}" for name, n in counts.items()))
    for wrong in result.wrong:
        screen.bad(wrong)
    if result.holds and sunny:
        screen.good("effects: " + ", ".join(f"{sort} {n}" for sort, n in result.effects.items()))
    elif result.holds:
        screen.good(f"effects per natural key: all 1, over {len(result.effects)} keys")
