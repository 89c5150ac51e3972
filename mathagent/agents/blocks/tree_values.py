"""Block tree values: what Monte Carlo tree search goes by. Choosing a node to expand, and backing rewards up. Pure.

Sources: the upper confidence bound and the mixed reward of "FETCH" (arXiv 2502.11183); PUCT and the values of "Monte
Carlo Tree Search Boosts Reasoning via Iterative Preference Learning" (MCTS-DPO, arXiv 2405.00451), whose rewards
from reference answers are not for a solve and have no place here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import log, sqrt
from typing import Any, Literal

from mathagent.agents.blocks.expansion import Expansion
from mathagent.agents.blocks.frontier import groups, spread
from mathagent.agents.search_tree import SearchTree

Explore = Literal["puct", "ucb"]
Backup = Literal["gain", "mean"]


def puct(value: float, prior: float, parent_visits: int, visits: int, weight: float) -> float:
    """Q + w·p·√N(parent) / (1 + N)."""
    return value + weight * prior * sqrt(parent_visits) / (1 + visits)


def ucb(value: float, prior: float, parent_visits: int, visits: int, weight: float) -> float:
    """q + c·p·√(ln N(parent) / n), where n is one visit more than there were."""
    return value + weight * prior * sqrt(log(max(1, parent_visits)) / (visits + 1))


def selected_group(
    tree: SearchTree,
    states: Mapping[int, Sequence[int]],
    explore: Callable[[float, float, int, int], float],
    values: Sequence[float],
) -> int | None:
    """The group of ``states`` to expand next: down from the root, at each level the best one below which something is
    open. ``values`` are Q of each node. None where nothing is open and new.
    """
    below = _groups_below(tree)
    expanded = {group for group, members in states.items() if any(tree.nodes[one].drawn for one in members)}
    new = {
        group
        for group, members in states.items()
        if group not in expanded and any(tree.nodes[one].state == "open" for one in members)
    }
    alive: set[int] = set()
    for group in sorted(states, reverse=True):  # what is below comes later
        if group in new or any(one in alive for one in below.get(group, [])):
            alive.add(group)
    if 0 not in alive:
        return None
    at = 0
    while at in expanded:
        visits = tree.nodes[at].visits
        at = max(
            (one for one in below.get(at, []) if one in alive),
            key=lambda one: explore(values[one], tree.nodes[one].prior, visits, tree.nodes[one].visits),
        )
    return at


def chosen_expansions(
    tree: SearchTree,
    explore: Explore,
    backup: Backup,
    weight: float,
    children: Callable[[int, Sequence[int]], int],
) -> list[Expansion]:
    """The expansions of one iteration: of the selected group, as many ``children`` as it (with its members) gets;
    nothing where none is open."""
    states, rule = tree.states(), partial(_bound, explore, weight)
    values = gains(tree) if backup == "gain" else [node.mean for node in tree.nodes]
    group = selected_group(tree, states, rule, values)
    return [] if group is None else spread(tree, states[group], children(group, states[group]))


def _bound(explore: Explore, weight: float, value: float, prior: float, parent_visits: int, visits: int) -> float:
    rule = puct if explore == "puct" else ucb
    return rule(value, prior, parent_visits, visits, weight)


def backed_up(
    tree: SearchTree, new: Sequence[int], reward: Callable[[SearchTree, Sequence[int]], float]
) -> SearchTree:
    """The tree with the reward of each new group added to it and to all groups above it, one visit each.

    Steps that were left aside, and rests of solutions (they are part of the reward of what they go on from), are none.
    """
    states = tree.states()
    totals: dict[int, tuple[int, float]] = {}
    fresh = [one for one in new if tree.nodes[one].state != "pruned" and not tree.nodes[one].rest]
    for group in groups(tree, fresh):
        gained = reward(tree, states[group])
        for above in dict.fromkeys(tree.group_of(one) for one in tree.ancestors(group)):
            visits, total = totals.get(above, (0, 0.0))
            totals[above] = (visits + 1, total + gained)
    changes: dict[int, dict[str, Any]] = {
        group: {"visits": tree.nodes[group].visits + visits, "total": tree.nodes[group].total + total}
        for group, (visits, total) in totals.items()
    }
    return tree.changed(changes)


def rollout_reward(tree: SearchTree, members: Sequence[int]) -> float:
    """Of equal states: half their value and half the mean value of the solutions written from them; their value where
    none was. A step that ended without an answer is worth nothing.
    """
    nodes = tree.nodes
    if nodes[members[0]].state == "dead":
        return 0.0
    value = nodes[members[0]].value
    rests = [node for node in nodes if node.rest and node.parent in members]
    if not rests:
        return value
    written = sum(node.value if node.state == "finished" else 0.0 for node in rests) / len(rests)
    return 0.5 * value + 0.5 * written


def gains(tree: SearchTree, discount: float = 1.0) -> list[float]:
    """Q of each node: the gain of its value over its parent's, and the discounted V of what lies below it.

    V is the mean of the children's Q, weighted by their visits (1 at least); 0 where there is no child.
    """
    nodes = tree.nodes
    values = [0.0] * len(nodes)
    below: dict[int, list[int]] = {}
    for number in range(len(nodes) - 1, -1, -1):  # children come after their parents
        node = nodes[number]
        children = below.get(number, [])
        weights = [max(1, nodes[one].visits) for one in children]
        v = sum(weight * values[one] for weight, one in zip(weights, children, strict=True)) / max(1, sum(weights))
        gain = 0.0 if node.parent is None else node.value - nodes[node.parent].value
        values[number] = gain + discount * v
        if node.parent is not None and not node.rest and node.state != "pruned":
            below.setdefault(node.parent, []).append(number)
    return values


def _groups_below(tree: SearchTree) -> dict[int, list[int]]:
    """The groups of the children of each group."""
    found: dict[int, dict[int, None]] = {}
    for number, node in enumerate(tree.nodes):
        if node.parent is not None and not node.rest and node.state != "pruned":
            found.setdefault(tree.group_of(node.parent), {})[tree.group_of(number)] = None
    return {group: list(below) for group, below in found.items()}
