"""The group of commands ``mathagent datasets``: parsing only (cli/datasets.py does the work)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mathagent.cli.options import AsJson

datasets_app = typer.Typer(help="The benchmark data sets: list, show, audit.", invoke_without_command=True)

DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder that the data sets lie in (default: MATHAGENT_DATA).")
]
NameOrPath = Annotated[str, typer.Argument(help="A name from 'mathagent datasets list', or a JSONL file.")]


@datasets_app.callback()
def datasets_root(context: typer.Context) -> None:
    """The benchmark data sets: list, show, audit."""
    from mathagent.cli.groups import help_without_command

    help_without_command(context)


@datasets_app.command("list")
def datasets_list(data: DataFolder = None, as_json: AsJson = False) -> int:
    """List the data sets, plugins included: what is here of each, its licence and languages."""
    from mathagent.cli.datasets import list_command

    return list_command(data=data, as_json=as_json)


@datasets_app.command("show")
def datasets_show(
    name: NameOrPath,
    data: DataFolder = None,
    limit: Annotated[int, typer.Option(min=1, help="Items to show.")] = 3,
    as_json: AsJson = False,
) -> int:
    """Say what a data set is: source, licence, subsets, fields, and its first items with their hashes."""
    from mathagent.cli.datasets import show_command

    return show_command(name, data=data, limit=limit, as_json=as_json)


@datasets_app.command("audit")
def datasets_audit(
    name: NameOrPath,
    data: DataFolder = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Look at the first N items only.")] = None,
    against: Annotated[
        str | None, typer.Option("--against", help="Another data set: report the items that it holds, too.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say which items may not be verifiable, and whether each gold answer equals itself. Nothing is deleted."""
    from mathagent.cli.datasets import audit_command

    return audit_command(name, data=data, limit=limit, against=against, as_json=as_json)
