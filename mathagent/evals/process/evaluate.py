"""One process evaluation: critics over the sets of a data set with one model, to results that people can read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from mathagent.agents.blocks.score import require_scorer
from mathagent.budget import Budget, Meter
from mathagent.errors import UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.plan import Arm, Planned
from mathagent.evals.process.bench import CriticBenchmark, CriticOf
from mathagent.evals.process.critics import Critic, load_critic
from mathagent.evals.process.critique_config import critique_settings
from mathagent.evals.process.items import ItemSet, Kind, ProcessItem
from mathagent.evals.process.mathcheck import Column, MathCheckReport, columns_of, mathcheck_report
from mathagent.evals.process.report import MrReport, ProcessBenchReport, mr_report, processbench_report
from mathagent.evals.process.scored import SCORER_MARK, best_threshold, judged_at
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.runner import Benchmark, OnRecord
from mathagent.solver import Solver
from mathagent.types import Problem, Value

OWN_CRITICS: dict[Kind, str] = {"processbench": "critic", "mr-gsm8k": "teacher", "mathcheck": "mathcheck"}
"""The critics that the data sets' own protocols ask; "mathcheck" is one for each of its tasks."""


class Asking(Value):
    """How it is asked: settings of the critics, and for MathCheck which of its tasks and what solves its questions.

    ``tune_on`` names the set on which the threshold of scorers is chosen (None: it is the setting's).
    """

    config: dict[str, Any] = Field(default_factory=dict)
    seed: int | None = None
    budget: Budget = Budget()
    tasks: tuple[str, ...] | None = None
    strategy: str = "cot"
    strategy_config: dict[str, Any] = Field(default_factory=dict)
    tune_on: str | None = None


class CriticResult(Value):
    """What one critic with one model came to on one kind of data; the report of that kind is set.

    ``names_steps`` False: it only judges whole solutions. ``unreadable`` judgements count as wrong; ``missing`` items
    were left for later. Tokens (completion) and calls are means an item; ``dollars`` is the sum, None where a price is
    not known. ``threshold`` is set of scorers: below it a step is wrong; it was chosen on ``tuned_on`` (None: given),
    whose own score is too good therefore, and does not count in the average.
    """

    kind: Kind
    critic: str
    model: str
    strategy: str | None = None
    items: int
    names_steps: bool
    processbench: ProcessBenchReport | None = None
    mr: MrReport | None = None
    mathcheck: MathCheckReport | None = None
    unreadable: int = 0
    errors: int = 0
    undecided: int = 0
    missing: int = 0
    completion_tokens: float = 0.0
    calls: float = 0.0
    dollars: float | None = None
    threshold: float | None = None
    tuned_on: str | None = None


GradeReasons = Callable[[Sequence[ProcessItem], Sequence[Record]], Any]


