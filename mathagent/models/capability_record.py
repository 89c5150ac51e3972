"""CapabilityRecord: what `mathagent probe` found out about a model, kept in the home folder by the model's identity."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator

from mathagent.errors import StorageError
from mathagent.models.base import Capabilities
from mathagent.storage import store_json
from mathagent.types import Usage, Value

VERSION: Literal[1] = 1
"""Of the form of a record; one of another version is passed over, and the model probed anew."""

FindingState = Literal["yes", "no", "measured", "failed", "skipped"]
"""It can; it cannot; figures only; the test itself came to no end; it has nothing to show here."""


class Finding(Value):
    """One thing that was tried. ``numbers`` are its figures, by name with their unit; ``seconds`` is wall clock."""

    test: str
    state: FindingState
    detail: str
    numbers: dict[str, float] = Field(default_factory=dict)
    seconds: float = 0.0


class CapabilityRecord(Value):
    """What was found out about one model. ``can`` holds the capabilities that a test decided, by their field's name; of
    the others nothing is known. ``probed_at`` is UTC, as ISO 8601."""

    version: Literal[1] = VERSION
    model: str
    identity: str
    probed_at: str
    mathagent: str
    findings: tuple[Finding, ...]
    can: dict[str, bool]
    usage: Usage = Usage()
    seconds: float = 0.0

    @field_validator("can")
    @classmethod
    def _known(cls, can: dict[str, bool]) -> dict[str, bool]:
        unknown = can.keys() - Capabilities.model_fields.keys()
        if unknown:
            raise ValueError(f"no capability is named {min(unknown)}")
        return can

    @property
    def file_name(self) -> str:
        return record_file(self.identity)

    def finding(self, test: str) -> Finding | None:
        """The finding of ``test``; None where it was not tried."""
        return next((one for one in self.findings if one.test == test), None)


def record_file(identity: str) -> str:
    """The name of the file that holds the record of the model of this identity."""
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{re.sub(r'[^a-zA-Z0-9.-]+', '_', identity)[:60]}-{digest}.json"


def find_record(identity: str, folder: Path) -> CapabilityRecord | None:
    """The record of the model of this identity in ``folder``; None where there is none of this version.

    Raises StorageError where its file cannot be read, or is damaged.
    """
    return _read(folder / record_file(identity))


def all_records(folder: Path) -> list[CapabilityRecord]:
    """All records of this version in ``folder``, by their models' names. Raises StorageError."""
    found = [record for path in sorted(folder.glob("*.json")) if (record := _read(path)) is not None]
    return sorted(found, key=lambda record: (record.model, record.identity))


def store_record(record: CapabilityRecord, folder: Path) -> Path:
    """Writes ``record`` into ``folder``, in the place of an older one of the same model. Raises StorageError."""
    path = folder / record.file_name
    advice = "set MATHAGENT_HOME to a folder you can write, or use --no-store"
    store_json(path, record.model_dump(mode="json"), advice)
    return path


def _read(path: Path) -> CapabilityRecord | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("version") not in (VERSION, None):
            return None
        return CapabilityRecord.model_validate(content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error
    except (ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise StorageError(f"{path} is damaged ({reason}); delete it, and run `mathagent probe` anew") from error
