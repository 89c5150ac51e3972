"""The keyword options of Solver and of its solves, as types, for those who pass them on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

from mathagent.agents.human import Human
from mathagent.agents.solver_memory import MemoryMode
from mathagent.budget import Budget
from mathagent.events import Event
from mathagent.memory.base import ExperienceStore
from mathagent.models.base import PullProgress
from mathagent.models.connect import ModelLike
from mathagent.sandbox.base import Sandbox
from mathagent.types import Response


class SolverOptions(TypedDict, total=False):
    """The options of ``Solver``."""

    roles: Mapping[str, ModelLike] | None
    base_url: str | None
    api_key: str | None
    sandbox: str | Sandbox
    cache: bool
    checkpoints: bool | Path
    max_parallel: int | None
    memory: Path | ExperienceStore | None
    memory_mode: MemoryMode
    on_progress: Callable[[PullProgress], None] | None


class EachOptions(TypedDict, total=False):
    """The options of ``Solver.solve`` that make sense for each of many problems."""

    budget: Budget | None
    config: Mapping[str, Any] | None
    seed: int | None
    interrupt: asyncio.Event | None
    min_confidence: float | None
    measured: bool


class StreamOptions(EachOptions, total=False):
    """The options of ``Solver.solve`` but ``on_event``."""

    human: Human | None
    resume: str | None
    answer: Response | None


class SolveOptions(StreamOptions, total=False):
    """The options of ``Solver.solve``."""

    on_event: Callable[[Event], None] | None


class OneShotStreamOptions(SolverOptions, StreamOptions, total=False):
    """The options of ``mathagent.stream``."""


class OneShotOptions(SolverOptions, SolveOptions, total=False):
    """The options of ``mathagent.solve``."""
