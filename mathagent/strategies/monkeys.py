"""monkeys: repeated sampling, a fixed number of samples, all of them kept; a plain selector chooses at the end.

Paper: "Large Language Monkeys: Scaling Inference Compute with Repeated Sampling" (arXiv 2407.21787). What repeated
sampling could reach is its coverage: whether any sample is right. Nobody but the reference can say, so that a solve
tells how many different answers and texts there are, and evaluations grade every candidate (coverage beside what was
chosen: evals/pools.py). The paper selects by majority; ``select=checks`` lets executed checks weigh the votes.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.check import CHECK_PROMPTS
from mathagent.agents.blocks.propose import PROPOSE_PROMPTS, ProposeConfig, propose
from mathagent.agents.blocks.recall import add_recall
from mathagent.agents.blocks.select import answer_classes, majority
from mathagent.agents.blocks.shared_store import response_text
from mathagent.agents.blocks.verify import choose_verified, verify
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.events import Voted


class MonkeysConfig(ProposeConfig):
    """Settings of monkeys.

    The paper draws 10,000 samples of a problem; 100 are what one machine does.
    """

    n: int = Field(default=100, ge=1, le=256, description="Samples to draw, whatever they say.")
    temperature: float | None = Field(default=0.6, ge=0, le=2, description="Sampling temperature.")
    over: Literal["pal", "cot", "tir"] = Field(default="cot", description="How one sample is made.")
    window: int = Field(default=20, ge=1, description="Samples that are asked for at once.")
    select: Literal["majority", "checks"] = Field(
        default="majority", description="The most frequent answer, or votes weighed by executed checks."
    )


def build(config: MonkeysConfig) -> StateGraph[Any, Any, Any, Any]:
    """recall → sample ⇄ sample → select."""

    async def sample(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        done = len(state.candidates)
        n = min(config.window, config.n - done)
        return await propose(runtime.context, state, config, n=n, first_sample=done)

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, candidates = runtime.context, state.candidates
        classes = await answer_classes(context, candidates)
        texts = {response_text(candidate) for candidate in candidates if candidate.steps}
        spread = f"{len(classes)} different answers and {len(texts)} different texts in {len(candidates)} samples"
        context.emit(
            Voted(
                classes=tuple((one.answer, one.votes) for one in classes),
                samples=len(candidates),
                stop=True,
                reason=spread,
            )
        )
        update: dict[str, Any] = majority(candidates, classes)
        if config.select == "checks" and classes:
            checked = await verify(context, state, [one.members[0] for one in classes])
            update = await choose_verified(context, candidates, checked["verdicts"])
            update = {**checked, **update}
        basis = f"{update['confidence_basis']}; {spread}"
        return {**update, "confidence_basis": basis, "finished": True}

    def after_sample(state: SolveState) -> str:
        return "select" if len(state.candidates) >= config.n or state.limit is not None else "sample"

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("sample", sample)
    graph.add_node("select", select)
    add_recall(graph, config, lambda problem: (config.form,), before=["sample"])
    graph.add_conditional_edges("sample", after_sample, ["sample", "select"])
    graph.add_edge("select", END)
    return graph


STRATEGY = Strategy(
    name="monkeys",
    summary="Draw a fixed number of samples, keep them all, and vote: coverage shows what a better choice could gain.",
    paper="Large Language Monkeys: Scaling Inference Compute with Repeated Sampling (arXiv 2407.21787)",
    config=MonkeysConfig,
    build=build,
    prompts=(*PROPOSE_PROMPTS, *CHECK_PROMPTS),
    kind="sampling",
    calls=(100, 200),
    needs=(),
)
