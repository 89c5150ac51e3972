"""The commands of the interactive session: what they are called, what may follow them, what is still unfinished.

Pure but for the tables of strategies and models, which are asked for names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from pydantic import ValidationError

from mathagent.agents.composition_text import is_composition, parse_first, written
from mathagent.budget import Budget
from mathagent.console.live_python import is_unfinished_code, python_code
from mathagent.errors import UnknownName, UsageError
from mathagent.models import BACKENDS
from mathagent.strategies import STRATEGIES

COMMANDS: dict[str, tuple[str, str]] = {
    "/why": ("", "what speaks for the last answer, and what against it"),
    "/check": ("", "run the last answer's certificate again, without a model"),
    "/candidates": ("[N]", "all candidates of the last solve; with a number: that one, whole"),
    "/right": ("", "the last answer is right: remembered as your word"),
    "/wrong": ("[ANSWER]", "the last answer is wrong, ANSWER is right: remembered as your word"),
    "/retry": ("[key=value ...]", "the last problem again, with another seed; settings count for this once"),
    "/hint": ("[TEXT]", "a hint for the next solve; while one runs, just type it"),
    "/save": ("FILE", "write the last solution to a .json, .md or .html file"),
    "/open": ("[FILE]", "write the trace of the last solve as a page, and open it in a browser"),
    "/new": ("", "forget the earlier questions and the Python session"),
    "/strategy": ("[NAME [key=value ...]]", "choose how to solve; alone: what there is; show NAME: its graph"),
    "/set": ("[key=value ...]", "settings of the strategy; an empty value (key=) restores the default"),
    "/model": ("[NAME]", "choose who answers; without a name: what there is"),
    "/budget": ("[tokens=N seconds=S calls=N]", "limit each solve; seconds=none lifts a limit, none lifts all"),
    "/tools": ("", "what programs can be run with"),
    "/memory": ("[TEXT]", "what is remembered, and its part in the last solve; with a text: what is like it"),
    "/debug": ("[on|off]", "show how typed questions to the model are answered"),
    "/help": ("", "this list"),
    "/quit": ("", "leave; so does Ctrl-D"),
}
BUDGET_FIELDS = {"tokens": "max_tokens", "seconds": "max_seconds", "calls": "max_calls"}

_ENVIRONMENT_OPEN = re.compile(r"\\begin\{(\w+\*?)\}")
_ENVIRONMENT_CLOSE = re.compile(r"\\end\{(\w+\*?)\}")


@dataclass(frozen=True)
class Command:
    """A line that starts with a slash: its name, as it stands in COMMANDS, the words behind it, and these as typed."""

    name: str
    words: tuple[str, ...] = ()
    text: str = ""


def parse_command(line: str) -> Command | None:
    """The command in ``line``; None where it is a problem. Raises UnknownName with the nearest commands."""
    words = line.split()
    if not words or not words[0].startswith("/"):
        return None
    name = {"/exit": "/quit", "/q": "/quit", "/?": "/help"}.get(words[0].lower(), words[0].lower())
    if name not in COMMANDS:
        raise UnknownName("command", words[0], COMMANDS)
    takes, _ = COMMANDS[name]
    if len(words) > 1 and not takes:
        raise UsageError(f"{name} takes nothing behind it")
    return Command(name, tuple(words[1:]), line.strip()[len(words[0]) :].strip())


def changed_budget(budget: Budget, words: Iterable[str]) -> Budget:
    """``budget`` with ``tokens=… seconds=… calls=…`` in place. Raises UsageError naming what is wrong."""
    words = list(words)
    if [word.lower() for word in words] == ["none"]:
        return Budget()
    limits = budget.model_dump()
    for word in words:
        name, separator, value = word.partition("=")
        if name not in BUDGET_FIELDS or not separator:
            raise UsageError(f"'{word}' is no limit; write tokens=2000, seconds=60 or calls=8")
        limits[BUDGET_FIELDS[name]] = None if value.lower() in ("none", "") else value
    try:
        return Budget.model_validate(limits)
    except ValidationError as error:
        first = error.errors()[0]
        field = next(short for short, long in BUDGET_FIELDS.items() if long == first["loc"][0])
        raise UsageError(f"{field}={first['input']} is wrong: {first['msg']}") from error


def describe_budget(budget: Budget) -> str:
    """``seconds=60 calls=8``, or that there is no limit."""
    limits = ((short, getattr(budget, long)) for short, long in BUDGET_FIELDS.items())
    return " ".join(f"{name}={value:g}" for name, value in limits if value is not None) or "no limit"


def changed_settings(settings: Mapping[str, Any], words: tuple[str, ...]) -> dict[str, Any]:
    """``settings`` with ``key=value`` pairs in place; ``key=`` removes one. Raises UsageError."""
    from mathagent.agents.strategy import parse_settings

    new = {**settings, **parse_settings(list(words))}
    return {key: value for key, value in new.items() if value != ""}


def first_strategy(text: str) -> tuple[str, tuple[str, ...]]:
    """The strategy, or the composition of strategies, that ``text`` begins with, and the words behind it.

    Raises UsageError.
    """
    name = text.split(maxsplit=1)[0]
    if not is_composition(text):
        return name, tuple(text.split()[1:])
    tree, rest = parse_first(text)
    return written(tree), tuple(rest.split())


def is_unfinished(text: str) -> bool:
    """Does ``text`` go on: a backslash at its end, or a formula that is still open? An empty last line ends it."""
    if text.endswith("\\"):
        return not text.endswith("\\\\")
    if text.startswith("/") or text.endswith("\n"):
        return False
    code = python_code(text)
    if code is not None:
        return is_unfinished_code(code)
    return (
        text.count("$$") % 2 == 1
        or len(re.findall(r"(?<!\\)\\\[", text)) > len(re.findall(r"(?<!\\)\\\]", text))
        or len(_ENVIRONMENT_OPEN.findall(text)) > len(_ENVIRONMENT_CLOSE.findall(text))
    )


def known_models() -> dict[str, str]:
    """Names that ``/model`` takes, each with a word about it."""
    from mathagent.models.catalog import catalog

    names = {f"embedded:{entry.name}": f"{entry.title}, {entry.size / 1e6:,.0f} MB" for entry in catalog()}
    return names | {f"{name}:": "followed by a name" for name in BACKENDS.names() if name != "embedded"}


class CommandCompleter(Completer):
    """Completes commands and what may follow them; says nothing inside a problem.

    ``settings`` gives the settings of a strategy (None: of the one in force): it is asked while typing, and so must
    not load anything.
    """

    def __init__(self, settings: Callable[[str | None], Mapping[str, str]]) -> None:
        self._settings = settings
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """See Completer.get_completions."""
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in text:
            return
        command, space, behind = text.partition(" ")
        if space and command in ("/save", "/open"):
            yield from self._paths.get_completions(Document(behind.lstrip()), complete_event)
            return
        word = text.rsplit(" ", 1)[-1]
        for name, meta in self._candidates(text).items():
            if name.startswith(word):
                goes_on = name in COMMANDS and COMMANDS[name][0] != ""
                text = f"{name} " if goes_on else name
                yield Completion(text, start_position=-len(word), display=name, display_meta=meta)

    def _candidates(self, text: str) -> Mapping[str, str]:
        command, space, behind = text.partition(" ")
        if not space:
            return {name: meaning for name, (_, meaning) in COMMANDS.items()}
        if command == "/strategy":
            first, another, _ = behind.lstrip().partition(" ")
            if another and first != "show":
                return self._settings(first)
            return dict.fromkeys(STRATEGIES.names(), "") | ({} if another else {"show": "its paper and graph"})
        if command == "/model":
            return known_models()
        if command == "/budget":
            return {f"{name}=": "" for name in BUDGET_FIELDS}
        if command == "/debug":
            return {"on": "", "off": ""}
        return self._settings(None) if command in ("/set", "/retry") else {}
