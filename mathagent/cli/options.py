"""The options that several commands share, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mathagent.errors import UsageError
from mathagent.sandbox import DEFAULT_SANDBOX, INTERACTIVE_SANDBOX, UNSAFE_SANDBOX

if TYPE_CHECKING:
    from mathagent.budget import Budget

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="backend:name, such as embedded:qwen2.5-coder-1.5b or openai:gpt-4o-mini."),
]
BaseUrl = Annotated[str | None, typer.Option(help="URL of an OpenAI-compatible endpoint (ends in /v1).")]
BudgetTokens = Annotated[int | None, typer.Option(help="Completion tokens to spend on a problem at most.")]
BudgetSeconds = Annotated[float | None, typer.Option(help="Seconds to spend on a problem at most.")]
BudgetCalls = Annotated[int | None, typer.Option(help="Model calls (samples) to spend on a problem at most.")]
Samples = Annotated[int | None, typer.Option("--n", "-n", help="Samples to draw (at most).")]
Temperature = Annotated[float | None, typer.Option(help="Sampling temperature.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the samples.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A strategy setting, key=value; may be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout, nothing else.")]
Sandbox = Annotated[
    str | None, typer.Option(help="What runs the programs: process, docker, … (see `mathagent doctor`).")
]
UnsafeLocal = Annotated[
    bool,
    typer.Option("--unsafe-local", help="Run programs with your own rights: your files and network are theirs."),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the completion cache.")]


def sandbox_name(name: str | None, unsafe_local: bool, *, interactive: bool) -> str:
    """The sandbox to take; says loudly what ``--unsafe-local`` means. Raises UsageError."""
    if unsafe_local:
        if name not in (None, UNSAFE_SANDBOX):
            raise UsageError(f"--unsafe-local runs programs without a sandbox; leave out --sandbox {name}")
        warning = "programs run with your own rights: they can read and change your files and use your network"
        typer.secho(f"mathagent: WARNING: --unsafe-local: {warning}", err=True, fg="red", bold=True)
        return UNSAFE_SANDBOX
    if name == UNSAFE_SANDBOX != DEFAULT_SANDBOX:
        raise UsageError(f"--sandbox {name} does not confine programs; add --unsafe-local if you want that")
    return name or (INTERACTIVE_SANDBOX if interactive else DEFAULT_SANDBOX)


def budget_of(tokens: int | None, seconds: float | None, calls: int | None) -> Budget:
    """The budget that the options give. Raises UsageError."""
    from pydantic import ValidationError

    from mathagent.budget import Budget

    try:
        return Budget(max_tokens=tokens, max_seconds=seconds, max_calls=calls)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0]).removeprefix("max_")
        raise UsageError(f"--budget-{name} must be greater than 0") from error


def config_of(n: int | None, temperature: float | None, settings: list[str] | None) -> dict[str, Any]:
    """The strategy's settings that the options give. Raises UsageError."""
    from mathagent.agents.strategy import parse_settings

    flags = {"n": n, "temperature": temperature}
    given = {name: value for name, value in flags.items() if value is not None}
    return {**given, **parse_settings(settings or [])}
