"""Block plan search: a tree of plan steps. A plan is worth what the solutions written from it agree on.

Source: "CPL: Critical Plan Step Learning Boosts LLM Generalization in Reasoning Tasks" (arXiv 2409.08642), its search
over plan steps without its training: there a value model judges a plan, here the share that a solution's answer has
among the answers of all solutions stands for its being right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathagent.agents.blocks.expansion import prefix_text
from mathagent.agents.blocks.select import answer_classes
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import REASONER
from mathagent.agents.search_tree import SearchTree
from mathagent.agents.state import SolveState
from mathagent.prompts import render
from mathagent.types import Candidate, Message

PLAN_PROMPTS = ("mcts/plan", "mcts/plan_chat", REASONER.prompt)


def plan_messages(state: SolveState, steps: tuple[str, ...], continues: bool) -> tuple[Message, ...]:
    """What is asked for the plan step behind ``steps``: see ``step_messages``. Pure."""
    prefix, shown = prefix_text(steps, "line"), problem_text(state.problem)
    if continues:
        return render("mcts/plan", problem=shown, prefix=prefix)
    joined = prefix.rpartition("\n")[0]
    return render("mcts/plan_chat", problem=shown, prefix=joined, number=len(steps) + 1)


def solution_messages(state: SolveState, steps: tuple[str, ...], continues: bool) -> tuple[Message, ...]:
    """What is asked for a whole solution by the plan ``steps``. Pure."""
    plan = "\n".join(f"{number}. {step}" for number, step in enumerate(filter(None, steps), start=1))
    choices = bool(state.problem.choices)
    return render(REASONER.prompt, problem=problem_text(state.problem), plan=plan, has_choices=choices)


async def agreed_values(context: RunContext, tree: SearchTree, new: Sequence[int]) -> SearchTree:
    """The tree with what was backed up counted anew: each solution is one visit of all plan steps above it, and its
    reward is the share of its answer among those of all solutions (0 where it has none)."""
    rests = [number for number, node in enumerate(tree.nodes) if node.rest]
    candidates = [Candidate(answer=tree.nodes[one].answer, failure=tree.nodes[one].failure) for one in rests]
    classes = await answer_classes(context, candidates)
    answered = sum(one.votes for one in classes)
    share = {rests[place]: one.votes / answered for one in classes for place in one.members}
    backed: dict[int, tuple[int, float]] = {}
    for leaf in rests:
        for above in tree.ancestors(leaf):
            visits, total = backed.get(above, (0, 0.0))
            backed[above] = (visits + 1, total + share.get(leaf, 0.0))
    changes: dict[int, dict[str, Any]] = {
        number: {"visits": visits, "total": total} for number, (visits, total) in backed.items()
    }
    return tree.changed(changes)


def best_plan(tree: SearchTree) -> int:
    """The plan step with the best mean reward, of several the deepest; of all where no solution was written from any
    (``rollouts=0``); the root where there is none. Pure."""
    plans = [one for one in tree.in_state("open", "closed") if one]
    tried = [one for one in plans if tree.nodes[one].visits]
    return max(tried or plans, key=lambda one: (tree.nodes[one].mean, tree.nodes[one].depth), default=0)
