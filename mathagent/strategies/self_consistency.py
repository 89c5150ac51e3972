"""self-consistency: sample several solutions, stop when the lead is clear, take the majority.

Papers: "Self-Consistency Improves Chain of Thought Reasoning in Language Models" (arXiv 2203.11171); stopping rules
"Adaptive-Consistency" (arXiv 2305.11860), "Early-Stopping Self-Consistency" (arXiv 2401.10480) and self-evaluation,
"Adaptive Inference-Time Compute" (arXiv 2410.02725). Votes are counted by equivalence class; by self-evaluation each
weighs as much as the model finds that it could not do better. Samples come in windows, which batch well; the rule is
checked after each window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from langgraph.graph import END, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field, model_validator

from mathagent.agents.blocks.propose import PROPOSE_PROMPTS, ProposeConfig, propose
from mathagent.agents.blocks.recall import add_recall
from mathagent.agents.blocks.select import AnswerClass, answer_classes, majority, weighted_vote
from mathagent.agents.blocks.self_evaluation import RESTART_PROMPT, chances_no_better
from mathagent.agents.blocks.stopping import (
    StopDecision,
    adaptive_consistency,
    early_stopping,
    self_evaluation,
)
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy
from mathagent.events import Voted


class SelfConsistencyConfig(ProposeConfig):
    """Settings of self-consistency.

    The papers draw up to 40 samples. 16 is for a laptop CPU: a problem that needed them all took 1,800 to 3,300
    tokens with the default model.
    """

    stop: Literal["adaptive", "early", "self-evaluation", "none"] = Field(
        default="adaptive", description="Stopping rule."
    )
    threshold: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Probability that ends sampling: of the lead, or (self-evaluation) that no sample would be better.",
    )
    window: int = Field(
        default=4, ge=1, description="Samples a window; with self-evaluation windows double from 1."
    )

    @model_validator(mode="after")
    def _asks_behind_a_reply(self) -> Self:
        if self.over == "tir" and self.stop == "self-evaluation":
            raise ValueError(
                "self-evaluation asks behind one reply, and tir is several; take over=pal or over=cot"
            )
        return self


def decide(
    config: SelfConsistencyConfig,
    classes: Sequence[AnswerClass],
    samples: int,
    window: int,
    no_better: Sequence[float] = (),
) -> StopDecision:
    """Applies the configured stopping rule to the votes after ``samples`` samples, ``window`` of them new.

    ``no_better``: of each sample the probability that no other would be better, where the rule asks for it.
    """
    if config.stop == "self-evaluation":
        return self_evaluation(no_better, samples, threshold=config.threshold, most=config.n)
    if config.stop == "early":
        if window < config.window and samples < config.n:
            return StopDecision(stop=False, confidence=0.0, reason="the window is not complete")
        class_of = {index: place for place, one in enumerate(classes) for index in one.members}
        latest = [class_of.get(index) for index in range(samples - window, samples)]
        return early_stopping(latest, samples, most=config.n)
    threshold = config.threshold if config.stop == "adaptive" else 2.0  # a probability never reaches 2
    votes = [one.votes for one in classes]
    return adaptive_consistency(votes, samples, threshold=threshold, least=config.window, most=config.n)


def build(config: SelfConsistencyConfig) -> StateGraph[Any, Any, Any, Any]:
    """recall → sample ⇄ vote, until the stopping rule or the budget ends it."""

    async def sample(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        done = len(state.candidates)
        # Against a clock the first sample goes alone: an answer is there early, the window is completed after it.
        hurried = done == 0 and runtime.context.meter.budget.max_seconds is not None
        wanted = 1 if hurried else config.window - done % config.window
        if config.stop == "self-evaluation":
            wanted = max(1, done)
        n = min(wanted, config.n - done)
        update = await propose(runtime.context, state, config, n=n, first_sample=done)
        if config.stop != "self-evaluation":
            return update
        chances: list[float] = [0.0] * len(update["candidates"])
        if update["limit"] is None:
            chances, update["limit"] = await chances_no_better(
                runtime.context, update["drafts"], update["candidates"]
            )
        return {**update, "scores": chances}

    async def vote(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        samples = len(state.candidates)
        classes = await answer_classes(runtime.context, state.candidates)
        window = (samples - 1) % config.window + 1
        decision = decide(config, classes, samples, window, state.scores)
        stop = decision.stop or state.limit is not None
        runtime.context.emit(
            Voted(
                classes=tuple((one.answer, one.votes) for one in classes),
                samples=samples,
                stop=stop,
                reason=state.limit or decision.reason,
            )
        )
        if any(state.scores):  # by self-evaluation: what the model would not do again weighs more
            return {**await weighted_vote(runtime.context, state.candidates, state.scores), "finished": stop}
        return {**majority(state.candidates, classes), "finished": stop}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("sample", sample)
    graph.add_node("vote", vote)
    add_recall(graph, config, lambda problem: (config.form,), before=["sample"])
    graph.add_edge("sample", "vote")
    graph.add_conditional_edges("vote", lambda state: END if state.finished else "sample", ["sample", END])
    return graph


STRATEGY = Strategy(
    name="self-consistency",
    summary="Sample several solutions, stop when the lead is clear, take the majority.",
    paper="Self-Consistency (arXiv 2203.11171), stopping as in Adaptive-Consistency (arXiv 2305.11860)",
    config=SelfConsistencyConfig,
    build=build,
    prompts=(*PROPOSE_PROMPTS, RESTART_PROMPT),
    kind="sampling",
    calls=(4, 16),
    needs=("sandbox",),
)
