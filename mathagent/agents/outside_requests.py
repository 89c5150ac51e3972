"""What a client of a server may ask for: strategies of the tables, settings that reach no file, module or address.

On the command line a ``module:object`` path is a name wherever a name is accepted, and settings name files, models and
endpoints: the user's own. From outside they would import, read or call what they like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mathagent.agents.composition_text import Joined, Named, Tree, is_composition, parse
from mathagent.agents.strategy_table import StrategyTable
from mathagent.errors import UsageError

FREE_TEXT = frozenset({"trigger", "hint", "system"})
"""Settings whose text goes into a prompt, and nowhere else."""
CLOSED = frozenset({"dictionary", "dictionary_hash", "models"})
"""Settings that name files, other models or their addresses."""

_WORD = re.compile(r"[\w .,+-]{0,120}")


def allowed_strategy(name: str, table: StrategyTable) -> str:
    """``name``, where it is a strategy of ``table`` or a composition of them with settings that are allowed.

    Raises UsageError.
    """
    if not is_composition(name):
        _known(name, table)
        return name
    for part in _parts(parse(name)):
        if isinstance(part, Named):
            _known(part.name, table)
        allowed_settings(part.settings)
    return name


def allowed_settings(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """``settings``, where a client may set them. Raises UsageError naming the first that it may not."""
    for key, value in settings.items():
        if key in CLOSED:
            raise UsageError(f"the setting '{key}' cannot be set from outside; leave it out")
        if key not in FREE_TEXT and not all(_WORD.fullmatch(text) for text in _texts(value, key)):
            raise UsageError(
                f"the setting '{key}' may hold plain words here, no paths, addresses or module:object names"
            )
    return settings


def _known(name: str, table: StrategyTable) -> None:
    if ":" in name:
        raise UsageError("a strategy is named by its name here, such as pal, or 'pal(n=4) | cot'")
    table.path(name)


def _parts(tree: Tree) -> Iterator[Tree]:
    yield tree
    if isinstance(tree, Joined):
        for part in tree.parts:
            yield from _parts(part)


def _texts(value: Any, key: str) -> Iterator[str]:
    """All texts in a setting's value; one that holds an object is refused (they stand for models)."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one, key)
    elif isinstance(value, Mapping):
        raise UsageError(f"the setting '{key}' cannot hold an object here; leave it out")
