"""The retrieve tool: looks in the experience store for notes, facts and solved problems.

What nobody has checked is quoted as data (see ``untrusted``); the rest is cleaned of the same tokens, since a problem
or a model's words stand in it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Protocol

from pydantic import Field

from mathagent.memory.base import Hit, Query
from mathagent.memory.experience import (
    TRUST_ORDER,
    Content,
    Exemplar,
    Experience,
    ExperienceKind,
    Fact,
    Lesson,
    StrategyStatistics,
    Template,
)
from mathagent.tools.base import Tool, ToolResult
from mathagent.tools.untrusted import neutralised, quote_untrusted

HIT_CHARS = 1_200
MAX_RESULTS = 8
MAX_QUERY_CHARS = 1_000
_KINDS: tuple[ExperienceKind, ...] = ("fact", "exemplar", "lesson", "template")
_CHECKED = TRUST_ORDER.index("verified")
"""From here on something other than a model's word stands behind an experience."""


class Searchable(Protocol):
    """An ExperienceStore, or a solve's guarded view of one."""

    async def search(self, query: Query) -> list[Hit]:
        """The best hits, best first. Raises StorageError."""
        ...


def retrieve_tool(memory: Searchable) -> Tool:
    """The tool "retrieve" over ``memory``. In a measurement pass the guarded view, or problems leak."""

    async def retrieve(
        query: Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS)],
        kind: Annotated[
            Literal["any", "fact", "exemplar", "lesson", "template"],
            Field(
                description="fact: theorem or note; exemplar: solved problem; lesson: past mistake; template: plan."
            ),
        ] = "any",
        results: Annotated[int, Field(ge=1, le=MAX_RESULTS)] = 3,
    ) -> ToolResult:
        """Searches stored notes, theorems, formulas and solved problems. Quoted text may be wrong."""
        kinds = _KINDS if kind == "any" else (kind,)
        hits = await memory.search(Query(text=query, kinds=kinds, limit=results))
        if not hits:
            return ToolResult(text="nothing was found; try other words, or go on without it", ok=False)
        return ToolResult(text="\n\n".join(shown(hit.experience) for hit in hits[:results]))

    return Tool(retrieve)


def shown(experience: Experience, max_chars: int = HIT_CHARS) -> str:
    """``experience`` as a model is shown it: its source, what stands behind it, its text. Pure."""
    text, source = _worded(experience.content), source_of(experience)
    if TRUST_ORDER.index(experience.trust) < _CHECKED:
        return quote_untrusted(text, source=f"{source} ({experience.trust})", max_chars=max_chars)
    head = " ".join(neutralised(f"From {source} ({experience.trust}):").split())
    text = neutralised(text)
    room = max(0, max_chars - len(head) - 2)
    return f"{head}\n{text if len(text) <= room else text[:room] + '…'}"


def source_of(experience: Experience) -> str:
    """Where ``experience`` is from, shortly: a file or page, an item of a data set, or a run."""
    where = experience.provenance
    item = "/".join(part for part in (where.dataset, where.item) if part)
    return where.source or item or (f"run {where.run}" if where.run else f"{experience.kind} {experience.id[:8]}")


def _worded(content: Content) -> str:
    match content:
        case Exemplar():
            parts: Sequence[tuple[str, str]] = (
                ("Problem", content.key_text),
                ("Solution", content.reasoning),
                ("Program", content.program),
                ("Result", content.answer),
            )
        case Lesson():
            parts = (
                ("Problem", content.problem),
                ("Mistake", content.mistake),
                ("Fix", content.fix),
                ("Knowledge", "; ".join(content.knowledge)),
            )
        case Template():
            parts = (("Type of problem", content.problem_type), ("Plan", content.plan))
        case Fact():
            parts = (("", content.title), ("", content.statement), ("Example", content.example))
        case StrategyStatistics():
            parts = (("Problem", content.problem), ("Strategy", content.strategy))
    return "\n".join(f"{name}: {text.strip()}" if name else text.strip() for name, text in parts if text.strip())
