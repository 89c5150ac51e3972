from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.memory.fusion import maximal_marginal_relevance, reciprocal_rank_fusion

RANKINGS = st.lists(st.lists(st.integers(0, 20), unique=True, max_size=12), max_size=4)


def test_the_scores_are_those_of_the_paper() -> None:
    scores = reciprocal_rank_fusion([[7, 8], [8, 9]])
    assert scores == {7: 1 / 61, 8: 1 / 62 + 1 / 61, 9: 1 / 62}


@given(RANKINGS)
def test_fusion_knows_no_order_of_rankings_and_keeps_what_all_agree_on(rankings: list[list[int]]) -> None:
    scores = reciprocal_rank_fusion(rankings)
    assert set(scores) == {item for ranking in rankings for item in ranking}
    assert scores == pytest.approx(reciprocal_rank_fusion(rankings[::-1]))
    for one in scores:
        for other in scores:
            places = [(r.index(one), r.index(other)) for r in rankings if one in r and other in r]
            everywhere = all(one in r for r in rankings if other in r)
            if places and everywhere and all(a < b for a, b in places):
                assert scores[one] > scores[other]


@given(RANKINGS, st.integers(0, 99))
def test_what_a_ranking_repeats_counts_once(rankings: list[list[int]], seed: int) -> None:
    repeated = [ranking + ranking[: seed % 5] for ranking in rankings]
    assert reciprocal_rank_fusion(repeated) == reciprocal_rank_fusion(rankings)


def pool_of(seed: int, size: int) -> tuple[list[int], dict[int, float], dict[int, np.ndarray]]:
    chance = np.random.default_rng(seed)
    vectors = chance.normal(size=(size, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pool = [int(item) for item in chance.permutation(size)]
    known = {item: vectors[item] for item in pool if chance.random() < 0.9}
    return pool, {item: float(chance.random()) for item in pool}, known


@given(st.integers(0, 500), st.integers(0, 12), st.integers(0, 15), st.floats(0, 1))
def test_the_choice_is_a_part_of_the_pool_and_grows_with_the_limit(
    seed: int, size: int, limit: int, diversity: float
) -> None:
    pool, scores, vectors = pool_of(seed, size)
    chosen = maximal_marginal_relevance(pool, scores, vectors, limit=limit, diversity=diversity)
    assert len(chosen) == min(limit, size) == len(set(chosen))
    assert set(chosen) <= set(pool)
    more = maximal_marginal_relevance(pool, scores, vectors, limit=limit + 1, diversity=diversity)
    assert more[: len(chosen)] == chosen
    if chosen and diversity < 1:
        assert scores[chosen[0]] == max(scores.values())


@given(st.integers(0, 500), st.integers(1, 12))
def test_without_diversity_relevance_alone_decides(seed: int, size: int) -> None:
    pool, scores, vectors = pool_of(seed, size)
    chosen = maximal_marginal_relevance(pool, scores, vectors, limit=size, diversity=0)
    assert chosen == sorted(pool, key=lambda item: -scores[item])


def test_a_copy_gives_way_to_something_else() -> None:
    copy, other = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    vectors = {1: copy, 2: copy, 3: other}
    scores = {1: 0.033, 2: 0.032, 3: 0.025}
    assert maximal_marginal_relevance([1, 2, 3], scores, vectors, limit=2, diversity=0.3) == [1, 3]
    assert maximal_marginal_relevance([1, 2, 3], scores, vectors, limit=2, diversity=0.05) == [1, 2]
    assert maximal_marginal_relevance([1, 2, 3], scores, {}, limit=2, diversity=0.9) == [1, 2]
