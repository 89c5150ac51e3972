"""Notes: files of text as facts for memory, read again where they have changed. Reads only; the store is another's.

What is in a note is data that nobody has checked (trust "unchecked"), whatever it says. PDFs, binaries and other kinds
of files are passed over, each with the reason.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from mathagent.errors import UsageError
from mathagent.memory.experience import Experience, Fact, Provenance
from mathagent.memory.note_chunks import UnreadableNote, chunks_of, title_of
from mathagent.types import Value

NOTE_SUFFIXES = (".md", ".markdown", ".txt", ".rst", ".tex", ".py", ".ipynb")
DATASET = "notes"
MAX_FILE_BYTES = 4_000_000
MAX_FILES = 20_000
MAX_TOTAL_BYTES = 400_000_000
_LEFT_ALONE = frozenset({"__pycache__", "node_modules"})


class NoteFile(Value):
    """A file that was read: its resolved path, the SHA-256 of its bytes (hex, 32 characters), how many facts it gave.

    ``unchanged``: its hash is the known one, so that it was not taken apart again (``facts`` is 0 then).
    """

    path: str
    digest: str
    facts: int = 0
    unchanged: bool = False


class SkippedFile(Value):
    """A file or folder that was passed over, and why."""

    path: str
    reason: str


class Notes(Value):
    """What reading ``root`` found. ``complete``: all of it was looked at (no limit on files or bytes was met)."""

    root: str
    facts: tuple[Experience, ...] = ()
    files: tuple[NoteFile, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    complete: bool = True

    def reasons(self) -> dict[str, int]:
        """How many files were passed over for each reason, the commonest first."""
        return dict(Counter(one.reason for one in self.skipped).most_common())


def read_notes(path: Path, *, known: Mapping[str, str] | None = None, created: float = 0.0) -> Notes:
    """The facts in the file ``path``, or in all notes below the folder ``path``.

    ``known`` maps paths to the digests of an earlier reading (``known_digests``). A fact's source is "path:line" (of a
    notebook: "path:cell"), its item the digest of its file. Hidden files are left alone, links to folders
    passed over. Raises UsageError where
    ``path`` does not exist, or is one file that cannot be read; all else is in ``skipped``.
    """
    try:
        root = path.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"cannot read notes from {path}: {getattr(error, 'strerror', None) or error}") from error
    reading = _Reading(known or {}, created)
    if root.is_dir():
        reading.read_folder(root)
    else:
        reading.read(root)
        if reading.skipped:
            raise UsageError(f"cannot read notes from {path}: {reading.skipped[0].reason}")
    return Notes(
        root=_name(root),
        facts=tuple(reading.facts),
        files=tuple(reading.files),
        skipped=tuple(reading.skipped),
        complete=reading.complete,
    )


def known_digests(sources: Mapping[str, Provenance]) -> dict[str, str]:
    """The digest of each file that stored facts (by id) came from: what ``read_notes`` takes as ``known``.

    A file whose facts came from different states of it is left out, so that it is read again.
    """
    digests: dict[str, set[str]] = {}
    for provenance in sources.values():
        if provenance.dataset == DATASET:
            digests.setdefault(file_of(provenance.source), set()).add(provenance.item)
    return {path: next(iter(found)) for path, found in digests.items() if len(found) == 1}


def outdated(notes: Notes, stored: Mapping[str, Provenance]) -> list[str]:
    """Which of the facts in the store (id → provenance) are to be forgotten now that ``notes`` have been read.

    Those of files that were read again and no longer say so, and, where all was looked at, those of files below the
    root that are gone. A file that could not be read this time keeps its facts.
    """
    current = {fact.id for fact in notes.facts}
    unchanged = {one.path for one in notes.files if one.unchanged}
    read = {one.path for one in notes.files} - unchanged
    kept = unchanged | {one.path for one in notes.skipped}
    root = Path(notes.root)

    def gone(path: str) -> bool:
        below = root in (Path(path), *Path(path).parents)
        return notes.complete and below and not any(str(one) in kept for one in (Path(path), *Path(path).parents))

    return [
        identity
        for identity, provenance in stored.items()
        if provenance.dataset == DATASET
        and identity not in current
        and ((path := file_of(provenance.source)) in read or (path not in unchanged and gone(path)))
    ]


def file_of(source: str) -> str:
    """The path in a source "path:line"."""
    return source.rpartition(":")[0]


class _Reading:
    """One pass over files: what was found, and what is left of the limits."""

    def __init__(self, known: Mapping[str, str], created: float) -> None:
        self.known, self.created = known, created
        self.facts: list[Experience] = []
        self.files: list[NoteFile] = []
        self.skipped: list[SkippedFile] = []
        self.complete = True
        self._bytes_left = MAX_TOTAL_BYTES

    def read_folder(self, root: Path) -> None:
        for number, path in enumerate(self._below(root), start=1):
            if number > MAX_FILES:
                return self._stop(root, f"more than {MAX_FILES:,} files; the rest was not looked at")
            if self._bytes_left <= 0:
                return self._stop(root, f"more than {MAX_TOTAL_BYTES:,} bytes; the rest was not looked at")
            self.read(path)
        return None

    def read(self, path: Path) -> None:
        """Reads one file, or notes why not."""
        try:
            data = self._bytes(path)
            digest = hashlib.sha256(data).hexdigest()[:32]
            if self.known.get(_name(path)) == digest:
                self.files.append(NoteFile(path=_name(path), digest=digest, unchanged=True))
                return
            facts = self._facts(path, _text(data), digest)
        except UnreadableNote as error:
            self._skip(path, str(error))
            return
        self.facts += facts
        self.files.append(NoteFile(path=_name(path), digest=digest, facts=len(facts)))

    def _below(self, folder: Path) -> Iterator[Path]:
        """All files below ``folder``, in order; links to folders are passed over, so that nothing is read twice, no
        loop is walked, and a link to "/" is no reading of the disk."""
        folders = [folder]
        while folders:
            current = folders.pop()
            try:
                with os.scandir(current) as entries:
                    inner = sorted(
                        (one for one in entries if not one.name.startswith(".")), key=lambda one: one.name
                    )
            except OSError as error:
                self._skip(current, f"cannot be read ({error.strerror or error})")
                continue
            within = [one for one in inner if one.is_dir(follow_symlinks=False)]
            folders += [Path(one.path) for one in reversed(within) if one.name not in _LEFT_ALONE]
            yield from (Path(one.path) for one in inner if one not in within)

    def _bytes(self, path: Path) -> bytes:
        suffix = path.suffix.lower()
        if path.is_symlink() and path.is_dir():
            raise UnreadableNote("a link to a folder; give the folder itself")
        if suffix == ".pdf":
            raise UnreadableNote("a PDF; turn it into text first")
        if suffix not in NOTE_SUFFIXES:
            raise UnreadableNote(f"no kind of note ({', '.join(NOTE_SUFFIXES)})")
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its other end
                raise UnreadableNote("no regular file")
            if status.st_size > MAX_FILE_BYTES:
                raise UnreadableNote(f"larger than {MAX_FILE_BYTES:,} bytes")
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise UnreadableNote(f"cannot be read ({error.strerror or error})") from error
        if len(data) > MAX_FILE_BYTES:
            raise UnreadableNote(f"larger than {MAX_FILE_BYTES:,} bytes")
        self._bytes_left -= len(data)
        return data

    def _facts(self, path: Path, text: str, digest: str) -> list[Experience]:
        return [
            Experience(
                content=Fact(title=title_of(Path(_name(path)).stem, chunk.headings), statement=chunk.text),
                provenance=Provenance(
                    dataset=DATASET, item=digest, source=f"{_name(path)}:{chunk.line}", created=self.created
                ),
            )
            for chunk in chunks_of(text, path.suffix.lower())
        ]

    def _stop(self, root: Path, reason: str) -> None:
        self.complete = False
        self._skip(root, reason)

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(SkippedFile(path=_name(path), reason=reason))


def _name(path: Path) -> str:
    """``path`` as text; bytes of a name that are no UTF-8 are replaced, since no value may hold them."""
    return os.fsencode(path).decode("utf-8", "replace")


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\x00" in data:
        raise UnreadableNote("binary, not text")
    else:
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableNote(f"not {encoding.removesuffix('-sig').upper()} text") from error
