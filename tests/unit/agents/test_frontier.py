"""Which nodes a search goes on from: the vectors of the card, and small trees by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.blocks.frontier import balanced, balanced_widths, beam, best_first, spread, subtrees
from mathagent.agents.search_tree import SearchTree, TreeNode


def tree_of(*nodes: TreeNode) -> SearchTree:
    return SearchTree(nodes=(TreeNode(drawn=9), *nodes))


def step(value: float, parent: int = 0, depth: int = 1, **more: object) -> TreeNode:
    return TreeNode.model_validate({"parent": parent, "depth": depth, "value": value, "text": f"{value}", **more})


@pytest.mark.parametrize(
    ("scores", "width", "temperature", "widths"),
    [
        ([0.9, 0.7, 0.5, 0.1], 8, 0.2, [6, 2, 0, 0]),
        ([0.5, 0.5, 0.5, 0.5], 8, 0.2, [2, 2, 2, 2]),
        ([0.9, 0.1], 3, 1.0, [3, 0]),
        ([0.8, 0.6, 0.4], 16, 0.1, [14, 2, 0]),
        ([0.1, 0.5, 0.9, 0.7], 8, 0.2, [0, 0, 6, 2]),
    ],
)
def test_balanced_widths_of_the_card(
    scores: list[float], width: int, temperature: float, widths: list[int]
) -> None:
    assert balanced_widths(scores, width, temperature) == widths


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.integers(0, 40),
    st.floats(0.01, 5),
)
def test_the_whole_width_is_shared_out_and_the_better_get_no_less(
    scores: list[float], width: int, temperature: float
) -> None:
    widths = balanced_widths(scores, width, temperature)
    assert sum(widths) == width
    ranked = [widths[one] for one in sorted(range(len(scores)), key=lambda one: -scores[one])]
    assert max(ranked) == ranked[0]


def test_what_has_ended_keeps_its_place_in_the_width() -> None:
    tree = tree_of(step(0.9), step(0.9, state="finished"), step(0.0, state="dead"), step(0.1))
    assert balanced(tree, 8, 0.2) == [(1, 6)]
    assert balanced(tree, 2, 0.2) == []
    assert balanced(SearchTree(), 16, 0.2) == [(0, 16)]


def test_a_beam_keeps_the_best_with_finished_ones_on_the_same_scale() -> None:
    assert beam(SearchTree(), 2, 5) == [(0, 10)]
    tree = tree_of(step(0.5), step(0.7, state="finished"), step(0.9), step(0.6))
    assert beam(tree, 2, 5) == [(3, 5)]
    assert beam(tree, 3, 5) == [(3, 5), (4, 5)]
    assert beam(tree_of(step(0.5), step(0.7, state="finished")), 1, 5) == []


def test_a_distinct_beam_takes_repeated_texts_last() -> None:
    tree = tree_of(step(0.9, text="a"), step(0.9, text="a"), step(0.5, text="b"))
    assert [one for one, _ in beam(tree, 2, 1)] == [1, 2]
    assert [one for one, _ in beam(tree, 2, 1, distinct=True)] == [1, 3]


def test_the_diverse_beam_keeps_the_best_of_each_tree() -> None:
    assert subtrees(SearchTree(), 2, 2) == [(0, 4)]
    tree = tree_of(step(0.9), step(0.8), step(0.1), step(0.2))
    assert subtrees(tree, 2, 2) == [(1, 2), (4, 2)]
    ended = tree_of(step(0.9, state="finished"), step(0.8), step(0.1, state="finished"), step(0.2))
    assert subtrees(ended, 2, 2) == [(4, 2)]


def test_best_first_goes_by_value_and_stops_at_an_answer() -> None:
    tree = tree_of(step(0.5), step(0.9, drawn=4), step(0.7), step(0.6, parent=2, depth=2))
    assert best_first(tree, 10) == [(3, 10)]
    with_answer = tree.with_nodes([step(0.8, state="finished")])
    assert best_first(with_answer, 10) == []
    assert best_first(tree.with_nodes([step(0.65, state="finished")]), 10) == [(3, 10)]


def test_equal_states_share_what_they_are_given() -> None:
    tree = tree_of(step(0.5), step(0.9, group=1), step(0.7, group=1), step(0.8))
    assert best_first(tree, 4) == [(2, 2), (3, 1), (1, 1)]  # the group is worth its best member
    assert spread(tree, tree.states()[1], 2) == [(2, 1), (3, 1)]
    assert best_first(tree.changed({2: {"drawn": 1}}), 4) == [(4, 4)]
