"""Records: one graded attempt each, in SQLite, under the hash of everything that shaped it.

A killed run therefore resumes without repeating or losing anything, and an edited data set, prompt or strategy never
meets a record that is not its own.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, ValidationError

from mathagent.agents.source_hash import source_hash
from mathagent.budget import Budget
from mathagent.errors import StorageError, UnknownName, UsageError
from mathagent.evals import run_tables
from mathagent.evals.run_tables import RunInfo, RunStatus
from mathagent.storage import open_database, storage_advice
from mathagent.types import Problem, Solution, Usage, Value

Outcome = Literal["correct", "incorrect", "undecided", "error"]

LABELS = ("dataset", "problem_id", "item_hash", "subject", "level", "language", "family", "dollars")
"""What a record says of its item beyond the key: the same problem may stand in several data sets."""

# What decides how a problem is solved and graded; the command line and the console do not.
_METHOD_PARTS = (
    "agents",
    "answers",
    "evals/grader.py",
    "memory",
    "prompts",
    "sandbox",
    "scorers",
    "solver.py",
    "strategies",
    "tools",
)


class MemoryUse(Value):
    """What a memory did in one attempt.

    ``store`` is its identity, ``fingerprint`` what it held when the attempt began; ``position`` counts the problems of
    the run that were solved before, where it learns (``mode`` "learn"; ``feedback``: from references, too). A problem
    whose solve failed is solved by a later run, behind others: its position says so. ``shown`` are exactly the
    experiences that a model was shown, ``remembered`` how many this attempt has added.
    """

    mode: Literal["read", "learn"]
    store: str
    fingerprint: str
    position: int = 0
    feedback: bool = False
    shown: tuple[str, ...] = ()
    remembered: int = 0


class Record(Value):
    """One attempt at one problem. ``failure`` is why it is not correct: "wrong", or a failure's kind.

    ``error`` is set for the outcome "error" (the solve itself failed): such a record is tried again on resume.
    ``sandbox`` is what confined the programs, with its tier: "process/A"; without one where none ran. ``backend`` is
    the identity of the backend that answered; ``model`` its name. ``memory`` None: there was none.
    ``item_hash`` is the item's identity (question, choices and reference), so that records of an edited data set are
    told apart; ``attempt`` counts the attempts at one item from 0. ``subject``, ``level``, ``language`` and ``family``
    (the items that stem from one template or seed question, for clustered errors) are the data set's own words, ""
    where it has none. ``dollars`` is what the tokens cost; None where no price is known. ``budget`` is what each
    attempt might use; None in older records, which do not say.
    """

    key: str
    dataset: str
    problem_id: str
    item_hash: str = ""
    attempt: int = 0
    subject: str = ""
    level: str = ""
    language: str = ""
    family: str = ""
    strategy: str
    config: dict[str, JsonValue]
    model: str
    reference: str
    answer: str | None
    outcome: Outcome
    reason: str
    failure: str | None = None
    error: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    usage: Usage = Usage()
    dollars: float | None = None
    seconds: float = 0.0
    sandbox: str = ""
    backend: str = ""
    memory: MemoryUse | None = None
    budget: Budget | None = None
    solution: Solution | None = None


def record_key(
    problem: Problem,
    *,
    strategy: str,
    config: Mapping[str, Any],
    model: str,
    seed: int | None,
    budget: Budget,
    prompts: str,
    attempt: int = 0,
    memory: Sequence[JsonValue] = (),
    copy: int = 0,
) -> str:
    """The identity (hex SHA-256) of an attempt; the code's and the reference's are part of it.

    ``memory`` is what identifies the memory that it may see; empty: none. ``copy`` counts the same problems before
    it in its data set.
    """
    parts = [
        problem.content_hash(),
        problem.reference,
        strategy,
        dict(config),
        model,
        seed,
        budget.model_dump(),
        prompts,
        code_version(),
        attempt,
        *memory,
        *([["copy", copy]] if copy else []),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def code_version() -> str:
    """Hash (hex, 16 characters) of the source of everything that decides how a problem is solved and graded."""
    return source_hash(*_METHOD_PARTS)


def read_records(path: Path) -> list[Record]:
    """The records in a file that ``bench --output`` wrote. Raises UsageError naming the line that is none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")  # a reply may hold other line ends
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text; give what `mathagent bench --output` wrote") from error
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            records.append(Record.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            raise UsageError(
                f"{path}:{number} is no record of this version of mathagent ({place}: {first['msg']}); give what"
                " `mathagent bench --output` wrote"
            ) from error
    return records


def as_jsonl(records: Sequence[Record]) -> str:
    """One whole record a line: what ``read_records`` reads, as every command that takes runs does."""
    return "".join(f"{record.model_dump_json()}\n" for record in records)


def write_records(path: Path, records: Sequence[Record]) -> None:
    """Writes a file that ``read_records`` reads. Raises StorageError."""
    try:
        path.write_text(as_jsonl(records), encoding="utf-8", newline="")
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; nothing is lost, `mathagent runs export` writes the records again"
        ) from error


