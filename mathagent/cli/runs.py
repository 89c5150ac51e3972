"""mathagent runs: the runs of bench, listed, shown, deleted and exported."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from mathagent.config import settings
from mathagent.console.bench_view import arm_line
from mathagent.console.runs_view import run_row, show_run, show_runs
from mathagent.errors import StorageError, UnknownName, UsageError
from mathagent.evals.costs import costs_of
from mathagent.evals.failures import count_failures
from mathagent.evals.metrics import arms
from mathagent.evals.records import Record, RecordStore, as_jsonl
from mathagent.evals.run_tables import RunInfo
from mathagent.evals.runs import find_run, load_records

_NOT_IN_A_TABLE = ("config", "usage", "memory", "budget", "solution")
_USAGE = ("calls", "cached_calls", "prompt_tokens", "completion_tokens")


def list_command(*, as_json: bool) -> int:
    """Lists all runs, the newest first."""
    with _store() as store:
        runs = store.runs()[::-1]
    if as_json:
        _print_json([run_row(one).model_dump(mode="json") for one in runs])
    else:
        show_runs(Console(), [run_row(one) for one in runs])
    return 0


def show_command(run: str, *, examples: int, as_json: bool) -> int:
    """Shows one run, or the records of a file."""
    records = load_records(run)
    info = _info(run)
    lines = [arm_line(arm) for arm in arms(records)]
    failures = count_failures(records, examples=examples)
    costs = costs_of(records)
    if as_json:
        shown: dict[str, Any] = {
            "run": None if info is None else info.model_dump(mode="json"),
            "arms": [line.as_row() for line in lines],
            "costs": costs.model_dump(),
            "failures": [
                one.model_dump(mode="json", exclude={"examples": {"__all__": {"solution"}}}) for one in failures
            ],
        }
        _print_json(shown)
    else:
        show_run(Console(), run, info, lines, costs, failures)
    return 0


def remove_command(runs: Sequence[str], *, yes: bool, as_json: bool) -> int:
    """Deletes runs, once the user has said yes. Raises UsageError where nobody can be asked."""
    with _store() as store:
        found = list(dict.fromkeys(find_run(store, run).id for run in runs))
        if not yes and not _confirmed(found):
            typer.echo("nothing is deleted", err=True)
            return 1
        removed = {run: store.remove_run(run) for run in found}
    if as_json:
        _print_json([{"run": run, "records": count} for run, count in removed.items()])
    else:
        for run, count in removed.items():
            typer.echo(f"deleted run {run} and {count} record{'' if count == 1 else 's'} that no other run has")
    return 0


def export_command(run: str, *, output: Path | None, form: str | None) -> int:
    """Writes a run's records. Raises UsageError for a format that there is not, StorageError."""
    chosen = form or (output.suffix.lower().lstrip(".") if output is not None else "") or "jsonl"
    if chosen not in _WRITERS:
        raise UsageError(f"records are exported as {', '.join(_WRITERS)}, not as '{chosen}'; give --format")
    text = _WRITERS[chosen](load_records(run))
    if output is None:
        sys.stdout.write(text)
        return 0
    write_file(output, text)
    return 0


def write_file(path: Path, text: str) -> None:
    """Writes ``text``. Raises StorageError."""
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; give another --output") from error


def as_csv(records: Sequence[Record]) -> str:
    """A table for spreadsheets: every field but the solutions, amounts in columns of their own."""
    fields = [name for name in Record.model_fields if name not in _NOT_IN_A_TABLE]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([*fields, *_USAGE, "config", "budget"])
    for record in records:
        budget = {} if record.budget is None else record.budget.model_dump(exclude_none=True)
        writer.writerow(
            [
                *(getattr(record, name) for name in fields),
                *(getattr(record.usage, name) for name in _USAGE),
                json.dumps(record.config, ensure_ascii=False),
                json.dumps(budget),
            ]
        )
    return file.getvalue()


def _as_json(records: Sequence[Record]) -> str:
    return json.dumps([record.model_dump(mode="json") for record in records], ensure_ascii=False, indent=2) + "\n"


_WRITERS: dict[str, Callable[[Sequence[Record]], str]] = {"jsonl": as_jsonl, "csv": as_csv, "json": _as_json}


def _store() -> closing[RecordStore]:
    return closing(RecordStore(settings().runs_path))


def _info(run: str) -> RunInfo | None:
    """The run that is meant; None where it is a file."""
    with _store() as store:
        try:
            return find_run(store, run)
        except UnknownName:
            return None
        except UsageError:
            if store.runs():
                raise
            return None


def _confirmed(runs: Sequence[str]) -> bool:
    named = ", ".join(runs)
    if not sys.stdin.isatty():
        raise UsageError(f"{named} would be deleted; say --yes if you want that")
    return typer.confirm(f"delete {named}?", err=True)


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
