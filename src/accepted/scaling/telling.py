"""Two curves of replicas side by side, for a terminal."""

import click

from accepted.scaling import course, recorded
from accepted.scaling.course import Point


def tell(
    found: recorded.Recorded, points: list[Point], times: int, took: float, agreed: recorded.Agreement | None
) -> None:
    click.echo(f"{found.name}: {len(found.jobs) * times:,} jobs, reckoned in {took:.1f} s\n")
    click.echo("   s   replicas            waiting             oldest, s")
    click.echo("       measured simulated  measured simulated  measured simulated")
    for row in recorded.table(found, points):
        cells = [row["measured"], row["simulated"], row["waiting"] * times, row["simulated_waiting"]]
        shown = "".join(f"{cell:>10,}" for cell in cells)
        click.echo(
            f"{row['at']:>4.0f} {shown[:20]} {shown[20:]}  {row['oldest']:>8.1f}{row['simulated_oldest']:>10.1f}"
        )
    click.echo("")
    if agreed is None:
        most = max(point.there for point in points)
        back = course.back_inside([one for one in points if one.at >= found.begins], found.limits["age"])
        told = "never" if back is None else f"{back - found.begins:.1f} s after the burst began"
        click.echo(f"{most} replicas at most; the oldest job inside {found.limits['age']:g} s for good: {told}")
        return
    click.echo(f"replicas: the area between the curves is {agreed.curve:.0%} of the area under the measured one")
    if agreed.measured is None or agreed.simulated is None or agreed.recovery is None:
        click.echo("recovery: the lag did not come back in both")
    else:
        click.echo(f"recovery: {agreed.measured:.1f} s measured, {agreed.simulated:.1f} s simulated: "
                   f"{agreed.recovery:.0%} apart")  # fmt: skip
    click.echo(f"{'agree' if agreed.holds else 'do NOT agree'} within {recorded.WITHIN:.0%}")
