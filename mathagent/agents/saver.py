"""SolveSaver: LangGraph's SQLite saver for one solve in one file, made to stay small and never to end the solve.

The file holds the latest checkpoint only, its long texts once each, and what was drawn since (the journal). One process
holds it at a time: SQLite's exclusive lock, which the system drops with the process, says whether a solve is alive.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.config import get_config
from pydantic import Field

from mathagent.agents.blobs import put_back, take_out
from mathagent.agents.state_serializer import StateSerializer
from mathagent.errors import StorageError
from mathagent.storage import storage_advice
from mathagent.types import Candidate, Completion, Usage, Value

T = TypeVar("T")

PATIENCE_S = 1.0
"""How long opening tries again while the file is locked: a process at work on it keeps it longer."""
WAL_PAGES = 64
"""The write-ahead log is folded into the file at 64 pages (256 KB): SQLite's own 1,000 are 4 MB beside any solve."""

# No waiting for the disk: a killed process loses nothing by it, a machine that fails may lose the solve (and has its
# completions in the cache). A solve of three nodes took 43 ms more with waiting, and takes 10 ms more without.
_OPEN = f"""
PRAGMA locking_mode=EXCLUSIVE;
PRAGMA synchronous=OFF;
PRAGMA journal_mode=WAL;
PRAGMA wal_autocheckpoint={WAL_PAGES};
BEGIN;
CREATE TABLE IF NOT EXISTS notes (kind TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (hash TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drawn
    (key TEXT PRIMARY KEY, base TEXT, task TEXT, completion TEXT NOT NULL, seconds REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS proposed (base TEXT, task TEXT, sample INTEGER, candidate TEXT NOT NULL);
INSERT OR REPLACE INTO notes VALUES ('opened', '', datetime());
COMMIT;
"""
# What a task writes besides its result does not make it a finished one.
_UNFINISHED = ("__error__", "__interrupt__", "__resume__", "__scheduled__")


class Progress(Value):
    """What a solve had used and proposed, beside its state: the candidates by sample number."""

    usage: Usage = Usage()
    by_model: dict[str, Usage] = Field(default_factory=dict)
    seconds: float = 0.0
    proposed: tuple[tuple[int, Candidate], ...] = ()


