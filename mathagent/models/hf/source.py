"""Where a model's weights are: a folder, a GGUF file, a model of the catalog, or the hub. Nothing is loaded here."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mathagent.errors import UsageError
from mathagent.models.catalog import catalog
from mathagent.models.embedded_weights import Weights, file_stamp, listed, own_file
from mathagent.models.pull import OnProgress

_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+|[\w.-]+")


@dataclass(frozen=True)
class Source:
    """``gguf`` is one file with all of a model; else ``place`` is a folder or a name of the hub, at ``revision``."""

    identity: str
    place: str = ""
    revision: str | None = None
    gguf: Weights | None = None

    def fetch(self, on_progress: OnProgress | None, cancelled: Callable[[], bool]) -> dict[str, str]:
        """What ``from_pretrained`` takes. Fetches a catalog's file where it is missing; raises ModelFileError."""
        if self.gguf is None:
            known = {"pretrained_model_name_or_path": self.place}
            return known if self.revision is None else {**known, "revision": self.revision}
        path = self.gguf.fetch(on_progress, cancelled)
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}


def source_of(name: str) -> Source:
    """The weights that ``name`` means. Raises UsageError where they cannot be any."""
    if not name:
        raise UsageError("hf: needs a model: a name of the hub, a folder, or a GGUF file, as hf:Qwen/Qwen3-4B")
    folder = Path(name).expanduser()
    if name.endswith(".gguf"):
        return _gguf(own_file(name))
    if folder.is_dir():
        return _folder(folder.absolute())
    if any(model.name == name for model in catalog()):
        return _gguf(listed(name))
    place, _, revision = name.partition("@")
    if name.startswith((".", "~", os.sep)) or not _HUB_NAME.fullmatch(place):
        raise UsageError(f"there is no folder {folder}, and it is no name of the hub, such as Qwen/Qwen3-4B")
    return Source(identity=f"hf:{name}", place=place, revision=revision or None)


def _gguf(weights: Weights) -> Source:
    return Source(identity=f"hf:{weights.identity.removeprefix('embedded:')}", gguf=weights)


def _folder(folder: Path) -> Source:
    """A folder as ``save_pretrained`` writes it; it is another model once a file in it has changed."""
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder} holds no transformers model (no config.json)")
    return Source(identity=f"hf:{folder}@{folder_stamp(folder)}", place=str(folder))


def folder_stamp(folder: Path) -> str:
    """Changes with any file in the folder; nothing is read but names, sizes and times. "" where there is no folder."""
    if not folder.is_dir():
        return ""
    facts = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.is_file():
            facts.update(f"{file.name}-{file_stamp(file)};".encode())
    return facts.hexdigest()[:16]
