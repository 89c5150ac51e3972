"""How a store of experiences is opened: by its place, with the embedder that is there."""

from __future__ import annotations

from pathlib import Path

from mathagent.config import settings
from mathagent.memory import STORES
from mathagent.memory.base import ExperienceStore
from mathagent.memory.static_embedder import default_embedder


def open_store(place: Path | None = None, *, read_only: bool = False) -> ExperienceStore:
    """The store at ``place`` (a file; None: the user's own, in the home folder), opened when it is first used.

    Raises ModelFileError where the embedder's table is damaged.
    """
    path = settings().memory_path if place is None else place.expanduser()
    store: ExperienceStore = STORES.load("sqlite")(
        path, default_embedder(settings().models_dir), read_only=read_only
    )
    return store
