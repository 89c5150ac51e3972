"""The group of commands ``mathagent runs``, and ``mathagent replay``: parsing only (cli/runs.py, cli/replay.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mathagent.cli.options import AsJson

runs_app = typer.Typer(help="The runs of bench: list, show, rm, export.", invoke_without_command=True)

Run = Annotated[str, typer.Argument(help="A run: its id, the beginning of one, or last.")]
RunOrFile = Annotated[
    str, typer.Argument(help="A run (its id, the beginning of one, or last), or a file that `bench -o` wrote.")
]


@runs_app.callback()
def runs_root(context: typer.Context) -> None:
    """The runs of bench: list, show, rm, export."""
    from mathagent.cli.groups import help_without_command

    help_without_command(context)


@runs_app.command("list")
def runs_list(as_json: AsJson = False) -> int:
    """List the runs: when, data, arms, how far, and how many were right."""
    from mathagent.cli.runs import list_command

    return list_command(as_json=as_json)


@runs_app.command("show")
def runs_show(
    run: RunOrFile,
    examples: Annotated[int, typer.Option(min=0, help="Examples of each kind of failure.")] = 3,
    as_json: AsJson = False,
) -> int:
    """Show a run: what was asked, the numbers of its arms, its costs, and its failures with examples."""
    from mathagent.cli.runs import show_command

    return show_command(run, examples=examples, as_json=as_json)


@runs_app.command("rm")
def runs_rm(
    runs: Annotated[list[str], typer.Argument(help="Runs: ids, beginnings of ids, or last.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Delete runs, and those of their records that no other run has; cached replies stay."""
    from mathagent.cli.runs import remove_command

    return remove_command(runs, yes=yes, as_json=as_json)


@runs_app.command("export")
def runs_export(
    run: RunOrFile,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write (default: stdout).")] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="jsonl (whole records) or csv (without solutions); default: by the file's name."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list of whole records.")] = False,
) -> int:
    """Write a run's records to a file that other tools, and other machines, can read."""
    from mathagent.cli.runs import export_command

    return export_command(run, output=output, form="json" if as_json else form)


def replay(
    run: Run,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the replayed records to a JSONL file.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Attempts at a time.")] = 4,
    as_json: AsJson = False,
) -> int:
    """Make a run again with every completion from the cache and no model: exit code 0 if all records are the same."""
    from mathagent.cli.replay import replay_command

    return replay_command(run, output=output, concurrency=concurrency, as_json=as_json)
