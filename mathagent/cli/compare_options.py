"""The options of ``mathagent compare``."""

from __future__ import annotations

from typing import Annotated

import typer

from mathagent.cli.options import AsJson


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Runs (id, its beginning, or last) or files of `bench --output`; one, if it has several arms."
        ),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", "-b", help="The arm to compare with: its name or a part of it (default: the first)."
        ),
    ] = None,
    all_pairs: Annotated[bool, typer.Option("--all", help="Compare every two arms.")] = False,
    failed_as_wrong: Annotated[
        bool, typer.Option("--failed-as-wrong", help="Count undecided grades and failed solves as wrong.")
    ] = False,
    flips: Annotated[int, typer.Option(min=0, help="Items to list where the arms differ, each way.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the resampling.")] = 0,
    as_json: AsJson = False,
) -> int:
    """Say whether one arm is better than another: paired tests, intervals, flips, and how many items it would take."""
    from mathagent.cli.compare import CompareArguments, compare_command

    return compare_command(
        CompareArguments(
            runs=tuple(runs),
            baseline=baseline,
            all_pairs=all_pairs,
            failed_as_wrong=failed_as_wrong,
            flips=flips,
            seed=seed,
            as_json=as_json,
        )
    )
