"""Strategy: a named, published way to solve: a config and a graph."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from pydantic import Field, ValidationError

from mathagent.errors import UsageError
from mathagent.memory.experience import Experience
from mathagent.types import SamplingParams, Solution, Value

if TYPE_CHECKING:
    from langgraph.graph import StateGraph


class StrategyConfig(Value):
    """What all strategies let be set. ``temperature`` None: 0 for one sample, 0.7 for several."""

    n: int = Field(default=1, ge=1, le=256, description="Samples to draw at most.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="Sampling temperature.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus of sampling.")
    max_tokens: int = Field(default=1024, ge=1, description="Completion tokens of one sample.")

    def without_memory(self) -> Self:
        """The same settings for a solve without a memory, whose graph needs no node to look into it."""
        return self

    @property
    def sampling_temperature(self) -> float:
        """The temperature that is really sent."""
        if self.temperature is not None:
            return self.temperature
        return 0.7 if self.n > 1 else 0.0

    @property
    def most_samples(self) -> int:
        """How many samples a solve draws at most, as far as the settings say."""
        return self.n

    @property
    def params(self) -> SamplingParams:
        """How one sample is drawn."""
        return SamplingParams(temperature=self.sampling_temperature, top_p=self.top_p, max_tokens=self.max_tokens)


Kind = Literal["prompting", "two views", "tools", "sampling", "search", "teams", "language", "memory"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Need = Literal[
    "sandbox", "log-probs", "continuation", "memory", "tools", "embeddings", "reward model", "dictionary"
]
NEEDS: tuple[Need, ...] = get_args(Need)
Joiner = Literal["|", "&", "vote"]


@dataclass(frozen=True)
class Strategy:
    """``build`` turns a config into an uncompiled graph over SolveState with RunContext; ``prompts`` are the names
    of the prompt files it may render; ``paper`` is the source (title and arXiv number). ``learn`` turns
    what every solve leaves for the memory (its second argument) into what a solve by it leaves; it is pure.

    For the table of strategies: ``kind``; ``calls`` are the samples that a solve asks for with the default settings and
    no budget, at least and at most, typed questions that must be asked again left out; ``needs`` is what it is little
    without, beside a chat model ("continuation": the model goes on with a turn of its own); ``training_free``: the
    paper trains no model for it (where one does, prompts play its roles here). None: nobody has said (a plugin may
    not; every strategy of ours does).

    ``given`` are settings that are part of the name, ``pal(n=4)``, as (name, JSON); ``joiner`` and ``parts`` are set
    where it is a composition (agents/composition.py).
    """

    name: str
    summary: str
    paper: str
    config: type[StrategyConfig]
    build: Callable[[Any], StateGraph[Any, Any, Any, Any]]
    prompts: tuple[str, ...]
    learn: Callable[[Solution, Sequence[Experience]], list[Experience]] | None = None
    kind: Kind | None = None
    calls: tuple[int, int] | None = None
    needs: tuple[Need, ...] | None = None
    training_free: bool = True
    given: tuple[tuple[str, str], ...] = ()
    joiner: Joiner | None = None
    parts: tuple[Strategy, ...] = ()

    def configure(self, settings: Mapping[str, Any]) -> StrategyConfig:
        """The config with ``settings`` over its defaults. Raises UsageError naming a wrong key or value, or one that
        the strategy's name gives otherwise."""
        given = {key: json.loads(value) for key, value in self.given}
        config = self._validated({**settings, **given})
        now = config.model_dump(mode="json") if given else {}
        for key, value in given.items():
            if key in settings and settings[key] not in (value, now[key]):
                raise UsageError(
                    f"strategy '{self.name}' says {key} itself; leave out {key} = {settings[key]!r}, or the brackets"
                )
        return config

    def _validated(self, settings: Mapping[str, Any]) -> StrategyConfig:
        try:
            return self.config.model_validate(settings)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            if first["type"] == "extra_forbidden":
                known = ", ".join(self.config.model_fields)
                raise UsageError(f"strategy '{self.name}' has no setting '{key}'; it has: {known}") from error
            raise UsageError(
                f"strategy '{self.name}': {key} = {first['input']!r} is wrong: {first['msg']}"
            ) from error


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """Reads ``key=value`` pairs; a value is JSON where it parses as such and text elsewhere. Raises UsageError."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.strip():
            raise UsageError(f"'{pair}' is not a setting; write key=value, for example n=8")
        try:
            settings[key.strip()] = json.loads(value)
        except json.JSONDecodeError:
            settings[key.strip()] = value.strip()
        except (ValueError, RecursionError) as error:  # thousands of digits, or of lists within lists
            raise UsageError(f"the value of '{key.strip()}' is too large to be read") from error
    return settings
