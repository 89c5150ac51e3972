"""best-of-n: sample several solutions, have a scorer score each, take the best.

Paper: "Training Verifiers to Solve Math Word Problems" (arXiv 2110.14168), whose verifier is trained; here any scorer
scores: a prompted judge, executed checks, a reward model's endpoint, an ensemble. ``select=weighted`` lets equal
answers add their scores up. Measure a scorer before it chooses: `mathagent judge-bench processbench --scorer NAME`.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.propose import PROPOSE_PROMPTS, ProposeConfig, propose
from mathagent.agents.blocks.recall import add_recall
from mathagent.agents.blocks.score import ScoringConfig, require_scorer, score_candidates
from mathagent.agents.blocks.select import best_score, vote, weighted_vote
from mathagent.agents.context import RunContext
from mathagent.agents.scoring import SCORING_PROMPTS
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy


class BestOfNConfig(ProposeConfig, ScoringConfig):
    """Settings of best-of-n.

    The paper draws 100 samples, at temperature 0.7; 16 are for a laptop CPU, and the first ones of self-consistency.
    """

    window: int = Field(
        default=4,
        ge=1,
        description="Samples that are drawn, and scored, before the next: a budget may end in between.",
    )
    select: Literal["best", "weighted"] = Field(
        default="best", description="The best solution, or the answer with the largest sum of scores."
    )


def build(config: BestOfNConfig) -> StateGraph[Any, Any, Any, Any]:
    """recall → sample ⇄ score → select."""

    async def sample(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        done = len(state.candidates)
        if not done:
            await require_scorer(runtime.context, state.problem, config.scorer)
        n = min(config.window, config.n - done)
        return await propose(runtime.context, state, config, n=n, first_sample=done)

    async def score(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return await score_candidates(runtime.context, state, config.scorer)

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        candidates, scores = state.candidates, state.scores
        if not any(scores):  # nothing is known of any (the budget ended, or the scorer failed), or all are as bad
            update = await vote(runtime.context, candidates)
            basis = f"no score above 0; {update['confidence_basis']}"
            return {**update, "confidence_basis": basis, "finished": True}
        if config.select == "weighted":
            update = await weighted_vote(runtime.context, candidates, scores)
        else:
            update = best_score(candidates, scores)
        basis = f"{update['confidence_basis']} by {config.scorer}"
        return {**update, "confidence_basis": basis, "finished": True}

    def after_score(state: SolveState) -> str:
        return "select" if len(state.candidates) >= config.n or state.limit is not None else "sample"

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("sample", sample)
    graph.add_node("score", score)
    graph.add_node("select", select)
    add_recall(graph, config, lambda problem: (config.form,), before=["sample"])
    graph.add_edge("sample", "score")
    graph.add_conditional_edges("score", after_score, ["sample", "select"])
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="best-of-n",
    summary="Sample several solutions and take the one that a scorer scores highest.",
    paper="Training Verifiers to Solve Math Word Problems (arXiv 2110.14168)",
    config=BestOfNConfig,
    build=build,
    prompts=(*PROPOSE_PROMPTS, *SCORING_PROMPTS),
    kind="sampling",
    calls=(16, 32),
    needs=("sandbox",),
    training_free=False,
)
