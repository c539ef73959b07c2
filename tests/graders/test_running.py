"""How many gradings run side by side."""

from accepted.graders.running import Idle


def test_one_more_begins_while_all_the_others_wait() -> None:
    idle = Idle()
    for _ in range(Idle.SECONDS):
        assert not idle.long_enough, "a moment is not enough"
        idle.saw(20.0)
    assert idle.long_enough
    idle.begun()
    assert not idle.long_enough, "what the newest takes is not seen yet"


def test_none_begins_while_the_others_compute() -> None:
    idle = Idle()
    for used in [95.0, 30.0] * Idle.SECONDS:
        idle.saw(used)
    assert not idle.long_enough
