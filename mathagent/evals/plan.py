"""The plan of a run: every attempt at every problem by every arm, each under the key of its record."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, JsonValue, field_validator

from mathagent.agents.composition_text import canonical
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.budget import Budget
from mathagent.errors import UnsupportedOption, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.records import MemoryUse, record_key
from mathagent.prompts import prompt_hash
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem, Value


class Arm(Value):
    """One way to solve the problems of a benchmark: a strategy with its settings, a seed, a budget, and how often.

    ``feedback``: a memory that learns is told the grade of each answer; else only certificates speak for them.
    """

    strategy: str
    config: dict[str, Any]
    seed: int | None = None
    budget: Budget = Budget()
    feedback: bool = False
    attempts: int = Field(default=1, ge=1)

    @field_validator("strategy")
    @classmethod
    def _canonical(cls, strategy: str) -> str:
        """A composition has one name in records, however it was written. Raises UsageError."""
        return canonical(strategy)


@dataclass(frozen=True)
class Planned:
    """One attempt that a run is to have: ``place`` is where it stands among all, ``seed`` what it is solved with.

    ``config`` holds all settings of the strategy, those left at their defaults too.
    """

    key: str
    place: int
    problem: Problem
    dataset: str
    arm: Arm
    config: StrategyConfig
    attempt: int
    seed: int | None


async def plan(solver: Solver, datasets: Sequence[Dataset], arms: Sequence[Arm]) -> list[Planned]:
    """All attempts: by data set, then arm, then attempt, then problem, so that an early end leaves whole passes.

    A problem that stands twice has a record each time. A memory that is to learn and is not there yet is made: keys
    name it. Raises UsageError for a wrong strategy or setting, and for what cannot be had together.
    """
    await solver.beside.prepare()
    _check_learning(solver, arms)
    planned: list[Planned] = []
    everything = [problem for dataset in datasets for problem in dataset.problems]
    memories = {
        arm_index: iter(memory_keys(await memory_use(solver, arm), everything))
        for arm_index, arm in enumerate(arms)
    }
    for dataset in datasets:
        for arm_index, arm in enumerate(arms):
            memory = [next(memories[arm_index]) for _ in dataset.problems]
            planned += _plan_arm(solver, dataset, arm, memory, first=len(planned))
    return planned


def _plan_arm(
    solver: Solver, dataset: Dataset, arm: Arm, memories: Sequence[Sequence[JsonValue]], *, first: int
) -> list[Planned]:
    strategy: Strategy = STRATEGIES.load(arm.strategy)
    config = strategy.configure(arm.config)
    settings, prompts = config.model_dump(mode="json"), prompt_hash(*strategy.prompts)
    base = _base_seed(solver, arm)
    copies: Counter[tuple[str, str | None]] = Counter()
    copy_of = []
    for problem in dataset.problems:
        content = (problem.content_hash(), problem.reference)
        copy_of.append(copies[content])
        copies[content] += 1
    return [
        Planned(
            key=record_key(
                problem,
                memory=memory,
                strategy=strategy.name,
                config=settings,
                model=solver.backend.identity,
                seed=base,
                budget=arm.budget,
                prompts=prompts,
                attempt=attempt,
                copy=copy,
            ),
            place=first + attempt * len(dataset.problems) + index,
            problem=problem,
            dataset=dataset.name,
            arm=arm,
            config=config,
            attempt=attempt,
            seed=attempt_seed(base, attempt) if solver.backend.capabilities.seed else None,
        )
        for attempt in range(arm.attempts)
        for index, (problem, memory, copy) in enumerate(zip(dataset.problems, memories, copy_of, strict=True))
    ]


def attempt_seed(seed: int | None, attempt: int) -> int | None:
    """The seed of an attempt: the run's own for the first, and far from any other's for those after it. Pure.

    Samples of one solve take the seeds that follow its own, so that neighbouring seeds would share samples.
    """
    if attempt == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed or 0}/{attempt}".encode()).digest()[:4]) % 2**31


def _base_seed(solver: Solver, arm: Arm) -> int | None:
    backend = solver.backend
    if backend.capabilities.seed:
        return backend.default_seed if arm.seed is None else arm.seed
    if arm.seed is not None:
        raise UnsupportedOption(backend.name, "seed")
    if arm.attempts > 1 and solver.caches:
        raise UsageError(
            f"{backend.name} takes no seed, so that the cache would answer all attempts alike; add --no-cache"
        )
    return backend.default_seed


def _check_learning(solver: Solver, arms: Sequence[Arm]) -> None:
    if solver.memory.mode == "learn" and (len(arms) > 1 or any(arm.attempts > 1 for arm in arms)):
        raise UsageError(
            "what one attempt learns would help the next; with --memory-mode learn give one strategy and one attempt"
        )


async def memory_use(solver: Solver, arm: Arm) -> MemoryUse | None:
    """How the memory stands now; None where there is none."""
    memory = solver.memory
    if memory.store is None or memory.mode == "off":
        return None
    now = await memory.store.statistics()
    if memory.mode == "learn" and not now.identity:
        await memory.store.add(())
        now = await memory.store.statistics()
    feedback = arm.feedback and memory.mode == "learn"
    return MemoryUse(mode=memory.mode, store=now.identity, fingerprint=now.fingerprint, feedback=feedback)


def memory_keys(use: MemoryUse | None, problems: Sequence[Problem]) -> list[list[JsonValue]]:
    """What each attempt's memory is identified by: the store and what it holds; where it learns, the store and all
    problems before, in their order. Pure."""
    if use is None:
        return [[] for _ in problems]
    if use.mode == "read":
        return [["read", use.store, use.fingerprint] for _ in problems]
    before = hashlib.sha256()
    keys: list[list[JsonValue]] = []
    for problem in problems:
        keys.append(["learn", use.store, use.feedback, before.hexdigest()])
        before.update(problem.content_hash().encode())
    return keys
