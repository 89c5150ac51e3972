"""Block program: the model writes a program, the sandbox runs it, its value is the answer.

Source: "PAL: Program-aided Language Models" (arXiv 2211.10435). A failing program is dropped, not repaired.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import partial
from typing import Literal

from pydantic import Field

from mathagent.agents.blocks.code_text import extract_code
from mathagent.agents.blocks.execute import code_step, execute, executed_answer, execution_failure, program_limits
from mathagent.agents.blocks.recall import with_recalled
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.state import Draft
from mathagent.agents.strategy import StrategyConfig
from mathagent.events import CandidateProposed
from mathagent.memory.experience import Experience
from mathagent.prompts import render
from mathagent.types import (
    Candidate,
    Check,
    Completion,
    Execution,
    Failure,
    Message,
    Problem,
    SamplingParams,
    Step,
)

AnswerFrom = Literal["solution", "global", "last_line", "stdout"]

PROGRAM_PROMPTS = ("pal/solution", "pal/solution_prefill", "pal/global", "pal/last_line", "pal/stdout")

_STARTS_ANEW = re.compile(r"^(```|def solution\b)", re.MULTILINE)
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")
_TOP_LEVEL_ASSERT = re.compile(r"^assert\b.*$", re.MULTILINE)
"""Behind its function a model likes to assert the result that it expects: a guess, by which it fails right programs."""
_VALUE_OF: dict[AnswerFrom, str] = {"solution": "\n\nsolution()\n", "global": "\n\nanswer\n"}


class ProgramConfig(StrategyConfig):
    """Settings of reasoning by a program."""

    max_tokens: int = Field(default=512, ge=1, description="Completion tokens of one program.")
    answer_from: AnswerFrom = Field(
        default="solution",
        description="Where the answer is: what solution() returns, the global answer, the last line, or stdout.",
    )
    stdout_fallback: bool = Field(default=True, description="Accept a printed answer where none is returned.")
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds a program may run.")


async def write_programs(
    context: RunContext,
    problem: Problem,
    config: ProgramConfig,
    *,
    n: int,
    first_sample: int = 0,
    messages: tuple[Message, ...] = (),
    recalled: Sequence[Experience] = (),
    role: str = "coder",
) -> tuple[tuple[Draft, ...], str | None]:
    """Draws n programs for ``messages`` (default: PAL's prompt, and the ``recalled`` experiences); returns drafts and
    the limit that ended it.

    Where the backend can continue an assistant turn, the reply begins inside the program, which small models need.
    """
    if not messages:
        asked = render(
            f"pal/{config.answer_from}", problem=problem_text(problem), has_choices=bool(problem.choices)
        )
        messages = with_recalled(asked, recalled, "program")
    prefill: tuple[Message, ...] = ()
    if config.answer_from == "solution" and context.can(role).continue_assistant:
        # The line must be whole: without its end small models indent the next one by chance.
        prefill = tuple(
            turn.model_copy(update={"content": f"{turn.content}\n"}) for turn in render("pal/solution_prefill")
        )
    params = SamplingParams(
        temperature=config.sampling_temperature,
        top_p=config.top_p,
        n=n,
        max_tokens=config.max_tokens,
        stop=("\n```",) if prefill else (),
    )
    drafts, limit = await draw(
        context,
        (*messages, *prefill),
        params,
        role=role,
        first_sample=first_sample,
        continue_assistant=bool(prefill),
    )
    return tuple(_with_prefill(draft, prefill) for draft in drafts), limit


def _with_prefill(draft: Draft, prefill: tuple[Message, ...]) -> Draft:
    if not prefill or draft.completion is None or _STARTS_ANEW.search(draft.completion.text):
        return draft
    whole = prefill[0].content + _BLANK_LINES.sub("", draft.completion.text)
    return draft.model_copy(update={"completion": draft.completion.model_copy(update={"text": whole})})


async def run_programs(
    context: RunContext, problem: Problem, config: ProgramConfig, drafts: tuple[Draft, ...]
) -> list[Candidate]:
    """Runs the programs of ``drafts``, each in a namespace of its own, and returns the candidates in order."""

    async def candidate_of(draft: Draft) -> Candidate:
        candidate = await _run_program(context, problem, config, draft)
        context.emit(CandidateProposed(sample=draft.sample, candidate=candidate))
        return candidate

    return list(await asyncio.gather(*(candidate_of(draft) for draft in drafts)))


async def _run_program(context: RunContext, problem: Problem, config: ProgramConfig, draft: Draft) -> Candidate:
    reply = draft.completion
    if reply is None:
        return Candidate(failure=draft.failure)
    code = extract_code(reply.text)
    failure = _unusable(reply, code)
    if failure is not None:
        return Candidate(steps=(Step(kind="thought", text=reply.text),), failure=failure)
    program = _TOP_LEVEL_ASSERT.sub("", code) + _VALUE_OF.get(config.answer_from, "")
    limits = program_limits(context, config.timeout_s)
    execution = await execute(
        context, partial(context.sandbox.run, limits=limits), program, sample=draft.sample, shown=code
    )
    steps = (
        code_step(code, execution),
        Step(kind="observation", text=_observed(execution), origin="tool", execution=execution),
    )
    if not execution.ok:
        return Candidate(steps=steps, failure=execution_failure(execution))
    answer = await executed_answer(
        context,
        problem,
        execution,
        returned=config.answer_from != "stdout",
        printed=config.answer_from == "stdout" or config.stdout_fallback,
    )
    if answer is None:
        return Candidate(steps=steps, failure=Failure(kind="no-answer", message="the program returned no answer"))
    check = Check(
        kind="execution",
        program=execution.edited or program,
        expected=answer.normal,
        outcome="holds",
        seconds=execution.wall_s,
    )
    return Candidate(steps=steps, answer=answer, checks=(check,))


def _unusable(reply: Completion, code: str) -> Failure | None:
    """Why a reply holds no program that could run; None where it does (its syntax is the sandbox's to judge)."""
    if reply.finish_reason == "content_filter":
        return Failure(kind="refused", message="the model's provider withheld the reply")
    if reply.finish_reason == "length":
        tokens = reply.usage.completion_tokens
        return Failure(kind="truncated", message=f"the program was cut at {tokens} tokens")
    if not code:
        return Failure(kind="no-answer", message="the model wrote no program")
    return None


def _observed(execution: Execution) -> str:
    parts = [execution.stdout.rstrip(), execution.value or "", execution.error or ""]
    return "\n".join(part for part in parts if part)
