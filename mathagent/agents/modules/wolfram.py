"""Module wolfram (WA): the model puts one computation to Wolfram Alpha, until a query has a result.

The context's tool "wolfram" answers: the service, or, where the solver has no app id, the symbolic evaluator.
"""

from __future__ import annotations

from pydantic import Field

from mathagent.agents.modules.pipeline import Found, Pipeline
from mathagent.agents.reply_ladder import Unreadable, read
from mathagent.agents.role import Role
from mathagent.agents.state import Finding
from mathagent.prompts import render
from mathagent.types import SamplingParams, Step, Value

QUERIER = Role("wolfram", "mathsensei/wolfram_query", SamplingParams(max_tokens=600))
CLEANER = Role("wolfram-cleaner", "mathsensei/wolfram_clean", SamplingParams(max_tokens=128))
WOLFRAM_PROMPTS = (QUERIER.prompt, CLEANER.prompt)
FAILED_CHARS = 400
"""Characters of what was said to a query without a result, which the next try is shown."""


class WolframQuery(Value):
    """What to ask the service: why, in words, and as it is sent."""

    thought: str = ""
    answer: str = ""
    final_query: str = Field(min_length=1)


async def wolfram(pipeline: Pipeline) -> Found:
    """Thought, query and result of the first query that had one; nothing where there is no tool "wolfram"."""
    steps: list[Step] = []
    failed = ""
    if "wolfram" not in pipeline.context.tools:
        return Finding(module="wolfram"), None
    for attempt in range(pipeline.config.wolfram_tries):
        prompt = pipeline.prompt(QUERIER.prompt, known=pipeline.known, failed=failed)
        draft, limit = await pipeline.write(QUERIER, prompt, attempt=attempt)
        if draft.completion is None:
            return Finding(module="wolfram", steps=tuple(steps)), limit
        steps.append(Step(kind="thought", text=draft.completion.text))
        reading = read(draft.completion, "labels", WolframQuery)
        if isinstance(reading, Unreadable):
            continue
        query = reading.reply.final_query.splitlines()[0].strip(" `")
        result = await pipeline.look_up("wolfram", query)
        steps.append(Step(kind="observation", text=result.text, origin="tool"))
        if result.ok:
            return await _cleaned(pipeline, reading.reply.thought, query, result.text, steps)
        failed = f"{query}\n{result.text[:FAILED_CHARS]}"
    return Finding(module="wolfram", steps=tuple(steps)), None


async def _cleaned(pipeline: Pipeline, thought: str, query: str, result: str, steps: list[Step]) -> Found:
    """The finding with the result in one sentence; as it came where the model does not say it."""
    draft, limit = await pipeline.write(CLEANER, render(CLEANER.prompt, query=query, result=result))
    if draft.completion is not None:
        steps.append(Step(kind="thought", text=draft.completion.text))
        result = draft.completion.text.strip() or result
    lines = [f"Thought: {thought}"] if thought else []
    text = "\n".join([*lines, f"Query: {query}", f"Result: {result}"])
    return Finding(module="wolfram", title="Wolfram Alpha", text=text, steps=tuple(steps)), limit
