"""The options of ``mathagent bench``, and the keys of its config file that they stand for (docs/bench.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mathagent.cli.options import (
    AsJson,
    BaseUrl,
    BudgetCalls,
    BudgetSeconds,
    BudgetTokens,
    Concurrency,
    DataFolder,
    ItemSeconds,
    MemoryFile,
    MemoryModeOption,
    NoCache,
    RecordsOutput,
    Roles,
    RunName,
    Samples,
    Sandbox,
    Seed,
    Settings,
    Temperature,
    UnsafeLocal,
    budget_of,
    config_of,
    memory_mode_of,
    strategy_list,
)


def bench(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(help="Data sets: names (see docs/datasets.md), or files of problems (JSONL, JSONL.gz)."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file with the whole grid; options here win over it.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", "-s", help="Strategies or compositions, separated by commas (default: pal)."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Models to compare, separated by commas, such as openai:gpt-4o-mini or 'cascade(small,large)'.",
        ),
    ] = None,
    roles: Roles = None,
    base_url: BaseUrl = None,
    attempts: Annotated[
        int | None, typer.Option(min=1, help="Attempts at each problem, each with a seed of its own.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take the first N problems of each data set.")] = None,
    subset: Annotated[
        list[str] | None,
        typer.Option("--subset", help="Only problems such as level=4,5 or ids=@FILE; several must all hold."),
    ] = None,
    shuffle: Annotated[
        bool | None,
        typer.Option("--shuffle/--no-shuffle", help="Mix the problems by the seed, before the limit."),
    ] = None,
    data: DataFolder = None,
    budget_tokens: BudgetTokens = None,
    budget_seconds: BudgetSeconds = None,
    budget_calls: BudgetCalls = None,
    item_seconds: ItemSeconds = None,
    n: Samples = None,
    temperature: Temperature = None,
    seed: Seed = None,
    settings: Settings = None,
    concurrency: Concurrency = None,
    name: RunName = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Go on with a run as it was begun (or: last).")
    ] = None,
    on_interrupt: Annotated[
        str | None,
        typer.Option(help="What the first Ctrl-C does to what is in flight: finish it (default), or leave it."),
    ] = None,
    output: RecordsOutput = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Solve again what has a record already.")] = False,
    as_json: AsJson = False,
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
    no_cache: NoCache = False,
    memory: MemoryFile = None,
    memory_mode: MemoryModeOption = None,
    memory_feedback: Annotated[
        bool, typer.Option("--memory-feedback", help="Tell a memory that learns which answers were right.")
    ] = False,
) -> int:
    """Measure strategies and models on data sets; a killed run goes on where it was."""
    from mathagent.cli.bench import BenchArguments, bench_command

    budget = budget_of(budget_tokens, budget_seconds, budget_calls)
    given: dict[str, Any] = {
        "datasets": datasets or None,
        "data": data,
        "subset": subset or None,
        "shuffle": shuffle,
        "limit": limit,
        "strategies": strategy_list(strategy, "--strategy"),
        "settings": config_of(n, temperature, settings) or None,
        "models": _models(model, roles),
        "attempts": attempts,
        "seed": seed,
        "budget": {key.removeprefix("max_"): value for key, value in budget.model_dump(exclude_none=True).items()}
        or None,
        "item_seconds": item_seconds,
        "memory": memory,
        "memory_mode": memory_mode_of(memory, memory_mode),
        "memory_feedback": memory_feedback or None,
        "sandbox": sandbox,
        "cache": False if no_cache else None,
        "concurrency": concurrency,
        "name": name,
        "output": output,
        "on_interrupt": on_interrupt,
    }
    return bench_command(
        BenchArguments(
            given={key: value for key, value in given.items() if value is not None},
            config=config,
            resume=resume,
            base_url=base_url,
            unsafe_local=unsafe_local,
            rerun=rerun,
            as_json=as_json,
        )
    )


def _models(listed: str | None, roles: list[str] | None) -> list[str] | None:
    """The models in a list with commas, each with those of single roles. Raises UsageError where it names none."""
    from mathagent.config import settings
    from mathagent.errors import UsageError
    from mathagent.models.model_names import read_roles, split_models, with_roles

    by_role = read_roles(roles or ())
    if listed is None:
        return [with_roles(settings().model, by_role)] if by_role else None
    names = split_models(listed)
    if not names:
        raise UsageError("--model names no model")
    return [with_roles(name, by_role) for name in names]
