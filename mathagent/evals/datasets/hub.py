"""Rows from the Hugging Face hub, through the ``datasets`` library (optional: ``pip install 'mathagent[data]'``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from mathagent.errors import ResourceError
from mathagent.evals.datasets.source import Hub, Row


def library_is_here() -> bool:
    """Whether the ``datasets`` library is installed; a mere folder of that name is not it."""
    found = find_spec("datasets")
    return found is not None and found.origin is not None


def hub_rows(place: Hub) -> Iterator[Row]:
    """The rows at ``place``, with our names beside the hub's. Raises ResourceError where they cannot be had."""
    from datasets import load_dataset

    options: dict[str, Any] = {"split": place.split}
    if place.files is not None:
        options["data_files"] = {place.split: place.files}
    config = None if place.files is not None else place.config
    try:
        rows = load_dataset(place.repo, config, **options)
    except Exception as error:  # the library raises whatever its own libraries do
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ResourceError(
            f"the hub cannot give {place.repo} ({reason}); look at the network and HF_TOKEN, or put the file into a"
            " folder and name it with --data"
        ) from error
    for row in rows:
        if any(str(row.get(field)) != value for field, value in place.where.items()):
            continue
        named = {ours: _at(row, theirs) for ours, theirs in place.fields.items()}
        yield {**row, **place.add, **named}


def _at(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
