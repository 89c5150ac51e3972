"""Block compare problems: a problem is taken apart, and two are held against each other, condition by condition.

Source: RCoT (arXiv 2305.11499), whose second problem is rebuilt from a solution of the first.
"""

from __future__ import annotations

import asyncio
from itertools import compress
from typing import Any, TypeVar

from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, Asked, ask
from mathagent.agents.context import RunContext
from mathagent.agents.role import Role
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.types import SamplingParams, Value

MAX_CONDITIONS = 24
RETRIES = 1

R = TypeVar("R", bound=Value)


class Parts(Value):
    """A problem taken apart."""

    conditions: tuple[str, ...] = Field(
        default=(),
        max_length=MAX_CONDITIONS,
        description="one condition, in the problem's words, with its numbers",
    )
    question: str = Field(default="", description="what the problem asks")

    @property
    def numbered(self) -> str:
        """The conditions, one a line."""
        return "\n".join(f"{number}. {one}" for number, one in enumerate(self.conditions, start=1))


class Inference(Value):
    """Whether a statement follows from what is known."""

    follows: bool = Field(description="whether the statement follows from what is known")


class SameQuestion(Value):
    """Whether two questions ask the same."""

    same: bool = Field(description="whether both ask for the same quantity")


class Differences(Value):
    """All that differs between problem A and problem B."""

    not_in_b: tuple[int, ...] = Field(default=(), description="number of a condition of A that B does not imply")
    not_in_a: tuple[int, ...] = Field(default=(), description="number of a condition of B that A does not imply")
    same_question: bool = Field(default=True, description="whether both questions ask for the same quantity")


class Findings(Value):
    """What is wrong with a solution: conditions of the problem that it overlooks, others that it invents, and the
    question that it answers where that is another ("": it is the same)."""

    overlooked: tuple[str, ...] = ()
    invented: tuple[str, ...] = ()
    asked: str = ""

    @property
    def any(self) -> bool:
        """Whether there is anything that a revision can be told."""
        return bool(self.overlooked or self.invented or self.asked)


DECOMPOSER = Role("decomposer", "rcot/decompose", SamplingParams(max_tokens=512), Parts)
INFERRER = Role("inferrer", "rcot/infer", SamplingParams(max_tokens=256), Inference)
QUESTIONER = Role("questioner", "rcot/same_question", SamplingParams(max_tokens=256), SameQuestion)
COMPARER = Role("comparer", "rcot/differences", SamplingParams(max_tokens=768), Differences)
COMPARE_PROMPTS = (*(role.prompt for role in (DECOMPOSER, INFERRER, QUESTIONER, COMPARER)), *ASK_PROMPTS)
"""The prompts of this block, for ``Strategy.prompts``."""


async def taken_apart(context: RunContext, problems: list[str], sample: int = 0) -> tuple[list[Parts], str | None]:
    """The parts of each of ``problems`` (none where they cannot be had), and the limit that ended the asking."""
    return await asked_all(context, [(DECOMPOSER, Parts(), {"problem": text}) for text in problems], sample)


async def asked_all(
    context: RunContext, questions: list[tuple[Role, R, dict[str, Any]]], sample: int
) -> tuple[list[R], str | None]:
    """The replies to ``questions`` (role, fallback, slots), asked side by side, and the limit that ended one.

    One that fails has its fallback for a reply, and is a warning. Raises BackendError where all fail.
    """

    async def one(role: Role, fallback: R, slots: dict[str, Any]) -> Asked[R] | BackendError:
        try:
            return await ask(context, role, fallback=fallback, sample=sample, retries=RETRIES, **slots)
        except BackendError as error:
            return error

    made = await asyncio.gather(*(one(*question) for question in questions))
    errors = [result for result in made if isinstance(result, BackendError)]
    if errors and len(errors) == len(made):
        raise errors[0]
    if errors:
        context.emit(Warned(message=f"{len(errors)} of {len(made)} comparisons failed: {errors[0]}"))
    replies = [
        fallback if isinstance(result, BackendError) else result.reply
        for (_, fallback, _), result in zip(questions, made, strict=True)
    ]
    limits = [result.limit for result in made if isinstance(result, Asked) and result.limit]
    return replies, next(iter(limits), None)


async def compared(
    context: RunContext, problem: Parts, rebuilt: Parts, sample: int
) -> tuple[Findings, str | None]:
    """What differs, one question a condition in both directions and one about the questions, and the limit.

    What cannot be read counts as no difference: a false alarm spoils a right solution. So does a question that taking
    apart has not found: nobody is asked whether it is the other one.
    """
    follows = Inference(follows=True)
    pairs = [(one, rebuilt) for one in problem.conditions] + [(one, problem) for one in rebuilt.conditions]
    inferences = [(INFERRER, follows, {"condition": one, "known": known.numbered}) for one, known in pairs]
    questions = {"question": problem.question, "other": rebuilt.question}
    wanted: list[tuple[Role, Value, dict[str, Any]]] = [*inferences]
    if all(text.strip() for text in questions.values()):
        wanted.append((QUESTIONER, SameQuestion(same=True), questions))
    replies, limit = await asked_all(context, wanted, sample)
    missing = [isinstance(reply, Inference) and not reply.follows for reply in replies[: len(inferences)]]
    same = all(reply.same for reply in replies if isinstance(reply, SameQuestion))
    of_problem = len(problem.conditions)
    found = Findings(
        overlooked=tuple(compress(problem.conditions, missing[:of_problem])),
        invented=tuple(compress(rebuilt.conditions, missing[of_problem:])),
        asked="" if same else rebuilt.question,
    )
    return found, limit


async def compared_at_once(
    context: RunContext, problem: Parts, rebuilt: Parts, sample: int
) -> tuple[Findings, str | None]:
    """What differs, by one question about all, and the limit."""
    asked = await ask(
        context,
        COMPARER,
        fallback=Differences(),
        sample=sample,
        retries=RETRIES,
        first=problem.numbered,
        second=rebuilt.numbered,
        question=problem.question,
        other=rebuilt.question,
    )
    said = asked.reply
    found = Findings(
        overlooked=_numbered(problem.conditions, said.not_in_b),
        invented=_numbered(rebuilt.conditions, said.not_in_a),
        asked="" if said.same_question or not problem.question.strip() else rebuilt.question,
    )
    return found, asked.limit


def _numbered(conditions: tuple[str, ...], numbers: tuple[int, ...]) -> tuple[str, ...]:
    """Those of ``conditions`` whose number (from 1) is among ``numbers``. Pure."""
    return tuple(one for number, one in enumerate(conditions, start=1) if number in numbers)
