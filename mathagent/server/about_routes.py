"""``/v1/about`` and ``/v1/strategies``: what a client may choose here, for those who show it to a person."""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import JsonValue

from mathagent import __version__
from mathagent.agents.outside_requests import CLOSED, allowed_strategy
from mathagent.agents.solver_memory import MemoryMode
from mathagent.agents.strategy import Kind, Need, Strategy
from mathagent.errors import MathagentError, UsageError
from mathagent.server.openapi_text import ERRORS
from mathagent.server.parts import SharedParts
from mathagent.server.public_text import public_text
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Value

logger = logging.getLogger("mathagent.server")
LONGEST_LOOK_S = 2.0
"""How long an endpoint has to say which server it is before the page is told without it."""
router = APIRouter(prefix="/v1", tags=["server"], responses=ERRORS)


class About(Value):
    """What this server has. ``strategy`` and the first of ``models`` are its own, ``seeds`` says whether that model
    takes a seed, ``images`` whether it sees pictures, as far as is known; ``max_seconds`` and ``max_tokens`` (None: no
    limit) bound every solve."""

    version: str = __version__
    strategy: str
    models: tuple[str, ...]
    seeds: bool
    images: bool
    max_seconds: float
    max_tokens: int | None
    memory: MemoryMode


class StrategyEntry(Value):
    """A strategy as it is listed; the fields are those of ``mathagent strategies --json``. ``calls`` are the samples
    of a solve with default settings, at least and at most (None: nobody has said)."""

    name: str
    summary: str
    paper: str
    kind: Kind | None
    calls: tuple[int, int] | None
    needs: tuple[Need, ...] | None


class StrategyList(Value):
    """All of them."""

    data: tuple[StrategyEntry, ...]


class StrategyRecord(StrategyEntry):
    """A strategy with the JSON schema of its ``settings``: those that a client may set."""

    settings: dict[str, JsonValue]


@router.get("/about")
async def about(parts: SharedParts) -> About:
    """What this server has, and its limits."""
    models, limits = parts.desk.models, parts.options.limits
    solver = models.solver(models.default)
    images = await _sees_images(solver)  # first: what is found out thereby is told, too
    return About(
        strategy=parts.options.strategy,
        models=tuple(models.names()),
        seeds=solver.backend.capabilities.seed,
        images=images,
        max_seconds=limits.seconds,
        max_tokens=limits.tokens,
        memory=solver.memory.mode,
    )


async def _sees_images(solver: Solver) -> bool:
    """Whether its model sees pictures. What keeps that from being known is in the log; all else is told even so."""
    try:
        return await solver.beside.sees_images(LONGEST_LOOK_S)
    except MathagentError as error:
        logger.warning("whether %s sees pictures is not known: %s", solver.backend.name, error)
        return False


@router.get("/strategies")
async def list_strategies() -> StrategyList:
    """The strategies, by name; one that cannot be loaded (a broken plugin) is in the log, not in the list."""
    return StrategyList(data=tuple(await asyncio.to_thread(_entries)))


@router.get("/strategies/{name:path}")
async def get_strategy(name: Annotated[str, Path(max_length=400)]) -> StrategyRecord:
    """One of them, or a composition such as `pal | cot`, with its settings."""
    strategy = await asyncio.to_thread(_loaded, name)
    return StrategyRecord(**_entry(name, strategy).model_dump(), settings=_settings(strategy))


def _loaded(name: str) -> Strategy:
    strategy: Strategy = STRATEGIES.load(allowed_strategy(name, STRATEGIES))
    return strategy


def _entries() -> list[StrategyEntry]:
    found = []
    for name in STRATEGIES.names():
        try:
            found.append(_entry(name, STRATEGIES.load(name)))
        except UsageError as error:
            logger.warning("left out of the list: %s", error)
    return found


def _entry(name: str, strategy: Strategy) -> StrategyEntry:
    return StrategyEntry(
        name=name,
        summary=public_text(strategy.summary),
        paper=strategy.paper,
        kind=strategy.kind,
        calls=strategy.calls,
        needs=strategy.needs,
    )


def _settings(strategy: Strategy) -> dict[str, Any]:
    schema = strategy.config.model_json_schema()
    properties = {name: one for name, one in schema.get("properties", {}).items() if name not in CLOSED}
    return {**schema, "properties": properties}
