"""graph-of-thought: steps are generated, scored and kept as in a beam; the kept paths are combined, and refined.

Paper: "Graph of Thoughts: Solving Elaborate Problems with Large Language Models" (arXiv 2308.09687), its operations on
the step search: generate (n next steps of the kept paths), score, keep the best, aggregate (one path out of the kept
ones, which competes with them), refine (the best path written again). The paper's graphs are drawn by hand for each
task (sorting, counting words, …) and none is for word problems; this one is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langgraph.graph import StateGraph
from pydantic import Field, model_validator

from mathagent.agents.blocks.combining import COMBINE_PROMPT, combine
from mathagent.agents.blocks.expansion import Expansion
from mathagent.agents.blocks.frontier import beam
from mathagent.agents.blocks.search_room import room
from mathagent.agents.blocks.tree import TREE_PROMPTS, Search, TreeConfig, tree_graph
from mathagent.agents.context import RunContext
from mathagent.agents.search_tree import SearchTree
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy


class GraphOfThoughtConfig(TreeConfig):
    """Settings of graph-of-thought."""

    n: int = Field(
        default=6, ge=1, le=256, description="Next steps generated a round, of all kept paths together."
    )
    keep: int = Field(
        default=2, ge=1, le=64, description="Paths that are kept and combined; n is a multiple of it."
    )
    aggregate_paths: bool = Field(default=True, description="Whether the kept paths are combined to one.")
    refine: bool = Field(default=False, description="Whether the best path is written again, too.")

    @model_validator(mode="after")
    def _whole(self) -> GraphOfThoughtConfig:
        if self.n % self.keep:
            raise ValueError(f"n={self.n} steps cannot be shared out evenly among {self.keep} paths")
        return self


def best_open(tree: SearchTree, new: Sequence[int], most: int) -> list[int]:
    """The open ones among ``new`` with the best values, no two of the same texts. Pure."""
    first: dict[tuple[str, ...], int] = {}
    for one in new:
        if tree.nodes[one].state == "open":
            first.setdefault(tree.steps(one), one)
    return sorted(first.values(), key=lambda one: -tree.nodes[one].value)[:most]


def build(config: GraphOfThoughtConfig) -> StateGraph[Any, Any, Any, Any]:
    """grow ⇄ grow → conclude."""

    def allot(tree: SearchTree, context: RunContext) -> Sequence[Expansion]:
        return beam(tree, config.keep, config.n // config.keep)

    async def combined(
        context: RunContext, state: SolveState, tree: SearchTree, new: Sequence[int]
    ) -> tuple[SearchTree, list[int], str | None]:
        kept, made = best_open(tree, new, config.keep), list[int]()
        wanted = [kept] if config.aggregate_paths and len(kept) > 1 else []
        for sources in [*wanted, *([kept[:1]] if config.refine and kept else [])]:
            if room(context, tree, config) == 0:
                break
            tree, more, limit = await combine(context, state, config, tree, sources)
            made += more
            if limit is not None:
                return tree, made, limit
        return tree, made, None

    return tree_graph(config, Search(allot=allot, combine=combined))


STRATEGY = Strategy(
    name="graph-of-thought",
    summary="Generate, score and keep steps; combine the kept paths into one and go on from the best.",
    paper="Graph of Thoughts: Solving Elaborate Problems with Large Language Models (arXiv 2308.09687)",
    config=GraphOfThoughtConfig,
    build=build,
    prompts=(*TREE_PROMPTS, COMBINE_PROMPT),
    kind="search",
    calls=(7, 141),
    needs=(),
)
