"""The identity of code: whether what a solve, or a record, rests on has changed since."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path


@cache
def source_hash(*parts: str, suffix: str = ".py") -> str:
    """Hash (hex, 16 characters) of ``parts``, files and folders of this package: of the files with ``suffix``."""
    root = Path(str(files("mathagent")))
    digest = hashlib.sha256()
    for part in parts:
        path = root / part
        sources = [path] if path.is_file() else sorted(path.rglob(f"*{suffix}"))
        for source in sources:
            digest.update(source.relative_to(root).as_posix().encode() + b"\x00" + source.read_bytes())
    return digest.hexdigest()[:16]
