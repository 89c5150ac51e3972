"""The stopping rules against the tables and vectors of their papers' cards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.blocks.stopping import (
    adaptive_consistency,
    early_stopping,
    lead_probability,
    self_evaluation,
)

BOUNDARY = {
    0.90: [3, 5, 6, 8, 9, 11, 12, 13, 15, 16, 17],
    0.95: [4, 6, 8, 9, 11, 12, 14, 15, 17, 18, 19],
    0.99: [6, 9, 11, 13, 14, 16, 18, 19, 21, 23, 24],
}


@pytest.mark.parametrize(("votes", "probability"), [(1, 0.75), (2, 0.875), (3, 0.9375), (4, 0.96875)])
def test_unanimous_lead(votes: int, probability: float) -> None:
    assert lead_probability(votes, 0) == probability


@pytest.mark.parametrize("threshold", BOUNDARY)
def test_boundary_table(threshold: float) -> None:
    for runner_up, leader in enumerate(BOUNDARY[threshold]):
        assert lead_probability(leader, runner_up) >= threshold
        assert lead_probability(leader - 1, runner_up) < threshold


@given(st.integers(0, 60), st.integers(0, 60))
def test_lead_is_a_probability_and_fair_at_a_tie(leader: int, runner_up: int) -> None:
    both = lead_probability(leader, runner_up) + lead_probability(runner_up, leader)
    assert both == pytest.approx(1)
    assert 0 < lead_probability(leader, runner_up) <= 1


def test_adaptive_consistency_waits_for_the_least_and_ends_at_the_most() -> None:
    assert not adaptive_consistency([3], 3, threshold=0.9, least=4, most=16).stop
    assert adaptive_consistency([4], 4, threshold=0.9, least=4, most=16).stop
    assert not adaptive_consistency([5, 1], 6, threshold=0.95, least=4, most=16).stop
    assert adaptive_consistency([1, 6], 7, threshold=0.95, least=4, most=16).stop
    assert adaptive_consistency([], 16, threshold=0.95, least=4, most=16).stop
    assert not adaptive_consistency([], 8, threshold=0.95, least=4, most=16).stop


def test_failed_samples_have_no_vote_but_are_counted() -> None:
    decision = adaptive_consistency([3], 16, threshold=0.95, least=4, most=16)
    assert decision.stop
    assert "all 16" in decision.reason


def test_early_stopping_looks_at_the_window_only() -> None:
    assert early_stopping([0, 0, 0, 0, 0], 5, most=40).stop
    assert not early_stopping([0, 0, 1, 0, 0], 5, most=40).stop
    assert early_stopping([1, 1, 1, 1, 1], 10, most=40).stop
    assert not early_stopping([None, None, None, None, None], 5, most=40).stop
    assert early_stopping([0, 1, 2, 3, 4], 40, most=40).stop


def test_self_evaluation_stops_at_the_first_sample_that_the_model_would_not_do_again() -> None:
    assert not self_evaluation([0.2], 1, threshold=0.95, most=16).stop
    found = self_evaluation([0.2, 0.97], 2, threshold=0.95, most=16)
    assert (found.stop, found.confidence, found.reason) == (True, 0.97, "no better one is expected: 0.970")
    assert self_evaluation([0.2] * 16, 16, threshold=0.95, most=16).reason == "all 16 samples are drawn"
    assert not self_evaluation([], 0, threshold=0.95, most=16).stop
