"""mathagent judge-bench: how well roles find mistakes, on ProcessBench, MR-GSM8K and MathCheck; resumable."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.console.bench_view import BenchProgress
from mathagent.console.interrupts import Interruptible
from mathagent.console.judge_view import show_results
from mathagent.console.page import Page
from mathagent.console.pull_view import progress_for_pull
from mathagent.errors import UsageError
from mathagent.evals.process.evaluate import OWN_CRITICS, Asking, CriticResult, Evaluation
from mathagent.evals.process.items import ItemSet, Kind
from mathagent.evals.process.load import load_sets
from mathagent.evals.process.reasons import ReasonGrading
from mathagent.evals.process.scored import SCORER_MARK
from mathagent.evals.records import Record, RecordStore, write_records
from mathagent.evals.run_tables import RunStatus
from mathagent.solver import Solver
from mathagent.types import Value

EXIT_DONE, EXIT_PARTIAL, EXIT_INTERRUPTED = 0, 3, 130


class JudgeBenchArguments(Value):
    """The parsed arguments. ``roles`` empty: each data set's own, unless ``scorers`` are named; ``models`` empty: the
    default one."""

    datasets: tuple[str, ...]
    roles: tuple[str, ...]
    scorers: tuple[str, ...]
    tune_on: str | None
    models: tuple[str, ...]
    base_url: str | None
    data: Path | None
    limit: int | None
    shuffle: bool
    tasks: tuple[str, ...] | None
    strategy: str
    strategy_config: dict[str, Any]
    config: dict[str, Any]
    seed: int | None
    budget: Budget
    item_seconds: float | None
    reason_judge: str | None
    concurrency: int | None
    name: str | None
    output: Path | None
    rerun: bool
    as_json: bool
    sandbox: str
    cache: bool


@dataclass
class _Collected:
    """What has come of the run so far: it outlives a run that is given up. ``records`` ends in those of reasons."""

    run_id: str = ""
    results: list[CriticResult] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


def judge_bench_command(arguments: JudgeBenchArguments) -> int:
    """Runs the critics; exit code 0, 3 where items could not be judged or graded at all, 130 where interrupted."""
    sets = load_sets(
        arguments.datasets,
        data_dir=arguments.data,
        shuffle=arguments.shuffle,
        seed=arguments.seed,
        limit=arguments.limit,
    )
    kinds = list(dict.fromkeys(one.kind for one in sets))
    if arguments.reason_judge is not None and "mr-gsm8k" not in kinds:
        raise UsageError("--reason-judge grades the reasons of MR-GSM8K; none of the data sets is that")
    if arguments.tasks is not None and kinds != ["mathcheck"]:
        raise UsageError("--tasks is for MathCheck; give its data set alone")
    if arguments.tune_on is not None and (not arguments.scorers or "processbench" not in kinds):
        raise UsageError("--tune-on chooses the threshold of a scorer on ProcessBench; name one with --scorer")
    if arguments.tune_on is not None and "threshold" in arguments.config:
        raise UsageError("--tune-on chooses the threshold; leave out --set threshold")
    collected = _Collected()
    whole = asyncio.run(_run(arguments, sets, collected))
    if arguments.output is not None:
        write_records(arguments.output, collected.records)
    if arguments.as_json:
        shown = [result.model_dump(mode="json") for result in collected.results]
        sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    else:
        show_results(Console(), collected.results)
        Page(Console()).line(
            f"run {collected.run_id}: mathagent report {collected.run_id} -o report.html", style="dim"
        )
    if not whole:
        told = "interrupted; what was judged is kept, and the same command goes on with the rest"
        Page(Console(stderr=True)).line(told)
        return EXIT_INTERRUPTED
    return EXIT_PARTIAL if any(one.errors or one.undecided for one in collected.results) else EXIT_DONE


async def _run(arguments: JudgeBenchArguments, sets: list[ItemSet], collected: _Collected) -> bool:
    """Whether the run came to its end."""
    trace = Console(stderr=True)
    store = RecordStore(settings().runs_path)
    run = _Run(arguments, sets, store, trace, collected)
    try:
        with Interruptible((signal.SIGINT, signal.SIGTERM)) as ctrl_c:
            whole = await ctrl_c.run(
                run.all_models, lambda: run.note("finishing what is under way; again (Ctrl-C): leave it for later")
            )
        run.end("finished" if whole else "interrupted")
    except BaseException:
        run.end("failed")
        raise
    finally:
        if run.run_id is not None:  # also what a run that was given up had come to
            collected.records[:0] = store.run_records(run.run_id)
        store.close()
    return bool(whole)


class _Run:
    """One invocation: every model over every kind of data by every role."""

    def __init__(
        self,
        arguments: JudgeBenchArguments,
        sets: list[ItemSet],
        store: RecordStore,
        trace: Console,
        collected: _Collected,
    ) -> None:
        self.arguments, self.store, self.trace, self.collected = arguments, store, trace, collected
        self.by_kind: dict[Kind, list[ItemSet]] = {}
        for one in sets:
            self.by_kind.setdefault(one.kind, []).append(one)
        self.run_id: str | None = None
        self.place = self.models_done = 0
        self.progress: BenchProgress | None = None

    async def all_models(self, finish: asyncio.Event) -> bool:
        """Runs all; False where it was interrupted. Raises UsageError before anything is asked where it can be told."""
        with progress_for_pull(self.trace) as on_progress:
            for model in self.arguments.models or (None,):
                async with Solver(
                    model,
                    base_url=self.arguments.base_url,
                    sandbox=self.arguments.sandbox,
                    cache=self.arguments.cache,
                    checkpoints=False,  # a run resumes by its records
                    on_progress=on_progress,
                ) as solver:
                    await self._one_model(solver, finish)
                self.models_done += 1
                if finish.is_set():
                    break
        complete = not any(result.missing for result in self.collected.results)
        return complete and self.models_done == len(self.arguments.models or (None,))

    async def _one_model(self, solver: Solver, finish: asyncio.Event) -> None:
        arguments = self.arguments
        asking = Asking(
            config=arguments.config,
            seed=arguments.seed,
            budget=arguments.budget,
            tasks=arguments.tasks,
            strategy=arguments.strategy,
            strategy_config=arguments.strategy_config,
            tune_on=arguments.tune_on,
        )
        evaluations = {
            kind: Evaluation(
                solver,
                self.store,
                sets,
                asking,
                arguments.concurrency,
                finish=finish,
                item_seconds=arguments.item_seconds,
            )
            for kind, sets in self.by_kind.items()
        }
        named = (*arguments.roles, *(f"{SCORER_MARK}{scorer}" for scorer in arguments.scorers))
        jobs = [(kind, role) for kind in self.by_kind for role in named or (OWN_CRITICS[kind],)]
        plans = [await evaluations[kind].plan(role) for kind, role in jobs]
        if self.run_id is None:
            planned = sum(len(plan) for plan in plans) * max(1, len(arguments.models))
            self.run_id = self.store.start_run(_spec(arguments), arguments.name, planned=planned).id
            self.collected.run_id = self.run_id
        rows = [(f"{role} {kind}", len(plan)) for (kind, role), plan in zip(jobs, plans, strict=True)]
        row_of = {one.key: row for row, plan in reversed(list(enumerate(plans))) for one in plan}
        with BenchProgress(self.trace, rows, row_of) as progress:
            self.progress = progress
            for (kind, role), plan in zip(jobs, plans, strict=True):
                evaluation = evaluations[kind]
                evaluation.run_id, evaluation.first = self.run_id, self.place
                records = await evaluation.run(role, progress.on_record, rerun=arguments.rerun)
                self.place += len(plan)
                reasons = await self._reasons(evaluation, records) if kind == "mr-gsm8k" else None
                self.collected.results.append(evaluation.result(role, records, reasons))

    async def _reasons(self, evaluation: Evaluation, records: list[Record]) -> dict[str, bool | None]:
        """Which reasons were accepted; {} where nobody is to grade them."""
        arguments = self.arguments
        if arguments.reason_judge is None:
            return {}
        items = [item for one in evaluation.sets for item in one.items]
        async with Solver(
            arguments.reason_judge,
            base_url=arguments.base_url if arguments.reason_judge.startswith("openai:") else None,
            sandbox=arguments.sandbox,
            cache=arguments.cache,
            checkpoints=False,
        ) as grader:
            return await ReasonGrading(grader, self.store).grade(items, records, self._on_reason)

    def _on_reason(self, record: Record, known: bool) -> None:
        if not known:
            self.collected.records.append(record)

    def note(self, message: str) -> None:
        """Writes a line above the progress."""
        if self.progress is not None:
            self.progress.note(message)

    def end(self, status: RunStatus) -> None:
        """Notes how the run ended, if it was begun."""
        if self.run_id is not None:
            self.store.finish_run(self.run_id, status)


def _spec(arguments: JudgeBenchArguments) -> dict[str, Any]:
    """What a run asks: whoever goes on with a named one must ask the same."""
    kept = arguments.model_dump(mode="json", exclude={"name", "output", "as_json", "rerun", "concurrency", "data"})
    return {"command": "judge-bench", **kept}
