"""The numbers of Monte Carlo tree search, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

import pytest

from mathagent.agents.blocks.tree_values import (
    backed_up,
    chosen_expansions,
    gains,
    puct,
    rollout_reward,
    ucb,
)
from mathagent.agents.search_tree import SearchTree, TreeNode


def node(value: float, parent: int | None = 0, **more: object) -> TreeNode:
    return TreeNode.model_validate({"value": value, "parent": parent, "text": f"{value}", **more})


def value_of(tree: SearchTree, members: Sequence[int]) -> float:
    return tree.nodes[members[0]].value


def test_puct_and_ucb() -> None:
    assert puct(0.4, 0.5, 9, 2, 1.0) == pytest.approx(0.4 + 0.5 * 3 / 3)
    assert puct(0.4, 0.5, 0, 0, 1.0) == 0.4
    assert ucb(0.4, 0.9, 9, 2, 0.6) == pytest.approx(0.4 + 0.6 * 0.9 * sqrt(log(9) / 3))
    assert ucb(0.4, 0.9, 0, 0, 0.6) == 0.4


def test_a_reward_goes_up_to_the_root_one_visit_each() -> None:
    tree = SearchTree(nodes=(node(0.5, None, drawn=2), node(0.9, drawn=2), node(0.2), node(0.6, 1), node(0.8, 1)))
    tree = backed_up(tree, [1, 2], value_of)
    tree = backed_up(tree, [3, 4], value_of)
    assert [one.visits for one in tree.nodes] == [4, 3, 1, 1, 1]
    assert tree.nodes[0].mean == pytest.approx((0.9 + 0.2 + 0.6 + 0.8) / 4)
    assert tree.nodes[1].mean == pytest.approx((0.9 + 0.6 + 0.8) / 3)


def test_equal_states_are_one_reward_and_what_is_left_aside_is_none() -> None:
    tree = SearchTree(nodes=(node(0.5, None), node(0.9), node(0.4, group=1), node(0.1, state="pruned")))
    tree = backed_up(tree, [1, 2, 3], rollout_reward)
    assert [one.visits for one in tree.nodes] == [1, 1, 0, 0]
    assert tree.nodes[0].total == 0.9


def test_a_reward_is_half_the_value_and_half_what_solutions_are_worth() -> None:
    finished = node(0.6, 1, rest=True, state="finished")
    tree = SearchTree(nodes=(node(0.5, None), node(0.8), finished, node(0.9, 1, rest=True, state="dead")))
    assert rollout_reward(tree, [1]) == pytest.approx(0.5 * 0.8 + 0.5 * 0.3)
    assert rollout_reward(SearchTree(nodes=(node(0.5, None), node(0.8, state="dead"))), [1]) == 0.0


def test_gains_are_rewards_over_the_parent_and_the_mean_below_by_visits() -> None:
    tree = SearchTree(
        nodes=(node(0.5, None), node(0.7), node(0.4), node(0.9, 1, visits=3), node(0.6, 1, visits=0))
    )
    q = gains(tree)
    assert q[3] == pytest.approx(0.2)
    assert q[4] == pytest.approx(-0.1)
    assert q[1] == pytest.approx(0.2 + (3 * 0.2 - 0.1) / 4)
    assert q[2] == pytest.approx(-0.1)
    assert q[0] == pytest.approx((q[1] + q[2]) / 2)


def test_selection_descends_to_what_is_open_and_new() -> None:
    tree = SearchTree(
        nodes=(
            node(0.5, None, drawn=2, visits=4, total=2.0),
            node(0.9, drawn=2, visits=3, total=2.7),
            node(0.2, visits=1, total=0.2),
            node(0.95, 1, visits=1, total=0.95, state="finished", depth=2),
            node(0.6, 1, visits=1, total=0.6, depth=2),
        )
    )
    chosen = chosen_expansions(tree, "ucb", "mean", 0.1, lambda group, members: 3)
    assert chosen == [(4, 3)]  # 3 is finished, and 2 is worth little
    curious = chosen_expansions(tree, "ucb", "mean", 5.0, lambda group, members: 3)
    assert curious == [(2, 3)]
    closed = tree.changed({2: {"state": "dead"}, 4: {"state": "dead"}})
    assert chosen_expansions(closed, "ucb", "mean", 0.1, lambda group, members: 3) == []
    assert chosen_expansions(SearchTree(), "puct", "gain", 1.0, lambda group, members: 4) == [(0, 4)]
