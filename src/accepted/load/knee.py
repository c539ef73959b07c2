"""How much is too much: the highest rate of a ramp up to which every window of it was as the SLO wants it. Pure."""

from collections.abc import Sequence

from accepted.load.account import Row
from accepted.load.scenario import Phase
from accepted.load.slo import LATENCIES, Objective, judge

WINDOW = 5.0  # s


def knee(rows: Sequence[Row], phase: Phase, zero: float, promised: Sequence[Objective]) -> float:
    """Arrivals a second at the end of the last window that held; 0 where the first did not, `to` where all did.

    `rows`: those of the ramp; `zero`: when it began. `promised`: what each window is held to, its latencies only.
    """
    asked = [each for each in promised if each.metric in LATENCIES and each.kind is None]
    rate, at = 0.0, 0.0
    while at < phase.seconds:
        ends = min(at + WINDOW, phase.seconds)
        window = [row for row in rows if at <= row.t_int - zero < ends]
        for each in asked:
            took = [value for row in window if (value := row.took(each.metric)) is not None]
            if took and not judge(each, took).held:
                return rate
        if any(not row.accepted for row in window):
            return rate
        rate = phase.rate + ((phase.to or phase.rate) - phase.rate) * ends / phase.seconds
        at = ends
    return rate
