"""mathagent serve-model: the command that serves a model with vLLM or SGLang, shown or run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated, Any

import typer

from mathagent.cli.options import AsJson
from mathagent.errors import UsageError


def serve_model(
    model: Annotated[str, typer.Argument(help="A model of the hub, or a folder with one.")],
    engine: Annotated[str, typer.Option(help="vllm or sglang.")] = "vllm",
    reward: Annotated[bool, typer.Option("--reward", help="It is a reward model, for a scorer.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port (default: the engine's own).")] = None,
    context: Annotated[int | None, typer.Option(help="Tokens of prompt and reply together, at most.")] = None,
    gpus: Annotated[int, typer.Option(help="GPUs to spread the model over.")] = 1,
    gpu_memory: Annotated[float | None, typer.Option(help="Share of each GPU's memory to take, up to 1.")] = None,
    kv_cache: Annotated[str, typer.Option(help="auto, or fp8: half the memory, slightly other replies.")] = "auto",
    reasoning_parser: Annotated[str, typer.Option(help="The engine's parser for thinking, such as qwen3.")] = "",
    tool_parser: Annotated[str, typer.Option(help="The engine's parser for tool calls, such as hermes.")] = "",
    speculative: Annotated[
        bool, typer.Option("--speculative", help="Propose again what the prompt holds: faster with few requests.")
    ] = False,
    run: Annotated[bool, typer.Option("--run", help="Run it, until Ctrl-C, in place of printing it.")] = False,
    as_json: AsJson = False,
) -> int:
    """Print (or run) the vLLM or SGLang command that serves a model, and how mathagent is told of it."""
    from mathagent.models.serving_command import installed, require_installed, serving_command, shown

    options = _options(
        model=model,
        engine=engine,
        task="reward" if reward else "chat",
        host=host,
        port=port,
        context=context,
        gpus=gpus,
        gpu_memory=gpu_memory,
        kv_cache=kv_cache,
        reasoning_parser=reasoning_parser,
        tool_parser=tool_parser,
        speculative=speculative,
    )
    command = serving_command(options)
    if run:
        if as_json:
            raise UsageError("--json shows the command and --run runs it; leave one out")
        program = require_installed(options.engine)
        typer.echo(f"mathagent: {shown(command)}\nmathagent: use it with {options.used_by}", err=True)
        return _run([program, *command[1:]])
    found = installed(options.engine)
    if as_json:
        told = {"command": command, "url": options.url, "use": options.used_by, "installed": found is not None}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return 0
    typer.echo(shown(command))
    typer.echo(f"use it with: {options.used_by}", err=True)
    if found is None:
        typer.echo(f"{options.engine} is not installed here; --run says how to get it", err=True)
    return 0


def _options(**given: Any) -> Any:
    from pydantic import ValidationError

    from mathagent.models.serving_command import ServeOptions

    try:
        return ServeOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"{name} = {first['input']!r} is wrong: {first['msg']}") from error


def _run(command: list[str]) -> int:
    """Runs ``command`` in the foreground: Ctrl-C reaches it from the terminal, and it ends by itself."""
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # it has heard it as well, and clears up
                continue
