"""``/v1/memory``: what the server remembers, to be looked at; nothing here changes it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from mathagent.memory.base import ExperienceStore
from mathagent.memory.base import Query as Wanted
from mathagent.memory.experience import Experience, ExperienceKind, Trust
from mathagent.server.api_errors import ApiError
from mathagent.server.openapi_text import ERRORS
from mathagent.server.options import ServerKey
from mathagent.server.parts import Key, Parts, SharedParts
from mathagent.types import Value

router = APIRouter(prefix="/v1/memory", tags=["memory"], responses=ERRORS)
SHOWN: tuple[ExperienceKind, ...] = ("exemplar", "lesson", "template", "fact")
"""The kinds that are listed where none is asked for: all that a person would read."""
ExperienceId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The `id` of an experience.")]


class MemoryEntry(Value):
    """An experience as it is listed. ``score`` is how well it fits what was searched for (None: it was not).
    ``created`` is seconds since 1970, 0 where nobody knows."""

    id: str
    kind: ExperienceKind
    title: str
    answer: str | None
    trust: Trust
    subject: str
    source: str
    created: float
    uses: int
    successes: int
    score: float | None = None


class MemoryList(Value):
    """Experiences: the best hits first where something was searched for, else the newest; ``after`` asks for the next
    ones (None: there are no more). What is remembered between two pages moves the rest on by as many."""

    object: Literal["list"] = "list"
    data: tuple[MemoryEntry, ...]
    after: int | None = None


class MemoryRecord(MemoryEntry):
    """An experience, whole."""

    experience: Experience


@router.get("")
async def list_memory(
    parts: SharedParts,
    key: Key,
    q: Annotated[str, Query(max_length=2000, description="What is searched for; none: all are listed.")] = "",
    kind: Annotated[
        list[ExperienceKind] | None, Query(max_length=5, description="None: all but statistics.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> MemoryList:
    """What is remembered: searched, or listed from the newest on. A search has one page."""
    store, kinds = _store(parts), tuple(kind or SHOWN)
    if q.strip():
        hits = await store.search(Wanted(text=q, kinds=kinds, limit=limit))
        seen = [hit for hit in hits if await _may_see(parts, key, hit.experience)]
        return MemoryList(data=tuple(_entry(hit.experience, hit.score) for hit in seen))
    return await _page(parts, key, store, kinds, limit=limit, after=after)


@router.get("/{experience_id}")
async def get_memory(experience_id: ExperienceId, parts: SharedParts, key: Key) -> MemoryRecord:
    """One experience, with what speaks for it."""
    for experience in await _store(parts).get([experience_id]):
        if await _may_see(parts, key, experience):
            shown = _public(experience)
            return MemoryRecord(**_entry(shown).model_dump(), experience=shown)
    raise ApiError(404, f"there is no experience {experience_id}", code="not_found", param="experience_id")


async def _page(
    parts: Parts,
    key: ServerKey,
    store: ExperienceStore,
    kinds: tuple[ExperienceKind, ...],
    *,
    limit: int,
    after: int,
) -> MemoryList:
    entries: list[MemoryEntry] = []
    passed = 0
    async for experience in store.scan(kinds, newest_first=True):
        passed += 1
        if passed <= after or not await _may_see(parts, key, experience):
            continue
        if len(entries) == limit:
            return MemoryList(data=tuple(entries), after=passed - 1)
        entries.append(_entry(experience))
    return MemoryList(data=tuple(entries))


def _store(parts: Parts) -> ExperienceStore:
    """The memory that all models share. Raises ApiError where there is none."""
    store = parts.desk.models.solver(parts.desk.models.default).memory.store
    if store is None:
        message = "this server keeps no memory; start it with --memory-mode read or learn"
        raise ApiError(404, message, code="no_memory")
    return store


async def _may_see(parts: Parts, key: ServerKey, experience: Experience) -> bool:
    """Whether ``key`` may see it: what came of a solve is for who asked for that, where there is more than one key."""
    run = experience.provenance.run
    if len(parts.options.keys) <= 1 or not run:
        return True
    return await parts.desk.store.solve(run, key.name) is not None


def _entry(experience: Experience, score: float | None = None) -> MemoryEntry:
    shown = _public(experience)
    return MemoryEntry(
        id=experience.id,
        kind=shown.kind,
        title=shown.content.title if shown.content.kind == "fact" else shown.key_text,
        answer=shown.content.answer if shown.content.kind == "exemplar" else None,
        trust=shown.trust,
        subject=shown.subject,
        source=shown.provenance.source or shown.provenance.dataset or shown.provenance.strategy,
        created=shown.provenance.created,
        uses=shown.uses,
        successes=shown.successes,
        score=score,
    )


def _public(experience: Experience) -> Experience:
    """``experience`` as clients may see it: of a file, its name."""
    provenance = experience.provenance
    if not PurePath(provenance.source).is_absolute():
        return experience
    told = provenance.model_copy(update={"source": PurePath(provenance.source).name})
    return experience.model_copy(update={"provenance": told})
