"""r2: Monte Carlo tree search over steps, with similar solved problems, and steps of theirs, as hints.

Paper: "Enhancing Test-Time Scaling of Large Language Models with Hierarchical Retrieval-Augmented MCTS" (R2-LLMs, arXiv
2507.05557). The model describes the kind of problem; similar solved ones of the run's memory come before the question
(coarse), and before each step what followed a similar step there (fine). Steps are chosen by UCT and scored by a scorer
of steps. Without a memory, or with nothing fitting in it, what is left is the tree search. The paper's numbers of
iterations and children are not known to us.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, field_validator

from mathagent.agents.blocks.equal_states import EMBEDDERS
from mathagent.agents.blocks.expansion import Expansion, Writing, step_messages
from mathagent.agents.blocks.recall import RECALL_PROMPTS, tell_recalled, with_recalled
from mathagent.agents.blocks.step_hints import HINT_PROMPTS, describe, hint_giver, similar_problems, step_hint
from mathagent.agents.blocks.tree import TREE_PROMPTS, Search, TreeConfig, tree_graph
from mathagent.agents.blocks.tree_values import backed_up, chosen_expansions, rollout_reward
from mathagent.agents.context import RunContext
from mathagent.agents.search_tree import SearchTree
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.types import Message


class R2Config(TreeConfig):
    """Settings of r2."""

    n: int = Field(default=3, ge=1, le=64, description="Children of an expansion.")
    iterations: int = Field(default=12, ge=1, le=400, description="Expansions at most.")
    exploration: float = Field(default=1.0, ge=0, description="Weight c of what is little visited in UCT.")
    recall: int = Field(default=2, ge=0, le=16, description="Solved problems to show at most; 0: none.")
    pool: int = Field(default=8, ge=0, le=64, description="Solved problems whose steps may be hints.")
    embedder: str = Field(default="hashed", description="Embedder of steps: hashed, static, or module:object.")

    @field_validator("embedder")
    @classmethod
    def _exists(cls, embedder: str) -> str:
        EMBEDDERS.path(embedder)  # raises UnknownName
        return embedder


def build(config: R2Config) -> StateGraph[Any, Any, Any, Any]:
    """recall → grow ⇄ grow → conclude → credit."""

    async def recall(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, most = runtime.context, max(config.recall, config.pool)
        if context.memory is None or most == 0:
            return {}
        description, limit = await describe(context, state.problem)
        hits = await similar_problems(context, state.problem, description, most)
        shown = tell_recalled(context, hits[: config.recall])
        return {"found": tuple(hits), "recalled": shown, "limit": limit}

    def prompt(state: SolveState, steps: tuple[str, ...], continues: bool) -> tuple[Message, ...]:
        found = [hit.experience for hit in state.found]
        hint = step_hint(found[: config.pool], steps, config.embedder)
        messages = step_messages(state.problem, steps, config.step, continues=continues, hint=hint)
        return with_recalled(messages, found[: config.recall], "reasoning")

    def finish(state: SolveState, steps: tuple[str, ...], continues: bool) -> tuple[Message, ...]:
        messages = step_messages(state.problem, steps, config.step, continues=continues, rest=True)
        return with_recalled(messages, [hit.experience for hit in state.found[: config.recall]], "reasoning")

    async def credit(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        """Names what hints were taken from, beside what was shown as a whole."""
        tree, pool = state.tree or SearchTree(), state.found[: config.pool]
        found = [hit.experience for hit in pool]
        gone_on_from = {node.parent for node in tree.nodes if node.parent is not None and not node.rest}
        givers = [hint_giver(found, tree.steps(number), config.embedder) for number in sorted(gone_on_from)]
        known = {one.id for one in state.recalled}
        new = {one.id for one in givers if one is not None} - known
        hinted = [hit for hit in pool if hit.experience.id in new]
        return {"recalled": tell_recalled(runtime.context, hinted)} if hinted else {}

    def allot(tree: SearchTree, context: RunContext) -> Sequence[Expansion]:
        if tree.rounds >= config.iterations:
            return []
        return chosen_expansions(tree, "ucb", "mean", config.exploration, lambda group, members: config.n)

    async def settle(context: RunContext, tree: SearchTree, new: Sequence[int]) -> SearchTree:
        return backed_up(tree, new, rollout_reward)

    search = Search(
        allot=allot,
        settle=settle,
        writing=Writing(prompt=prompt),
        finishing=Writing(rest=True, prompt=finish),
    )
    graph = tree_graph(config, search, begin="recall", end="credit")
    graph.add_node("recall", recall)
    graph.add_node("credit", credit)
    graph.add_edge("recall", "grow")
    graph.add_edge("credit", END)
    return graph


STRATEGY = Strategy(
    name="r2",
    summary="Search step by step, shown similar solved problems and what followed similar steps in them.",
    paper="Enhancing Test-Time Scaling with Hierarchical Retrieval-Augmented MCTS (R2-LLMs, arXiv 2507.05557)",
    config=R2Config,
    build=build,
    prompts=(*TREE_PROMPTS, *HINT_PROMPTS, *RECALL_PROMPTS),
    kind="search",
    calls=(4, 74),
    needs=("memory",),
)
