"""mumath: name the knowledge that helps, then words and programs by turns, as ToRA does.

Paper: "MuMath-Code: Combining Tool-Use Large Language Models with Multi-perspective Data Augmentation for Mathematical
Reasoning" (arXiv 2405.07551), its inference without its training. ``knowledge_first=false`` is ToRA's prompt, which
knows no such beginning. With n > 1 the answers vote, as the paper chooses the answers of its new questions. Of the ways
in which it writes questions anew for training, rephrasing keeps the answer: with ``rephrase`` all samples but the first
solve the problem in other words, unless those lost a number. That use is ours.
"""

from __future__ import annotations

from typing import Any, Literal

from langgraph.graph import StateGraph
from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.blocks.code_loop import OBSERVATION_PROMPT, CodeLoopConfig, code_loop
from mathagent.agents.blocks.language import lost_numbers
from mathagent.agents.blocks.side_by_side import propose_then_vote
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.strategy import Strategy
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.prompts import render
from mathagent.types import Candidate, Failure, Problem, SamplingParams, Value

PROMPTS = {True: "mumath/solve", False: "tir/tora"}
"""By whether the knowledge that helps is named first."""


class Rephrased(Value):
    """A problem in other words."""

    problem: str = Field(
        min_length=1, max_length=8000, description="the problem in other words, with all its numbers"
    )


REPHRASER = Role("rephraser", "mumath/rephrase", SamplingParams(max_tokens=512), Rephrased)


class MumathConfig(CodeLoopConfig):
    """Settings of mumath: ToRA's loop, greedy, 1024 tokens a turn and four turns."""

    rounds: int = Field(default=4, ge=1, le=64, description="Turns of the model at most.")
    state: Literal["live", "fresh"] = Field(
        default="fresh", description="Whether a program sees the names of earlier ones."
    )
    mark: Literal["boxed", "final-answer", "any"] = Field(
        default="boxed",
        description="What states the final answer: a box, the words Final Answer, or either and more.",
    )
    both: Literal["run", "finish", "error"] = Field(
        default="finish",
        description="A turn with a program and an answer: run (the answer was a guess), finish, or a format error.",
    )
    unfinished: Literal["none", "value"] = Field(
        default="none", description="The answer where none was stated: none, or the last program's value."
    )
    knowledge_first: bool = Field(
        default=True, description="Whether helpful knowledge is named before any program."
    )
    rephrase: bool = Field(
        default=False, description="Whether samples after the first solve the problem in other words."
    )


async def rephrased(
    context: RunContext, problem: Problem, config: MumathConfig, sample: int
) -> tuple[Problem, str | None]:
    """``problem`` in other words, and the limit that ended the asking; as it is where there are none."""
    params = REPHRASER.params.model_copy(update={"temperature": config.sampling_temperature})
    fallback = Rephrased(problem=problem.text[:8000])
    try:
        asked = await ask(
            context, REPHRASER, fallback=fallback, sample=sample, retries=1, params=params, problem=problem.text
        )
    except BackendError as error:
        context.emit(Warned(message=f"sample {sample + 1} solves the problem as it stands: {error}"))
        return problem, None
    if asked.fell_back:
        return problem, asked.limit
    if lost := lost_numbers(problem.text, asked.reply.problem):
        told = f"sample {sample + 1} solves the problem as it stands: other words lost {', '.join(lost[:5])}"
        context.emit(Warned(message=told))
        return problem, asked.limit
    return problem.model_copy(update={"text": asked.reply.problem}), asked.limit


def build(config: MumathConfig) -> StateGraph[Any, Any, Any, Any]:
    """solve_by_turns → select."""

    async def propose(context: RunContext, problem: Problem, sample: int) -> tuple[Candidate, str | None]:
        asked, limit = problem, None
        if config.rephrase and sample:
            asked, limit = await rephrased(context, problem, config, sample)
        if limit is not None:
            return Candidate(failure=Failure(kind="no-answer", message=limit)), limit
        prompt = PROMPTS[config.knowledge_first]
        messages = render(prompt, problem=problem_text(asked), has_choices=bool(asked.choices))
        return await code_loop(context, asked, config, messages, sample=sample)

    return propose_then_vote("solve_by_turns", config.n, propose)


STRATEGY = Strategy(
    name="mumath",
    summary="Name the knowledge that helps, then reason in words and programs by turns.",
    paper="MuMath-Code: Combining Tool-Use Large Language Models with Multi-perspective Data Augmentation"
    " (arXiv 2405.07551)",
    config=MumathConfig,
    build=build,
    prompts=(*PROMPTS.values(), OBSERVATION_PROMPT, REPHRASER.prompt, *ASK_PROMPTS),
    kind="tools",
    calls=(1, 4),
    needs=("sandbox",),
    training_free=False,
)
