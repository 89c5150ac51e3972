"""Experiences out of a store and in again: JSONL, one experience a line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from pydantic import ValidationError

from mathagent.errors import UsageError
from mathagent.memory.base import Added, ExperienceStore
from mathagent.memory.experience import EXPERIENCE_KINDS, Experience, ExperienceKind

BATCH_LINES = 500
"""Lines of one transaction."""


async def export_lines(
    store: ExperienceStore, kinds: Sequence[ExperienceKind] = EXPERIENCE_KINDS
) -> AsyncIterator[str]:
    """The experiences of ``kinds`` as JSON, in the order in which they came, without line ends."""
    async for experience in store.scan(kinds):
        yield experience.model_dump_json()


async def import_lines(store: ExperienceStore, lines: Iterable[str]) -> Added:
    """Adds what ``export_lines`` wrote; blank lines are passed over.

    All lines are read before the first is stored. Raises UsageError naming the one that is no experience: then none is.
    Who is stopped while they are stored may import all of them again: nothing is stored twice.
    """
    read: list[Experience] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read.append(Experience.model_validate_json(line))
        except ValidationError as error:
            raise UsageError(
                f"line {number} is no experience of this version of mathagent ({_first_fault(error)}); give what"
                " `mathagent memory export` wrote. Nothing was imported"
            ) from error
    parts = [await store.add(read[start : start + BATCH_LINES]) for start in range(0, len(read), BATCH_LINES)]
    return Added(
        new=sum(part.new for part in parts),
        merged=sum(part.merged for part in parts),
        ids=tuple(identity for part in parts for identity in part.ids),
    )


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"
