"""mathagent memory stats, search, show, forget: look into it, and take out of it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import typer
from rich.console import Console

from mathagent.config import settings
from mathagent.console.clean_text import one_line
from mathagent.console.memory_view import SEARCHED, show_experience, show_hits, show_statistics
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.errors import UsageError
from mathagent.memory.base import Added, ExperienceStore, Query
from mathagent.memory.experience import EXPERIENCE_KINDS, TRUST_ORDER, ExperienceKind, Trust
from mathagent.memory.opening import open_store

EXIT_DONE, EXIT_FAILED, EXIT_PARTIAL = 0, 1, 3
SHOWN_IDS = 3
SHORTEST_ID = 6
_ID_BEGINNING = re.compile(f"[0-9a-f]{{{SHORTEST_ID},32}}")


@asynccontextmanager
async def opened(memory: Path | None, *, read_only: bool) -> AsyncIterator[ExperienceStore]:
    """The store, closed afterwards."""
    store = open_store(memory, read_only=read_only)
    try:
        yield store
    finally:
        await store.aclose()


def place_of(memory: Path | None) -> str:
    """Where the store is, for a person."""
    return str(memory or settings().memory_path)


def with_store(
    memory: Path | None, work: Callable[[ExperienceStore], Awaitable[int]], *, read_only: bool = True
) -> int:
    """What ``work`` makes of the store: its exit code."""

    async def run() -> int:
        async with opened(memory, read_only=read_only) as store:
            return await work(store)

    return asyncio.run(run())


def stats_command(memory: Path | None, *, as_json: bool) -> int:
    """Shows the store in numbers."""

    async def work(store: ExperienceStore) -> int:
        statistics = await store.statistics()
        if as_json:
            sys.stdout.write(statistics.model_dump_json(indent=2) + "\n")
        else:
            show_statistics(Console(), statistics, place_of(memory))
        return EXIT_DONE

    return with_store(memory, work)


def search_command(
    memory: Path | None,
    text: str,
    *,
    kinds: Sequence[str],
    limit: int,
    subject: str,
    least_trust: str,
    as_json: bool,
) -> int:
    """Shows what is found for ``text``; exit code 1 where nothing is."""
    query = Query(
        text=text,
        kinds=kinds_of(kinds or SEARCHED),
        limit=limit,
        subject=subject,
        least_trust=trust_of(least_trust),
    )

    async def work(store: ExperienceStore) -> int:
        hits = await store.search(query)
        if as_json:
            rows = [{"id": hit.experience.id, **hit.model_dump(mode="json")} for hit in hits]
            sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        else:
            show_hits(Console(), hits)
        return EXIT_DONE if hits else EXIT_FAILED

    return with_store(memory, work)


def show_command(memory: Path | None, name: str, *, as_json: bool) -> int:
    """Shows one experience, whole."""

    async def work(store: ExperienceStore) -> int:
        (one,) = await store.get([await whole_id(store, name)])
        if as_json:
            shown = {"id": one.id, **one.model_dump(mode="json")}
            sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
        else:
            show_experience(Console(), one)
        return EXIT_DONE

    return with_store(memory, work)


def forget_command(
    memory: Path | None, names: Sequence[str], *, kinds: Sequence[str], dataset: str, source: str, yes: bool
) -> int:
    """Deletes experiences by id, or all of a kind, data set or source, once a person has said yes."""
    by_property = bool(kinds or dataset or source)
    if bool(names) == by_property:
        raise UsageError("say what to forget: ids, or --kind, --dataset or --source (one way at a time)")
    wanted = kinds_of(kinds)

    async def work(store: ExperienceStore) -> int:
        if names:
            ids = list(dict.fromkeys([await whole_id(store, name) for name in names]))
        else:
            ids = [
                one.id
                async for one in store.scan(wanted)
                if (not dataset or one.provenance.dataset == dataset)
                and (not source or is_from(one.provenance.source, source))
            ]
        if not ids:
            raise UsageError("nothing of that is remembered; `mathagent memory stats` says what is")
        if not yes and not _confirmed(len(ids)):
            Page(Console()).line("nothing was forgotten")
            return EXIT_FAILED
        gone = await store.forget(ids)
        Page(Console()).line(f"forgotten: {gone}")
        return EXIT_DONE

    return with_store(memory, work, read_only=False)


def _confirmed(count: int) -> bool:
    """Whether a person at the terminal says yes. Raises UsageError where there is none."""
    if not sys.stdin.isatty():
        raise UsageError(f"{counted(count, 'experience')} would be deleted; say --yes if you want that")
    return typer.confirm(f"delete {counted(count, 'experience')}?", err=True)


def is_from(where: str, source: str) -> bool:
    """Whether ``where`` (an experience's source) is ``source``, a line of that file, or below that folder.

    Notes are remembered with their whole path: ``source`` may be relative to the working directory.
    """
    named = {source.rstrip("/"), str(Path(source).expanduser().absolute().resolve())}
    return any(where == name or where.startswith((f"{name}:", f"{name.rstrip('/')}/")) for name in named)


def tell(added: Added, *also: str) -> int:
    """Says what became of what was added."""
    known = f", {added.merged} known already" if added.merged else ""
    Page(Console()).line("; ".join((f"remembered: {added.new} new{known}", *also)))
    return EXIT_DONE


async def whole_id(store: ExperienceStore, name: str) -> str:
    """The id that ``name`` is, or begins. Raises UsageError where there is none, or several.

    Nothing is read of what it names: what cannot be read must be forgotten by its id.
    """
    beginning = name.lower()
    if not _ID_BEGINNING.fullmatch(beginning):
        raise UsageError(
            f"'{one_line(name, 40)}' is no id; give {SHORTEST_ID} characters (0-9, a-f) of one at least:"
            " `mathagent memory search TEXT` shows them"
        )
    found = await store.ids_beginning(beginning, SHOWN_IDS + 1)
    if not found:
        raise UsageError(f"no id begins with '{beginning}'; `mathagent memory search TEXT` shows ids")
    if len(found) > 1:
        more = ", …" if len(found) > SHOWN_IDS else ""
        raise UsageError(
            f"several ids begin with '{beginning}': {', '.join(found[:SHOWN_IDS])}{more}; give more of it"
        )
    return found[0]


def kinds_of(names: Sequence[str]) -> tuple[ExperienceKind, ...]:
    """The kinds that ``names`` name; none: all. Raises UsageError."""
    for name in names:
        if name not in EXPERIENCE_KINDS:
            known = ", ".join(EXPERIENCE_KINDS)
            raise UsageError(f"'{one_line(name, 40)}' is no kind of experience; there are {known}")
    return tuple(kind for kind in EXPERIENCE_KINDS if not names or kind in names)


def trust_of(name: str) -> Trust:
    """The degree of trust that ``name`` names. Raises UsageError."""
    for trust in TRUST_ORDER:
        if name == trust:
            return trust
    raise UsageError(f"'{one_line(name, 40)}' is no degree of trust; there are {', '.join(TRUST_ORDER)}")
