"""Which files an embedded model is made of, before anything is fetched: those of the catalog, and the user's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mathagent.config import settings
from mathagent.errors import UsageError
from mathagent.models.catalog import ModelEntry, catalog, entry
from mathagent.models.pull import OnProgress, pull

SLOT_CONTEXT = 4096
"""Tokens of one slot, prompt and reply together. With 4 slots the 1.5B model's take 470 MB."""


@dataclass(frozen=True)
class Weights:
    """A model's file: ``path`` is the user's own, else ``entry`` is fetched into ``folder`` when first needed.

    ``context`` is what a slot gets where nothing is said; ``longest`` what the model was trained for (None: not known).
    """

    alias: str
    identity: str
    context: int
    longest: int | None = None
    path: Path | None = None
    entry: ModelEntry | None = None
    folder: Path | None = None

    def fetch(self, on_progress: OnProgress | None, cancelled: Callable[[], bool]) -> Path:
        """The complete file. Blocks. Raises ModelFileError."""
        if self.path is not None:
            return self.path
        assert self.entry is not None
        assert self.folder is not None
        return pull(self.entry, self.folder, on_progress, cancelled=cancelled)


def weights_of(name: str) -> Weights:
    """The model of the catalog, or the user's own file, that ``name`` is. Raises UnknownName, UsageError."""
    return own_file(name) if name.endswith(".gguf") or os.sep in name else listed(name)


def listed(name: str) -> Weights:
    """A model of the catalog. Raises UnknownName, and UsageError where it is none that chats."""
    model = entry(name)
    if model.kind != "chat":
        raise UsageError(
            f"{name} turns texts into vectors for the memory and cannot chat; choose a model for solving, as"
            f" --model embedded:{catalog()[0].name}"
        )
    return Weights(
        alias=name,
        identity=f"embedded:{name}@{model.sha256[:16]}",
        context=min(SLOT_CONTEXT, model.context),
        longest=model.context,
        entry=model,
        folder=settings().models_dir,
    )


def own_file(name: str) -> Weights:
    """The user's own GGUF file. Raises UsageError where it is none."""
    path = gguf_file(name)
    identity = f"embedded:{path}@{file_stamp(path)}"
    return Weights(alias=str(path), identity=identity, context=SLOT_CONTEXT, path=path)


def file_stamp(path: Path) -> str:
    """Size and time of a file, which tell it from another in its place."""
    facts = path.stat()
    return f"{facts.st_size}-{facts.st_mtime_ns}"


def gguf_file(name: str) -> Path:
    """The absolute path of a GGUF file. Raises UsageError where it is none."""
    path = Path(name).expanduser().absolute()
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise UsageError(f"cannot read the model file {path}: {error.strerror}") from error
    if magic != b"GGUF":
        raise UsageError(f"{path} is not a GGUF model file")
    return path
