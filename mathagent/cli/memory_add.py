"""mathagent memory add: notes, and the facts that come with the package."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from mathagent.cli.memory import EXIT_DONE, EXIT_PARTIAL, tell, with_store
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.errors import UsageError
from mathagent.memory.base import ExperienceStore
from mathagent.memory.experience import Provenance
from mathagent.memory.notes import NOTE_SUFFIXES, Notes, SkippedFile, known_digests, outdated, read_notes

SKIPPED_SHOWN = 10


def add_command(memory: Path | None, paths: Sequence[Path], *, facts: bool) -> int:
    """Remembers notes or the bundled facts; exit code 3 where notes could not be read.

    What a file said before it was changed or deleted is forgotten. Nothing is written where a path is wrong.
    """
    if not paths and not facts:
        raise UsageError(
            "say what to add: files or folders of notes, or --facts; `memory import` takes JSON lines"
        )

    async def work(store: ExperienceStore) -> int:
        stored = {one.id: one.provenance async for one in store.scan(("fact",))}
        known = known_digests(stored)
        readings = [read_notes(path, known=known, created=time.time()) for path in paths]
        if facts:
            await _add_facts(store, stored)
        return max([await _add_notes(store, stored, notes) for notes in readings], default=EXIT_DONE)

    return with_store(memory, work, read_only=False)


async def _add_facts(store: ExperienceStore, stored: Mapping[str, Provenance]) -> None:
    from mathagent.memory.bundled_facts import BUNDLED, bundled_facts

    now = bundled_facts()
    current = {fact.id for fact in now}
    added = await store.add(now)
    gone = await store.forget(
        [identity for identity, where in stored.items() if where.dataset == BUNDLED and identity not in current]
    )
    tell(added, *_outdated(gone, "fact"))


async def _add_notes(store: ExperienceStore, stored: Mapping[str, Provenance], notes: Notes) -> int:
    added = await store.add(notes.facts)
    gone = await store.forget(outdated(notes, stored))
    read = sum(not file.unchanged for file in notes.files)
    tell(added, f"{counted(read, 'file')} read, {len(notes.files) - read} unchanged", *_outdated(gone, "note"))
    unread = [one for one in notes.skipped if _holds_notes(one)]
    page = Page(Console(stderr=True))
    for one in (*unread, *(one for one in notes.skipped if one not in unread))[:SKIPPED_SHOWN]:
        page.line(f"skipped {one_line(one.path)}: {one.reason}", style="magenta")
    if len(notes.skipped) > SKIPPED_SHOWN:
        page.line(f"... and {len(notes.skipped) - SKIPPED_SHOWN} more", style="magenta")
    return EXIT_PARTIAL if unread else EXIT_DONE


def _holds_notes(skipped: SkippedFile) -> bool:
    """Whether notes were missed with it: it is a note, or a folder; not a picture, nor a link to a folder."""
    path = Path(skipped.path)
    return path.suffix.lower() in NOTE_SUFFIXES or (path.is_dir() and not path.is_symlink())


def _outdated(count: int, noun: str) -> list[str]:
    return [f"{counted(count, f'outdated {noun}')} forgotten"] if count else []
