"""Block search room: how much further a search may grow, so that its budget still pays for an answer.

A tree that is cut off has many beginnings and no end. So what the rest of one solution takes is kept back as long as no
path has an answer; the estimate of a node's cost is what the nodes so far have cost, with their scores. What the solve
has used before the search began (an earlier part of a composition, say) is gone, but no cost of its nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

from mathagent.agents.blocks.expansion import Expansion, StepConfig
from mathagent.agents.context import RunContext
from mathagent.agents.search_tree import SearchTree

NODE_TOKENS, NODE_CALLS = 64, 2
"""What a node is expected to cost before any has been paid for."""


def room(context: RunContext, tree: SearchTree, config: StepConfig) -> int | None:
    """How many nodes more the budget is expected to pay for, after what nodes have cost so far; None: any number.

    Until there is an answer, one call and the tokens of the rest of a solution are kept back.
    """
    budget, usage = context.meter.budget, context.meter.usage
    tokens, calls = usage.completion_tokens - tree.tokens_before, usage.calls - tree.calls_before
    made = len(tree.nodes) - 1
    keep = not tree.in_state("finished")
    rooms: list[float] = []
    if budget.max_tokens is not None:
        left = budget.max_tokens - usage.completion_tokens - (config.finish_tokens if keep else 0)
        rooms.append(left / max(1.0, tokens / made if made else NODE_TOKENS))
    if budget.max_calls is not None:
        left = budget.max_calls - usage.calls - keep
        rooms.append(left / max(1.0, calls / made if made else NODE_CALLS))
    if budget.max_seconds is not None and made and tokens:
        seconds = max(context.meter.seconds, 1e-6)  # some clocks stand still for a while
        a_token = seconds / usage.completion_tokens
        finishing = config.finish_tokens * a_token if keep else 0.0
        rooms.append((budget.max_seconds - seconds - finishing) / (a_token * tokens / made))
    return max(0, int(min(rooms))) if rooms else None


def within_room(wanted: Sequence[Expansion], most: int | None) -> list[Expansion]:
    """The first of ``wanted`` whose children are ``most`` together at most (None: all of them). Pure."""
    allowed: list[Expansion] = []
    left = most
    for number, count in wanted:
        given = count if left is None else min(count, left)
        if given:
            allowed.append((number, given))
        left = None if left is None else left - given
    return allowed
