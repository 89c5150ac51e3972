"""zero-shot-cot: the paper's two prompts: one that starts the reasoning, one that asks for the answer.

Paper: "Large Language Models are Zero-Shot Reasoners" (arXiv 2205.11916). The second call is always made, and the first
match behind its trigger is the answer; ``always_extract=false`` asks only where the reasoning states none. ``cot`` is
the same for chat models, with a boxed answer. ``variant=none`` is the paper's baseline without reasoning, in one call.
The sentences of "Plan-and-Solve Prompting" (arXiv 2305.04091) are variants, in words of ours. ``system`` and
``trigger`` are what `mathagent optimize-prompt` searches for. With n > 1 the chains vote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from mathagent.agents.blocks.reason import ReadAnswer, ReasonConfig, conclude_reasoning
from mathagent.agents.blocks.reason_then_extract import reason_then_extract
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import Strategy
from mathagent.answers.choices import labelled_choices
from mathagent.answers.extract import extract_from_trigger_reply
from mathagent.events import CandidateProposed
from mathagent.prompts import render
from mathagent.types import Answer, Candidate, Failure, Message, Problem, SamplingParams, Step

PROMPT = "zero_shot_cot/reason"
NEXT_QUESTION = "\nQ:"
"""A base model goes on with a question of its own; there the answer has ended. Hosted chat models need no such stop,
and some refuse one: it is sent where the backend shows that it takes raw text."""

_YES_OR_NO = re.compile(r"(?<![^\W_])(yes|no)(?![^\W_])", re.IGNORECASE)

Variant = Literal[
    "step-by-step",
    "first",
    "logically",
    "split",
    "step-by-step-first",
    "plan-and-solve",
    "plan-and-solve-plus",
    "none",
]


class ZeroShotCotConfig(ReasonConfig):
    """Settings of zero-shot-cot. The paper's 128 tokens of reasoning are too few for the models of today."""

    variant: Variant = Field(
        default="step-by-step", description="The sentence that starts the reasoning; none: no reasoning."
    )
    trigger: str | None = Field(  # type: ignore[assignment]
        default=None, max_length=4000, description="A sentence in place of the variant's; empty: no sentence."
    )
    system: str = Field(default="", max_length=8000, description="Text of the system turn; empty: no such turn.")
    answer_kind: Literal["number", "yes-no", "any"] = Field(
        default="number",
        description="What is asked for where there are no choices: a number, yes or no, or any answer.",
    )
    always_extract: bool = Field(default=True, description="Run stage two even where stage one ended well.")
    extract_tokens: int = Field(default=32, ge=1, description="Completion tokens of stage two.")

    @property
    def reasons(self) -> bool:
        """Whether there are two stages."""
        return self.variant != "none" or self.trigger is not None


def answer_trigger(problem: Problem, config: ZeroShotCotConfig) -> str:
    """The words that ask for the answer; without reasoning nothing follows from anything. Pure."""
    kinds = {
        "number": "the answer (arabic numerals) is",
        "yes-no": "the answer (Yes or No) is",
        "any": "the answer is",
    }
    if problem.choices:
        labels = [label for label, _ in labelled_choices(problem.choices)]
        words = f"among {labels[0]} through {labels[-1]}, the answer is"
    else:
        words = kinds[config.answer_kind]
    return f"Therefore, {words}" if config.reasons else f"{words[0].upper()}{words[1:]}"


def yes_or_no(text: str, choices: Sequence[str] = ()) -> Answer | None:
    """The first yes or no in a reply to the answer trigger. Pure."""
    found = _YES_OR_NO.search(text)
    return None if found is None else Answer(raw=found[0], normal=found[0].lower())


def reader(problem: Problem, config: ZeroShotCotConfig) -> ReadAnswer:
    """How the reply to the answer trigger is read. Pure."""
    return yes_or_no if config.answer_kind == "yes-no" and not problem.choices else extract_from_trigger_reply


def question(problem: Problem, config: ZeroShotCotConfig) -> tuple[Message, ...]:
    """The prompt of stage one. Pure."""
    turns = render(
        PROMPT,
        problem=problem_text(problem),
        variant=config.variant,
        trigger=config.trigger,
        answer_trigger=answer_trigger(problem, config),
    )
    return (Message(role="system", content=config.system), *turns) if config.system.strip() else turns


def answered_at_once(problem: Problem, draft: Draft, read: ReadAnswer) -> Candidate:
    """The candidate of a reply to the answer trigger alone. Pure."""
    if draft.completion is None:
        return Candidate(failure=draft.failure)
    steps = (Step(kind="thought", text=draft.completion.text),)
    answer = read(draft.completion.text, problem.choices)
    if answer is None:
        return Candidate(steps=steps, failure=Failure(kind="no-answer", message="it is no answer"))
    return Candidate(steps=steps, answer=answer, extraction_stage=2)


def build(config: ZeroShotCotConfig) -> StateGraph[Any, Any, Any, Any]:
    """reason → extract → select."""

    async def reason(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        raw = runtime.context.can("reasoner").continue_assistant
        params = SamplingParams(
            temperature=config.sampling_temperature,
            top_p=config.top_p,
            n=config.n,
            max_tokens=config.max_tokens if config.reasons else config.extract_tokens,
            stop=(NEXT_QUESTION,) if raw else (),
        )
        messages = question(state.problem, config)
        drafts, limit = await draw(runtime.context, messages, params, role="reasoner")
        return {"drafts": drafts, "limit": limit}

    async def extract(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context, problem = runtime.context, state.problem
        if not config.reasons:
            candidates = [answered_at_once(problem, draft, reader(problem, config)) for draft in state.drafts]
            for draft, candidate in zip(state.drafts, candidates, strict=True):
                context.emit(CandidateProposed(sample=draft.sample, candidate=candidate))
            return {"candidates": candidates}
        candidates, limit = await conclude_reasoning(
            context,
            problem,
            config,
            state.drafts,
            rescue_truncated=config.n == 1,
            answer_trigger=answer_trigger(problem, config),
            read=reader(problem, config),
        )
        return {"candidates": candidates, "limit": state.limit or limit}

    return reason_then_extract(reason, extract)


STRATEGY = Strategy(
    name="zero-shot-cot",
    summary="The classic two calls: a sentence that starts the reasoning, then one that asks for the answer.",
    paper="Large Language Models are Zero-Shot Reasoners (arXiv 2205.11916)",
    config=ZeroShotCotConfig,
    build=build,
    prompts=(PROMPT, "cot/extract", "cot/extract_prefill"),
    kind="prompting",
    calls=(2, 2),
    needs=(),
)
