"""The commands that come in groups: datasets, mcp, memory, models, runs and strategies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mathagent.cli.datasets_group import datasets_app
from mathagent.cli.mcp_group import mcp_app
from mathagent.cli.memory_group import memory_app
from mathagent.cli.options import AsJson, Settings, config_of
from mathagent.cli.runs_group import runs_app

models_app = typer.Typer(help="The models that come by themselves: list, pull, rm.", invoke_without_command=True)
strategies_app = typer.Typer(help="The strategies: list, show.", invoke_without_command=True)
GROUPS = {
    "datasets": datasets_app,
    "mcp": mcp_app,
    "memory": memory_app,
    "models": models_app,
    "runs": runs_app,
    "strategies": strategies_app,
}


def help_without_command(context: typer.Context) -> None:
    """Shows the help of a group that was called without one of its commands."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


@models_app.callback()
def models_root(context: typer.Context) -> None:
    """The models that come by themselves: list, pull, rm."""
    help_without_command(context)


@models_app.command("list")
def models_list(as_json: AsJson = False) -> int:
    """List the models, their size and licence, and which are here."""
    from mathagent.cli.models import list_command

    return list_command(as_json=as_json)


@models_app.command("pull")
def models_pull(
    name: Annotated[str, typer.Argument(help="A name from 'mathagent models list'.")],
    from_file: Annotated[Path | None, typer.Option("--from", help="Take over your own copy of the file.")] = None,
) -> int:
    """Fetch a model and check its bytes."""
    from mathagent.cli.models import pull_command

    return pull_command(name, from_file=from_file)


@models_app.command("rm")
def models_rm(name: Annotated[str, typer.Argument(help="A name from 'mathagent models list'.")]) -> int:
    """Delete a model's file."""
    from mathagent.cli.models import remove_command

    return remove_command(name)


@strategies_app.callback()
def strategies_root(context: typer.Context) -> None:
    """The strategies: list, show."""
    help_without_command(context)


@strategies_app.command("list")
def strategies_list(as_json: AsJson = False) -> int:
    """List the strategies, plugins included: kind, calls at default, needs, whether training-free, paper."""
    from mathagent.cli.strategies import list_command

    return list_command(as_json=as_json)


@strategies_app.command("show")
def strategies_show(
    name: Annotated[
        str, typer.Argument(help="A name from 'mathagent strategies list', or a composition: 'pal | cot'.")
    ],
    settings: Settings = None,
    form: Annotated[
        str, typer.Option("--format", help="text, mermaid (the graph alone), json or markdown.")
    ] = "text",
) -> int:
    """Say what a strategy is: its paper, its settings and its graph."""
    from mathagent.cli.strategies import show_command

    return show_command(name, config=config_of(None, None, settings), form=form)
