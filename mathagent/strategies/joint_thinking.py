"""joint-thinking: one answer with thinking, one without; where they differ, think once more with both in view.

Paper: "Thinking with Nothinking Calibration: A New In-Context Learning Paradigm in Reasoning Large Language Models"
(arXiv 2508.03363). A model with a thinking section is kept from thinking by a section that is closed already, and
begins its second round in an opened one that names both answers; where the backend cannot continue an assistant turn,
instructions say the same. For ordinary models a greedy answer without reasoning stands against a chain of thought. Only
answers go into the second round, never what led to them. There is no third.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.agree_or_escalate import agree_or_escalate
from mathagent.agents.blocks.certainty import guess
from mathagent.agents.blocks.reason import REASON_PROMPT, reasoning_prompt, stated_candidate
from mathagent.agents.blocks.sample import draw, draw_one
from mathagent.agents.blocks.select import nothing, take
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.events import CandidateProposed
from mathagent.prompts import render
from mathagent.types import Candidate, Message, Problem, SamplingParams, Step

CLOSED, OPENED = "joint_thinking/closed", "joint_thinking/opened"
AT_ONCE, RETHINK, GUESS = "joint_thinking/at_once", "joint_thinking/rethink", "nesycd/guess"
GUESS_TOKENS = 48
NO_ANSWER = "no answer at all"
"""What the second round is told of an attempt that gave none."""

_THINKS = re.compile(
    r"qwq|deepseek-?r1|\br1-distill|qwen-?3(?!.*(?:instruct|coder))|think|reason|magistral", re.IGNORECASE
)
_END_OF_THINKING = "</think>"


class JointThinkingConfig(StrategyConfig):
    """Settings of joint-thinking; temperature and nucleus are those of the authors' script."""

    n: int = Field(default=1, ge=1, le=1, description="One solution; vote over several runs for more.")
    temperature: float | None = Field(default=0.6, ge=0, le=2, description="Temperature of all but a bare guess.")
    top_p: float = Field(default=0.95, gt=0, le=1, description="Nucleus of sampling.")
    max_tokens: int = Field(
        default=1024, ge=1, description="Completion tokens of a reply without a thinking section."
    )
    thinking_tokens: int = Field(default=16_000, ge=1, description="Completion tokens of one with such a section.")
    thinking: Literal["auto", "yes", "no"] = Field(
        default="auto", description="Whether the model has a thinking section; auto: by its name."
    )


def thinks(model: str) -> bool:
    """Whether a model of this name is known to think in a section of its own before it answers. Pure."""
    return bool(_THINKS.search(model))


def has_section(config: JointThinkingConfig, context: RunContext) -> bool:
    """Whether the model of this solve has a thinking section, as it is set or by its name."""
    return thinks(context.backend.name) if config.thinking == "auto" else config.thinking == "yes"


def thought_out(draft: Draft, problem: Problem, *, opened: bool = False) -> Candidate:
    """The candidate of a reply, whose answer stands behind its thinking. Pure.

    Where thinking was cut off no answer was stated, whatever stands in it. ``opened``: the reply begins within it.
    """
    reply = draft.completion
    if reply is None:
        return stated_candidate(draft)
    _, closed, said = reply.text.rpartition(_END_OF_THINKING)
    told_apart = bool(reply.reasoning and reply.text)  # by the server or its backend
    if not closed and not told_apart and reply.finish_reason == "length" and (opened or "<think>" in reply.text):
        said = ""
    spoken = draft.model_copy(update={"completion": reply.model_copy(update={"text": said})})
    whole = (Step(kind="thought", text="\n".join(part for part in (reply.reasoning, reply.text) if part)),)
    return stated_candidate(spoken, problem.choices).model_copy(update={"steps": whole})


def second_question(problem: Problem, candidates: list[Candidate], *, prefill: bool) -> tuple[Message, ...]:
    """What the second round is asked: the answers of both candidates, and nothing of how they came about. Pure."""
    first, second = (one.answer.raw if one.answer is not None else NO_ANSWER for one in candidates[:2])
    if prefill:
        return (*reasoning_prompt(problem), *_begun(OPENED, "\n", first=first, second=second))
    shown = {"problem": problem_text(problem), "has_choices": bool(problem.choices)}
    return render(RETHINK, first=first, second=second, **shown)