@dataclass
class Evaluation:
    """Sets of one kind, judged by critics through ``solver``; records go to ``store``, and to the run ``run_id``.

    ``finish``, once set, lets what is under way end and begins nothing new; ``item_seconds``: see Attempter.
    """

    solver: Solver
    store: RecordStore
    sets: Sequence[ItemSet]
    asking: Asking = field(default_factory=Asking)
    concurrency: int | None = None
    run_id: str | None = None
    first: int = 0
    finish: asyncio.Event | None = None
    item_seconds: float | None = None

    def __post_init__(self) -> None:
        kinds = {one.kind for one in self.sets}
        if len(kinds) != 1:
            raise UsageError("an evaluation is of sets of one kind")
        self.kind: Kind = kinds.pop()
        there = {item.subject for one in self.sets for item in one.items}
        self.columns: tuple[Column, ...] = ()
        self.tuned_on: str | None = None
        if self.kind == "mathcheck":
            self.columns = tuple(one for one in columns_of(self.asking.tasks) if one.task in there)
            if not self.columns:
                raise UsageError(f"none of --tasks is in the data, which has {', '.join(sorted(there))}")
        if self.asking.tasks is not None and self.kind != "mathcheck":
            raise UsageError("--tasks is for MathCheck; the other data sets have one task")
        if self.asking.tune_on is not None and self.kind == "processbench":
            self.tuned_on = _named(self.asking.tune_on, self.sets)

    def critic_of(self, name: str) -> CriticOf:
        """Who judges each item under the critic's ``name``. Raises UsageError for a name that is none."""
        if name.startswith(SCORER_MARK) and self.kind == "mathcheck":
            raise UsageError("--scorer is for ProcessBench and MR-GSM8K; MathCheck's tasks ask roles")
        if self.kind != "mathcheck":
            critic = load_critic(name)
            return lambda item: critic
        own = {column.task: column.critic for column in self.columns if column.critic is not None}
        named = None if name == OWN_CRITICS["mathcheck"] else load_critic(name)

        def of(item: ProcessItem) -> Critic:
            # No role but its own is asked whether a question can be answered.
            return own[item.subject] if named is None or item.subject == "answerable_judging" else named

        return of

    @property
    def judged(self) -> list[ItemSet]:
        """The sets without what is to be solved, or not to be asked."""
        tasks = {column.task for column in self.columns if column.critic is not None}
        return [
            one if self.kind != "mathcheck" else one.model_copy(update={"items": _of_tasks(one, tasks)})
            for one in self.sets
        ]

    @property
    def solved(self) -> list[Dataset]:
        """MathCheck's questions that are to be solved."""
        if not any(column.critic is None for column in self.columns):
            return []
        chosen = [(one.name, _of_tasks(one, {"solving"})) for one in self.sets]
        return [
            Dataset(name=name, problems=tuple(_as_problem(item) for item in items))
            for name, items in chosen
            if items
        ]

    async def plan(self, critic: str) -> list[Planned]:
        """The attempts that ``run`` will make or find. Raises UsageError for what is wrong in what is asked, or where
        the backend lacks what a scorer needs."""
        if critic.startswith(SCORER_MARK):
            beside = self.solver.beside.context(Meter())
            await require_scorer(beside, Problem(text=""), critic.removeprefix(SCORER_MARK))
        planned = await self._critics(critic).plan(self._arm(critic))
        return planned + (await self._solving().plan(self._solving_arm) if self.solved else [])

    async def run(self, critic: str, on_record: OnRecord, *, rerun: bool = False) -> list[Record]:
        """The records of the items that have one when it ends: judged by ``critic``, and solved where that is asked."""
        bench = self._critics(critic)
        records = await bench.run(self._arm(critic), on_record, rerun=rerun, finish=self.finish)
        self.first += sum(len(one.items) for one in self.judged)
        if self.solved:
            records += await self._solving().run(self._solving_arm, on_record, rerun=rerun, finish=self.finish)
            self.first += sum(len(one.problems) for one in self.solved)
        return records

    def result(
        self, critic: str, records: Sequence[Record], reasons: Mapping[str, bool | None] | None = None
    ) -> CriticResult:
        """What ``records`` come to; ``reasons``: which reasons were accepted, by item (MR-GSM8K)."""
        found = {(record.dataset, record.problem_id): record for record in records}
        pairs = {
            one.name: [(item, found[one.name, item.id]) for item in one.items if (one.name, item.id) in found]
            for one in self.sets
        }
        everything = [pair for some in pairs.values() for pair in some]
        wanted = sum(len(one.items) for one in self.judged) + sum(len(one.problems) for one in self.solved)
        usage = [record.usage for record in records if record.outcome != "error"]
        dollars = [record.dollars for record in records if record.outcome != "error"]
        result = CriticResult(
            kind=self.kind,
            critic=critic,
            model=self.solver.backend.name,
            strategy=self.asking.strategy if self.solved else None,
            items=len(everything),
            names_steps=self.kind == "mathcheck" or load_critic(critic).names_steps,
            unreadable=sum(
                record.answer is None and record.outcome == "incorrect" and record.subject != "solving"
                for record in records
            ),
            errors=sum(record.outcome == "error" for record in records),
            undecided=sum(record.outcome == "undecided" for record in records),
            missing=wanted - len(everything),
            completion_tokens=sum(one.completion_tokens for one in usage) / max(1, len(usage)),
            calls=sum(one.calls for one in usage) / max(1, len(usage)),
            dollars=None if None in dollars else sum(one for one in dollars if one is not None),
        )
        if critic.startswith(SCORER_MARK):
            result, pairs = self._at_threshold(result, pairs)
        match self.kind:
            case "processbench":
                report = processbench_report(pairs, left_out=result.tuned_on)
                return result.model_copy(update={"processbench": report})
            case "mr-gsm8k":
                return result.model_copy(update={"mr": mr_report(everything, reasons or {})})
        items = [item for one in self.sets for item in one.items]
        return result.model_copy(update={"mathcheck": mathcheck_report(items, records, self.columns)})

    def _at_threshold(
        self, result: CriticResult, pairs: dict[str, list[tuple[ProcessItem, Record]]]
    ) -> tuple[CriticResult, dict[str, list[tuple[ProcessItem, Record]]]]:
        """The result with the threshold of a scorer, and its judgements at that."""
        threshold: float | None = None
        if self.tuned_on is not None:
            threshold = best_threshold(pairs[self.tuned_on])
        chosen_on = self.tuned_on if threshold is not None else None
        if threshold is None:
            threshold = critique_settings(self.asking.config).threshold
        told = result.model_copy(update={"threshold": threshold, "tuned_on": chosen_on})
        return told, judged_at(threshold, pairs)

    def _critics(self, critic: str) -> CriticBenchmark:
        return CriticBenchmark(
            self.solver,
            self.store,
            *self.judged,
            critics={critic: self.critic_of(critic)},
            concurrency=self.concurrency,
            run_id=self.run_id,
            first=self.first,
            item_seconds=self.item_seconds,
        )

    def _arm(self, critic: str) -> Arm:
        return Arm(strategy=critic, config=self.asking.config, seed=self.asking.seed, budget=self.asking.budget)

    def _solving(self) -> Benchmark:
        return Benchmark(
            self.solver,
            self.store,
            *self.solved,
            concurrency=self.concurrency,
            run_id=self.run_id,
            first=self.first,
            item_seconds=self.item_seconds,
        )

    @property
    def _solving_arm(self) -> Arm:
        return Arm(
            strategy=self.asking.strategy,
            config=self.asking.strategy_config,
            seed=self.asking.seed,
            budget=self.asking.budget,
        )


def _named(name: str, sets: Sequence[ItemSet]) -> str:
    """The one of ``sets`` that is meant by ``name``, with or without the data set's. Raises UsageError."""
    found = [one.name for one in sets if name in (one.name, one.name.rpartition(":")[2])]
    if not found:
        there = ", ".join(one.name for one in sets)
        raise UsageError(f"--tune-on {name} names none of the sets that are judged: {there}")
    return found[0]


def _of_tasks(items: ItemSet, tasks: set[str]) -> tuple[ProcessItem, ...]:
    return tuple(item for item in items.items if item.subject in tasks)


def _as_problem(item: ProcessItem) -> Problem:
    metadata = {"subject": item.subject, "level": item.level, "family": item.family}
    return Problem(text=item.shown.question, id=item.id, reference=item.reference, metadata=dict(metadata))
