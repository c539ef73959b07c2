"""Numbers and words of a comparison: what may be said, what may not."""

import random

import pytest

from accepted.compare.stats import cv, holm, paired, pairs, sign_flip
from accepted.compare.words import Comparison, Series, compare, fewest, stable, winner


def rounds(mean: float, count: int = 8, spread: float = 0.03, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [mean * chance.lognormvariate(0, spread) for _ in range(count)]


def only(found: dict[str, Series], better: str = "lower") -> Comparison:
    (one,) = compare(found, better)  # type: ignore[arg-type]
    return one


def test_with_three_rounds_no_permutation_test_can_say_better_however_far_apart_they_are() -> None:
    assert sign_flip([9.0, 9.1, 9.2]) == pytest.approx(2 / 2**3)
    one = only({"a": Series([1.0, 1.0, 1.0]), "b": Series([9.0, 9.1, 9.2])})
    assert one.word == "too few rounds"
    assert "8 are the least" in one.why


@pytest.mark.parametrize("count", [1, 2, 5, 8, 12])
def test_the_least_p_of_the_exact_test_is_two_in_all_the_flips(count: int) -> None:
    assert sign_flip([1.0 + n / 100 for n in range(count)]) == pytest.approx(2 / 2**count)


def test_the_flips_are_counted_exactly() -> None:
    # By hand: of the 8 flips of (1, 2, -4) those with |sum| >= 1 are all of them but none; with |sum| >= 5 four are.
    assert sign_flip([1, 2, -4]) == pytest.approx(1.0)
    assert sign_flip([-1, 2, 4]) == pytest.approx(4 / 8)
    assert sign_flip([0.0, 0.0]) == 1.0


def test_a_fifth_more_is_worse_where_less_is_better_and_better_where_more_is() -> None:
    found = {"a": Series(rounds(1.0)), "b": Series(rounds(1.2, seed=2))}
    assert only(found).word == "worse"
    assert only(found, "higher").word == "better"
    one = only(found).numbers
    assert one and one.low < 1.2 < one.high and 1.15 < one.ratio < 1.25 and one.above == 8


def test_a_difference_below_five_percent_is_none_though_every_round_has_it() -> None:
    one = only({"a": Series([1.0] * 8), "b": Series([1.03 + n / 10_000 for n in range(8)])})
    assert one.p < 0.05
    assert one.word == "indistinguishable"
    same = only({"a": Series([1.0] * 8), "b": Series([1.0] * 8)})
    assert (same.word, same.numbers and same.numbers.ratio, same.p) == ("indistinguishable", 1.0, 1.0)


def test_more_than_five_percent_that_chance_would_do_is_none_either() -> None:
    one = only({"a": Series([1.0] * 8), "b": Series([1.17, 0.97, 1.14, 0.96, 1.15, 0.98, 1.13, 0.97])})
    assert one.numbers and one.numbers.ratio > 1.05 and one.p > 0.05
    assert (one.word, "chance" in one.why) == ("indistinguishable", True)


def test_scatter_is_erratic_unless_the_whole_interval_is_clear_of_five_percent() -> None:
    wild = rounds(1.0, spread=0.3)
    assert only({"a": Series(rounds(1.0, seed=3)), "b": Series(wild)}).word == "erratic"
    clear = only({"a": Series(rounds(1.0, seed=3)), "b": Series([3 * each for each in wild])})
    assert clear.numbers and clear.numbers.cv > 0.1
    assert clear.word == "worse"


def test_what_the_generator_or_the_broker_held_back_is_nobodys() -> None:
    slow, fast = rounds(2.0), rounds(1.0, seed=2)
    assert only({"a": Series(slow), "b": Series(fast, generator=0.5)}).word == "generator-bound"
    assert only({"a": Series(slow, broker=0.3), "b": Series(fast)}).word == "broker-bound"
    assert only({"a": Series(slow, broker=0.25), "b": Series(fast, generator=0.25)}).word == "better"


def test_a_round_counts_only_with_a_number_of_both() -> None:
    assert pairs([1.0, None, 0.0, 2.0, float("inf")], [1.0, 2.0, 3.0, None, 5.0]) == [(1.0, 1.0)]
    one = only({"a": Series([1.0] * 9), "b": Series([*rounds(2.0, 7), None, None])})
    assert (one.word, one.numbers and one.numbers.rounds) == ("too few rounds", 7)
    assert only({"a": Series([None] * 8), "b": Series([1.0] * 8)}).word == "too few rounds"
    with pytest.raises(ValueError, match="shorter"):
        pairs([1.0], [])


def test_many_pairs_at_once_are_each_held_to_more() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert [fewest(n) for n in (2, 3, 4, 5, 6)] == [8, 8, 8, 9, 10]
    three = compare({name: Series(rounds(mean)) for name, mean in (("a", 1), ("b", 1.3), ("c", 1.7))}, "lower")
    assert [(one.base, one.other, one.word) for one in three] == [
        ("a", "b", "worse"), ("a", "c", "worse"), ("b", "c", "worse")]  # fmt: skip
    assert {round(one.p, 4) for one in three} == {round(3 * 2 / 2**8, 4)}
    assert winner(three) == "a"
    assert winner(three[:1] + compare({"a": Series([1.0] * 8), "c": Series([1.0] * 8)}, "lower")) is None


def test_a_winner_at_one_load_only_is_none() -> None:
    assert stable(["a", "a", "a"]) == "a"
    assert stable(["a"]) is None
    assert stable(["a", "b"]) is None
    assert stable([None, None]) is None


def test_the_same_values_and_seed_give_the_same_numbers() -> None:
    both = list(zip(rounds(1.0), rounds(1.1, seed=5), strict=True))
    assert paired(both, 3) == paired(both, 3)
    assert cv([2.0]) == 0.0
    assert cv([1.0, 3.0]) == pytest.approx(2**0.5 / 2)


def test_of_twenty_made_up_comparisons_with_three_percent_of_noise_nine_in_ten_get_their_word() -> None:
    # Drawn, not measured: what the statistics do with known noise. The self-check does it on real runs.
    same = slower = 0
    for seed in range(0, 60, 3):
        base = Series(rounds(1.0, seed=seed))
        same += only({"a": base, "b": Series(rounds(1.0, seed=seed + 1))}).word == "indistinguishable"
        slower += only({"a": base, "b": Series(rounds(1.2, seed=seed + 2))}).word == "worse"
    assert same >= 18
    assert slower >= 18
