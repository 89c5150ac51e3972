"""Replay: a run made again with every completion from the cache and no model, and compared record by record.

What depends on the wall clock or on what the cache held, and on nothing else, is carried over from the old record
(``CARRIED``); all else must come out the same, programs and grading included, which are executed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from pydantic import JsonValue, ValidationError

from mathagent.errors import LimitReached, UsageError
from mathagent.evals.attempt import Attempter
from mathagent.evals.bench_spec import BenchSpec
from mathagent.evals.plan import Arm, Planned, attempt_seed
from mathagent.evals.records import LABELS, Record
from mathagent.evals.run_tables import RunInfo
from mathagent.models.base import Backend, ConnectOptions
from mathagent.models.connect import connect_backend
from mathagent.models.endpoint_url import split_identity
from mathagent.models.model_names import read_models
from mathagent.models.replaying import NeverAsked, ReplayedSolve, replayed_solve
from mathagent.models.router import Router
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem, Value

CARRIED = frozenset(
    {
        "seconds",  # of a record, a solution, a check, a trial: wall clock
        "wall_s",
        "cpu_s",
        "peak_memory_mb",  # of an execution
        "by_model",  # its sums are compared; records of older versions have none
        "solve_id",  # drawn at random for each solve
        "cached_calls",
        "cached_prompt_tokens",
        "cached_completion_tokens",
        "dollars",  # of a usage and a record: what was paid then; a replay pays nothing
    }
)
"""The fields of a record, at whatever depth, that are new in every run by nature: they keep their old values."""

_AS_GIVEN = frozenset({"config", "problem"})  # names in there are a strategy's or a data set's own

Status = Literal["same", "different", "missing", "skipped"]


class Difference(Value):
    """One place in a record where the replay has something else; ``place`` as in ``solution.candidates.0.answer``."""

    place: str
    before: JsonValue
    now: JsonValue


class Replayed(Value):
    """What came of one record. "missing": completions were not in the cache (``missing`` says which calls asked for
    them); "skipped": its solve had failed, so that there is nothing to replay. ``record`` is the new one."""

    problem_id: str
    dataset: str
    strategy: str
    attempt: int
    status: Status
    missing: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    record: Record


class Replay:
    """Replays the records of a run; an async context manager, which closes what it opened.

    Raises UsageError where the run cannot be replayed: it learned as it went, or its model cannot be named again.
    """

    def __init__(self, run: RunInfo, records: Sequence[Record]) -> None:
        self.spec = _spec_of(run)
        if self.spec.memory_used == "learn":
            raise UsageError(
                f"run '{run.id}' learned as it went, and its memory now holds what it learned: it cannot be replayed;"
                " runs without a memory, or with one that is only read, can"
            )
        self.records = list(records)
        self._solvers = {
            identity: self._solver(self._backend(identity))
            for identity in dict.fromkeys(record.backend or record.model for record in records)
        }
        self._attempters = {identity: Attempter(solver) for identity, solver in self._solvers.items()}

    async def __aenter__(self) -> Replay:
        return self

    async def __aexit__(self, *exception: object) -> None:
        for solver in self._solvers.values():
            await solver.aclose()
            await solver.backend.aclose()

    def _backend(self, identity: str) -> Backend:
        """The backend of that identity, which is not opened any further. Raises UsageError."""
        name, url = split_identity(identity)
        model = next((one.model for one in self.records if (one.backend or one.model) == identity), name)
        # No request is sent: any key will do.
        key = "replay" if url is not None else None
        several = not read_models(model).is_plain  # whose names say where they are
        options = ConnectOptions.model_validate({"base_url": None if several else url, "api_key": key})
        backend = connect_backend(model, options)
        if backend.identity != identity:
            raise UsageError(
                f"the run was made with {identity}, and {model} is {backend.identity} now: its completions are kept"
                " under another name"
            )
        return backend

    def _solver(self, backend: Backend) -> Solver:
        return Solver(
            backend.over(NeverAsked) if isinstance(backend, Router) else NeverAsked(backend),
            sandbox=self.spec.sandbox,
            checkpoints=False,
            memory=self.spec.memory,
            memory_mode=self.spec.memory_used,
        )

    async def run(self, on_replayed: Callable[[Replayed], None], *, at_once: int = 4) -> list[Replayed]:
        """Replays all records, ``at_once`` at a time; returns what came of each, in their order."""
        found: dict[int, Replayed] = {}
        todo = iter(enumerate(self.records))

        async def work() -> None:
            for index, record in todo:
                found[index] = await self._replay(record)
                on_replayed(found[index])

        workers = [asyncio.ensure_future(work()) for _ in range(min(at_once, len(self.records)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [found[index] for index in range(len(self.records))]

    async def _replay(self, record: Record) -> Replayed:
        if record.solution is None:
            return _replayed(record, "skipped", record)
        identity = record.backend or record.model
        attempter = self._attempters[identity]
        solve = ReplayedSolve(_deadline(record))
        token = replayed_solve.set(solve)
        try:
            made = await attempter.attempt(self._planned(record, self._solvers[identity]))
        finally:
            replayed_solve.reset(token)
        made = carried(record, made)
        differences = differences_of(record, made)
        if solve.missing:
            missing = tuple(dict.fromkeys(str(one) for one in solve.missing))
            return _replayed(record, "missing", made, missing=missing, differences=differences)
        return _replayed(record, "different" if differences else "same", made, differences=differences)

    def _planned(self, record: Record, solver: Solver) -> Planned:
        """The attempt that ``record`` is of."""
        assert record.solution is not None
        base = self.spec.seed if self.spec.seed is not None else solver.backend.default_seed
        arm = Arm(
            strategy=record.strategy,
            config=record.config,
            seed=self.spec.seed,
            **({} if record.budget is None else {"budget": record.budget}),
        )
        problem: Problem = record.solution.problem.model_copy(update={"reference": record.reference})
        return Planned(
            key=record.key,
            place=0,
            problem=problem,
            dataset=record.dataset,
            arm=arm,
            config=STRATEGIES.load(record.strategy).configure(record.config),
            attempt=record.attempt,
            seed=attempt_seed(base, record.attempt) if solver.backend.capabilities.seed else None,
        )


def _deadline(record: Record) -> LimitReached | None:
    """The limit that ended the solve of ``record``, where its seconds did."""
    if record.solution is None or record.budget is None or record.budget.max_seconds is None:
        return None
    limit = record.budget.seconds_used_up()
    return limit if record.solution.detail == str(limit) else None


def _spec_of(run: RunInfo) -> BenchSpec:
    """What the run was asked to do. Raises UsageError for a run that is no benchmark's."""
    if run.spec.get("command") == "judge-bench":
        raise UsageError(
            f"run '{run.id}' judged solutions; the same `mathagent judge-bench` with --rerun repeats it from the cache"
        )
    asked = {key: value for key, value in run.spec.items() if key in BenchSpec.model_fields}
    try:
        return BenchSpec.model_validate(asked)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(
            f"run '{run.id}' is none that can be replayed ({'.'.join(map(str, first['loc']))}: {first['msg']})"
        ) from error