class SolveSaver(AsyncSqliteSaver):
    """The checkpoints, the journal and the notes of one solve.

    ``progress`` is asked at each checkpoint and kept with it. ``is_stopping`` says that the solve ends before its
    time: from then on nothing is kept, so that it can be resumed from what was finished before. The first failure
    calls ``on_failure``; then nothing is kept any more, and the solve goes on.
    """

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        super().__init__(connection, serde=StateSerializer(lambda: self.blobs))
        self.path = path
        self.progress: Callable[[], Progress] = Progress
        self.is_stopping: Callable[[], bool] = lambda: False
        self.seconds: Callable[[], float] = lambda: 0.0
        self.on_failure: Callable[[StorageError], None] = lambda _: None
        self.works = True
        self.resumed = False
        self.blobs: dict[str, bytes] = {}
        self._written: set[str] = set()
        self._base = ""
        self._replays: dict[str, Completion] = {}
        self._pending: set[asyncio.Task[None]] = set()
        self._storing = asyncio.Lock()  # while blobs are cleared up, none may be counted on

    async def restored(self) -> Progress | None:
        """What the last process left: loads its state, fills the journal. None where no checkpoint was made.

        Raises StorageError, sqlite3.Error or ValueError where the file cannot be read.
        """
        self.resumed = True
        latest = await self.aget_tuple({"configurable": {"thread_id": self.path.stem}})
        if latest is None:
            return None
        self._base = latest.config["configurable"]["checkpoint_id"]
        self._written = set(self.blobs)
        stored = dict(latest.metadata).get("progress", {})
        progress = put_back(Progress.model_validate(stored), self.blobs)
        done = {task for task, channel, _ in latest.pending_writes or () if channel not in _UNFINISHED}
        usage, seconds, by_model = progress.usage, progress.seconds, dict(progress.by_model)
        query = "SELECT key, task, completion, seconds FROM drawn WHERE base = ?"
        async for key, task, text, at in await self._rows(query, (self._base,)):
            completion = Completion.model_validate_json(text)
            seconds = max(seconds, at)
            if task in done:  # one of several parallel nodes: it has ended, and will not ask again
                for model, part in completion.counted(key.partition(" ")[2]).items():
                    usage += part
                    by_model[model] = by_model.get(model, Usage()) + part
            else:
                self._replays[key] = completion
        query = "SELECT task, sample, candidate FROM proposed WHERE base = ? ORDER BY rowid"
        rows = [row async for row in await self._rows(query, (self._base,))]
        late = [(sample, Candidate.model_validate_json(text)) for task, sample, text in rows if task in done]
        proposed = (*progress.proposed, *late)
        used = {"usage": usage, "by_model": by_model, "seconds": seconds}
        return progress.model_copy(update={**used, "proposed": proposed})

    async def notes(self, kind: str) -> dict[str, str]:
        """The notes of one kind, by key, in the order of their keys."""
        query = "SELECT key, value FROM notes WHERE kind = ? ORDER BY key"
        return {key: value async for key, value in await self._rows(query, (kind,))}

    def note(self, kind: str, key: str, value: str) -> None:
        """Keeps a note, in place of the one under the same key; soon, and without an error."""
        self._write("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (kind, key, value))

    def replay(self, key: str) -> Completion | None:
        """See Journal."""
        return self._replays.pop(key, None)

    def record(self, key: str, completion: Completion) -> None:
        """See Journal."""
        row = (key, self._base, _task(), completion.model_dump_json(), self.seconds())
        self._write("INSERT OR REPLACE INTO drawn VALUES (?, ?, ?, ?, ?)", row)

    def propose(self, sample: int, candidate: Candidate) -> None:
        """Keeps a candidate of the running node: one of several parallel nodes may end before the checkpoint."""
        row = (self._base, _task(), sample, candidate.model_dump_json())
        self._write("INSERT INTO proposed VALUES (?, ?, ?, ?)", row)

    async def flush(self) -> None:
        """See Journal; for notes, too."""
        await asyncio.gather(*self._pending)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The latest checkpoint. Raises StorageError where there is one that cannot be read."""
        try:
            rows = await self._rows("SELECT hash, content FROM blobs")
            self.blobs = {key: content async for key, content in rows}
            return await super().aget_tuple(config)
        except (sqlite3.Error, KeyError, ValueError) as error:
            if self.resumed:
                raise failure(self.path, error) from error
            self._fail(error)  # a new solve has none: it goes on without
            return None

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Stores a checkpoint, and drops all that it supersedes."""
        place = config["configurable"]
        kept: RunnableConfig = {"configurable": {**place, "checkpoint_id": checkpoint["id"]}}
        if self.works and not self.is_stopping():
            async with self._storing:
                await self._guarded(self._put(config, checkpoint, metadata, new_versions))
        return kept

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Stores what one of several parallel nodes has given before the others end."""
        if not self.works or self.is_stopping():
            return
        blobs: dict[str, bytes] = {}
        light = [(channel, take_out(value, blobs)) for channel, value in writes]

        async def put() -> None:
            async with self._storing:
                await self._put_blobs(blobs)
                await AsyncSqliteSaver.aput_writes(self, config, light, task_id, task_path)

        await self._guarded(put())

    async def aclose(self, *, delete: bool) -> None:
        """Closes the file, and deletes it where the solve needs it no more; safe to call twice."""
        await self.flush()
        if delete:
            remove(self.path)  # while it is locked: who waits for the lock must find it gone
        try:
            await self.conn.close()
        except sqlite3.Error as error:
            self._fail(error)
        except ValueError:  # it is closed already
            return
        if delete:
            remove(self.path)  # what closing wrote, and all of it on systems that delete no open file

    async def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> None:
        blobs: dict[str, bytes] = {}
        light: Checkpoint = {**checkpoint, "channel_values": take_out(checkpoint["channel_values"], blobs)}
        progress = take_out(self.progress(), blobs).model_dump(mode="json")
        await self._put_blobs(blobs)
        with_progress: Any = {**metadata, "progress": progress}
        await super().aput(config, light, with_progress, new_versions)
        if config["configurable"].get("checkpoint_ns"):
            return  # of a graph inside a node: the node's own graph clears up
        self._base = checkpoint["id"]
        self._written &= blobs.keys()
        async with self.lock:
            for statement, value in (
                ("DELETE FROM checkpoints WHERE checkpoint_id != ?", self._base),
                ("DELETE FROM writes WHERE checkpoint_id != ?", self._base),
                ("DELETE FROM drawn WHERE base != ?", self._base),
                ("DELETE FROM proposed WHERE base != ?", self._base),
                ("DELETE FROM blobs WHERE hash NOT IN (SELECT value FROM json_each(?))", json.dumps([*blobs])),
            ):
                await self.conn.execute(statement, (value,))
            await self.conn.commit()

    async def _put_blobs(self, blobs: dict[str, bytes]) -> None:
        new = [(key, content) for key, content in blobs.items() if key not in self._written]
        if new:
            async with self.lock:
                await self.conn.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", new)
                await self.conn.commit()
            self._written |= blobs.keys()

    def _write(self, statement: str, row: tuple[Any, ...]) -> None:
        if not self.works:
            return

        async def write() -> None:
            async with self.lock:
                await self.conn.execute(statement, row)
                await self.conn.commit()

        task = asyncio.ensure_future(self._guarded(write()))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except (sqlite3.Error, OSError, TypeError, ValueError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self.works:
            self.works = False
            self.on_failure(failure(self.path, error))

    async def _rows(self, query: str, values: Sequence[Any] = ()) -> aiosqlite.Cursor:
        return await self.conn.execute(query, values)


async def open_saver(path: Path, *, create: bool = True) -> SolveSaver:
    """Opens the file at ``path``, or creates it, and takes its lock.

    Raises sqlite3.Error or OSError; sqlite3.OperationalError "database is locked" where another process has it.
    """
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await _open(path, create)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
        # Who lists solves holds each for a moment, and of two that open one at once each may keep out the other.
        await asyncio.sleep(random.uniform(0.01, 0.1))


def _uri(path: Path, create: bool) -> str:
    return f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"


async def _open(path: Path, create: bool) -> SolveSaver:
    connection = await aiosqlite.connect(_uri(path, create), uri=True, timeout=0)
    try:
        await connection.executescript(_OPEN)
        saver = SolveSaver(path, connection)
        await saver.setup()
    except BaseException:
        await connection.close()
        raise
    return saver


def failure(path: Path, error: Exception) -> StorageError:
    """What to say where the file at ``path`` fails."""
    advice = storage_advice(error, path) if isinstance(error, sqlite3.Error) else "report this"
    return StorageError(f"the checkpoint {path} failed: {error}; {advice}")


def remove(path: Path) -> None:
    """Deletes a file and what SQLite may have beside it, as far as the system lets us: the rest goes with age."""
    for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(OSError):
            one.unlink(missing_ok=True)


def _task() -> str:
    """The running node's task, where there is one."""
    try:
        return str(get_config()["configurable"].get("__pregel_task_id", ""))
    except RuntimeError:
        return ""
