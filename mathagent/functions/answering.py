"""The typed answer protocol of AskIt (arXiv 2308.15645): a model gives the value of a call.

The task with the names of its variables in quotes, their values beside it; examples as turns before it; a reply that is
no value of the type is shown to the model again with what was wrong, once; then the conversation starts afresh.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from pydantic import JsonValue

from mathagent.agents.ask import ask_question
from mathagent.agents.context import RunContext
from mathagent.agents.reply_schema import REASONING
from mathagent.agents.role import Role
from mathagent.errors import FunctionError, LimitReached
from mathagent.events import Rung
from mathagent.functions.examples import CheckedExample
from mathagent.functions.options import Options
from mathagent.functions.reply_types import ANSWER, as_json, type_name
from mathagent.functions.signature import Signature
from mathagent.prompts import render
from mathagent.types import Message, SamplingParams, Usage

T = TypeVar("T")

PROMPT, EXAMPLE_PROMPT, CORRECT_PROMPT = "functions/answer", "functions/example", "functions/correct"
ANSWER_PROMPTS = (PROMPT, EXAMPLE_PROMPT, CORRECT_PROMPT)
ROLE = "function"
RUNGS: tuple[Rung, ...] = ("schema", "block")
"""Examples show replies as JSON, so no tool is to be called."""
TRIES_A_CONVERSATION = 2
CORRECTIONS = 10
FRESH_TEMPERATURE = 0.7
"""A conversation that starts afresh at temperature 0 would go as the first one did."""
DUMMY_REASONING = "Worked out from the inputs."


@dataclass(frozen=True)
class Called(Generic[T]):
    """What one call gave.

    ``reasoning`` is the model's own, ``problems`` what was wrong with its unreadable or rejected replies, ``attempts``
    how many replies were read for it, ``by_code`` whether written code gave it (``usage`` is then what its writing
    took, if that was now), ``fell_back`` whether the value is the stated fallback.
    """

    value: T
    reasoning: str = ""
    problems: tuple[str, ...] = ()
    attempts: int = 0
    by_code: bool = False
    fell_back: bool = False
    usage: Usage = field(default_factory=Usage)


async def answer(
    context: RunContext,
    signature: Signature,
    values: Mapping[str, Any],
    examples: Sequence[CheckedExample],
    options: Options,
) -> Called[Any]:
    """The value of ``signature`` for the bound ``values``, from the model; rejected ones are corrected up to 10 times.

    Raises FunctionError where no reply is a value that the validator takes, LimitReached where the budget ends before,
    BackendError where the model cannot be reached.
    """
    question = messages(signature, signature.as_json(values), examples)
    problems: tuple[str, ...] = ()
    attempts = 0
    for correction in range(CORRECTIONS + 1):
        asked = await _converse(context, signature, question, options)
        attempts, problems = attempts + asked.attempts, (*problems, *asked.problems)
        feedback = await _feedback(options, asked.value)
        if feedback is None:
            return Called(asked.value, asked.reasoning, problems, attempts, usage=context.meter.usage)
        problems = (*problems, feedback)
        if correction < CORRECTIONS:
            reply = _reply(asked.reasoning, as_json(signature.returned, asked.value, "the answer"))
            question = (*question, *render(CORRECT_PROMPT, reply=reply, feedback=feedback.rstrip(".")))
    raise FunctionError(
        f"{signature.name}: the validator took no answer, not after {CORRECTIONS} corrections; of the last one it said:"
        f" {problems[-1]}",
        problems,
    )


def messages(
    signature: Signature, inputs: Mapping[str, JsonValue], examples: Sequence[CheckedExample]
) -> tuple[Message, ...]:
    """The chat that asks for a value; each example is two turns of it. The form of the reply is told beside it."""
    system, question = _turns(signature, inputs)
    shown: list[Message] = []
    for one in examples:
        shown.append(_turns(signature, one.inputs)[1])
        shown += render(EXAMPLE_PROMPT, reply=_reply(one.reasoning or DUMMY_REASONING, one.output))
    return (system, *shown, question)


def _turns(signature: Signature, inputs: Mapping[str, JsonValue]) -> tuple[Message, ...]:
    told = {name: json.dumps(value, ensure_ascii=False) for name, value in inputs.items()}
    return render(PROMPT, task=signature.template.quoted, inputs=told)


def _reply(reasoning: str, output: JsonValue) -> str:
    return json.dumps({REASONING: reasoning, ANSWER: output}, ensure_ascii=False)


async def _converse(
    context: RunContext, signature: Signature, question: tuple[Message, ...], options: Options
) -> Called[Any]:
    """Asks until a reply is a value: a conversation of two replies, then a fresh one."""
    problems: tuple[str, ...] = ()
    attempts = conversation = 0
    while attempts < options.attempts:
        asked = await ask_question(
            context,
            Role(ROLE, PROMPT, sampling(options.params, conversation)),
            signature.reply,
            question,
            fallback=cast("Any", None),
            sample=conversation,
            retries=min(TRIES_A_CONVERSATION, options.attempts - attempts) - 1,
            rungs=RUNGS,
            care="strict" if options.strict else "exact",
        )
        attempts, problems = attempts + asked.attempts, (*problems, *asked.problems)
        if asked.limit is not None:
            raise limit_reached(context, asked.limit)
        if not asked.fell_back:
            return Called(getattr(asked.reply, ANSWER), asked.reasoning, problems, attempts)
        conversation += 1
    raise FunctionError(
        f"{signature.name}: none of {attempts} replies was a value of {type_name(signature.returns)}; the last problem:"
        f" {problems[-1]}",
        problems,
    )


def sampling(params: SamplingParams, conversation: int) -> SamplingParams:
    """How replies of the ``conversation``-th start are sampled."""
    if conversation == 0:
        return params
    return params.model_copy(update={"temperature": max(params.temperature, FRESH_TEMPERATURE)})


def limit_reached(context: RunContext, said: str) -> LimitReached:
    """What ends a call whose budget is used up, as ``said``."""
    reached = context.meter.limit_reached()
    return LimitReached("max_calls" if reached is None else reached.limit, said)


async def _feedback(options: Options, value: Any) -> str | None:
    """What the validator finds wrong. It runs in a thread: it may take its time, and call other typed functions."""
    if options.validator is None:
        return None
    return await asyncio.to_thread(options.validator, value) or None
