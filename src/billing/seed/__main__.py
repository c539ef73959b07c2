"""The command `python -m billing.seed`."""

import json
import sys

import click
import psycopg

from ..settings import settings
from .load import SCALES, AlreadySeeded, NotMigrated, Progress, Summary, seed


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--database-url", metavar="URL", help="Default: DATABASE_URL.")
@click.option(
    "--scale",
    type=click.Choice(list(SCALES)),
    default="small",
    show_default=True,
    help="How much: acme gets "
    + ", ".join(f"{lines:,} ({name})" for name, (lines, _, _) in SCALES.items())
    + " lines.",
)
@click.option("--lines", type=click.IntRange(min=10), help="So many lines for acme exactly, instead of a scale.")
@click.option("--seed", "number", type=int, default=7, show_default=True, help="Same seed, same rows.")
@click.option("--partner-url", metavar="URL", help="Where subscribers listen. Default: PARTNER_URL.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def main(
    database_url: str | None,
    scale: str,
    lines: int | None,
    number: int,
    partner_url: str | None,
    as_json: bool,
) -> None:
    """Fill an empty, migrated database with a made-up billing year.

    Tenants, customers, invoices and lines, webhook subscribers, payout accounts; every name, address and bank
    account is invented.
    """
    try:
        found = seed(
            database_url or settings().database_url,
            scale,
            lines=lines,
            seed=number,
            partner_url=partner_url or settings().partner_url,
            progress=_progress() if sys.stderr.isatty() else None,
        )
    except (AlreadySeeded, NotMigrated) as error:
        raise click.ClickException(str(error)) from error
    except psycopg.OperationalError as error:
        raise click.ClickException(
            f"Postgres did not let us in: {str(error).strip().splitlines()[0]}. Set DATABASE_URL or --database-url."
        ) from error
    click.echo(json.dumps(as_dict(found), indent=2) if as_json else _for_people(found))


def _progress() -> Progress:
    def show(done: int, total: int) -> None:
        filled = 30 * done // total
        ending = "\n" if done >= total else ""
        click.echo(
            f"\r  {'█' * filled}{'·' * (30 - filled)} {done:>11,} of {total:,} lines{ending}",
            nl=False,
            err=True,
        )

    return show


def as_dict(found: Summary) -> dict[str, object]:
    """The summary as plain JSON values; ranges as [first, last]."""
    return {
        "seed": found.seed,
        "period": [found.period_from.isoformat(), found.period_to.isoformat()],
        "lines": found.lines,
        "seconds": round(found.seconds, 2),
        "flaky": found.flaky,
        "broken": found.broken,
        "tenants": {
            name: {
                "token": tenant.token,
                "lines": tenant.lines,
                "customers": [tenant.customers[0], tenant.customers[-1]],
                "invoices": [tenant.invoices[0], tenant.invoices[-1]],
                "subscribers": [tenant.subscribers[0], tenant.subscribers[-1]],
                "accounts": [tenant.accounts[0], tenant.accounts[-1]],
            }
            for name, tenant in found.tenants.items()
        },
    }


def _for_people(found: Summary) -> str:
    head = (
        f"Seeded {found.lines:,} invoice lines for {len(found.tenants)} tenants in {found.seconds:.1f} s "
        f"({found.period_from} to {found.period_to}, seed {found.seed})."
    )
    rows = [f"  {name:<9} {of.lines:>9,} lines   token {of.token}" for name, of in found.tenants.items()]
    foot = f"Subscribers to play tricks on: flaky {found.flaky}, broken {found.broken}."
    return "\n".join((head, *rows, foot))


if __name__ == "__main__":
    main(prog_name="python -m billing.seed")
