"""The tools of one solve, made when they are first asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from mathagent.config import Settings
from mathagent.errors import UsageError
from mathagent.models.base import Backend
from mathagent.sandbox.base import Sandbox
from mathagent.tools import TOOLS
from mathagent.tools.base import Tool
from mathagent.tools.retrieve import Searchable


@dataclass(frozen=True)
class Means:
    """What tools work with. A model's programs run in ``sandbox``, where a person may be asked first; ours, which only
    compute what a call names, in ``own_sandbox``. ``memory`` is the guarded view of a store (None: there is none).

    ``measured``: the solve is part of a measurement, which must not find its answer on the web.
    """

    sandbox: Sandbox
    own_sandbox: Sandbox
    backend: Backend
    settings: Settings
    memory: Searchable | None = None
    measured: bool = False


class Toolbox(Mapping[str, Tool]):
    """Tools by name. What cannot work is not in it: "web" without a provider, "z3" without its package, "retrieve"
    without a memory. Where the solve is measured there is no "web", and "wolfram" computes in the sandbox.

    Those of plugins are in it, too (``plugin_makers``); one that cannot be loaded raises UsageError when tools are
    first asked for."""

    def __init__(self, means: Means) -> None:
        self._made: dict[str, Tool] = {}
        self._means = means

    @cached_property
    def _makers(self) -> dict[str, Callable[[], Tool]]:
        return _makers(self._means)  # most solves ask for no tool, and to look for packages takes time

    def __getitem__(self, name: str) -> Tool:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _makers(means: Means) -> dict[str, Callable[[], Tool]]:
    from importlib.util import find_spec

    from mathagent.tools.constraint_solver import z3_tool
    from mathagent.tools.knowledge import knowledge_tool
    from mathagent.tools.python import python_tool
    from mathagent.tools.retrieve import retrieve_tool
    from mathagent.tools.symbolic import symbolic_tool
    from mathagent.tools.web import open_search, web_tool
    from mathagent.tools.wolfram import wolfram_tool

    settings, memory, own = means.settings, means.memory, means.own_sandbox
    for_wolfram = settings.model_copy(update={"wolfram_app_id": None}) if means.measured else settings
    makers: dict[str, Callable[[], Tool]] = {
        "python": lambda: python_tool(means.sandbox),
        "symbolic": lambda: symbolic_tool(own),
        "wolfram": lambda: wolfram_tool(own, for_wolfram),
        "knowledge": lambda: knowledge_tool(means.backend),
    }
    if find_spec("z3") is not None:
        makers["z3"] = lambda: z3_tool(own)
    if settings.web and not means.measured:
        makers["web"] = lambda: web_tool(open_search(settings))
    if memory is not None:
        makers["retrieve"] = lambda: retrieve_tool(memory)
    return makers | plugin_makers(means)


def plugin_makers(means: Means) -> dict[str, Callable[[], Tool]]:
    """The tools that other packages add (entry points of the group mathagent.tools).

    Each factory is given those of these that its parameters name: ``sandbox`` (for programs of a model),
    ``own_sandbox`` (for programs that the tool itself writes), ``backend``, ``settings``, ``memory`` and ``measured``.
    A tool that needs a ``memory`` is absent without one, and a factory may return None where its tool cannot work, or
    must not: one that looks answers up, in a solve that is ``measured``. Raises UsageError.
    """
    given = {name: getattr(means, name) for name in Means.__dataclass_fields__}
    makers: dict[str, Callable[[], Tool]] = {}
    for name in TOOLS.plugin_names():
        parameters = inspect.signature(TOOLS.load(name)).parameters.values()
        unknown = [one.name for one in parameters if one.name not in given and one.default is one.empty]
        if unknown:
            raise UsageError(
                f"tool '{name}' of a plugin asks for {', '.join(unknown)}; a tool is given {', '.join(given)}"
            )
        wanted = {one.name: given[one.name] for one in parameters if one.name in given}
        if means.memory is None and any(one.name == "memory" and one.default is one.empty for one in parameters):
            continue
        tool = TOOLS.load(name)(**wanted)
        if tool is not None:
            makers[name] = partial(_same, tool)
    return makers


def _same(tool: Tool) -> Tool:
    return tool
