"""Records: one graded attempt each, in SQLite, under the hash of everything that shaped it.

A killed run therefore resumes without repeating or losing anything, and an edited data set, prompt or strategy never
meets a record that is not its own.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue, ValidationError

from mathagent.agents.source_hash import source_hash
from mathagent.budget import Budget
from mathagent.errors import StorageError, UsageError
from mathagent.storage import open_database
from mathagent.types import Problem, Solution, Usage, Value

Outcome = Literal["correct", "incorrect", "undecided", "error"]

# What decides how a problem is solved and graded; the command line and the console do not.
_METHOD_PARTS = (
    "agents",
    "answers",
    "evals/grader.py",
    "prompts",
    "sandbox",
    "scorers",
    "solver.py",
    "strategies",
)


class Record(Value):
    """One attempt at one problem. ``failure`` is why it is not correct: "wrong", or a failure's kind.

    ``error`` is set for the outcome "error" (the solve itself failed): such a record is tried again on resume.
    ``sandbox`` is what confined the programs, with its tier: "process/A". ``backend`` is the identity of the backend
    that answered; ``model`` its name.
    """

    key: str
    dataset: str
    problem_id: str
    strategy: str
    config: dict[str, JsonValue]
    model: str
    reference: str
    answer: str | None
    outcome: Outcome
    reason: str
    failure: str | None = None
    error: str | None = None
    confidence: float | None = None
    usage: Usage = Usage()
    seconds: float = 0.0
    sandbox: str = ""
    backend: str = ""
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
) -> str:
    """The identity (hex SHA-256) of an attempt; the code's and the reference's are part of it."""
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
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def code_version() -> str:
    """Hash (hex, 16 characters) of the source of everything that decides how a problem is solved and graded."""
    return source_hash(*_METHOD_PARTS)


def read_records(path: Path) -> list[Record]:
    """The records in a file that ``bench --output`` wrote. Raises UsageError naming the line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # a reply may hold other line ends
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


class RecordStore:
    """Records by key. Every ``put`` is one transaction; many processes may share the file.

    Raises StorageError where the file cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_database(path)
        with self._connection:
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, dataset TEXT, strategy TEXT, model TEXT,"
                " outcome TEXT, record TEXT NOT NULL, created TEXT DEFAULT CURRENT_TIMESTAMP)"
            )

    def get(self, keys: Sequence[str]) -> dict[str, Record]:
        """The stored records of ``keys``, by key; those whose solve failed ("error") are left out."""
        found = {}
        for key in keys:
            row = self._connection.execute(
                "SELECT record FROM records WHERE key = ? AND outcome != 'error'", (key,)
            ).fetchone()
            if row is not None:
                found[key] = Record.model_validate_json(row[0])
        return found

    def put(self, record: Record) -> None:
        """Stores one record, in place of an older one under its key."""
        values = (record.key, record.dataset, record.strategy, record.model, record.outcome)
        try:
            with self._connection:
                self._connection.execute(
                    "INSERT OR REPLACE INTO records (key, dataset, strategy, model, outcome, record)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (*values, record.model_dump_json()),
                )
        except sqlite3.Error as error:
            raise StorageError(
                f"cannot write to {self.path}: {error}; free space or set MATHAGENT_HOME"
            ) from error

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()
