"""What an item is: the hash by which records of an edited data set are told apart."""

from __future__ import annotations

import hashlib
import json

from mathagent.types import Problem


def item_hash(problem: Problem) -> str:
    """Identity of an item: its question, its choices and its reference, nothing else (hex, 16 characters)."""
    parts = json.dumps([problem.text, list(problem.choices), problem.reference])
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:16]
