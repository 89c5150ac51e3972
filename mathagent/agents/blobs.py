"""Long texts out of a state and back into it, so that a checkpoint holds each of them once.

A solve's state is mostly long texts that never change: prompts (the same in every draft), replies, programs, outputs.
They are kept under their hash, and the state that is written at every step holds the hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

T = TypeVar("T")

LONG_BYTES = 256
"""What is shorter stays in the state: a row of its own costs some 60 bytes."""
_TEXT, _BYTES = "\x00text:", b"\x00bytes:"


def take_out(value: T, blobs: dict[str, bytes]) -> T:
    """``value`` (plain data and pydantic models, at any depth) with references for its long texts and bytes.

    What was taken out is added to ``blobs``, by hash. Texts that UTF-8 cannot hold go out, too, however short.
    """

    def change(leaf: str | bytes) -> str | bytes:
        if isinstance(leaf, str):
            if len(leaf) <= LONG_BYTES and leaf.isascii() and not leaf.startswith("\x00"):
                return leaf
            content = leaf.encode("utf-8", "surrogatepass")
            if len(content) <= LONG_BYTES and not leaf.startswith("\x00") and _is_sound(leaf):
                return leaf
            return _TEXT + _keep(content, blobs)
        if len(leaf) <= LONG_BYTES and not leaf.startswith(b"\x00"):
            return leaf
        return _BYTES + _keep(leaf, blobs).encode()

    return _mapped(value, change)


def put_back(value: T, blobs: Mapping[str, bytes]) -> T:
    """The reverse of ``take_out``. Raises KeyError where a blob is missing."""

    def change(leaf: str | bytes) -> str | bytes:
        if isinstance(leaf, str):
            if not leaf.startswith(_TEXT):
                return leaf
            return blobs[leaf[len(_TEXT) :]].decode("utf-8", "surrogatepass")
        return blobs[leaf[len(_BYTES) :].decode()] if leaf.startswith(_BYTES) else leaf

    return _mapped(value, change)


def _keep(content: bytes, blobs: dict[str, bytes]) -> str:
    key = hashlib.blake2b(content, digest_size=16).hexdigest()
    blobs[key] = content
    return key


def _is_sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mapped(value: T, change: Callable[[str | bytes], str | bytes]) -> T:
    """``value`` with ``change`` applied to each text and bytes in it; whatever did not change is the same object."""
    old: Any = value
    new: Any = old
    if type(old) in (str, bytes):  # not an enumeration's member, which is a text as well
        new = change(old)
    elif isinstance(old, BaseModel):
        fields = {name: _mapped(field, change) for name, field in old.__dict__.items()}
        changed = {name: field for name, field in fields.items() if field is not old.__dict__[name]}
        new = old.model_copy(update=changed) if changed else old
    elif type(old) is dict:
        pairs = {key: _mapped(item, change) for key, item in old.items()}
        new = pairs if any(pairs[key] is not item for key, item in old.items()) else old
    elif type(old) in (list, tuple):
        items = [_mapped(item, change) for item in old]
        new = type(old)(items) if any(one is not item for one, item in zip(items, old, strict=True)) else old
    result: T = new
    return result
