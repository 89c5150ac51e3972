"""The knowledge tool: what the model itself knows that bears on a problem, as bullets.

Source: the knowledge retriever of "MATHSENSEI: A Tool-Augmented Large Language Model for Mathematical Reasoning"
(arXiv 2402.17231). The facts are the model's word: nothing has checked them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import Field

from mathagent.models.base import Backend, ChatRequest
from mathagent.prompts import render
from mathagent.tools.base import Tool, ToolResult
from mathagent.types import Message, SamplingParams

FACTS_PROMPT = "mathsensei/knowledge"
FACTS_PARAMS = SamplingParams(temperature=0.5, max_tokens=512)
MAX_FACTS = 8

_BULLET = re.compile(r"[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t]+(?=\S)")

Write = Callable[[tuple[Message, ...]], Awaitable[str]]
"""Gives the model's reply to a prompt; "" where there is none."""


def knowledge_tool(backend: Backend, params: SamplingParams = FACTS_PARAMS) -> Tool:
    """The tool "knowledge": each call is one question to ``backend``, sampled with ``params``."""

    async def write(messages: tuple[Message, ...]) -> str:
        request = ChatRequest(messages=messages, params=params.model_copy(update={"n": 1}), role="knowledge")
        return (await backend.complete(request))[0].text

    async def knowledge(
        problem: Annotated[str, Field(min_length=1, description="The problem, complete in itself.")],
    ) -> ToolResult:
        """Lists definitions, formulas and theorems that a mathematics problem needs, from memory.

        It does not solve the problem, and nothing has checked what it says.
        """
        facts = await relevant_facts(write, problem)
        return ToolResult(text=facts or "No facts were recalled.", ok=bool(facts))

    return Tool(knowledge)


async def relevant_facts(write: Write, problem: str, known: str = "") -> str:
    """The model's facts for ``problem``, one bullet a line; "" where it gave none. ``known`` is what it may build on.

    Raises what ``write`` raises.
    """
    return bulleted(await write(render(FACTS_PROMPT, problem=problem, known=known)))


def bulleted(reply: str) -> str:
    """The points of ``reply`` as lines that begin with "- ", at most ``MAX_FACTS``. Pure.

    A line without a mark belongs to the point before it; words before the first point are left out. Where nothing is
    marked each line is a point.
    """
    lines = [line for line in reply.splitlines() if line.strip()]
    marked = any(_BULLET.match(line) for line in lines)
    points: list[str] = []
    for line in lines:
        bullet = _BULLET.match(line)
        if bullet is not None or not marked:
            points.append(line[bullet.end() if bullet else 0 :].strip())
        elif points:
            points[-1] += f" {line.strip()}"
    return "\n".join(f"- {point}" for point in points[:MAX_FACTS])
