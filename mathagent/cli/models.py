"""mathagent models: list, pull and rm of the models that come by themselves."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from mathagent.config import settings
from mathagent.console.pull_view import progress_for_pull
from mathagent.models.catalog import catalog, entry, size_text
from mathagent.models.weights import remove, status

if TYPE_CHECKING:
    from collections.abc import Callable

    from mathagent.models.catalog import ModelEntry


def list_command(*, as_json: bool) -> int:
    """Prints the models, and what of them is here."""
    folder = settings().models_dir
    found = [(model, status(model, folder)) for model in (*catalog(), *catalog("embedding"))]
    if as_json:
        rows = [{**model.model_dump(mode="json"), **state.model_dump(mode="json")} for model, state in found]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "size", "licence", "here", "good for"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "model")
    for model, state in found:
        partial = f"{state.partial_bytes / model.size:.0%} fetched" if state.partial_bytes else "no"
        table.add_row(
            f"embedded:{model.name}" if model.kind == "chat" else model.name,
            size_text(model.size),
            model.licence,
            "yes" if state.present else partial,
            model.use,
        )
    console = Console()
    console.print(table)
    console.print(f"folder: {folder}", markup=False, highlight=False, soft_wrap=True)
    return 0


def pull_command(name: str, *, from_file: Path | None = None) -> int:
    """Fetches a model, or takes over the user's own copy of it; resumes what an earlier try left."""
    path = asyncio.run(_pull(entry(name.removeprefix("embedded:")), from_file))
    sys.stdout.write(f"{path}\n")
    return 0


async def _pull(model: ModelEntry, from_file: Path | None) -> Path:
    from mathagent.models.pull import pull

    finish = make_table if model.kind == "embedding" else None
    gone = threading.Event()
    try:
        with progress_for_pull(Console(stderr=True)) as on_progress:
            return await asyncio.to_thread(
                pull,
                model,
                settings().models_dir,
                on_progress,
                from_file=from_file,
                cancelled=gone.is_set,
                finish=finish,
            )
    finally:
        gone.set()  # Ctrl-C: the thread must end, too; what is there stays for the next time


def make_table(archive: Path, table: Path, advance: Callable[[int, int], None]) -> None:
    """What is kept of an embedding model (models.fetch_job.Finish): the table of its word vectors."""
    from mathagent.memory.distillation import DIMENSIONS, distil

    piece_bytes = 2 * DIMENSIONS
    distil(archive, table, lambda done, pieces: advance(done * piece_bytes, pieces * piece_bytes))


def remove_command(name: str) -> int:
    """Deletes a model's file and what half-done downloads left of it."""
    model = entry(name.removeprefix("embedded:"))
    freed = remove(model, settings().models_dir)
    sys.stdout.write(f"{size_text(freed)} freed\n" if freed else f"{model.name} is not here: nothing to delete\n")
    return 0
