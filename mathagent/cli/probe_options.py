"""mathagent probe: its arguments and options."""

from __future__ import annotations

from typing import Annotated

import typer

from mathagent.cli.options import AsJson, BaseUrl, Sandbox, UnsafeLocal, sandbox_name


def probe(
    model: Annotated[
        str | None,
        typer.Argument(
            help="backend:name, or the URL of an endpoint that serves one model (default: your model)."
        ),
    ] = None,
    base_url: BaseUrl = None,
    show: Annotated[
        bool, typer.Option("--show", help="Show what was found out before; the model is not asked.")
    ] = False,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Keep what is found, for later solves to go by.")
    ] = True,
    max_tokens: Annotated[
        int, typer.Option(min=32, help="Completion tokens of one reply at most; models that think need more.")
    ] = 256,
    test_seconds: Annotated[float, typer.Option(min=1, help="Seconds that one test may take.")] = 180.0,
    context: Annotated[int, typer.Option(min=512, help="Tokens up to which long prompts are tried.")] = 4096,
    as_json: AsJson = False,
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
) -> int:
    """Find out what a model can really do: samples, seeds, JSON, tools, log-probs, context, speed, small tasks."""
    from mathagent.cli.probe import ProbeArguments, probe_command

    return probe_command(
        ProbeArguments(
            model=model,
            base_url=base_url,
            show=show,
            store=store,
            max_tokens=max_tokens,
            test_seconds=test_seconds,
            context=context,
            as_json=as_json,
            sandbox="" if show else sandbox_name(sandbox, unsafe_local, interactive=False),
        )
    )
