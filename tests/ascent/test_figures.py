"""What a burst came to on a rung, and what the caption says of the ladder's two ends."""

import math

from accepted.ascent.figures import SOON, Step, caption, ratios, step, times
from accepted.load.account import Row


def report(n: int, accepted: float | None, done: float | None, **other: str) -> Row:
    words = {"phase": "burst", "kind": "report.export"} | other
    return Row(n, words["phase"], words["kind"], "acme", "done", None, 10.0, 10.0,
               None if accepted is None else 10 + accepted, t_done=None if done is None else 10 + done)  # fmt: skip


def test_an_answer_that_is_the_work_itself_is_accepted_and_done_at_once() -> None:
    found = step([report(0, 20.0, 20.0), report(1, SOON + 1, SOON + 1)])
    assert found == Step(asked=2, answer=SOON + 1, soon=1, ever=2)


def test_work_made_before_its_answer_counts_from_when_it_was_asked_for() -> None:
    assert step([report(0, 40.0, 25.0)]) == Step(asked=1, answer=40.0, soon=1, ever=1)


def test_who_got_no_answer_waited_for_ever_and_may_yet_have_been_served() -> None:
    found = step([report(0, None, None), report(1, 1.0, 2.0)])
    assert math.isinf(found.answer)
    assert (found.asked, found.soon, found.ever) == (2, 1, 1)


def test_only_the_bursts_reports_count() -> None:
    others = [report(0, 1.0, 1.0, phase="warmup"), report(1, 1.0, 1.0, kind="email.send")]
    assert step([*others, report(2, 0.5, 3.0)]).asked == 1


def test_the_caption_has_the_numbers_and_their_ratios() -> None:
    steps = {"00-start": Step(25, 40.0, 10, 25), "11-reference": Step(25, 0.1, 20, 24)}
    text = caption(steps, seed=7, backend="rq")
    for words in ("40 s on the first app, 100 ms on the reference, a factor of 400", "10 and 20, a factor of 2",
                  "25 and 24, a factor of 0.96", "seed 7"):  # fmt: skip
        assert words in text


def test_what_never_ended_makes_no_number() -> None:
    none, some = Step(25, math.inf, 0, 0), Step(25, 0.1, 20, 25)
    assert ratios(none, some) == ratios(none, some).__class__(math.inf, math.inf, math.inf)
    assert times(math.inf) == "from none to some"
    assert times(ratios(some, none).answer) == "no ratio"


def test_who_gave_up_has_waited_at_least_so_long() -> None:
    gave_up, some = Step(25, math.inf, 0, 11, patience=60), Step(25, 0.012, 20, 25, patience=60)
    text = caption({"00-start": gave_up, "11-reference": some}, seed=7, backend="rq")
    assert "over 60 s on the first app, 12 ms on the reference, a factor of 5,000 at least" in text
