"""Checkpoints: a folder with one file for each solve that has not ended, so that a killed one can go on.

A solve that finishes deletes its file. What nobody resumes is deleted by age and by number.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import secrets
import sqlite3
import time
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, JsonValue, ValidationError

from mathagent.agents.source_hash import source_hash
from mathagent.agents.strategy import Strategy
from mathagent.budget import Budget
from mathagent.errors import StorageError, UnknownName, UsageError
from mathagent.types import Problem, Request, Value

if TYPE_CHECKING:
    from mathagent.agents.saver import SolveSaver

MAX_AGE_DAYS = 30
MAX_FILES = 200
LOOK_S = 1.0
"""Who looks at one solve waits so long for another who only looks; who works on it holds it longer."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letters to be mistaken
_METHOD_PARTS = ("agents", "answers", "memory", "prompts", "scorers", "solver.py", "strategies", "tools")


class SolveSpec(Value):
    """All that a solve needs to go on: who solves what, how, within what.

    ``identity`` is the backend's; ``model``, ``base_url``, ``sandbox`` and ``cache`` open the like again. No key is
    ever kept. ``memory`` is the mode of the solver's memory, ``memory_path`` its file ("": the user's own);
    ``measured``: no answer may leak from it. ``code`` is the identity of the code of strategy, blocks and prompts.
    """

    solve_id: str
    problem: Problem
    strategy: str
    config: dict[str, JsonValue]
    budget: Budget
    seed: int | None
    model: str
    identity: str
    base_url: str | None
    sandbox: str
    cache: bool
    approve_code: bool = False
    review_plans: bool = False
    memory: str = "off"
    memory_path: str = ""
    measured: bool = False
    code: str


class StoredSolve(Value):
    """A solve that can be resumed. ``updated`` is UTC; ``calls`` and ``tokens`` (completion) are what it has used."""

    spec: SolveSpec
    updated: str
    seconds: float = 0.0
    calls: int = 0
    tokens: int = 0
    candidates: int = 0
    waiting_for: Request | None = Field(default=None)


def new_solve_id() -> str:
    """13 characters: milliseconds since 1970, then 20 random bits. Later ids sort behind earlier ones."""
    number = (int(time.time() * 1000) << 20) | secrets.randbits(20)
    digits = []
    for _ in range(13):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


@cache
def method_version(strategy: Strategy) -> str:
    """The identity of the code that solves by ``strategy``, the files of plugins included: as it was when first asked
    for, since this process goes on with the code that it has loaded."""
    source = inspect.getsourcefile(strategy.build)
    own = Path(source).read_bytes() if source is not None and Path(source).is_file() else b""
    parts = (
        source_hash(*_METHOD_PARTS),
        source_hash("prompts", suffix=".md"),
        *map(method_version, strategy.parts),
    )
    return hashlib.sha256("".join(parts).encode() + own).hexdigest()[:16]


