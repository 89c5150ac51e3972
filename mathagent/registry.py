"""A lazy table from name to "module:object": built-ins, plugins and full paths come in by the same door."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mathagent.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Registry:
    """Names of one kind of part (``kind`` is used in messages), loaded when first asked for.

    ``table`` maps a name to ``module:object``. Other packages add names through entry points of the group
    ``mathagent.<plural>``. Wherever a name is accepted, a full ``module:object`` path is too.
    """

    def __init__(self, kind: str, group: str, table: Mapping[str, str]) -> None:
        self.kind, self.group, self.table = kind, group, dict(table)

    def names(self) -> list[str]:
        """All known names, plugins included, sorted."""
        return sorted({*self.table, *(point.name for point in self._plugins())})

    def plugin_names(self) -> list[str]:
        """The names that other packages add, sorted."""
        return sorted({point.name for point in self._plugins()} - self.table.keys())

    def path(self, name: str) -> str:
        """The ``module:object`` path of ``name``. Raises UnknownName with the nearest names."""
        if name in self.table:
            return self.table[name]
        for point in self._plugins():
            if point.name == name:
                return point.value
        if ":" in name and "." in name.split(":", 1)[0]:
            return name
        raise UnknownName(self.kind, name, self.names())

    def load(self, name: str) -> Any:
        """The object itself. Raises UnknownName, or UsageError where the path does not import."""
        module_name, _, attribute = self.path(name).partition(":")
        try:
            loaded: Any = import_module(module_name)
            for part in attribute.split("."):
                loaded = getattr(loaded, part)
        except Exception as error:  # importing runs the module's code, which may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UsageError(
                f"{self.kind} '{name}' cannot be loaded ({reason}); check the name or install it"
            ) from error
        return loaded

    def _plugins(self) -> tuple[EntryPoint, ...]:
        from importlib.metadata import entry_points  # brings email and zipfile along; few names need it

        return tuple(entry_points(group=self.group))