class RecordStore:
    """Records by key, and the runs that have them. Every write is one transaction; many processes may share the file.

    Raises StorageError where the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_database(path)
        with self._transaction() as connection:
            for statement in run_tables.TABLES:
                connection.execute(statement)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; waits for other writers. Raises StorageError saying what to do."""
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
        except sqlite3.Error as error:
            advice = storage_advice(error, self.path)
            raise StorageError(f"cannot write to {self.path}: {error}; {advice}; what it holds is kept") from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except sqlite3.Error as error:
            raise StorageError(f"cannot read {self.path}: {error}; {storage_advice(error, self.path)}") from error

    def get(self, keys: Sequence[str]) -> dict[str, Record]:
        """The stored records of ``keys``, by key; those whose solve failed ("error") are left out."""
        found = {}
        query = "SELECT record FROM records WHERE key = ? AND outcome != 'error'"
        with self._reading() as connection:
            for key in keys:
                row = connection.execute(query, (key,)).fetchone()
                if row is not None:
                    found[key] = Record.model_validate_json(row[0])
        return found

    def put(self, record: Record, run_id: str | None = None, *, place: int = 0) -> None:
        """Stores one record, and that the run ``run_id`` has it at ``place``, in one transaction.

        It takes the place of an older one under its key; other runs that have that one keep it.
        """
        values = (record.key, record.dataset, record.strategy, record.model, record.outcome)
        text = record.model_dump_json()
        with self._transaction() as connection:
            run_tables.keep_earlier(connection, record.key, run_id)
            connection.execute(
                "INSERT OR REPLACE INTO records (key, dataset, strategy, model, outcome, record)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*values, text),
            )
            if run_id is not None:
                item = (record.dataset, record.problem_id)
                run_tables.add_row(connection, run_id, record.key, item, place, None)

    def add_to_run(self, run_id: str, key: str, *, shown: Record | None = None, place: int = 0) -> Record:
        """Notes that a run has the stored record of ``key``; returns it as the run has it.

        ``shown`` says how: with its labels (data set, id, subject …), where the same problem stands elsewhere than
        where it was solved. Raises UsageError where there is no such record.
        """
        with self._transaction() as connection:
            row = connection.execute("SELECT record FROM records WHERE key = ?", (key,)).fetchone()
            if row is None:
                raise UsageError(f"there is no record {key}; store it before a run has it")
            own = Record.model_validate_json(row[0])
            labels = {} if shown is None else labels_of(shown, own)
            named = own.model_copy(update=labels)
            item = (named.dataset, named.problem_id)
            run_tables.add_row(connection, run_id, key, item, place, json.dumps(labels) if labels else None)
        return named

    def start_run(self, spec: Mapping[str, JsonValue], name: str | None = None, *, planned: int = 0) -> RunInfo:
        """Begins a run of ``planned`` attempts, as ``spec`` asks; ``name`` is its id (None: a new one).

        A run of that name is gone on with. Raises UsageError where it was begun with another spec, or still runs.
        """
        with self._transaction() as connection:
            return self.run(run_tables.begin_run(connection, spec, name, planned))

    def finish_run(self, run_id: str, status: RunStatus) -> None:
        """Notes how a run ended."""
        with self._transaction() as connection:
            run_tables.end_run(connection, run_id, status)

    def runs(self) -> list[RunInfo]:
        """All runs, oldest first."""
        with self._reading() as connection:
            return run_tables.read_runs(connection)

    def run(self, run_id: str) -> RunInfo:
        """The run of that id. Raises UnknownName."""
        with self._reading() as connection:
            found = run_tables.read_runs(connection, run_id)
            if not found:
                raise UnknownName("run", run_id, [one.id for one in run_tables.read_runs(connection)])
        return found[0]

    def run_records(self, run_id: str) -> list[Record]:
        """The records of a run as it had them, in the order of its data sets. Raises UnknownName."""
        self.run(run_id)
        with self._reading() as connection:
            rows = run_tables.read_run_records(connection, run_id)
        records = [(Record.model_validate_json(text), labels) for text, labels in rows]
        return [one.model_copy(update=json.loads(labels)) if labels else one for one, labels in records]

    def remove_run(self, run_id: str) -> int:
        """Deletes a run, and the records that no other run has; returns how many of them. Raises UnknownName."""
        self.run(run_id)
        with self._transaction() as connection:
            return run_tables.delete_run(connection, run_id)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


def labels_of(record: Record, stored: Record) -> dict[str, Any]:
    """The labels of ``record`` that ``stored``, of the same key, has not or has otherwise. Pure."""
    return {
        name: getattr(record, name)
        for name in LABELS
        if getattr(record, name) not in ("", None) and getattr(record, name) != getattr(stored, name)
    }
