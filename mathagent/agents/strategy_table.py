"""StrategyTable: the lazy table of strategies, in which a composition of them is a name, too."""

from __future__ import annotations

from typing import Any

from mathagent.agents.composition_text import canonical, is_composition, names_in
from mathagent.registry import Registry


class StrategyTable(Registry):
    """Wherever the name of a strategy is accepted, a composition of them is, as in ``pal(n=4) | vote(cot, tir)``
    (agents/composition_text.py)."""

    def path(self, name: str) -> str:
        """See Registry.path; of a composition: what makes it, once all that it names is known. Raises UsageError."""
        if not is_composition(name):
            return super().path(name)
        for part in names_in(name):
            super().path(part)
        return "mathagent.agents.composition:composed"

    def load(self, name: str) -> Any:
        """See Registry.load. Raises UsageError, too, where a composition cannot be read or a setting in it is wrong."""
        if not is_composition(name):
            return super().load(name)
        from mathagent.agents.composition import composed  # brings langgraph along

        return composed(canonical(name), super().load)
