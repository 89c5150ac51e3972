"""mathagent memory export, import: experiences as JSON lines (UTF-8, whatever the locale), in files or pipes."""

from __future__ import annotations

import secrets
import stat
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from rich.console import Console

from mathagent.cli.memory import EXIT_DONE, kinds_of, place_of, tell, with_store
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.errors import StorageError, UsageError
from mathagent.memory.base import ExperienceStore
from mathagent.memory.exchange import export_lines, import_lines

STANDARD = Path("-")
"""The name of stdin and stdout."""


def export_command(memory: Path | None, file: Path | None, *, kinds: Sequence[str]) -> int:
    """Writes experiences as JSON lines, to ``file`` or stdout. A file is there whole, or as it was before."""
    wanted = kinds_of(kinds)
    path = None if file is None or file == STANDARD else _plain_file(file, Path(place_of(memory)))

    async def work(store: ExperienceStore) -> int:
        lines = export_lines(store, wanted)
        if path is None:
            async for line in lines:
                sys.stdout.buffer.write(line.encode() + b"\n")
            sys.stdout.buffer.flush()
            return EXIT_DONE
        count = await _write(path, lines)
        Page(Console(stderr=True)).line(f"written: {counted(count, 'experience')} to {path}")
        return EXIT_DONE

    return with_store(memory, work)


def import_command(memory: Path | None, file: Path | None) -> int:
    """Reads experiences from JSON lines: ``file``, or stdin. None of them is stored where a line is wrong."""
    if file is None or file == STANDARD:
        if file is None and sys.stdin.isatty():
            raise UsageError("name a file of JSON lines, or pipe them in: `mathagent memory export` writes such")
        data, source = sys.stdin.buffer.read(), "stdin"
    else:
        try:
            data, source = file.expanduser().read_bytes(), str(file)
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source} is not UTF-8 text; give what `mathagent memory export` wrote") from error

    async def work(store: ExperienceStore) -> int:
        return tell(await import_lines(store, text.split("\n")))

    return with_store(memory, work, read_only=False)


def _plain_file(file: Path, store: Path) -> Path:
    """Where ``file`` is, links followed. Raises UsageError where no file can be put there, or the store itself lies."""
    path = file.expanduser().resolve()
    if path == store.expanduser().resolve():
        raise UsageError(f"{file} is the memory itself; export to another file")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {file}: there is no folder {path.parent}")
    if path.exists() and not path.is_file():
        raise UsageError(f"{file} is no plain file; name one, or leave it out to write to stdout")
    return path


async def _write(path: Path, lines: AsyncIterator[str]) -> int:
    """Writes ``lines`` beside ``path`` and puts them in its place; returns how many. Raises StorageError."""
    beside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    count = 0
    try:
        try:
            with beside.open("xb") as out:
                async for line in lines:
                    out.write(line.encode() + b"\n")
                    count += 1
            _put(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return count


def _put(beside: Path, path: Path) -> None:
    """Moves ``beside`` to ``path``, with the rights of what was there."""
    if path.exists():
        beside.chmod(stat.S_IMODE(path.stat().st_mode))
    beside.replace(path)
