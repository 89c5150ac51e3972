"""mathagent datasets: what there is and where, what an item looks like, and what may be wrong with it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from mathagent.answers.compare import AnswerComparer
from mathagent.config import settings
from mathagent.console.datasets_view import show_audit, show_dataset, show_sources
from mathagent.errors import UnknownName, UsageError
from mathagent.evals.datasets import DATASETS, found_locally, item_hash, resolve
from mathagent.evals.datasets.audit import Audit, audit
from mathagent.evals.datasets.loading import Loaded, load_items
from mathagent.evals.datasets.source import Source
from mathagent.evals.grader import Grader
from mathagent.sandbox.confined_calls import ConfinedCalls


def list_command(*, data: Path | None, as_json: bool) -> int:
    """Prints the data sets; one that cannot be loaded is reported on stderr, and the others are listed."""
    folder = data if data is not None else settings().data
    if folder is not None and not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder}; --data or MATHAGENT_DATA names the folder of the data sets"
        )
    rows: list[tuple[Source, dict[str, int]]] = []
    for name in DATASETS.names():
        try:
            source: Source = DATASETS.load(name)
        except UsageError as error:
            typer.echo(f"mathagent: {error}", err=True)
            continue
        rows.append((source, found_locally(source, folder)))
    if as_json:
        _print([{**_about(source), "found": found} for source, found in rows])
    else:
        show_sources(Console(), rows, folder)
    return 0


def show_command(name: str, *, data: Path | None, limit: int, as_json: bool) -> int:
    """Prints what a data set is and its first items; where its items cannot be had, says so and shows the rest."""
    source = _source(name)
    missing = ""
    loaded: Loaded | None = None
    try:
        loaded = load_items(name, data_dir=data, limit=limit)
    except UsageError as error:
        if source is None:
            raise
        missing = str(error)
    items = [] if loaded is None else [_item(loaded, place) for place in range(len(loaded.items))]
    about = {} if source is None else _about(source)
    if as_json:
        _print({**about, "dataset": loaded.name if loaded else name, "missing": missing, "items": items})
    else:
        show_dataset(Console(), source, loaded.name if loaded else name, items, missing)
    return 0


def audit_command(name: str, *, data: Path | None, limit: int | None, against: str | None, as_json: bool) -> int:
    """Prints the audit: counts of each signal with examples, or (``as_json``) every row."""
    loaded = load_items(name, data_dir=data, limit=limit)
    if loaded.task == "judge":
        raise UsageError(
            f"{loaded.name} asks for judgements: its references are labels, not answers; audit a data set to be solved"
        )
    other = None if against is None else load_items(against, data_dir=data)
    found = asyncio.run(_audit(loaded, other))
    if as_json:
        _print(found.model_dump())
    else:
        show_audit(Console(), found)
    return 0


async def _audit(loaded: Loaded, other: Loaded | None) -> Audit:
    calls = ConfinedCalls()
    try:
        problems = None if other is None else [problem for problem, _ in other.items]
        return await audit(loaded.name, loaded.items, Grader(AnswerComparer(calls.call)), against=problems)
    finally:
        await calls.aclose()


def _source(name: str) -> Source | None:
    """The source of that name; None for a file."""
    if Path(name).expanduser().is_file():
        return None
    try:
        return resolve(name).source
    except UnknownName:
        return None


def _about(source: Source) -> dict[str, Any]:
    return {**source.model_dump(mode="json"), "default": source.default, "object": DATASETS.path(source.name)}


def _item(loaded: Loaded, place: int) -> dict[str, Any]:
    problem, item = loaded.items[place]
    return {
        "id": problem.id,
        "hash": item_hash(problem),
        "question": problem.text,
        "choices": list(problem.choices),
        "reference": problem.reference,
        "language": problem.language,
        "metadata": problem.metadata,
        "fields": list(item),
    }


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")
