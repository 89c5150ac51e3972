"""Typed ask: a role's question whose reply is a value.

The model reasons before it answers: ``reasoning`` is the first property of what it fills in, on every rung of the
ladder (``agents/reply_ladder.py``). A reply that does not validate is asked for again, one rung lower, with what was
wrong; after the last try the stated fallback is the reply.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from pydantic import Field

from mathagent import events
from mathagent.agents.blocks.sample import draw
from mathagent.agents.context import RunContext
from mathagent.agents.reply_ladder import (
    FORM_PROMPTS,
    Care,
    Unreadable,
    form_of,
    instructions,
    read,
    rungs_for,
)
from mathagent.agents.role import Role
from mathagent.errors import BackendError
from mathagent.events import RUNGS, Event, Rung
from mathagent.prompts import render
from mathagent.types import Completion, Message, SamplingParams, Value

R = TypeVar("R", bound=Value)

ASK_PROMPTS = (*FORM_PROMPTS, "ask/again")
"""The prompts of every typed question, beside the role's own: for ``Strategy.prompts``."""

SHOWN_CHARACTERS = 2000
"""Of a reply that could not be read, as it is shown to the model again."""
_REFUSALS = frozenset({400, 422, 500, 501})
"""HTTP statuses by which servers refuse tools or schemas that they do not know."""


@dataclass(frozen=True)
class Asked(Generic[R]):
    """The answer to a typed question.

    ``rung`` is where the reply was read (None: it fell back), ``attempts`` how many replies that took, ``dropped``
    how many elements of its lists were wrong and are left out. ``problems`` is what was wrong with each unreadable
    reply. ``limit`` is the budget's limit that ended the asking.
    """

    reply: R
    reasoning: str = ""
    rung: Rung | None = None
    attempts: int = 0
    fell_back: bool = False
    dropped: int = 0
    problems: tuple[str, ...] = ()
    limit: str | None = None

    @property
    def problem(self) -> str:
        """What was wrong with the last unreadable reply."""
        return self.problems[-1] if self.problems else ""


class RungCounts(Value):
    """How often each rung was needed; sums over solves with +. ``attempts`` counts the replies that were read."""

    questions: int = 0
    attempts: int = 0
    fell_back: int = 0
    by_rung: dict[Rung, int] = Field(default_factory=dict)

    @classmethod
    def of(cls, stream: Iterable[Event]) -> RungCounts:
        """The counts of all typed questions in a stream of events."""
        counts = cls()
        for event in stream:
            if isinstance(event, events.Asked):
                by_rung = {} if event.rung is None else {event.rung: 1}
                counts += cls(questions=1, attempts=event.attempts, fell_back=event.fell_back, by_rung=by_rung)
        return counts

    def __add__(self, other: RungCounts) -> RungCounts:
        rungs = [rung for rung in events.RUNGS if rung in self.by_rung or rung in other.by_rung]
        return RungCounts(
            questions=self.questions + other.questions,
            attempts=self.attempts + other.attempts,
            fell_back=self.fell_back + other.fell_back,
            by_rung={rung: self.by_rung.get(rung, 0) + other.by_rung.get(rung, 0) for rung in rungs},
        )


async def ask(
    context: RunContext,
    role: Role,
    *,
    fallback: R,
    sample: int = 0,
    retries: int = 2,
    params: SamplingParams | None = None,
    reply: type[R] | None = None,
    **slots: Any,
) -> Asked[R]:
    """Asks ``role`` with the ``slots`` of its prompt; at most ``1 + retries`` replies are read.

    ``reply`` (else the role's own) is the type of the reply, and ``fallback`` is of it. ``sample`` tells questions of
    the same prompt apart. A budget that ends gives the fallback, with ``limit``. Raises BackendError where the model
    cannot be reached, UsageError for wrong slots.
    """
    kind = cast("type[R] | None", reply or role.reply)
    if kind is None or not isinstance(fallback, kind):
        raise TypeError(f"the fallback of role {role.name} must be of its reply's type, {kind}")
    asker = replace(role, params=params or role.params)
    question = render(role.prompt, **slots)
    return await ask_question(context, asker, kind, question, fallback=fallback, sample=sample, retries=retries)


async def ask_question(
    context: RunContext,
    role: Role,
    kind: type[R],
    question: tuple[Message, ...],
    *,
    fallback: R,
    sample: int = 0,
    retries: int = 2,
    rungs: Collection[Rung] = RUNGS,
    care: Care = "forgiving",
) -> Asked[R]:
    """As ``ask``, with a ``question`` that is rendered already (its last message is the user's), for a reply of
    ``kind``. ``rungs`` are those that may be used, ``care`` is how replies are taken."""
    asked = await _ask(context, role, kind, question, fallback, sample, retries, rungs, care)
    context.emit(
        events.Asked(
            role=role.name,
            sample=sample,
            rung=asked.rung,
            attempts=asked.attempts,
            fell_back=asked.fell_back,
            dropped=asked.dropped,
        )
    )
    return asked


async def _ask(
    context: RunContext,
    role: Role,
    kind: type[R],
    question: tuple[Message, ...],
    fallback: R,
    sample: int,
    retries: int,
    rungs: Collection[Rung],
    care: Care,
) -> Asked[R]:
    capabilities, params = context.can(role.name), role.params.model_copy(update={"n": 1})
    ladder = [rung for rung in rungs_for(capabilities, kind) if rung in rungs]
    unread: Completion | None = None
    problems: tuple[str, ...] = ()
    attempts = 0
    while attempts <= retries:
        rung = ladder[0]
        form = form_of(rung, capabilities, kind).model_copy(update={"typed": True})
        told = instructions(rung, kind)
        messages = _first(question, told) if unread is None else _again(question, unread, problems[-1], told)
        try:
            drafts, limit = await draw(context, messages, params, role=role.name, first_sample=sample, form=form)
        except BackendError as error:
            if rung not in ("tool-call", "schema") or error.status not in _REFUSALS:
                raise
            ladder.pop(0)  # a plain request tells whether it was the form that was refused
            continue
        completion = drafts[0].completion if drafts else None
        if completion is None:
            return Asked(fallback, attempts=attempts, fell_back=True, problems=problems, limit=limit)
        attempts += 1
        reading = read(completion, rung, kind, care)
        if not isinstance(reading, Unreadable):
            return Asked(
                reading.reply, reading.reasoning, reading.rung, attempts, False, reading.dropped, problems
            )
        unread, problems = completion, (*problems, reading.problem)
        if completion.finish_reason == "content_filter":
            problems = (*problems[:-1], "the model's provider withheld the reply")
            break
        if len(ladder) > 1:
            ladder.pop(0)
    return Asked(fallback, attempts=attempts, fell_back=True, problems=problems)


def _first(question: tuple[Message, ...], told: str) -> tuple[Message, ...]:
    last = question[-1]
    if last.role != "user":
        return (*question, Message(role="user", content=told))
    return (*question[:-1], last.model_copy(update={"content": f"{last.content}\n\n{told}"}))


def _again(question: tuple[Message, ...], unread: Completion, problem: str, told: str) -> tuple[Message, ...]:
    """The question, the reply that could not be read (as text, whatever it was), and what was wrong with it."""
    text = unread.text.strip() or " ".join(call.arguments for call in unread.tool_calls) or "(nothing)"
    shown = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} …"
    return (
        *question,
        Message(role="assistant", content=shown),
        *render("ask/again", problem=problem, form=told),
    )
