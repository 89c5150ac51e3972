"""self-consistency: sample several solutions, stop when the lead is clear, take the majority.

Papers: "Self-Consistency Improves Chain of Thought Reasoning in Language Models" (arXiv 2203.11171); stopping rules
"Adaptive-Consistency" (arXiv 2305.11860) and "Early-Stopping Self-Consistency" (arXiv 2401.10480). Votes are counted
by equivalence class. Samples come in windows, which batch well; the rule is checked after each window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.program import PROGRAM_PROMPTS, ProgramConfig, run_programs, write_programs
from mathagent.agents.blocks.reason import REASON_PROMPTS, ReasonConfig, conclude_reasoning, write_reasoning
from mathagent.agents.blocks.select import AnswerClass, answer_classes, majority
from mathagent.agents.blocks.stopping import StopDecision, adaptive_consistency, early_stopping
from mathagent.agents.context import RunContext
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.events import Voted
from mathagent.types import Candidate, Problem


class SelfConsistencyConfig(StrategyConfig):
    """Settings of self-consistency.

    The papers draw up to 40 samples. 16 is for a laptop CPU: a problem that needed them all took 1,800 to 3,300
    tokens with the default model.
    """

    over: Literal["pal", "cot"] = Field(default="pal", description="How one sample is made.")
    n: int = Field(default=16, ge=1, le=256, description="Samples to draw at most.")
    stop: Literal["adaptive", "early", "none"] = Field(default="adaptive", description="Stopping rule.")
    threshold: float = Field(default=0.95, gt=0.5, lt=1, description="Lead probability that ends sampling.")
    window: int = Field(default=4, ge=1, description="Samples a window.")
    temperature: float | None = Field(default=0.7, ge=0, le=2, description="Sampling temperature.")
    max_tokens: int | None = Field(default=None, ge=1, description="Completion tokens of a sample.")  # type: ignore[assignment]


async def propose(
    context: RunContext, problem: Problem, config: SelfConsistencyConfig, *, n: int, first_sample: int
) -> tuple[list[Candidate], str | None]:
    """n candidates of the configured kind, numbered from ``first_sample``, and the limit that ended it."""
    shared: dict[str, Any] = {"n": config.n, "temperature": config.temperature, "top_p": config.top_p}
    if config.max_tokens is not None:
        shared["max_tokens"] = config.max_tokens
    if config.over == "pal":
        by_program = ProgramConfig(**shared)
        drafts, limit = await write_programs(context, problem, by_program, n=n, first_sample=first_sample)
        return await run_programs(context, problem, by_program, drafts), limit
    by_words = ReasonConfig(**shared)
    drafts, limit = await write_reasoning(context, problem, by_words, n=n, first_sample=first_sample)
    candidates, later = await conclude_reasoning(context, problem, by_words, drafts, rescue_truncated=False)
    return candidates, limit or later


def decide(
    config: SelfConsistencyConfig, classes: Sequence[AnswerClass], samples: int, window: int
) -> StopDecision:
    """Applies the configured stopping rule to the votes after ``samples`` samples, ``window`` of them new."""
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
    """sample ⇄ vote, until the stopping rule or the budget ends it."""

    async def sample(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        done = len(state.candidates)
        # Against a clock the first sample goes alone: an answer is there early, the window is completed after it.
        hurried = done == 0 and runtime.context.meter.budget.max_seconds is not None
        wanted = 1 if hurried else config.window - done % config.window
        candidates, limit = await propose(
            runtime.context, state.problem, config, n=min(wanted, config.n - done), first_sample=done
        )
        return {"candidates": candidates, "limit": limit}

    async def vote(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        samples = len(state.candidates)
        classes = await answer_classes(runtime.context, state.candidates)
        window = (samples - 1) % config.window + 1
        decision = decide(config, classes, samples, window)
        stop = decision.stop or state.limit is not None
        runtime.context.emit(
            Voted(
                classes=tuple((one.answer, one.votes) for one in classes),
                samples=samples,
                stop=stop,
                reason=state.limit or decision.reason,
            )
        )
        return {**majority(state.candidates, classes), "finished": stop}

    graph = StateGraph(SolveState, context_schema=RunContext)
    graph.add_node("sample", sample)
    graph.add_node("vote", vote)
    graph.add_edge(START, "sample")
    graph.add_edge("sample", "vote")
    graph.add_conditional_edges("vote", lambda state: END if state.finished else "sample", ["sample", END])
    return graph


STRATEGY = Strategy(
    name="self-consistency",
    summary="Sample several solutions, stop when the lead is clear, take the majority.",
    paper="Self-Consistency (arXiv 2203.11171), stopping as in Adaptive-Consistency (arXiv 2305.11860)",
    config=SelfConsistencyConfig,
    build=build,
    prompts=(*PROGRAM_PROMPTS, *REASON_PROMPTS),
)
