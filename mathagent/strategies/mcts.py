"""mcts: Monte Carlo tree search over plans, or over the steps of solutions.

Papers: "CPL: Critical Plan Step Learning Boosts LLM Generalization in Reasoning Tasks" (arXiv 2409.08642) for
``level=plan``: an action is one step of a plan, solutions are written from plans, and a plan is worth what its
solutions agree on; what is left (n solutions) goes to the best plan, and all solutions vote. "Monte Carlo Tree Search
Boosts Reasoning via Iterative Preference Learning" (MCTS-DPO, arXiv 2405.00451) for ``level=step``: an action is a
step, and its value a scorer's; its search, as there, but in one tree, which is not rooted anew at each step of the
answer. Neither sees a reference: rewards from right answers are for making training data, not for solving.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import StateGraph
from pydantic import Field

from mathagent.agents.blocks.expansion import Expansion, Writing
from mathagent.agents.blocks.plan_search import (
    PLAN_PROMPTS,
    agreed_values,
    best_plan,
    plan_messages,
    solution_messages,
)
from mathagent.agents.blocks.tree import TREE_PROMPTS, Search, TreeConfig, tree_graph
from mathagent.agents.blocks.tree_values import backed_up, chosen_expansions, rollout_reward
from mathagent.agents.context import RunContext
from mathagent.agents.search_tree import SearchTree
from mathagent.agents.strategy import Strategy


class MctsConfig(TreeConfig):
    """Settings of mcts. Iterations, breadth and children are those of MCTS-DPO's program (its depth of 3 is
    that of one move, of several for an answer); CPL states none."""

    level: Literal["plan", "step"] = Field(default="plan", description="Whether plans or solutions are searched.")
    n: int = Field(default=4, ge=1, le=256, description="Solutions of the best plan at the end (level=plan).")
    iterations: int = Field(default=5, ge=1, le=400, description="Expansions: a node is chosen and gets children.")
    breadth: int = Field(default=4, ge=1, le=64, description="Children of the root.")
    children: int = Field(default=2, ge=1, le=64, description="Children of any other node.")
    rollouts: int = Field(
        default=1, ge=0, le=16, description="Solutions written from each new node: a step's, or a plan's, value."
    )
    exploration: float = Field(default=1.0, ge=0, description="Weight w of what is little visited in PUCT.")
    prior: Literal["uniform", "logprobs"] = Field(
        default="uniform", description="How likely a step is before it is tried: alike, or as its log-probs say."
    )
    depth: int = Field(default=10, ge=1, le=100, description="Steps of a plan or solution at most.")
    finish_tokens: int = Field(default=512, ge=1, description="Completion tokens of a solution written at once.")


def build(config: MctsConfig) -> StateGraph[Any, Any, Any, Any]:
    """grow ⇄ grow → conclude."""
    plans, logprobs = config.level == "plan", config.prior == "logprobs"

    def allot(tree: SearchTree, context: RunContext) -> Sequence[Expansion]:
        if tree.rounds >= config.iterations:
            return []
        backup: Literal["mean", "gain"] = "mean" if plans else "gain"
        return chosen_expansions(tree, "puct", backup, config.exploration, children)

    def children(group: int, members: Sequence[int]) -> int:
        return config.breadth if group == 0 else config.children

    if not plans:

        async def settle(context: RunContext, tree: SearchTree, new: Sequence[int]) -> SearchTree:
            return backed_up(tree, new, rollout_reward)

        by_steps = Search(allot=allot, settle=settle, writing=Writing(logprobs=logprobs), rollouts=config.rollouts)
        return tree_graph(config, by_steps)

    by_plans = Search(
        allot=allot,
        settle=agreed_values,
        writing=Writing(plan=True, prompt=plan_messages, logprobs=logprobs),
        finishing=Writing(rest=True, prompt=solution_messages),
        rollouts=config.rollouts,
        last=lambda tree: [(best_plan(tree), config.n)],
        scored=lambda tree, context: False,
    )
    # Solutions of plans have no values: they vote.
    return tree_graph(config.model_copy(update={"step": "line", "select": "majority"}), by_plans)


STRATEGY = Strategy(
    name="mcts",
    summary="Search plans, or solutions step by step, by Monte Carlo tree search; the solutions vote.",
    paper="CPL (arXiv 2409.08642); by steps: MCTS Boosts Reasoning, MCTS-DPO (arXiv 2405.00451)",
    config=MctsConfig,
    build=build,
    prompts=(*TREE_PROMPTS, *PLAN_PROMPTS),
    kind="search",
    calls=(12, 29),
    needs=(),
    training_free=False,
)
