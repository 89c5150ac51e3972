"""The options of ``mathagent optimize-prompt`` (docs/prompt-optimisation.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    Model,
    NoCache,
    Sandbox,
    Seed,
    Settings,
    Temperature,
    UnsafeLocal,
    budget_of,
    config_of,
    sandbox_name,
)


def optimize_prompt(
    dataset: Annotated[str, typer.Argument(help="A data set's name, or a file of problems (JSONL).")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write; --set @FILE makes a strategy use it.")
    ],
    method: Annotated[
        str,
        typer.Option(
            help="eccentric: many ready-made texts; pe2: edits by a model that sees where a text failed."
        ),
    ] = "eccentric",
    strategy: Annotated[
        str | None,
        typer.Option("--strategy", "-s", help="The strategy (default: zero-shot-cot, and cot for pe2)."),
    ] = None,
    setting: Annotated[
        str | None,
        typer.Option(help="Its setting that holds the text (default: system, and trigger for pe2)."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="The text to start from, and to beat (default: the strategy's own).")
    ] = None,
    model: Model = None,
    optimizer: Annotated[
        str | None, typer.Option(help="The model that writes the edits (default: the one that solves).")
    ] = None,
    base_url: BaseUrl = None,
    train: Annotated[int, typer.Option(min=1, help="Problems that texts are tried on.")] = 128,
    validation: Annotated[
        int, typer.Option(min=1, help="Other problems, which the chosen text is measured on, once.")
    ] = 128,
    validation_data: Annotated[
        str | None, typer.Option(help="Take those from this data set or file (default: the same one).")
    ] = None,
    first: Annotated[
        int, typer.Option(min=1, help="Problems of the first round; the better half goes on to twice as many.")
    ] = 32,
    steps: Annotated[int, typer.Option(min=1, max=32, help="pe2: rounds of edits.")] = 3,
    parents: Annotated[
        int, typer.Option(min=1, max=32, help="Texts that are edited in a round, and that no halving goes below.")
    ] = 4,
    edits: Annotated[int, typer.Option(min=1, max=32, help="pe2: edits of each of them.")] = 4,
    failures: Annotated[int, typer.Option(min=1, max=8, help="pe2: failures that an editor is shown.")] = 2,
    max_words: Annotated[int, typer.Option(min=1, help="pe2: words that an edit may change.")] = 50,
    history: Annotated[
        bool, typer.Option("--history", help="pe2: show the editor earlier texts and how they did.")
    ] = False,
    max_solves: Annotated[
        int | None, typer.Option(min=1, help="Attempts on the train problems at most; the search then ends.")
    ] = None,
    temperature: Temperature = None,
    seed: Seed = None,
    settings: Settings = None,
    budget_tokens: BudgetTokens = None,
    budget_seconds: BudgetSeconds = None,
    budget_calls: BudgetCalls = None,
    item_seconds: ItemSeconds = None,
    concurrency: Concurrency = None,
    data: DataFolder = None,
    as_json: AsJson = False,
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
    no_cache: NoCache = False,
) -> int:
    """Search for the text with which a model solves most problems; a killed search goes on where it was."""
    from mathagent.cli.optimize_prompt import OptimizePromptArguments, optimize_prompt_command

    return optimize_prompt_command(
        OptimizePromptArguments(
            dataset=dataset,
            output=output,
            method=method,
            strategy=strategy,
            setting=setting,
            start=start,
            model=model,
            optimizer=optimizer,
            base_url=base_url,
            train=train,
            validation=validation,
            validation_data=validation_data,
            search={
                "first": first,
                "steps": steps,
                "parents": parents,
                "edits": edits,
                "failures": failures,
                "max_words": max_words,
                "history": history,
                "max_solves": max_solves,
            },
            config=config_of(None, temperature, settings),
            seed=seed,
            budget=budget_of(budget_tokens, budget_seconds, budget_calls),
            item_seconds=item_seconds,
            concurrency=concurrency,
            data=data,
            as_json=as_json,
            sandbox=sandbox_name(sandbox, unsafe_local, interactive=False),
            cache=not no_cache,
        )
    )
