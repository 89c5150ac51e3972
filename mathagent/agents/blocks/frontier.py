"""Block frontier: which nodes of a search tree are gone on from, and with how many children each. Pure.

Sources: balanced expansion, "REBASE" (arXiv 2408.00724); value beam, "OVM" (arXiv 2311.09724); best-first over merged
states, "FETCH" (arXiv 2502.11183).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from math import ceil, exp

from mathagent.agents.blocks.expansion import Expansion
from mathagent.agents.search_tree import SearchTree

ROUNDING = 1e-12


def balanced_widths(scores: Sequence[float], width: int, temperature: float) -> list[int]:
    """How ``width`` children are shared out among nodes with ``scores``, by a softmax; in their order.

    From the best down each gets its share of what is left, rounded up, so that the sum is ``width`` and weak nodes may
    get none.
    """
    shares = [exp((score - max(scores)) / temperature) for score in scores]
    widths = [0] * len(scores)
    left, total = width, sum(shares)
    for place in sorted(range(len(scores)), key=lambda one: -scores[one]):
        if left <= 0 or total <= 0:
            break
        widths[place] = min(left, ceil(left * shares[place] / total - ROUNDING))
        left -= widths[place]
        total -= shares[place]
    return widths


def balanced(tree: SearchTree, width: int, temperature: float) -> list[Expansion]:
    """The newest open nodes with their shares of ``width``; each path that has ended takes one of it for good."""
    latest = unexpanded(tree)
    left = width - len(tree.in_state("finished", "dead"))
    if not latest or left <= 0:
        return []
    widths = balanced_widths([tree.nodes[one].value for one in latest], left, temperature)
    return [(one, share) for one, share in zip(latest, widths, strict=True) if share]


def unexpanded(tree: SearchTree) -> list[int]:
    """The open nodes of the deepest level; nothing where none of that level is open and new."""
    deepest = max(node.depth for node in tree.nodes)
    return [one for one in tree.in_state("open") if tree.nodes[one].depth == deepest and not tree.nodes[one].drawn]


def groups(tree: SearchTree, numbers: Sequence[int]) -> list[int]:
    """The groups of equal states among ``numbers``, in order of appearance."""
    return list(dict.fromkeys(tree.group_of(one) for one in numbers))


def spread(tree: SearchTree, members: Sequence[int], children: int) -> list[Expansion]:
    """``children`` shared out in turn among those of ``members`` that are open: equal states, the best first."""
    open_ones = [one for one in members if tree.nodes[one].state == "open"]
    whole, more = divmod(children, len(open_ones)) if open_ones else (0, 0)
    shares = [(one, whole + (place < more)) for place, one in enumerate(open_ones)]
    return [(one, share) for one, share in shares if share]


def beam(tree: SearchTree, beams: int, children: int, *, distinct: bool = False) -> list[Expansion]:
    """``children`` for each open group among the best ``beams`` groups of the newest level and all that are finished.

    ``distinct``: a group whose text another has already comes behind all new ones. The root gets the children of all
    beams at once.
    """
    if len(tree.nodes) == 1:
        return [(0, beams * children)]
    new = unexpanded(tree)
    if not new:
        return []
    states, pool = tree.states(), groups(tree, [*new, *tree.in_state("finished")])
    seen: set[tuple[str, ...]] = set()
    repeated = {}
    for group in pool:
        steps = tree.steps(group)
        repeated[group] = distinct and steps in seen
        seen.add(steps)
    best = {group: tree.nodes[states[group][0]].value for group in pool}  # a group is worth its best member
    kept = sorted(pool, key=lambda one: (repeated[one], -best[one]))[:beams]
    return [share for group in kept for share in spread(tree, states[group], children)]


def subtrees(tree: SearchTree, beams: int, children: int) -> list[Expansion]:
    """The diverse beam: the root's children form ``beams`` trees, and each goes on from its own best alone."""
    if len(tree.nodes) == 1:
        return [(0, beams * children)]
    place = dict(zip(tree.children(0), count()))
    best: dict[int, int] = {}
    for one in unexpanded(tree):
        own = place[tree.path(one)[0]] // children
        if own not in best or tree.nodes[one].value > tree.nodes[best[own]].value:
            best[own] = one
    deepest = max(node.depth for node in tree.nodes)
    over: dict[int, float] = {}
    for one in tree.in_state("finished"):  # a finished child ends its tree where none of its siblings is better
        node = tree.nodes[one]
        if node.depth == deepest and not node.rest:
            own = place[tree.path(one)[0]] // children
            over[own] = max(over.get(own, 0.0), node.value)
    return [(one, children) for own, one in sorted(best.items()) if tree.nodes[one].value > over.get(own, -1.0)]


def best_first(tree: SearchTree, children: int) -> list[Expansion]:
    """``children`` for the group of the highest value that was not expanded yet; nothing where that is finished."""
    fresh = [
        members
        for members in tree.states().values()
        if tree.nodes[members[0]].state in ("open", "finished")
        and not any(tree.nodes[one].drawn for one in members)
    ]
    if not fresh:
        return []
    best = max(fresh, key=lambda members: tree.nodes[members[0]].value)
    return [] if tree.nodes[best[0]].state == "finished" else spread(tree, best, children)
