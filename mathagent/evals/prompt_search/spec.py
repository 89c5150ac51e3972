"""What a prompt search is asked to do, and what its texts are. Pure but for reading the texts that come with it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, Literal

from pydantic import Field

from mathagent.budget import Budget
from mathagent.errors import UsageError
from mathagent.strategies import STRATEGIES
from mathagent.types import Value

Method = Literal["eccentric", "pe2"]
METHODS: dict[Method, tuple[str, str]] = {"eccentric": ("zero-shot-cot", "system"), "pe2": ("cot", "trigger")}
"""The methods, each with the strategy and the setting that it searches a text for if nothing else is said."""
Origin = Literal["empty", "baseline", "snippets", "edit"]


class Wording(Value):
    """One text that is tried, where it comes from, and the text that it was made of ("": of none)."""

    text: str
    origin: Origin
    parent: str = ""

    @property
    def hash(self) -> str:
        """Identity of the text (hex, 16 characters)."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class SearchSpec(Value):
    """How a text is searched for; the numbers of ``pe2`` are the paper's.

    ``first`` problems are what every text is tried on; the better half is tried on twice as many, and so on. ``steps``
    to ``history`` are for pe2. ``max_solves`` are attempts on the train split at most (None: no limit).
    """

    method: Method
    strategy: str
    setting: str
    settings: dict[str, Any] = Field(default_factory=dict)
    start: str | None = None
    seed: int | None = None
    budget: Budget = Budget()
    first: int = Field(default=32, ge=1)
    steps: int = Field(default=3, ge=1, le=32)
    parents: int = Field(default=4, ge=1, le=32)
    edits: int = Field(default=4, ge=1, le=32)
    failures: int = Field(default=2, ge=1, le=8)
    max_words: int = Field(default=50, ge=1)
    history: bool = False
    max_solves: int | None = Field(default=None, ge=1)

    @property
    def baseline(self) -> Wording:
        """The text to beat: the one given, else the strategy's own.

        Raises UsageError for a strategy or a setting that is none, or is no text.
        """
        strategy = STRATEGIES.load(self.strategy)
        if self.setting in self.settings:
            raise UsageError(
                f"{self.setting} is what is searched for: leave out --set {self.setting}, give --start"
            )
        config = strategy.configure(self.settings)
        if self.setting not in type(config).model_fields:
            raise UsageError(
                f"strategy '{self.strategy}' has no setting '{self.setting}'; texts that it has: "
                + (", ".join(_texts(config)) or "none")
            )
        if self.start is not None:
            strategy.configure({**self.settings, self.setting: self.start})
            return Wording(text=self.start, origin="baseline")
        own = getattr(config, self.setting)
        if not isinstance(own, str):
            raise UsageError(
                f"{self.setting} = {own!r} of strategy '{self.strategy}' is no text; give the text to start from:"
                " --start"
            )
        return Wording(text=own, origin="baseline")

    def wordings(self) -> list[Wording]:
        """The texts that the search begins with: the empty one and the one to beat first. Raises as ``baseline``."""
        known = snippets()
        if self.method == "eccentric":
            parts = product(known["openers"], known["tasks"], known["closers"])
            texts: Iterable[str] = (" ".join(part for part in some if part) for some in parts)
        else:
            texts = known["triggers"]
        begin = [self.baseline, Wording(text="", origin="empty")]
        return distinct([*begin, *(Wording(text=text, origin="snippets") for text in texts)])

    def config_with(self, wording: Wording) -> dict[str, Any]:
        """The strategy's settings with ``wording``."""
        return {**self.settings, self.setting: wording.text}


def distinct(wordings: Iterable[Wording]) -> list[Wording]:
    """The wordings, of those with the same text the first. Pure."""
    found: dict[str, Wording] = {}
    for one in wordings:
        found.setdefault(one.text, one)
    return list(found.values())


@cache
def snippets() -> dict[str, list[str]]:
    """The texts that come with the search, by the name of their list."""
    text = files(__package__).joinpath("snippets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _texts(config: Value) -> list[str]:
    return [name for name in type(config).model_fields if isinstance(getattr(config, name), str)]
