"""What a benchmark run is asked to do: one value, from a TOML file, the command line, or both (docs/bench.md)."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from mathagent.budget import Budget
from mathagent.errors import UsageError
from mathagent.evals.datasets.loading import file_of
from mathagent.evals.plan import Arm
from mathagent.evals.selection import whole_condition
from mathagent.sandbox import DEFAULT_SANDBOX
from mathagent.types import Value

DEFAULT_STRATEGIES = ("pal",)


class ModelSpec(Value):
    """A model (None: the default one), and the endpoint that serves it where that is not the usual one."""

    name: str | None = Field(default=None, description="backend:name; none: the default model.")
    base_url: str | None = Field(default=None, description="URL of an OpenAI-compatible endpoint (ends in /v1).")


class ArmSpec(Value):
    """A strategy with settings of its own."""

    strategy: str = Field(description="Name of the strategy.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Its settings, over those of all.")


class BudgetSpec(Value):
    """What one attempt may use."""

    tokens: int | None = Field(default=None, ge=1, description="Completion tokens.")
    calls: int | None = Field(default=None, ge=1, description="Model calls (samples).")
    seconds: float | None = Field(default=None, gt=0, description="Wall-clock seconds.")


class BenchSpec(Value):
    """A grid: every data set by every strategy by every model, ``attempts`` times."""

    datasets: tuple[str, ...] = Field(default=(), description="Names of data sets, or files (JSONL, JSONL.gz).")
    data: Path | None = Field(default=None, description="Folder with the data sets that are named.")
    subset: tuple[str, ...] = Field(
        default=(), description="Conditions such as level=4,5 that problems must meet."
    )
    shuffle: bool = Field(default=False, description="Mix the problems, by the seed, before the limit is applied.")
    limit: int | None = Field(default=None, ge=1, description="Take so many problems of each data set.")
    strategies: tuple[str, ...] = Field(default=(), description="Strategies with the settings of all.")
    arms: tuple[ArmSpec, ...] = Field(default=(), description="Strategies with settings of their own.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Settings of all strategies.")
    models: tuple[ModelSpec, ...] = Field(default=(ModelSpec(),), min_length=1, description="Models.")
    attempts: int = Field(
        default=1, ge=1, le=10_000, description="Attempts at each problem, each with its own seed."
    )
    seed: int | None = Field(default=None, description="Seed of the samples and of the shuffle.")
    budget: BudgetSpec = Field(default=BudgetSpec(), description="What one attempt may use.")
    item_seconds: float | None = Field(default=None, gt=0, description="When an attempt that hangs is given up.")
    memory: Path | None = Field(default=None, description="File of the memory to use.")
    memory_mode: Literal["off", "read", "learn"] | None = Field(default=None, description="off, read or learn.")
    memory_feedback: bool = Field(default=False, description="Tell a memory that learns which answers were right.")
    sandbox: str = Field(default=DEFAULT_SANDBOX, description="What runs the programs.")
    cache: bool = Field(default=True, description="Read and write the completion cache.")
    concurrency: int | None = Field(default=None, ge=1, description="Attempts at a time (none: the backend's).")
    name: str | None = Field(default=None, description="The run's id; a run of that name is gone on with.")
    output: Path | None = Field(default=None, description="Also write the records to this JSONL file.")
    on_interrupt: Literal["finish", "leave"] = Field(
        default="finish",
        description="Whether the first Ctrl-C finishes what is in flight, or leaves it for later.",
    )

    @field_validator("datasets", "strategies", "subset", "models", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """One stands for a list of one."""
        return (value,) if isinstance(value, str | Mapping) else value

    @field_validator("models", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """A model's name stands for the model."""
        listed = (value,) if isinstance(value, str | Mapping) else value
        return [{"name": one} if isinstance(one, str) else one for one in listed]

    def all_arms(self) -> list[Arm]:
        """The arms: each strategy once with the same settings. Raises UsageError for what cannot go together."""
        own = [ArmSpec(strategy=name) for name in self.strategies]
        listed = [*own, *self.arms] or [ArmSpec(strategy=name) for name in DEFAULT_STRATEGIES]
        self._check_memory(len(listed) * len(self.models))
        arms = [
            Arm(
                strategy=one.strategy,
                config={**self.settings, **one.settings},
                seed=self.seed,
                budget=Budget(
                    max_tokens=self.budget.tokens, max_calls=self.budget.calls, max_seconds=self.budget.seconds
                ),
                feedback=self.memory_feedback,
                attempts=self.attempts,
            )
            for one in listed
        ]
        return [arm for index, arm in enumerate(arms) if arm not in arms[:index]]

    @property
    def memory_used(self) -> Literal["off", "read", "learn"]:
        """How the memory is used: one that is named is read, if nothing else is said."""
        return self.memory_mode or ("off" if self.memory is None else "read")

    def _check_memory(self, arms: int) -> None:
        if self.memory is not None and self.memory_mode == "off":
            raise UsageError("memory names a memory, memory mode off takes none; leave out one of them")
        if self.memory_used == "learn" and (arms > 1 or self.attempts > 1):
            raise UsageError(
                "what one strategy, model or attempt learns would help the next; with --memory-mode learn give one"
                " strategy, one model and one attempt"
            )
        if self.memory_feedback and self.memory_used != "learn":
            raise UsageError("--memory-feedback is for a memory that learns; add --memory-mode learn")

    def recorded(self) -> dict[str, Any]:
        """What a run keeps of this: what decides its records, not how they are made. Passwords are left out; paths are
        whole, so that the run can be gone on with from any folder."""
        from mathagent.models.endpoint_url import without_password

        left_out = {"concurrency", "name", "output", "on_interrupt", "cache"}
        kept = self._with_whole_paths().model_dump(mode="json", exclude=left_out)
        for model in kept["models"]:
            model["base_url"] = model["base_url"] and without_password(model["base_url"])
        return kept

    def _with_whole_paths(self) -> BenchSpec:
        return self.model_copy(
            update={
                "datasets": tuple(_whole_path(name, self.data) for name in self.datasets),
                "data": self.data and self.data.expanduser().absolute(),
                "memory": self.memory and self.memory.expanduser().absolute(),
                "subset": tuple(map(whole_condition, self.subset)),
            }
        )


