"""What a run says of itself while it goes on: never that it holds before anybody was answered, or while nobody is."""

from io import StringIO

import pytest

from accepted.load.progress import Progress
from accepted.load.scenario import Phase, Scenario, Work
from accepted.load.slo import Objective

SCENARIO = Scenario("try", "", (Work("payout.send", 1),), (Phase("burst", 5, 5), Phase("drain", 9, 0)))
OBJECTIVES = [Objective("accept", "lte", 0.5, 0.95, "burst"), Objective("oldest_age", "lte", 20, 1, "burst")]


@pytest.mark.parametrize(
    ("elapsed", "told", "recent", "age", "says"),
    [
        (0.1, {"sent": 1}, [], None, "no answer yet"),
        (2.0, {"sent": 9, "answered": 9}, [("burst", 0.1)], 1.0, "so far held"),
        (2.0, {"sent": 9, "answered": 9}, [("burst", 0.9)], 1.0, "over: accept"),
        (2.0, {"sent": 9, "answered": 9}, [("burst", 0.1)], 21.0, "over: oldest age"),
        (8.0, {"sent": 9, "answered": 1, "longest": 7.0}, [], 1.0, "over: accept"),
    ],
)
def test_the_verdict_so_far(
    elapsed: float, told: dict[str, float], recent: list[tuple[str, float]], age: float | None, says: str
) -> None:
    out = StringIO()
    Progress(SCENARIO, OBJECTIVES, out, quiet=False).show(elapsed, told, recent, {"oldest_age": age})
    assert out.getvalue().rstrip().endswith(says)
