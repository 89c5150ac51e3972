"""fetch: step search in which steps that say the same are one state, searched further once.

Paper: "Don't Get Lost in the Trees: Streamlining LLM Reasoning by Overcoming Tree Search Exploration Pitfalls" (FETCH,
arXiv 2502.11183). New steps are clustered; a cluster is worth its best member, and what it is given is spread over its
members in turn. The search is best-first (ends once the best state is an answer), a beam, or Monte Carlo. The paper
clusters by an encoder that was tuned for steps; ``merge=both`` compares what is computed as well (equal_states.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import StateGraph
from pydantic import Field, field_validator

from mathagent.agents.blocks.equal_states import EMBEDDERS, MergeBy, load_embedder, merged
from mathagent.agents.blocks.expansion import Expansion
from mathagent.agents.blocks.frontier import beam, best_first
from mathagent.agents.blocks.tree import TREE_PROMPTS, Search, TreeConfig, tree_graph
from mathagent.agents.blocks.tree_values import backed_up, chosen_expansions, rollout_reward
from mathagent.agents.context import RunContext
from mathagent.agents.search_tree import SearchTree
from mathagent.agents.strategy import Strategy

ROOT_CHILDREN, MORE_A_MEMBER = 8, 0.5
"""Of Monte Carlo search: children of the root, and more of them for each further member of a state."""
LEAST_ITERATIONS, MOST_ITERATIONS, WANTED_ANSWERS, ROLLOUTS = 40, 400, 10, 2
BEST_FIRST_ITERATIONS = 50
DEPTH, MONTE_CARLO_DEPTH = 10, 5
BEAMS, BEAM_CHILDREN = 5, 5


class FetchConfig(TreeConfig):
    """Settings of fetch."""

    search: Literal["best-first", "beam", "mcts"] = Field(default="best-first", description="Which search it is.")
    merge: MergeBy = Field(
        default="both",
        description="What makes states equal: near texts (the paper's), equal values computed, both of them, none.",
    )
    distance: float = Field(
        default=0.15, ge=0, le=2, description="Mean cosine distance up to which texts are near; fits the embedder."
    )
    embedder: str = Field(default="hashed", description="Embedder of steps: hashed, static, or module:object.")
    n: int = Field(default=10, ge=1, le=256, description="Children of an expansion (best-first).")
    iterations: int | None = Field(
        default=None, ge=1, le=400, description="Expansions at most; null: 50, of mcts 400 (a beam ends by depth)."
    )
    depth: int | None = Field(  # type: ignore[assignment]
        default=None, ge=1, le=100, description="Steps of a solution at most; null: 10, of mcts 5."
    )
    exploration: float = Field(default=0.6, ge=0, description="Weight c of what is little visited (mcts).")
    select: Literal["weighted", "best", "majority"] = Field(
        default="best",
        description="The answer is that of the best path, of the class with the most value, or of the majority.",
    )

    @field_validator("embedder")
    @classmethod
    def _exists(cls, embedder: str) -> str:
        EMBEDDERS.path(embedder)  # raises UnknownName
        return embedder

    @property
    def most_iterations(self) -> int:
        """Expansions at most."""
        return self.iterations or (MOST_ITERATIONS if self.search == "mcts" else BEST_FIRST_ITERATIONS)

    @property
    def most_steps(self) -> int:
        """Steps of a solution at most."""
        return self.depth or (MONTE_CARLO_DEPTH if self.search == "mcts" else DEPTH)


def monte_carlo(tree: SearchTree, config: FetchConfig) -> list[Expansion]:
    """One iteration, unless enough were made: at least 40, and until there are 10 answers. Pure."""
    if tree.rounds >= config.most_iterations:
        return []
    if tree.rounds >= LEAST_ITERATIONS and len(tree.in_state("finished")) >= WANTED_ANSWERS:
        return []
    return chosen_expansions(tree, "ucb", "mean", config.exploration, children_of)


def children_of(group: int, members: Sequence[int]) -> int:
    """Children that a state gets: half as many as the root, and more for each further member. Pure."""
    if group == 0:
        return ROOT_CHILDREN
    more = MORE_A_MEMBER * (len(members) - 1)
    return min(ROOT_CHILDREN, int(ROOT_CHILDREN / 2 + more))


def build(config: FetchConfig) -> StateGraph[Any, Any, Any, Any]:
    """grow ⇄ grow → conclude."""

    def allot(tree: SearchTree, context: RunContext) -> Sequence[Expansion]:
        if config.search == "beam":
            return beam(tree, BEAMS, BEAM_CHILDREN)
        if config.search == "mcts":
            return monte_carlo(tree, config)
        return best_first(tree, config.n) if tree.rounds < config.most_iterations else []

    async def settle(context: RunContext, tree: SearchTree, new: Sequence[int]) -> SearchTree:
        if config.merge != "none":
            embedder = load_embedder(config.embedder)
            tree = await asyncio.to_thread(merged, tree, new, config.merge, embedder, config.distance)
        return backed_up(tree, new, rollout_reward) if config.search == "mcts" else tree

    rollouts = ROLLOUTS if config.search == "mcts" else 0
    bounded = config.model_copy(update={"depth": config.most_steps})
    return tree_graph(bounded, Search(allot=allot, settle=settle, rollouts=rollouts))


STRATEGY = Strategy(
    name="fetch",
    summary="Search step by step; steps that say or compute the same become one state.",
    paper="Don't Get Lost in the Trees (FETCH, arXiv 2502.11183)",
    config=FetchConfig,
    build=build,
    prompts=TREE_PROMPTS,
    kind="search",
    calls=(11, 1001),
    needs=(),
    training_free=False,
)
