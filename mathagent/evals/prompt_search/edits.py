"""Edits by PE2: a model is shown a text, where it failed, and how to think about that; it writes a better one.

Source: "Prompt Engineering a Prompt Engineer" (arXiv 2311.05661): the description of the task, the layout of the whole
prompt, a template of reasoning for each failure, a step size, and the history of former texts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from pydantic import Field

from mathagent.agents.ask import ASK_PROMPTS, ask
from mathagent.agents.context import RunContext
from mathagent.agents.problem_text import problem_text
from mathagent.agents.role import Role
from mathagent.evals.prompt_search.spec import SearchSpec, Wording
from mathagent.evals.records import Record
from mathagent.strategies import STRATEGIES
from mathagent.tools.python import cut_middle
from mathagent.types import Problem, SamplingParams, Value

EDIT_TEMPERATURE = 0.7
SHOWN_CHARACTERS = 1200
"""Of a failed solution; its ends are shown."""
MAX_CHARACTERS = 2000
"""Of a text: one that is longer is no instruction."""
LEAK_WORDS = 8
"""So many words in a row of a train problem are no coincidence."""

_WORD = re.compile(r"\w+")


class EditedPrompt(Value):
    """A text to be tried in place of another."""

    prompt: str = Field(max_length=MAX_CHARACTERS, description="the new text, complete, and nothing but the text")


ENGINEER = Role(
    "prompt-engineer",
    "optimize_prompt/edit",
    SamplingParams(temperature=EDIT_TEMPERATURE, max_tokens=1024),
    EditedPrompt,
)
EDIT_PROMPTS = (ENGINEER.prompt, *ASK_PROMPTS)


class Example(Value):
    """A problem that a text failed on: what was written, what it came to, and what is right."""

    problem: str
    output: str
    answer: str
    label: str


def pick_failures(records: Sequence[Record], count: int, rng: random.Random) -> list[Example]:
    """At most ``count`` problems of ``records`` that were solved wrong, or not at all."""
    failed = [one for one in records if one.outcome == "incorrect"]
    return [_example(one) for one in rng.sample(failed, min(count, len(failed)))]


def _example(record: Record) -> Example:
    solution = record.solution
    written = "" if solution is None else "\n".join(step.text for one in solution.candidates for step in one.steps)
    return Example(
        problem="" if solution is None else problem_text(solution.problem),
        output=cut_middle(written, SHOWN_CHARACTERS),
        answer=record.answer or "none",
        label=record.reference,
    )


def leaks(text: str, problems: Sequence[Problem]) -> bool:
    """Whether ``text`` holds LEAK_WORDS words in a row of one of ``problems``: it would tell an example, not a
    way. Pure."""
    said = _runs(text)
    return any(not said.isdisjoint(_runs(problem.text)) for problem in problems)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return {tuple(words[start : start + LEAK_WORDS]) for start in range(len(words) - LEAK_WORDS + 1)}


async def edited(
    context: RunContext,
    spec: SearchSpec,
    parent: Wording,
    failed: Sequence[Example],
    history: Sequence[tuple[str, str]],
    sample: int,
) -> Wording | None:
    """A new text made of ``parent``; None where the model wrote none. Raises BackendError where it cannot be reached.

    ``history`` are former texts with their scores in words; ``sample`` tells the edits of one search apart.
    """
    config = STRATEGIES.load(spec.strategy).config
    asked = await ask(
        context,
        ENGINEER,
        fallback=EditedPrompt(prompt=""),
        sample=sample,
        setting=spec.setting,
        description=config.model_fields[spec.setting].description or "",
        strategy=spec.strategy,
        text=parent.text,
        examples=failed,
        max_words=spec.max_words,
        history=history,
    )
    text = asked.reply.prompt.strip()
    if asked.fell_back or not text:
        return None
    return Wording(text=text, origin="edit", parent=parent.text)
