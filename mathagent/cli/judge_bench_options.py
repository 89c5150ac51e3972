"""The options of ``mathagent judge-bench`` (docs/process-evaluation.md)."""

from __future__ import annotations

from typing import Annotated

import typer

from mathagent.cli.options import (
    AsJson,
    BaseUrl,
    BudgetCalls,
    BudgetSeconds,
    BudgetTokens,
    DataFolder,
    NoCache,
    RecordsOutput,
    RunName,
    Sandbox,
    Seed,
    Temperature,
    UnsafeLocal,
    budget_of,
    config_of,
    sandbox_name,
)


def judge_bench(
    datasets: Annotated[
        list[str],
        typer.Argument(
            help="processbench, processbench:gsm8k, mr-gsm8k, mathcheck-gsm, or files of theirs (JSONL)."
        ),
    ],
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            "-r",
            help="Who judges, separated by commas: verifier, judge, binary-judge, localiser, critic, teacher, or"
            " module:object (default: as the data set's authors ask).",
        ),
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(
            "--scorer",
            help="A scorer that judges by its scores: judge, step-judge, hierarchical, token-value, checks, arithmetic,"
            " pooling:URL, mean:judge,checks, …; may be repeated.",
        ),
    ] = None,
    tune_on: Annotated[
        str | None,
        typer.Option(
            help="The subset on which the threshold of scorers is chosen, such as gsm8k (default: --set threshold=0.5)."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Models, separated by commas, such as openai:gpt-4o-mini.")
    ] = None,
    base_url: BaseUrl = None,
    data: DataFolder = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take the first N items of each data set (MathCheck: N questions).")
    ] = None,
    shuffle: Annotated[
        bool, typer.Option("--shuffle", help="Mix the items by the seed, before the limit.")
    ] = False,
    n: Annotated[
        int | None, typer.Option("--n", "-n", help="Critiques of each item; the majority counts (maj@n).")
    ] = None,
    temperature: Temperature = None,
    seed: Seed = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting of critics, key=value: top_p, max_tokens, threshold; may be repeated."
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Tasks of MathCheck, separated by commas: solving, answerable_judging, outcome_judging,"
            " process_judging (default: all)."
        ),
    ] = None,
    strategy: Annotated[
        str, typer.Option("--strategy", "-s", help="The strategy that solves MathCheck's questions.")
    ] = "cot",
    solve_settings: Annotated[
        list[str] | None,
        typer.Option("--solve-set", help="A setting of that strategy, key=value; may be repeated."),
    ] = None,
    reason_judge: Annotated[
        str | None,
        typer.Option(help="The model that grades the reasons of MR-GSM8K (default: they are not graded)."),
    ] = None,
    budget_tokens: BudgetTokens = None,
    budget_seconds: BudgetSeconds = None,
    budget_calls: BudgetCalls = None,
    item_seconds: Annotated[
        float | None,
        typer.Option(help="Give up an item that hangs after so long (default: a minute after --budget-seconds)."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Items at a time (default: what the model's backend answers well).")
    ] = None,
    name: RunName = None,
    output: RecordsOutput = None,
    rerun: Annotated[bool, typer.Option("--rerun", help="Judge again what has a record already.")] = False,
    as_json: AsJson = False,
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
    no_cache: NoCache = False,
) -> int:
    """Measure how well roles find the mistakes in solutions; a killed run goes on where it was."""
    from mathagent.cli.judge_bench import JudgeBenchArguments, judge_bench_command

    return judge_bench_command(
        JudgeBenchArguments(
            datasets=tuple(datasets),
            roles=_names(role, "--role"),
            scorers=tuple(dict.fromkeys(scorer or ())),
            tune_on=tune_on,
            models=_names(model, "--model"),
            base_url=base_url,
            data=data,
            limit=limit,
            shuffle=shuffle,
            tasks=None if tasks is None else _names(tasks, "--tasks"),
            strategy=strategy,
            strategy_config=config_of(None, None, solve_settings),
            config=config_of(n, temperature, settings),
            seed=seed,
            budget=budget_of(budget_tokens, budget_seconds, budget_calls),
            item_seconds=item_seconds,
            reason_judge=reason_judge,
            concurrency=concurrency,
            name=name,
            output=output,
            rerun=rerun,
            as_json=as_json,
            sandbox=sandbox_name(sandbox, unsafe_local, interactive=False),
            cache=not no_cache,
        )
    )


def _names(listed: str | None, option: str) -> tuple[str, ...]:
    """The names in a list with commas; () where it is not given. Raises UsageError for none, or one named twice."""
    from mathagent.errors import UsageError

    names = tuple(name.strip() for name in (listed or "").split(",") if name.strip())
    if listed is not None and not names:
        raise UsageError(f"{option} names nothing")
    if len(set(names)) < len(names):
        raise UsageError(f"{option} names something twice")
    return names