def _replayed(
    record: Record,
    status: Status,
    made: Record,
    *,
    missing: tuple[str, ...] = (),
    differences: Sequence[Difference] = (),
) -> Replayed:
    return Replayed(
        problem_id=record.problem_id,
        dataset=record.dataset,
        strategy=record.strategy,
        attempt=record.attempt,
        status=status,
        missing=missing,
        differences=tuple(differences),
        record=made,
    )


def carried(before: Record, now: Record) -> Record:
    """``now`` with the ``CARRIED`` fields of ``before``, and what the data set says of the item (no solve decides
    that). Pure."""
    labels = {name: getattr(before, name) for name in LABELS}
    old, new = before.model_dump(mode="json"), now.model_copy(update=labels).model_dump(mode="json")
    return Record.model_validate(_carry(old, new))


def _carry(old: Any, new: Any) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _carried_value(key, old, value) for key, value in new.items()}
    if isinstance(old, list) and isinstance(new, list):
        return [_carry(*pair) for pair in zip(old, new, strict=False)] + new[len(old) :]
    return new


def _carried_value(key: str, old: dict[str, Any], value: Any) -> Any:
    if key not in old or key in _AS_GIVEN:
        return value
    return old[key] if key in CARRIED else _carry(old[key], value)


def differences_of(before: Record, now: Record) -> list[Difference]:
    """Every place where two records differ; none: they are the same, bit for bit. Pure."""
    return list(_differences("", before.model_dump(mode="json"), now.model_dump(mode="json")))


def _differences(place: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        pairs = [(key, old.get(key), new.get(key)) for key in dict.fromkeys([*old, *new])]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = [(str(index), *pair) for index, pair in enumerate(zip(old, new, strict=True))]
    else:
        if old != new:
            yield Difference(place=place, before=old, now=new)
        return
    for key, was, is_now in pairs:
        yield from _differences(f"{place}.{key}" if place else key, was, is_now)
