"""Which crossing of a window is the one that was meant."""

from accepted.faults.crossings import Mode, Target, Window

WAIT = ("worker", "redis", "BRPOP")


def chosen(mode: Mode, *, waits: bool, ordinal: int = 1) -> list[int]:
    """Ordinals of those chosen, where the first of three was under way when the window was opened."""
    window = Window(Target(*WAIT, ordinal, mode, waits))
    seen = [window.begin(*WAIT, waiting=True), window.begin(*WAIT), window.begin(*WAIT)]
    return [one.ordinal for one in seen if one.chosen]


def test_what_was_sent_before_the_window_can_not_be_caught_before_it_is_sent() -> None:
    """Whether the process waits for a message, or merely asks once a second and was just then at it."""
    assert chosen("before", waits=True)[0] == 2
    assert chosen("before", waits=False) == [2]


def test_the_answer_to_what_was_under_way_is_the_one_that_is_meant() -> None:
    assert chosen("after", waits=True) == chosen("reply", waits=True) == [1]
    assert chosen("reply", waits=False) == [1]


def test_a_later_one_is_told_by_its_number() -> None:
    assert chosen("before", waits=False, ordinal=3) == [3]
    assert chosen("after", waits=False, ordinal=2) == [2]
