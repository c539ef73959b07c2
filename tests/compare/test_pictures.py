"""The pictures of a comparison draw what was found, whatever that was."""

from accepted.compare.loads import loads


def metric(*values: float | None) -> dict[str, object]:
    return {"name": "all done after the load", "load": None, "unit": "s", "values": {"rq": list(values)}}


def test_a_system_that_was_done_before_the_load_was_has_no_mark_on_a_scale_of_ratios() -> None:
    assert loads([metric(-0.02, None)], ["rq"]) == ""
    drawn = loads([metric(-0.02, 0.0, 0.5)], ["rq"])
    assert drawn.count("<circle") == 2  # the run above zero, and the key's
