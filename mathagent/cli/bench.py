"""mathagent bench: strategies over a file of problems, with progress, intervals and a resumable store."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.console.bench_view import BenchProgress, show_summaries
from mathagent.console.pull_view import progress_for_pull
from mathagent.errors import StorageError, UsageError
from mathagent.evals.dataset import Dataset, read_dataset
from mathagent.evals.metrics import Summary, summarize
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.runner import Arm, Benchmark
from mathagent.types import Value


class BenchArguments(Value):
    """The parsed arguments."""

    file: Path
    strategies: tuple[str, ...]
    limit: int | None
    model: str | None
    base_url: str | None
    budget: Budget
    config: dict[str, Any]
    seed: int | None
    concurrency: int | None
    output: Path | None
    rerun: bool
    as_json: bool
    sandbox: str
    cache: bool


def bench_command(arguments: BenchArguments) -> int:
    """Runs the benchmark; exit code 0, or 3 where problems failed to be solved or graded at all."""
    if not arguments.strategies:
        raise UsageError("--strategy names no strategy")
    dataset = read_dataset(arguments.file, limit=arguments.limit)
    results = asyncio.run(_run(arguments, dataset))
    summaries = [summary for summary, _ in results]
    if arguments.output is not None:
        _write(arguments.output, [record for _, records in results for record in records])
    if arguments.as_json:
        sys.stdout.write(json.dumps([summary.model_dump() for summary in summaries], indent=2) + "\n")
    else:
        show_summaries(Console(), summaries)
    return 3 if any(summary.errors or summary.undecided for summary in summaries) else 0


async def _run(arguments: BenchArguments, dataset: Dataset) -> list[tuple[Summary, list[Record]]]:
    from mathagent.solver import Solver

    trace = Console(stderr=True)
    store = RecordStore(settings().runs_path)
    arms = [
        Arm(strategy=name, config=arguments.config, seed=arguments.seed, budget=arguments.budget)
        for name in arguments.strategies
    ]
    results = []
    try:
        with progress_for_pull(trace) as on_progress:
            async with Solver(
                arguments.model,
                base_url=arguments.base_url,
                sandbox=arguments.sandbox,
                cache=arguments.cache,
                checkpoints=False,  # a run resumes by its records
                on_progress=on_progress,
            ) as solver:
                benchmark = Benchmark(solver, store, dataset, concurrency=arguments.concurrency)
                for arm in arms:  # a wrong setting of the last arm should not be found after hours of the first
                    benchmark.keys(arm)
                for arm in arms:
                    with BenchProgress(trace, arm.strategy, len(dataset.problems)) as progress:
                        records = await benchmark.run(arm, progress.on_record, rerun=arguments.rerun)
                    name = solver.backend.name
                    summary = summarize(records, strategy=arm.strategy, model=name, dataset=dataset.name)
                    results.append((summary, records))
    finally:
        store.close()
    return results


def _write(path: Path, records: list[Record]) -> None:
    try:
        path.write_text("".join(f"{record.model_dump_json()}\n" for record in records), encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; the records are kept in {settings().runs_path}"
        ) from error
