"""Tokens for each solved item, and two arms at the same tokens."""

from __future__ import annotations

import pytest
from made_records import made_arm, made_record

from mathagent.evals.metrics.attempts import Pool
from mathagent.evals.metrics.confidence import confidence_quality
from mathagent.evals.metrics.costs import equal_tokens, tokens_per_solved
from mathagent.evals.metrics.items import items


def pool(item: int, right: int, wrong: int, tokens: int = 10) -> Pool:
    count = right + wrong
    return Pool(
        key=f"hash-{item}",
        cluster=f"hash-{item}",
        right=(True,) * right + (False,) * wrong,
        voted=(0,) * right + tuple(range(1, wrong + 1)),
        scores=(None,) * count,
        completion_tokens=(tokens,) * count,
    )


def test_wrong_items_cost_too() -> None:
    found = tokens_per_solved(items(made_arm("1100", tokens=50)))
    assert found is not None
    assert found.tokens == 100
    assert found.low <= 100 <= found.high
    assert tokens_per_solved(items(made_arm("00"))) is None


def test_the_cheaper_arm_votes_for_the_same_tokens() -> None:
    """40 tokens pay for four attempts of 10: votes of 3 right to 1 wrong of 6 are nearly always right."""
    dearer = items(made_arm("10" * 10, tokens=40))
    found = equal_tokens([pool(item, 4, 2) for item in range(20)], dearer)
    assert found is not None
    assert (found.k, found.items) == (4, 20)
    assert (found.voted_tokens, found.dearer_tokens) == (40, 40)
    # Of 15 draws of four, each has at least two right ones, and wrong ones never agree.
    assert found.voted == pytest.approx(1)
    assert found.dearer == 0.5
    assert found.difference == pytest.approx(-0.5)
    assert found.p < 0.01


def test_no_comparison_where_the_tokens_do_not_pay_for_a_vote() -> None:
    dearer = items(made_arm("10", tokens=19))
    assert equal_tokens([pool(item, 2, 2) for item in range(2)], dearer) is None
    assert equal_tokens([], dearer) is None


def test_never_more_attempts_than_there_are() -> None:
    found = equal_tokens([pool(item, 2, 1) for item in range(3)], items(made_arm("101", tokens=500)))
    assert found is not None
    assert found.k == 3
    assert (found.voted_tokens, found.dearer_tokens) == (30, 500)


def test_confidence_is_of_graded_answers() -> None:
    records = [
        made_record(0, True, confidence=0.9),
        made_record(1, False, confidence=0.3),
        made_record(2, False, answer=None, confidence=None),
        made_record(3, "undecided", confidence=1.0),
    ]
    found = confidence_quality(records)
    assert found is not None
    assert (found.answers, found.unanswered) == (2, 1)
    assert found.brier == pytest.approx((0.1**2 + 0.3**2) / 2)
    assert found.selective == {"0.5": 1.0, "0.8": 0.5, "1": 0.5}
    assert confidence_quality(made_arm("10")) is None
