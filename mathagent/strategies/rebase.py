"""rebase: a tree of steps whose width is shared out by the steps' scores; its leaves vote, weighted by their values.

Paper: "Inference Scaling Laws: An Empirical Analysis of Compute-Optimal Inference for Problem-Solving with Language
Models" (arXiv 2408.00724), whose reward-balanced search this is; compared and combined with Quiet-STaR in "Inference
Scaling vs Reasoning" (arXiv 2412.16006 does not name defaults of its own). Of n paths, those that have ended keep their
place; the rest of the width goes to the newest steps by a softmax over their values: nothing is cut off by a threshold,
weak steps just get no children. The cost is fixed: n children a level at most.

A budget of tokens narrows the tree, so that its paths can end: see ``leaf_tokens``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langgraph.graph import StateGraph
from pydantic import Field

from mathagent.agents.blocks.expansion import Expansion
from mathagent.agents.blocks.frontier import balanced
from mathagent.agents.blocks.tree import TREE_PROMPTS, Search, TreeConfig, tree_graph
from mathagent.agents.context import RunContext
from mathagent.agents.search_tree import SearchTree
from mathagent.agents.strategy import Strategy


class RebaseConfig(TreeConfig):
    """Settings of rebase."""

    n: int = Field(default=16, ge=1, le=256, description="Width of the tree: paths at once, and leaves at most.")
    temperature: float | None = Field(default=1.0, ge=0, le=2, description="Sampling temperature of steps.")
    balance: float = Field(
        default=0.2, gt=0, description="Temperature of the softmax that shares out the width; small: to the best."
    )
    depth: int = Field(default=25, ge=1, le=100, description="Steps of a path at most.")
    leaf_tokens: int = Field(
        default=250,
        ge=1,
        description="Completion tokens that one path is expected to take: a budget of tokens narrows the tree by it.",
    )

    def width(self, tree: SearchTree, context: RunContext) -> int:
        """Paths at once that the budget allows: what was left of it when the search began."""
        tokens = context.meter.budget.max_tokens
        if tokens is None:
            return self.n
        return max(1, min(self.n, (tokens - tree.tokens_before) // self.leaf_tokens))


def build(config: RebaseConfig) -> StateGraph[Any, Any, Any, Any]:
    """grow ⇄ grow → conclude."""

    def allot(tree: SearchTree, context: RunContext) -> Sequence[Expansion]:
        return balanced(tree, config.width(tree, context), config.balance)

    return tree_graph(config, Search(allot=allot, scored=lambda tree, context: config.width(tree, context) > 1))


STRATEGY = Strategy(
    name="rebase",
    summary="Grow a tree of steps whose width follows their scores; the leaves vote, weighted by value.",
    paper="Inference Scaling Laws (REBASE, arXiv 2408.00724)",
    config=RebaseConfig,
    build=build,
    prompts=TREE_PROMPTS,
    kind="search",
    calls=(17, 801),
    needs=(),
)
