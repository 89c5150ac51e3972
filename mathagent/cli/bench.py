"""mathagent bench: a grid of data sets, strategies and models, with progress, intervals and a resumable store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from mathagent.cli.options import sandbox_name
from mathagent.config import settings
from mathagent.console.bench_view import BenchProgress, arm_line, show_summaries
from mathagent.console.interrupts import Interruptible
from mathagent.console.pull_view import progress_for_pull
from mathagent.errors import ResourceError, UsageError
from mathagent.evals.bench_spec import BenchSpec, merged, read_config, spec_of
from mathagent.evals.dataset import Dataset
from mathagent.evals.datasets import load_dataset
from mathagent.evals.grid import Grid
from mathagent.evals.metrics import arms
from mathagent.evals.records import Record, RecordStore, write_records
from mathagent.evals.run_tables import RunInfo
from mathagent.evals.runs import find_run
from mathagent.evals.watchdog import Watchdog
from mathagent.types import Value

EXIT_PARTIAL, EXIT_INTERRUPTED = 3, 130


class BenchArguments(Value):
    """The parsed arguments: ``given`` are the keys of the spec that the command line gives, by their names."""

    given: dict[str, Any]
    config: Path | None = None
    resume: str | None = None
    base_url: str | None = None
    unsafe_local: bool = False
    rerun: bool = False
    as_json: bool = False


def bench_command(arguments: BenchArguments) -> int:
    """Runs the benchmark; exit code 0, 3 where problems failed to be solved or graded at all, 130 if interrupted."""
    store = RecordStore(settings().runs_path)
    try:
        spec = _spec(arguments, store)
        _check_output(spec.output)
        spec.all_arms()  # what cannot go together is said before anything is read
        datasets = _load(spec)
        runner = asyncio.Runner()
        try:
            run, records, given_up = runner.run(_run(arguments, spec, datasets, store))
        except BaseException:
            runner.close()
            raise
    finally:
        store.close()
    _show(arguments, run, records)
    if spec.output is not None:
        write_records(spec.output, records)
    failed = any(record.outcome in ("error", "undecided") for record in records)
    code = EXIT_INTERRUPTED if run.status == "interrupted" else EXIT_PARTIAL if failed else 0
    if (
        given_up
    ):  # a task that hears no cancellation, or a thread of one, may be left: waiting for it would never end
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    runner.close()
    return code


def _check_output(path: Path | None) -> None:
    """Raises UsageError for a file that could not be written after hours of work."""
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise UsageError(f"--output {path}: {why}; name a file in a folder that is there")


def _spec(arguments: BenchArguments, store: RecordStore) -> BenchSpec:
    """What is asked: the config file or the run to go on with, and what the command line gives over it."""
    values: dict[str, Any] = {}
    where = "bench"
    if arguments.resume is not None:
        if arguments.config is not None:
            raise UsageError("--resume goes on with a run as it was begun; leave out --config")
        run = find_run(store, arguments.resume)
        if "command" in run.spec:
            raise UsageError(f"run '{run.id}' is one of `mathagent {run.spec['command']}`, which goes on with it")
        kept = {key: value for key, value in run.spec.items() if key in BenchSpec.model_fields}
        values = {**kept, "name": run.id}
    elif arguments.config is not None:
        values, where = read_config(arguments.config), str(arguments.config)
    spec_of(values, where)  # so that an error names the file only if it is the file's
    values = merged(values, arguments.given)
    if arguments.base_url is not None:
        models = spec_of(values, "bench").models
        values["models"] = [{"name": one.name, "base_url": arguments.base_url} for one in models]
    spec = spec_of(values, "bench")
    if not spec.datasets:
        raise UsageError("give a data set: a name such as gsm8k, or a file (JSONL, or JSONL.gz)")
    named = spec.sandbox if "sandbox" in values else None
    return spec.model_copy(update={"sandbox": sandbox_name(named, arguments.unsafe_local, interactive=False)})


def _load(spec: BenchSpec) -> list[Dataset]:
    # Where the first so many are taken of what is filtered or mixed, all must be read.
    limit = None if spec.subset or spec.shuffle else spec.limit
    return [load_dataset(one, data_dir=spec.data, limit=limit) for one in spec.datasets]


async def _run(
    arguments: BenchArguments, spec: BenchSpec, datasets: Sequence[Dataset], store: RecordStore
) -> tuple[RunInfo, list[Record], int]:
    """The run, its records, and how many attempts were given up."""
    trace = Console(stderr=True)
    with Interruptible((signal.SIGINT, signal.SIGTERM)) as interruptible, progress_for_pull(trace) as on_progress:
        async with Grid(spec, datasets, store, on_progress=on_progress) as grid:
            rows, row_of = _rows(grid)
            with BenchProgress(trace, rows, row_of) as progress, Watchdog():
                _note_greedy_attempts(grid, progress)

                def on_interrupt() -> None:
                    if spec.on_interrupt == "leave":
                        progress.note("interrupted: what is in flight is left for later")
                        interruptible.give_up()
                    else:
                        progress.note(
                            "interrupted: finishing what is in flight; again (Ctrl-C): leave it for later"
                        )

                try:
                    await interruptible.run(
                        lambda finish: grid.measure(progress.on_record, rerun=arguments.rerun, finish=finish),
                        on_interrupt,
                    )
                except ResourceError:
                    progress.note(f"what is done is kept; go on with: mathagent bench --resume {grid.run.id}")
                    raise
            return store.run(grid.run.id), store.run_records(grid.run.id), grid.given_up


def _rows(grid: Grid) -> tuple[list[tuple[str, int]], dict[str, int]]:
    """The rows of the progress, one a data set, arm and model, and which row each record is in."""
    rows: dict[tuple[str, str, int], list[str]] = {}
    for model, planned in zip(grid.models, grid.planned, strict=True):
        for one in planned:
            rows.setdefault((model, one.dataset, grid.arms.index(one.arm)), []).append(one.key)
    labels = []
    for model, dataset, index in rows:
        arm = grid.arms[index]
        alike = [other.config for other in grid.arms if other.strategy == arm.strategy]
        own = [
            f"{key}={value}" for key, value in arm.config.items() if any(one.get(key) != value for one in alike)
        ]
        parts = [
            *([dataset] if len(grid.datasets) > 1 else []),
            " ".join([arm.strategy, *own]),
            *([model] if len(grid.models) > 1 else []),
        ]
        labels.append(" · ".join(parts))
    row_of = {key: row for row, keys in enumerate(rows.values()) for key in keys}
    return list(zip(labels, map(len, rows.values()), strict=True)), row_of


def _note_greedy_attempts(grid: Grid, progress: BenchProgress) -> None:
    if grid.spec.attempts == 1:
        return
    configs = {one.arm.strategy: one.config for planned in grid.planned for one in planned}
    greedy = sorted(name for name, config in configs.items() if config.sampling_temperature == 0)
    if greedy:
        progress.note(
            f"note: {', '.join(greedy)} at temperature 0: the {grid.spec.attempts} attempts at a problem will be"
            " (nearly) alike; give --temperature"
        )


def _show(arguments: BenchArguments, run: RunInfo, records: Sequence[Record]) -> None:
    lines = [arm_line(arm) for arm in arms(records)]
    if arguments.as_json:
        shown = [{**line.as_row(), "run": run.id} for line in lines]
        sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    else:
        show_summaries(Console(), lines)
    console = Console(stderr=arguments.as_json)  # standard output is one JSON value and nothing else
    for hint in _hints(run, records, len(lines)):
        console.print(hint, style="dim", markup=False, highlight=False, soft_wrap=True)


def _hints(run: RunInfo, records: Sequence[Record], lines: int) -> list[str]:
    """What to do next."""
    hints = []
    if run.status == "interrupted":
        left = run.planned - len(records)
        hints.append(f"interrupted, {left} of {run.planned} left; go on with: mathagent bench --resume {run.id}")
    elif any(record.outcome == "error" for record in records):
        hints.append(f"errors are tried again by: mathagent bench --resume {run.id}")
    compare = f"mathagent compare {run.id}" if lines > 1 else f"mathagent compare {run.id} OTHER"
    hints.append(f"run {run.id} · {compare} · mathagent report {run.id} -o report.html")
    return hints