def _whole_path(name: str, data: Path | None) -> str:
    """The whole path where ``name`` is a file's; the name of a data set as it is."""
    try:
        file = file_of(name, data)
    except UsageError:  # there is no such data set: whoever loads it says so
        return name
    return name if file is None else str(file.absolute())


def read_config(path: Path) -> dict[str, Any]:
    """The values in a TOML file; paths that lie beside the file are found there. Raises UsageError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text; give a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    values = {key.replace("-", "_"): value for key, value in values.items()}

    def beside(value: Any) -> Any:
        there = path.parent / value if isinstance(value, str) and value else None
        return str(there) if there is not None and there.exists() else value

    for key in ("datasets", "data", "memory"):
        if key in values:
            listed = isinstance(values[key], list)
            values[key] = [beside(one) for one in values[key]] if listed else beside(values[key])
    return values


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with what stands in ``over``, which wins. Settings and budgets are merged key by key; strategies take
    the place of arms, and settings reach into the arms that are left. Pure."""
    result = {**values, **over}
    for key in ("settings", "budget"):
        if isinstance(values.get(key), Mapping) and isinstance(over.get(key), Mapping):
            result[key] = {**values[key], **over[key]}
    if over.get("strategies"):
        result.pop("arms", None)
    arms, settings = result.get("arms"), over.get("settings")
    if settings and isinstance(arms, list):
        result["arms"] = [
            {**arm, "settings": {**arm.get("settings", {}), **settings}} if isinstance(arm, Mapping) else arm
            for arm in arms
        ]
    return result


def spec_of(values: Mapping[str, Any], where: str) -> BenchSpec:
    """The spec that ``values`` give. Raises UsageError, with ``where`` they stand, naming the key that is wrong and,
    for an unknown one, the nearest that is known."""
    try:
        return BenchSpec.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = [part for part in first["loc"] if isinstance(part, str)]
        key = ".".join(place)
        if first["type"] == "extra_forbidden":
            known = list(_model_at(place[:-1]).model_fields)
            near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"
            raise UsageError(f"{where}: unknown key '{key}'; {hint}") from error
        raise UsageError(f"{where}: {key} = {first['input']!r} is wrong: {first['msg']}") from error


def _model_at(place: list[str]) -> type[BaseModel]:
    """The model whose key stands at ``place``."""
    inner: dict[str, type[BaseModel]] = {"models": ModelSpec, "arms": ArmSpec, "budget": BudgetSpec}
    return inner.get(place[0], BenchSpec) if place else BenchSpec
