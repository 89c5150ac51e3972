"""Prompts are data: chat templates in files, with named slots that are rendered strictly.

A file holds the turns of a chat, each opened by a line ``=== system ===``, ``=== user ===`` or ``=== assistant ===``.
Turns are split before slots are filled, so no slot's text can open a turn of its own. ``folder/file`` names a prompt of
ours, ``package.of.prompts:folder/file`` one of another package.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from mathagent.errors import UsageError
from mathagent.types import Message

_TURN = re.compile(r"^=== (system|user|assistant) ===\n", re.MULTILINE)


@cache
def source(name: str) -> str:
    """The text of prompt ``name`` (without suffix). Raises UsageError where there is none."""
    package, separator, file = name.rpartition(":")
    try:
        return files(package if separator else __package__).joinpath(f"{file}.md").read_text(encoding="utf-8")
    except (OSError, ImportError) as error:
        raise UsageError(f"there is no prompt named '{name}'") from error


@cache
def _turns(name: str) -> tuple[tuple[str, Any], ...]:
    from jinja2 import Environment, StrictUndefined

    # Prompts are plain text for a model, never HTML: nothing to escape.
    environment = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
    parts = _TURN.split(source(name))
    if parts[0].strip() or len(parts) < 3:
        raise UsageError(f"prompt '{name}' must begin with a line such as '=== user ==='")
    return tuple(
        (role, environment.from_string(text.strip())) for role, text in zip(parts[1::2], parts[2::2], strict=True)
    )


@cache
def slots(name: str) -> frozenset[str]:
    """The names of the slots of prompt ``name``."""
    from jinja2 import Environment, meta

    return frozenset(meta.find_undeclared_variables(Environment(autoescape=False).parse(source(name))))


def render(name: str, **values: Any) -> tuple[Message, ...]:
    """The turns of prompt ``name`` with its slots filled. Raises UsageError for a missing or unknown slot."""
    if slots(name) != values.keys():
        raise UsageError(f"prompt '{name}' has the slots {sorted(slots(name))}, was given {sorted(values)}")
    return tuple(Message(role=role, content=template.render(values)) for role, template in _turns(name))


def prompt_hash(*names: str) -> str:
    """Identity of the texts of the named prompts (hex, 16 characters); it goes into every record."""
    joined = "\x00".join(source(name) for name in names)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