def _begun(prompt: str, end: str, **slots: str) -> tuple[Message, ...]:
    """The assistant turn of ``prompt``, to be continued behind ``end``."""
    return tuple(turn.model_copy(update={"content": turn.content + end}) for turn in render(prompt, **slots))


def build(config: JointThinkingConfig) -> StateGraph[Any, Any, Any, Any]:
    """(with_thinking, without_thinking) → compare → select, or rethink → select."""

    def params(context: RunContext) -> SamplingParams:
        """Of a reply with thinking."""
        tokens = config.thinking_tokens if has_section(config, context) else config.max_tokens
        return config.params.model_copy(update={"max_tokens": tokens})

    async def with_thinking(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        draft, limit = await draw_one(context, reasoning_prompt(problem), params(context), role="thinker")
        return proposed(context, 0, thought_out(draft, problem, opened=has_section(config, context)), limit)

    async def without_thinking(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        shown = {"problem": problem_text(problem), "has_choices": bool(problem.choices)}
        if not has_section(config, context):
            greedy = SamplingParams(temperature=0.0, max_tokens=GUESS_TOKENS)
            draft, limit = await draw_one(context, render(GUESS, **shown), greedy, role="answerer")
            return proposed(context, 1, guess(draft, problem.choices), limit)
        prefill = context.can("answerer").continue_assistant
        asked = (*reasoning_prompt(problem), *_begun(CLOSED, "\n\n")) if prefill else render(AT_ONCE, **shown)
        draft, limit = await draw_one(context, asked, config.params, role="answerer", continue_assistant=prefill)
        return proposed(context, 1, thought_out(draft, problem), limit)

    async def rethink(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        prefill = has_section(config, context) and context.can("rethinker").continue_assistant
        asked = second_question(problem, state.candidates, prefill=prefill)
        drafts, limit = await draw(context, asked, params(context), role="rethinker", continue_assistant=prefill)
        if not drafts:
            return {"limit": limit}
        opened = has_section(config, context)
        return {**proposed(context, 2, thought_out(drafts[0], problem, opened=opened), limit), "rounds": 1}

    async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        return {**await settled(runtime.context, state), "finished": True}

    graph = StateGraph(SolveState, context_schema=RunContext)
    views = {"with_thinking": with_thinking, "without_thinking": without_thinking}
    agree_or_escalate(graph, views, agreed="select", escalate="rethink", ended="select")
    graph.add_node("rethink", rethink)
    graph.add_node("select", select)
    for view in views:
        graph.add_edge(START, view)
    graph.add_edge("rethink", "select")
    graph.add_edge("select", END)
    return graph


def proposed(context: RunContext, number: int, candidate: Candidate, limit: str | None) -> dict[str, Any]:
    """The state update with candidate ``number``, which the run is told of."""
    context.emit(CandidateProposed(sample=number, candidate=candidate))
    return {"candidates": [candidate], "limit": limit}


async def settled(context: RunContext, state: SolveState) -> dict[str, Any]:
    """The state update with the answer: the second round's where there was one, else the one with thinking, else the
    one without."""
    candidates = state.candidates
    index = next(
        (place for place in (2, 0, 1) if candidates[place:] and candidates[place].answer is not None), None
    )
    if index is None:
        return nothing("neither with thinking nor without was an answer given")
    if state.agreed:
        return await take(context, candidates, index, "with and without thinking the answer is the same")
    missing = any(one.answer is None for one in candidates[:2])
    said = "one of the two views gave no answer" if missing else "the two views differ"
    rounds = "thought again" if index == 2 else "no second answer"
    return await take(context, candidates, index, f"{said}; {rounds}")


STRATEGY = Strategy(
    name="joint-thinking",
    summary="Answer with thinking and without; where the answers differ, think again with both in view.",
    paper="Thinking with Nothinking Calibration: A New In-Context Learning Paradigm in Reasoning Large Language Models"
    " (arXiv 2508.03363)",
    config=JointThinkingConfig,
    build=build,
    prompts=(REASON_PROMPT, GUESS, AT_ONCE, CLOSED, OPENED, RETHINK),
    kind="two views",
    calls=(2, 3),
    needs=(),
)