class Checkpoints:
    """The folder of checkpoints. Many processes may use it; one at a time works on a solve."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def begin(self, spec: SolveSpec) -> SolveSaver:
        """A new file for the solve of ``spec``. Raises StorageError where it cannot be made."""
        from mathagent.agents.saver import failure, open_saver

        path, told = self._path(spec.solve_id), spec.model_dump_json()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            saver = await open_saver(path)
        except (OSError, sqlite3.Error) as error:
            raise failure(path, error) from error
        try:
            saver.note("spec", "", told)
            await saver.flush()
        except BaseException:  # cancelled, too: the thread of an open file would keep the process from ending
            await asyncio.shield(saver.aclose(delete=True))
            raise
        return saver

    async def reopen(self, solve_id: str) -> tuple[SolveSpec, SolveSaver]:
        """The stored solve, held by this process from now on.

        Raises UnknownName where there is none; StorageError where another process works on it, or the file is
        damaged; UsageError where another version of mathagent wrote it.
        """
        from mathagent.agents.saver import failure, open_saver

        path = self._known(solve_id)
        try:
            saver = await open_saver(path, create=False)
        except (OSError, sqlite3.Error) as error:
            self._known(solve_id)  # or it has ended meanwhile
            if "locked" in str(error):
                raise _at_work(solve_id) from error
            raise failure(path, error) from error
        try:
            self._known(solve_id)
            notes = await saver.notes("spec")
            return SolveSpec.model_validate_json(notes.get("", "")), saver
        except BaseException as error:
            await saver.aclose(delete=False)
            if isinstance(error, ValidationError):
                raise UsageError(
                    f"solve {solve_id} was begun by another version of mathagent; solve its problem anew"
                ) from error
            if isinstance(error, sqlite3.Error):
                raise failure(path, error) from error
            raise

    def stored(self, solve_id: str) -> StoredSolve:
        """What is kept of a solve, without holding it. Raises UnknownName, or StorageError as ``reopen`` does."""
        path = self._known(solve_id)
        found = _stored(path, LOOK_S)
        if found is None:
            raise (
                _at_work(solve_id)
                if _is_held(path)
                else StorageError(
                    f"{path} does not hold a solve that can be resumed; delete it and solve the problem anew"
                )
            )
        return found

    def resumable(self) -> list[StoredSolve]:
        """The solves that can be resumed, the latest first: not those that a process works on."""
        found = (_stored(path) for path in sorted(self._files(), reverse=True))
        return [one for one in found if one is not None]

    async def forget(self, solve_id: str) -> bool:
        """Deletes what is kept of a solve, if anything is; False where a process works on it, and it stays."""
        return await asyncio.to_thread(self._forget, solve_id)

    def _forget(self, solve_id: str) -> bool:
        from mathagent.agents.saver import remove

        path = self._path(solve_id)
        if not solve_id.isalnum() or not path.is_file():
            return True
        if _is_held(path):
            return False
        remove(path)
        return True

    async def tidy(self, *, max_age_days: float = MAX_AGE_DAYS, max_files: int = MAX_FILES) -> None:
        """Deletes what is older than ``max_age_days``, and the oldest beyond ``max_files``; never a solve at work."""
        await asyncio.to_thread(self._tidy, max_age_days, max_files)

    def _tidy(self, max_age_days: float, max_files: int) -> None:
        from mathagent.agents.saver import remove

        aged = sorted(((_touched(path), path) for path in self._files()), reverse=True)
        oldest = time.time() - max_age_days * 86400
        for number, (touched, path) in enumerate(aged):
            if (touched < oldest or number >= max_files) and not _is_held(path):
                remove(path)

    def _path(self, solve_id: str) -> Path:
        return self.folder / f"{solve_id}.db"

    def _known(self, solve_id: str) -> Path:
        path = self._path(solve_id)
        if not solve_id.isalnum() or not path.is_file():
            raise UnknownName("unfinished solve", solve_id, self._ids() or ["none"])
        return path

    def _files(self) -> list[Path]:
        return list(self.folder.glob("*.db"))

    def _ids(self) -> list[str]:
        return [one.spec.solve_id for one in self.resumable()]


def _at_work(solve_id: str) -> StorageError:
    return StorageError(f"solve {solve_id} is being worked on by another process; wait for it, or stop it first")


def _touched(path: Path) -> float:
    """Seconds since 1970 of the last change."""
    log = path.with_name(f"{path.name}-wal")
    return max((one.stat().st_mtime for one in (path, log) if one.exists()), default=0.0)


def _read(path: Path, patience_s: float = 0) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=patience_s)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # as its owner: no shared-memory file is left behind
    return connection


def _is_held(path: Path) -> bool:
    try:
        with closing(_read(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.Error:
        return False
    return False


def _stored(path: Path, patience_s: float = 0) -> StoredSolve | None:
    """What the file at ``path`` tells; None where a process holds it, or it holds nothing to go on from."""
    try:
        with closing(_read(path, patience_s)) as connection:
            notes = dict(connection.execute("SELECT kind, value FROM notes WHERE kind IN ('spec', 'waiting')"))
            rows = connection.execute(
                "SELECT metadata FROM checkpoints WHERE checkpoint_ns = '' ORDER BY checkpoint_id DESC LIMIT 1"
            ).fetchall()
        progress: dict[str, Any] = json.loads(rows[0][0]).get("progress", {}) if rows else {}
        usage = progress.get("usage", {})
        return StoredSolve(
            spec=SolveSpec.model_validate_json(notes["spec"]),
            updated=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(_touched(path))),
            seconds=progress.get("seconds", 0.0),
            calls=usage.get("calls", 0),
            tokens=usage.get("completion_tokens", 0),
            candidates=len(progress.get("proposed", ())),
            waiting_for=json.loads(notes["waiting"]) if "waiting" in notes else None,
        )
    except (sqlite3.Error, KeyError, ValueError, OSError):
        return None
