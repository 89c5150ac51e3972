"""Vectors worked out by hand."""

from __future__ import annotations

from math import sqrt

import pytest

from mathagent.evals.metrics.intervals import wilson_interval
from mathagent.evals.metrics.items import Item
from mathagent.evals.metrics.paired import Pair
from mathagent.evals.metrics.robustness import DistractorUse, drop_of, spread_of
from mathagent.evals.metrics.significance import mcnemar


def pair(place: int, first: float, second: float, cluster: str | None = None) -> Pair:
    shared = {
        "cluster": cluster or str(place),
        "counted": 1,
        "ungraded": 0,
        "completion_tokens": 0.0,
        "records": (),
    }
    one, other = (
        Item(key=f"{side}{place}", problem_id=f"{side}{place}", score=score, **shared)  # type: ignore[arg-type]
        for side, score in (("o", first), ("v", second))
    )
    return Pair(first=one, second=other)


def test_drop_by_hand() -> None:
    # 8 originals: 6 right; of these 4 stay right, 2 are lost; 1 of the 2 wrong is gained: 75% -> 62.5%.
    scores = [(1, 1)] * 4 + [(1, 0)] * 2 + [(0, 1)] + [(0, 0)]
    found = drop_of([pair(place, *both) for place, both in enumerate(scores)])
    assert (found.pairs, found.families) == (8, 8)
    assert found.original == 0.75
    assert found.variant == 0.625
    assert found.drop == pytest.approx(0.125)
    assert found.relative == pytest.approx(1 / 6)
    assert (found.lost, found.gained) == (2, 1)
    assert found.kept == pytest.approx(4 / 6)
    assert found.test == "exact McNemar"
    assert found.p == mcnemar(2, 1).exact == 1.0
    assert found.low <= found.drop <= found.high


def test_nine_lost_of_ten_flips() -> None:
    scores = [(1, 0)] * 9 + [(0, 1)] + [(1, 1)] * 10
    found = drop_of([pair(place, *both) for place, both in enumerate(scores)])
    assert found.p == pytest.approx(0.021484, abs=1e-6)  # exact McNemar of (1, 9), from the binomial table
    assert found.low > 0


def test_several_variants_of_an_original_are_one_cluster() -> None:
    pairs = [pair(place, 1, place % 2, cluster=str(place // 4)) for place in range(16)]
    found = drop_of(pairs)
    assert (found.pairs, found.families) == (16, 4)
    assert found.drop == pytest.approx(0.5)
    assert found.test == "sign flips of families"
    # What each family keeps, all or nothing, is one observation, however many variants say it.
    alike = drop_of([pair(place, 1, (place // 4) % 2, cluster=str(place // 4)) for place in range(16)])
    assert alike.kept == 0.5
    assert (alike.kept_low, alike.kept_high) == pytest.approx(wilson_interval(2, 4))


def test_no_original_right_leaves_kept_undefined() -> None:
    found = drop_of([pair(0, 0, 0), pair(1, 0, 1)])
    assert found.kept is None
    assert found.relative is None
    with pytest.raises(ValueError, match="common items"):
        drop_of([])


def test_spread_by_hand() -> None:
    # Data sets .5, 1, .5, 1: mean .75, sample variance .25/3; shares .75 and .75: sqrt(2 * .1875) / 2.
    found = spread_of([[1, 1, 0, 1], [0, 1, 1, 1]], original=1.0)
    assert found.mean == 0.75
    assert found.sd == pytest.approx(sqrt(0.25 / 3))
    assert (found.lowest, found.highest) == (0.5, 1.0)
    assert found.expected_sd == pytest.approx(sqrt(0.375) / 2)
    assert found.ratio == pytest.approx(sqrt(0.25 / 3) / (sqrt(0.375) / 2))
    assert found.z == pytest.approx(0.25 / sqrt(0.25 / 3))
    assert found.consistent == 0.0


def test_spread_of_templates_that_are_always_alike() -> None:
    found = spread_of([[1, 1, 1], [0, 0, 0], [1, 1, 1]])
    assert found.consistent == 1.0
    assert (found.sd, found.expected_sd, found.ratio, found.z) == (0.0, 0.0, None, None)


def test_plain_binomial_reference() -> None:
    # 100 templates, each right in 8 of 10: sqrt(.8 * .2 / 100) is 4 points (the card's example).
    rows = [[1.0] * 8 + [0.0] * 2 for _ in range(100)]
    assert spread_of(rows).expected_sd == pytest.approx(0.04)


@pytest.mark.parametrize("scores", [[], [[1.0]], [[1.0, 0.0], [1.0]]])
def test_a_ragged_or_empty_table_is_refused(scores: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="same instances"):
        spread_of(scores)


def test_distractor_rate() -> None:
    assert DistractorUse(wrong=4, used=1).rate == 0.25
    assert DistractorUse(wrong=0, used=0).rate is None
