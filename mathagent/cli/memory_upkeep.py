"""mathagent memory compact, doctor: what keeps a store in order."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from mathagent.cli.memory import EXIT_DONE, EXIT_FAILED, place_of, with_store
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.errors import UsageError
from mathagent.memory.base import ExperienceStore

if TYPE_CHECKING:
    from mathagent.memory.sqlite_store import SqliteStore
    from mathagent.memory.store_doctor import Finding

_STYLES = {"ok": "green", "repairable": "yellow", "broken": "red"}


def compact_command(memory: Path | None, most: int | None) -> int:
    """Drops what is of least use, and makes files small and vectors complete. Nothing is made where no store is."""

    async def work(store: ExperienceStore) -> int:
        local = _local(store)
        parts = ["there is nothing to compact"]
        if local.path.exists():
            made = await local.reembed()
            dropped = await local.compact(most)
            kept = (await local.statistics()).experiences
            parts = [f"{dropped} dropped", f"{counted(made, 'vector')} made", f"{kept} kept"]
        Page(Console()).line(f"{place_of(memory)}: {', '.join(parts)}")
        return EXIT_DONE

    return with_store(memory, work, read_only=False)


def doctor_command(memory: Path | None, *, repair: bool, as_json: bool) -> int:
    """Examines the store, after ``repair`` has made its derived parts anew; exit code 1 where one is not in order."""
    from mathagent.memory import store_doctor

    async def work(store: ExperienceStore) -> int:
        local = _local(store)
        repairs = repair and local.path.exists()
        findings = await (store_doctor.repair(local) if repairs else store_doctor.examine(local))
        if as_json:
            shown = [one.model_dump(mode="json") for one in findings]
            sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
        else:
            _show(Page(Console()), findings, place_of(memory))
        return EXIT_DONE if all(one.state == "ok" for one in findings) else EXIT_FAILED

    return with_store(memory, work, read_only=False)


def _show(page: Page, findings: Sequence[Finding], place: str) -> None:
    page.line(place, style="dim")
    page.table([(one.part, f"{one.state}: {one.detail}", _STYLES[one.state]) for one in findings])
    if any(one.state == "repairable" for one in findings):
        page.line("`mathagent memory doctor --repair` makes these parts anew; nothing is lost", style="dim")


def _local(store: ExperienceStore) -> SqliteStore:
    """The store as a file of this machine. Raises UsageError where it is another kind."""
    from mathagent.memory.sqlite_store import SqliteStore

    if not isinstance(store, SqliteStore):
        raise UsageError(f"a store of kind '{store.name}' keeps itself in order; this is for files")
    return store
