"""Tests of small tasks: arithmetic, programs that run, and on which rung of the ladder typed replies are read."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping

from pydantic import Field

from mathagent.agents.ask import RungCounts, ask_question
from mathagent.agents.blocks.code_text import extract_code
from mathagent.agents.context import RunContext
from mathagent.agents.reply_ladder import rungs_for
from mathagent.agents.role import Role
from mathagent.answers.compare import AnswerComparer
from mathagent.errors import SandboxError
from mathagent.evals.probe.asking import Asking, Outcome, skipped
from mathagent.events import RUNGS, Event, Rung
from mathagent.prompts import render
from mathagent.sandbox.base import Limits
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.types import SamplingParams, Value

ITEMS_EACH = 4
CODE_LIMITS = Limits(timeout_s=10.0, cpu_s=10.0)
QUESTIONS = ((17, 25), (31, 12), (8, 9))


def arithmetic_items() -> dict[str, int]:
    """Sums, differences and products of whole numbers, always the same, with their results."""
    numbers = random.Random(7)
    items: dict[str, int] = {}
    for _ in range(ITEMS_EACH):
        a, b = numbers.randint(100, 999), numbers.randint(100, 999)
        items[f"{a} + {b}"] = a + b
        a, b = numbers.randint(500, 999), numbers.randint(10, 499)
        items[f"{a} - {b}"] = a - b
        a, b = numbers.randint(11, 99), numbers.randint(3, 9)
        items[f"{a} × {b}"] = a * b
    return items


async def arithmetic(asking: Asking) -> Outcome:
    """How many of twelve small calculations are right."""
    items = arithmetic_items()
    replies = await asyncio.gather(*(asking.reply("arithmetic", {"question": one}) for one in items))
    right = sum(_last_number(reply.text) == result for reply, result in zip(replies, items.values(), strict=True))
    share = right / len(items)
    return Outcome(state="measured", detail=f"{right} of {len(items)} right", numbers={"accuracy": share})


def _last_number(text: str) -> int | None:
    found = re.findall(r"-?\d[\d,]*", text)
    return int(found[-1].replace(",", "")) if found else None


def code_tasks() -> Mapping[str, tuple[dict[str, int], str]]:
    """Prompt → (its slots, what the program must print)."""
    squares = sum(number**2 for number in range(1, 100, 2))
    primes = sum(all(number % other for other in range(2, number)) for number in range(2, 300))
    digits = sum(map(int, str(2**50)))
    return {
        "code_squares": ({"last": 99}, str(squares)),
        "code_primes": ({"last": 300}, str(primes)),
        "code_digits": ({"power": 50}, str(digits)),
    }


async def code(asking: Asking) -> Outcome:
    """How many of three programs run, and print what they should."""
    tasks = code_tasks()
    replies = await asyncio.gather(*(asking.reply(prompt, slots) for prompt, (slots, _) in tasks.items()))
    ran = right = 0
    for reply, (_, expected) in zip(replies, tasks.values(), strict=True):
        try:
            done = await asking.sandbox.run(extract_code(reply.text), CODE_LIMITS)
        except SandboxError as error:
            return skipped(f"no program can run here: {error}")
        ran += done.ok
        right += done.ok and done.stdout.strip() == expected
    detail = f"{ran} of {len(tasks)} programs ran, {right} gave the right result"
    return Outcome(state="measured", detail=detail, numbers={"ran": ran / len(tasks), "right": right / len(tasks)})


class Balls(Value):
    """The reply that is asked for on every rung."""

    count: int = Field(description="how many balls there are")
    more: str = Field(description="the colour of which there are more")


FALLBACK = Balls(count=-1, more="")


async def ladder(asking: Asking) -> Outcome:
    """On each rung of the parsing ladder: the share of replies that are read there; and how many replies a question
    takes where all rungs are open."""
    asking.as_found()
    numbers: dict[str, float] = {}
    parts: list[str] = []
    for rung in rungs_for(asking.raw.capabilities, Balls):
        # A server that refuses this one request is asked in text instead, and that counts as not read there.
        allowed: tuple[Rung, ...] = (rung,) if rung in ("block", "labels") else (rung, "block")
        counts = await _asked(asking, allowed, retries=0)
        numbers[rung] = counts.by_rung.get(rung, 0) / counts.questions
        parts.append(f"{rung} {numbers[rung]:.0%}")
        asking.so_far = Outcome(state="measured", detail=", ".join(parts), numbers=dict(numbers))
    counts = await _asked(asking, RUNGS, retries=2)
    numbers["replies_a_question"] = counts.attempts / counts.questions
    numbers["fell_back"] = counts.fell_back / counts.questions
    parts.append(f"{numbers['replies_a_question']:.1f} replies a question, {numbers['fell_back']:.0%} unread")
    return Outcome(state="measured", detail=", ".join(parts), numbers=numbers)


async def _asked(asking: Asking, rungs: tuple[Rung, ...], *, retries: int) -> RungCounts:
    """The counts of all questions, each asked with these rungs only."""
    stream: list[Event] = []
    calls = ConfinedCalls()
    context = RunContext(
        backend=asking.backend,
        sandbox=asking.sandbox,
        comparer=AnswerComparer(calls.call),
        meter=asking.meter,
        emit=stream.append,
    )
    role = Role("probe", "probe/asked", SamplingParams(max_tokens=asking.limits.reply_tokens), Balls)
    try:
        asked = (render(role.prompt, a=a, b=b) for a, b in QUESTIONS)
        await asyncio.gather(
            *(
                ask_question(context, role, Balls, question, fallback=FALLBACK, retries=retries, rungs=rungs)
                for question in asked
            )
        )
    finally:
        await calls.aclose()
    return RungCounts.of(stream)
