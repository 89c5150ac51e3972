"""What a session has chosen, and the commands that change it or tell about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import Field

from mathagent.agents.composition_text import canonical
from mathagent.agents.solver_memory import MemoryMode
from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.console.repl_commands import (
    COMMANDS,
    Command,
    changed_budget,
    changed_settings,
    describe_budget,
    first_strategy,
    known_models,
)
from mathagent.errors import UsageError
from mathagent.sandbox import INTERACTIVE_SANDBOX
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES
from mathagent.tools import TOOLS
from mathagent.types import Value

KEYS = {
    "Enter": "solve; goes on in a new line while a formula ($$, \\[) is open or a backslash ends the line",
    "Alt-Enter": "a new line",
    "Ctrl-C": "while solving: stop with the best so far; again: give up. At an empty prompt, twice: leave",
    "Ctrl-D": "leave",
    "Tab": "complete a command, a name, a setting, a file",
    "!expr": "run Python beside the last answer, with the names of its program; so do lines after >>>",
    "typing": "while a solve runs: a hint for the model, Enter sends it",
}


class ReplOptions(Value):
    """How a session starts: what the flags of ``mathagent solve`` said. ``model`` None: the configured one."""

    model: str | None = None
    base_url: str | None = None
    strategy: str = DEFAULT_STRATEGY
    budget: Budget = Budget()
    config: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    min_confidence: float | None = None
    sandbox: str = INTERACTIVE_SANDBOX
    cache: bool = True
    approve: bool = False
    memory: Path | None = None
    memory_mode: MemoryMode = "off"


class Session:
    """The choices in force (``options``). Raises UsageError where the first ones name what does not exist.

    ``solver_is_stale`` is set once another model is chosen; who reopens the solver clears it.
    """

    def __init__(self, options: ReplOptions, page: Page) -> None:
        self.options, self._first = options, options
        self._page = page
        self.solver_is_stale = False
        self.debug = False
        STRATEGIES.path(options.strategy)
        _backends_of(self.model, options.base_url)

    @property
    def model(self) -> str:
        """The model in force, as a person writes it."""
        return self.options.model or settings().model

    def run(self, command: Command) -> bool:
        """Does what ``command`` says; False where it is none of the session's commands.

        Raises UsageError, and then nothing has changed.
        """
        if command.name == "/strategy":
            self._strategy(command.text)
            return True
        action = {
            "/model": self._model,
            "/budget": self._budget,
            "/set": self._set,
            "/tools": self._tools,
            "/debug": self._debug,
            "/help": self._help,
        }.get(command.name)
        if action is not None:
            action(command.words)
        return action is not None

    def setting_names(self, strategy: str | None = None) -> dict[str, str]:
        """The settings of the strategy (None: of the one in force), for completion: none while it is not loaded."""
        name = strategy or self.options.strategy
        try:
            if STRATEGIES.path(name).partition(":")[0] not in sys.modules:
                return {}
        except UsageError:
            return {}
        fields = STRATEGIES.load(name).config.model_fields
        return {f"{name}=": field.description or "" for name, field in fields.items()}

    def _strategy(self, text: str) -> None:
        if not text:
            rows = []
            for name in STRATEGIES.names():
                one = STRATEGIES.load(name)
                rows += [_row(name, one.summary, is_chosen=name == self.options.strategy), ("", one.paper, "")]
            self._page.table(rows)
            return
        first, _, behind = text.partition(" ")
        if first == "show":
            self._show_strategy(canonical(behind.strip()) if behind.strip() else self.options.strategy)
            return
        name, pairs = first_strategy(text)
        chosen = STRATEGIES.load(name)
        kept = {key: value for key, value in self.options.config.items() if key in chosen.config.model_fields}
        dropped = sorted(set(self.options.config) - set(kept))
        kept = changed_settings(kept, pairs)
        chosen.configure(kept)
        self.options = self.options.model_copy(update={"strategy": name, "config": kept})
        self._page.line(f"strategy {name}" + (f"; it has no {', '.join(dropped)}: dropped" if dropped else ""))
        if pairs:
            self._show_settings()

    def _show_strategy(self, name: str) -> None:
        """What a strategy is: its paper, and its graph as it would run now."""
        from mathagent.console.graph_view import graph_lines, graph_of

        strategy = STRATEGIES.load(name)
        config = self.options.config if name == self.options.strategy else {}
        self._page.line(strategy.summary)
        self._page.line(strategy.paper, style="dim")
        self._page.line()
        graph = graph_of(strategy, strategy.configure(config))
        for line in graph_lines(graph, self._page.width, unicode=self._page.draws_boxes):
            self._page.line(line)

    def _model(self, words: tuple[str, ...]) -> None:
        if not words:
            models = {self.model: "answers now"} | known_models()
            self._page.table([_row(name, about, is_chosen=name == self.model) for name, about in models.items()])
            return
        (name,) = _only(words, "/model NAME")
        # An address given at the start serves endpoints; other backends would refuse it.
        base_url = self._first.base_url if "openai" in _backends_of(name, self._first.base_url) else None
        self.options = self.options.model_copy(update={"model": name, "base_url": base_url})
        self.solver_is_stale = True
        self._page.line(f"model {one_line(name)}")

    def _budget(self, words: tuple[str, ...]) -> None:
        self.options = self.options.model_copy(update={"budget": changed_budget(self.options.budget, words)})
        self._page.line(f"budget of each solve: {describe_budget(self.options.budget)}")

    def _set(self, words: tuple[str, ...]) -> None:
        strategy = STRATEGIES.load(self.options.strategy)
        config = changed_settings(self.options.config, words)
        strategy.configure(config)
        self.options = self.options.model_copy(update={"config": config})
        self._show_settings()

    def _show_settings(self) -> None:
        strategy, config = STRATEGIES.load(self.options.strategy), self.options.config
        values = strategy.configure(config)
        rows = []
        for name, value in values.model_dump(mode="json").items():
            text = "" if value is None else one_line(value if isinstance(value, str) else json.dumps(value), 60)
            about = strategy.config.model_fields[name].description or ""
            rows.append(_row(f"{name}={text}", about, is_chosen=name in config))
        self._page.table(rows)

    def _tools(self, words: tuple[str, ...]) -> None:
        for name in TOOLS.names():
            about = (TOOLS.load(name).__doc__ or "").split("\n\n")[0]
            self._page.table([_row(name, " ".join(about.split()))])
        sandbox = f"programs run in the sandbox '{self.options.sandbox}'; mathagent doctor says what it holds"
        self._page.line(sandbox, style="dim")

    def _debug(self, words: tuple[str, ...]) -> None:
        if words not in ((), ("on",), ("off",)):
            raise UsageError("/debug takes on or off")
        self.debug = words == ("on",) if words else not self.debug
        self._page.line(f"debug {'on' if self.debug else 'off'}")

    def _help(self, words: tuple[str, ...]) -> None:
        self._page.table([_row(f"{name} {takes}".strip(), about) for name, (takes, about) in COMMANDS.items()])
        self._page.line()
        self._page.table([_row(key, about) for key, about in KEYS.items()])


def _row(name: str, about: str, *, is_chosen: bool = False) -> tuple[str, str, str]:
    return ("* " if is_chosen else "  ") + one_line(name), about, "bold" if is_chosen else ""


def _only(words: tuple[str, ...], usage: str) -> tuple[str]:
    if len(words) != 1:
        raise UsageError(f"one name is wanted: {usage}")
    return (words[0],)


def _backends_of(model: str, base_url: str | None) -> set[str]:
    """The backends that the models in ``model`` belong to. Raises UnknownName with the nearest names."""
    from mathagent.models.connect import backends_of

    return backends_of(model, has_endpoint=bool(base_url or settings().openai_base_url))
