"""The options of ``mathagent perturb`` and ``mathagent robustness``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mathagent.cli.options import AsJson, Sandbox, UnsafeLocal, sandbox_name


def perturb(
    dataset: Annotated[str, typer.Argument(help="A data set's name, or a file of problems (JSONL).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: a data set of its own.")],
    kinds: Annotated[
        str, typer.Option(help="Separated by commas: numbers, names, culture, noop, order, units, typos.")
    ] = "names,noop,order,units",
    programs: Annotated[
        list[str] | None,
        typer.Option(help="Runs (or files of records) whose programs solve the problems, for numbers."),
    ] = None,
    memory: Annotated[
        Path | None, typer.Option("--memory", help="A memory whose programs solve the problems, too.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Versions of each problem and kind.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same versions.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N problems.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder with the data sets (default: MATHAGENT_DATA).")
    ] = None,
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
    as_json: AsJson = False,
) -> int:
    """Make other versions of a data set's problems, with known answers, to measure robustness."""
    from mathagent.cli.perturb import PerturbArguments, perturb_command

    return perturb_command(
        PerturbArguments(
            dataset=dataset,
            output=output,
            kinds=tuple(name.strip() for name in kinds.split(",") if name.strip()),
            programs=tuple(programs or ()),
            memory=memory,
            n=n,
            seed=seed,
            limit=limit,
            data=data,
            sandbox=sandbox_name(sandbox, unsafe_local, interactive=False) if "numbers" in kinds else "",
            as_json=as_json,
        )
    )


def robustness(
    runs: Annotated[
        list[str],
        typer.Argument(help="Runs (an id, its beginning, or last) or files of records: originals and variants."),
    ],
    original: Annotated[
        str | None, typer.Option(help="The set of originals (default: the one whose items the others stem from).")
    ] = None,
    problems: Annotated[
        list[Path] | None,
        typer.Option(help="What `perturb` wrote: tells how often a wrong answer used the irrelevant number."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the resampling.")] = 0,
    as_json: AsJson = False,
) -> int:
    """Say how far accuracy drops from originals to their variants, beside what chance alone would do."""
    from mathagent.cli.robustness import robustness_command

    return robustness_command(runs, original=original, problems=problems or [], seed=seed, as_json=as_json)
