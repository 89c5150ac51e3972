"""Module knowledge (KR): facts, formulas and conditions that the model itself recalls, before it solves anything."""

from __future__ import annotations

from mathagent.agents.modules.pipeline import Found, Pipeline
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.agents.state import Finding
from mathagent.tools.knowledge import FACTS_PARAMS, FACTS_PROMPT, relevant_facts
from mathagent.types import Message, Step

KNOWLEDGE = Role("knowledge", FACTS_PROMPT, FACTS_PARAMS)


async def knowledge(pipeline: Pipeline, question: str = "") -> Found:
    """The model's facts for ``question`` (default: the problem)."""
    limit: str | None = None
    steps: tuple[Step, ...] = ()

    async def write(messages: tuple[Message, ...]) -> str:
        nonlocal limit, steps
        draft, limit = await pipeline.write(KNOWLEDGE, messages)
        if draft.completion is None:
            return ""
        steps = (Step(kind="thought", text=draft.completion.text),)
        return draft.completion.text

    facts = await relevant_facts(write, question or problem_text(pipeline.problem), pipeline.known)
    return Finding(module="knowledge", title="Facts recalled", text=facts, steps=steps), limit
