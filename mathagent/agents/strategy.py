"""Strategy: a named, published way to solve: a config and a graph."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from mathagent.errors import UsageError
from mathagent.types import Value

if TYPE_CHECKING:
    from langgraph.graph import StateGraph


class StrategyConfig(Value):
    """What all strategies let be set. ``temperature`` None: 0 for one sample, 0.7 for several."""

    n: int = Field(default=1, ge=1, le=256, description="Samples to draw at most.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="Sampling temperature.")
    top_p: float = Field(default=1.0, gt=0, le=1, description="Nucleus of sampling.")
    max_tokens: int = Field(default=1024, ge=1, description="Completion tokens of one sample.")

    @property
    def sampling_temperature(self) -> float:
        """The temperature that is really sent."""
        if self.temperature is not None:
            return self.temperature
        return 0.7 if self.n > 1 else 0.0


@dataclass(frozen=True)
class Strategy:
    """``build`` turns a config into an uncompiled graph over SolveState with RunContext; ``prompts`` are the names
    of the prompt files it may render; ``paper`` is the source (title and arXiv number)."""

    name: str
    summary: str
    paper: str
    config: type[StrategyConfig]
    build: Callable[[Any], StateGraph[Any, Any, Any, Any]]
    prompts: tuple[str, ...]

    def configure(self, settings: Mapping[str, Any]) -> StrategyConfig:
        """The config with ``settings`` over its defaults. Raises UsageError naming a wrong key or value."""
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
    return settings
