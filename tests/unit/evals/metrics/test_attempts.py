"""pass@k, majority@k and best-of-k against enumeration, SciPy and their laws."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.evals.metrics import attempts
from mathagent.evals.metrics.attempts import (
    Pool,
    all_at_k,
    best_of_k,
    majority_at_k,
    pass_at_k,
    weighted_majority_at_k,
)


def pool(voted: list[int | None], scores: list[float] | None = None) -> Pool:
    """A pool in which answer 0 is right."""
    return Pool(
        key="item",
        cluster="item",
        right=tuple(one == 0 for one in voted),
        voted=tuple(voted),
        scores=tuple(scores or [0.5] * len(voted)),
    )


def counted(right: int, *wrong: int, silent: int = 0) -> Pool:
    answers = [answer for answer, count in enumerate([right, *wrong]) for _ in range(count)]
    return pool([*answers, *[None] * silent])


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (10, 3, 1, 0.3),
        (10, 3, 2, 1 - 21 / 45),
        (10, 6, 5, 1.0),
        (5, 2, 3, 0.9),
        (20, 6, 5, 0.8708720330237358),  # 1 - scipy.stats.hypergeom(20, 6, 5).pmf(0)
    ],
)
def test_pass_at_k(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected)


def test_all_at_k() -> None:
    assert all_at_k(10, 7, 2) == pytest.approx(21 / 45)
    assert all_at_k(20, 6, 3) == pytest.approx(0.017543859649122806)  # scipy.stats.hypergeom(20, 6, 3).pmf(3)


@pytest.mark.parametrize("arguments", [(5, 6, 1), (5, 2, 6), (5, 2, 0), (0, 0, 1)])
def test_impossible_numbers(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="impossible"):
        pass_at_k(*arguments)


ANSWERS = st.lists(st.sampled_from([0, 0, 1, 2, None]), min_size=1, max_size=8)


def enumerated_majority(one: Pool, k: int) -> float:
    """Over every draw of k, each of the tied answers alike."""
    total, draws = 0.0, list(combinations(range(one.attempts), k))
    for draw in draws:
        votes = [one.voted[place] for place in draw if one.voted[place] is not None]
        most = max((votes.count(answer) for answer in set(votes)), default=0)
        winners = [answer for answer in set(votes) if votes.count(answer) == most]
        total += (0 in winners) / len(winners) if winners else 0
    return total / len(draws)


@settings(max_examples=80, deadline=None)
@given(ANSWERS, st.data())
def test_majority_is_the_enumeration(voted: list[int | None], data: st.DataObject) -> None:
    one = pool(voted)
    k = data.draw(st.integers(1, len(voted)))
    found = majority_at_k(one, k)
    assert found.error == 0
    assert found.value == pytest.approx(enumerated_majority(one, k))


@settings(max_examples=80, deadline=None)
@given(ANSWERS, st.data())
def test_best_of_k_is_the_enumeration(voted: list[int | None], data: st.DataObject) -> None:
    scores = data.draw(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=len(voted), max_size=len(voted)))
    one = pool(voted, scores)
    k = data.draw(st.integers(1, len(voted)))
    total, draws = 0.0, list(combinations(range(one.attempts), k))
    for draw in draws:
        answered = [place for place in draw if voted[place] is not None]
        top = max((scores[place] for place in answered), default=0.0)
        best = [place for place in answered if scores[place] == top]
        total += sum(one.right[place] for place in best) / len(best) if best else 0
    assert best_of_k(one, k) == pytest.approx(total / len(draws))


@settings(max_examples=80, deadline=None)
@given(ANSWERS, st.data())
def test_laws(voted: list[int | None], data: st.DataObject) -> None:
    one = pool(voted)
    k = data.draw(st.integers(1, len(voted)))
    everything = pass_at_k(one.attempts, one.correct, k)
    assert all_at_k(one.attempts, one.correct, k) <= majority_at_k(one, k).value + 1e-12
    assert majority_at_k(one, k).value <= everything + 1e-12
    assert majority_at_k(one, 1).value == pytest.approx(one.correct / one.attempts)
    if k < one.attempts:
        assert pass_at_k(one.attempts, one.correct, k + 1) >= everything
    perfect = pool(voted, [float(answer == 0) for answer in voted])
    assert best_of_k(perfect, k) == pytest.approx(everything)
    if None not in voted:  # a score that says nothing picks like one attempt
        assert best_of_k(one, k) == pytest.approx(one.correct / one.attempts)


@pytest.mark.parametrize(
    ("counts", "k", "expected"),
    [([4, 6], 3, 1 / 3), ([6, 3, 1], 3, 86 / 120), ([4, 3, 3], 5, 120 / 252)],
)
def test_votes_by_hand(counts: list[int], k: int, expected: float) -> None:
    """[4, 6], k = 3: right has two of three in C(4,2) 6 ways and three in 4, of 120."""
    assert majority_at_k(counted(*counts), k).value == pytest.approx(expected)


def test_a_missing_answer_never_agrees() -> None:
    """Six attempts without an answer do not outvote one right answer; drawn alone they are wrong."""
    one = counted(1, silent=6)
    assert majority_at_k(one, 7).value == 1
    assert majority_at_k(one, 1).value == pytest.approx(1 / 7)
    assert majority_at_k(counted(0, silent=3), 2).value == 0
    assert best_of_k(one, 7) == 1


def test_a_class_that_was_graded_both_ways_is_right_as_often() -> None:
    one = Pool(key="i", cluster="i", right=(True, False), voted=(0, 0), scores=(0.5, 0.5))
    assert majority_at_k(one, 2).value == 0.5


def test_votes_are_drawn_where_there_are_too_many_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    one = counted(8, 6, 4, silent=2)
    exact = majority_at_k(one, 9)
    monkeypatch.setattr(attempts, "VOTE_STEPS", 0)
    drawn = majority_at_k(one, 9)
    assert drawn.error > 0
    assert abs(drawn.value - exact.value) < 4 * drawn.error
    assert majority_at_k(one, 9) == drawn


def test_weights_decide() -> None:
    heavy = pool([0, 1, 1], [1.0, 0.2, 0.2])
    assert majority_at_k(heavy, 3).value == 0
    found = weighted_majority_at_k(heavy, 3)
    assert found is not None
    assert found.value == 1


def test_an_answer_without_a_score_has_no_rank() -> None:
    one = Pool(key="i", cluster="i", right=(True, False), voted=(0, 1), scores=(None, 0.4))
    assert best_of_k(one, 1) is None
    assert weighted_majority_at_k(one, 1) is None
