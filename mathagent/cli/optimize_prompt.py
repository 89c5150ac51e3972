"""mathagent optimize-prompt: search for a strategy's best text, say how sure that is, and write it to a file."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.console.bench_view import BenchProgress
from mathagent.console.interrupts import Interruptible
from mathagent.console.page import Page
from mathagent.console.prompt_search_view import show_search
from mathagent.console.pull_view import progress_for_pull
from mathagent.errors import UnknownName, UsageError
from mathagent.evals.datasets import load_dataset
from mathagent.evals.plan import Planned
from mathagent.evals.prompt_search import (
    METHODS,
    PromptSearch,
    SearchInterrupted,
    SearchResult,
    SearchSpec,
    Splits,
    split,
    write_result,
)
from mathagent.evals.records import RecordStore
from mathagent.evals.runner import OnRecord
from mathagent.solver import Solver
from mathagent.types import Value

EXIT_DONE, EXIT_INTERRUPTED = 0, 130


class OptimizePromptArguments(Value):
    """The parsed arguments; ``search`` are fields of the SearchSpec, ``config`` the strategy's other settings."""

    dataset: str
    output: Path
    method: str
    strategy: str | None
    setting: str | None
    start: str | None
    model: str | None
    optimizer: str | None
    base_url: str | None
    train: int
    validation: int
    validation_data: str | None
    search: dict[str, Any]
    config: dict[str, Any]
    seed: int | None
    budget: Budget
    item_seconds: float | None
    concurrency: int | None
    data: Path | None
    as_json: bool
    sandbox: str
    cache: bool


def optimize_prompt_command(arguments: OptimizePromptArguments) -> int:
    """Searches and writes the result; exit code 0, 130 where it was interrupted. Raises UsageError for bad input before
    anything is asked of a model."""
    _check_output(arguments.output)
    spec = _spec(arguments)
    spec.wordings()
    splits = _splits(arguments)
    result = asyncio.run(_run(arguments, spec, splits))
    if result is None:
        told = "interrupted; what was solved is kept, and the same command goes on with the rest"
        Page(Console(stderr=True)).line(told)
        return EXIT_INTERRUPTED
    write_result(arguments.output, result)
    if arguments.as_json:
        sys.stdout.write(result.model_dump_json(indent=2) + "\n")
    else:
        show_search(Console(), result, arguments.output)
    return EXIT_DONE


def _check_output(path: Path) -> None:
    """Raises UsageError for a file that could not be written after hours of work."""
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise UsageError(f"--output {path}: {why}; name a file in a folder that is there")


def _spec(arguments: OptimizePromptArguments) -> SearchSpec:
    method = next((name for name in METHODS if name == arguments.method), None)
    if method is None:
        raise UnknownName("method", arguments.method, METHODS)
    if arguments.optimizer is not None and method != "pe2":
        raise UsageError("--optimizer writes the edits of pe2; add --method pe2")
    strategy, setting = METHODS[method]
    return SearchSpec(
        method=method,
        strategy=arguments.strategy or strategy,
        setting=arguments.setting or setting,
        settings=arguments.config,
        start=arguments.start,
        seed=arguments.seed,
        budget=arguments.budget,
        **arguments.search,
    )


def _splits(arguments: OptimizePromptArguments) -> Splits:
    other = arguments.validation_data
    return split(
        load_dataset(arguments.dataset, data_dir=arguments.data),
        train=arguments.train,
        validation=arguments.validation,
        other=None if other is None else load_dataset(other, data_dir=arguments.data),
        seed=arguments.seed,
    )


async def _run(arguments: OptimizePromptArguments, spec: SearchSpec, splits: Splits) -> SearchResult | None:
    """The result; None where the search was interrupted."""
    trace = Console(stderr=True)
    store = RecordStore(settings().runs_path)
    try:
        async with AsyncExitStack() as stack:
            interruptible = stack.enter_context(Interruptible((signal.SIGINT, signal.SIGTERM)))
            on_progress = stack.enter_context(progress_for_pull(trace))

            async def opened(model: str | None) -> Solver:
                solver = Solver(
                    model,
                    base_url=arguments.base_url if model is None or model.startswith("openai:") else None,
                    sandbox=arguments.sandbox,
                    cache=arguments.cache,
                    checkpoints=False,  # a search resumes by its records
                    on_progress=on_progress,
                )
                return await stack.enter_async_context(solver)

            solver = await opened(arguments.model)
            optimizer = None if arguments.optimizer is None else await opened(arguments.optimizer)

            async def search(finish: asyncio.Event) -> SearchResult:
                one = PromptSearch(
                    solver,
                    store,
                    spec,
                    splits,
                    optimizer=optimizer,
                    concurrency=arguments.concurrency,
                    item_seconds=arguments.item_seconds,
                    finish=finish,
                    watch=lambda title, planned: _watched(trace, title, planned),
                )
                return await one.run()

            def on_interrupt() -> None:
                Page(trace).line("finishing what is under way; again (Ctrl-C): leave it for later")

            try:
                return await interruptible.run(search, on_interrupt)
            except SearchInterrupted:
                return None
    finally:
        store.close()


@contextmanager
def _watched(trace: Console, title: str, planned: Sequence[Planned]) -> Iterator[OnRecord]:
    """The progress of one round."""
    with BenchProgress(trace, [(title, len(planned))], {one.key: 0 for one in planned}) as progress:
        progress.note(title)
        yield progress.on_record
