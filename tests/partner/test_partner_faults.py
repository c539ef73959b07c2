"""The decision which fault meets which call."""

from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from accepted.partner.faults import Facts, Rules, Slot, decide


def rules(*given: dict[str, Any]) -> Rules:
    return Rules.model_validate({"rules": given})


def play(script: Rules, *calls: Facts) -> list[int | None]:
    counts: Counter[Slot] = Counter()
    hits = []
    for facts in calls:
        verdict = decide(script.rules, counts, facts)
        counts.update(verdict.counted)
        hits.append(verdict.rule)
    return hits


A, B = Facts("charge", ("a",)), Facts("charge", ("b",))
FAIL = {"status": 503}


@pytest.mark.parametrize(
    ("calls", "hit"),
    [
        ("1-3", [1, 2, 3]),
        ("*", [1, 2, 3, 4, 5, 6]),
        ([2, 5], [2, 5]),
        ("2,5-", [2, 5, 6]),
        (4, [4]),
        ("4-", [4, 5, 6]),
    ],
)
def test_ordinals_choose_among_the_matching_calls(calls: Any, hit: list[int]) -> None:
    script = rules({"match": {"op": "charge"}, "calls": calls, "do": FAIL})
    played = play(script, *[one for _ in range(6) for one in (Facts("email"), A)])
    assert [n for n, rule in enumerate(played[1::2], 1) if rule == 0] == hit
    assert played[::2] == [None] * 6, "a call that doesn't match neither counts nor breaks"


def test_a_rule_counts_all_keys_together_unless_told_per_key() -> None:
    assert play(rules({"calls": "1", "do": FAIL}), A, B, A, B) == [0, None, None, None]
    assert play(rules({"calls": "1", "per": "key", "do": FAIL}), A, B, A, B) == [0, 0, None, None]


def test_every_matching_rule_counts_and_the_first_that_covers_acts() -> None:
    script = rules({"calls": "1-2", "do": FAIL}, {"calls": "2-3", "do": {"drop": True}})
    assert play(script, A, A, A, A) == [0, 0, 1, None]


def test_a_rule_finds_a_call_by_subscriber_and_by_either_key_with_stars_as_wildcards() -> None:
    hook = Facts("hook", ("acme:webhook:s1:i:1",), "s1")
    assert play(rules({"match": {"subscriber": "s1"}, "do": FAIL}), hook, A) == [0, None]
    assert play(rules({"match": {"key": "acme:*"}, "do": FAIL}), hook, A) == [0, None]
    charge = Facts("charge", ("ref-1", "acme:payout:ref-1:1"))
    assert play(rules({"match": {"key": "acme:payout:ref-1:1"}, "do": FAIL}), charge, A) == [0, None]
    assert play(rules({"match": {"key": "re?-1"}, "do": FAIL}), charge) == [None], "only the star is special"


@pytest.mark.parametrize(
    "wrong",
    [
        {"do": {}},
        {"do": {"status": 503, "drop": True}},
        {"do": {"status": 200}},
        {"do": {"retry_after": 3}},
        {"do": {"explode": True}},
        {"calls": "0", "do": FAIL},
        {"calls": "3-1", "do": FAIL},
        {"calls": [0], "do": FAIL},
        {"calls": "often", "do": FAIL},
        {"match": {"op": "charges"}, "do": FAIL},
    ],
)
def test_a_rule_that_could_not_mean_what_it_says_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        rules(wrong)
