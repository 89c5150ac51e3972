"""The options that several commands share, and what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mathagent.errors import UsageError
from mathagent.sandbox import DEFAULT_SANDBOX, INTERACTIVE_SANDBOX, UNSAFE_SANDBOX

if TYPE_CHECKING:
    from mathagent.agents.solver_memory import MemoryMode
    from mathagent.budget import Budget

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="backend:name, such as embedded:qwen2.5-coder-1.5b or openai:gpt-4o-mini; several, separated by commas,"
        " are a cascade from the cheapest.",
    ),
]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role", help="ROLE=MODEL: a model for one role, such as verifier=openai:gpt-4o; may be repeated."
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(help="URL of an OpenAI-compatible endpoint (ends in /v1); several, separated by commas, share."),
]
BudgetTokens = Annotated[int | None, typer.Option(help="Completion tokens to spend on a problem at most.")]
BudgetSeconds = Annotated[float | None, typer.Option(help="Seconds to spend on a problem at most.")]
BudgetCalls = Annotated[int | None, typer.Option(help="Model calls (samples) to spend on a problem at most.")]
Samples = Annotated[int | None, typer.Option("--n", "-n", help="Samples to draw (at most).")]
Temperature = Annotated[float | None, typer.Option(help="Sampling temperature.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the samples.")]
RunName = Annotated[
    str | None, typer.Option("--name", help="Name of the run; a run of that name is gone on with.")
]
RecordsOutput = Annotated[
    Path | None, typer.Option("--output", "-o", help="Also write the records to a JSONL file.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A strategy setting, key=value, or @FILE with settings; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout, nothing else.")]
Sandbox = Annotated[
    str | None, typer.Option(help="What runs the programs: process, docker, … (see `mathagent doctor`).")
]
UnsafeLocal = Annotated[
    bool,
    typer.Option("--unsafe-local", help="Run programs with your own rights: your files and network are theirs."),
]
MemoryFile = Annotated[
    Path | None, typer.Option("--memory", help="File of the memory to use (default: your own).")
]
MemoryModeOption = Annotated[
    str | None, typer.Option("--memory-mode", help="off, read, or learn (read, and remember what was found out).")
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


def memory_mode_of(memory: Path | None, mode: str | None) -> MemoryMode | None:
    """The mode that ``--memory-mode`` names; None where it is not given. Raises UsageError."""
    from mathagent.agents.solver_memory import memory_mode

    if mode is None:
        return None
    try:
        chosen = memory_mode(mode)
    except UsageError as error:
        raise UsageError(f"--memory-mode: {error}") from error
    if chosen == "off" and memory is not None:
        raise UsageError("--memory names a memory, --memory-mode off takes none; leave out one of them")
    return chosen


def model_of(model: str | None, roles: list[str] | None) -> str | None:
    """The model, with those of single roles, as one text (None: the default one). Raises UsageError."""
    if not roles:
        return model
    from mathagent.config import settings
    from mathagent.models.model_names import read_roles, with_roles

    return with_roles(model or settings().model, read_roles(roles))


def budget_of(tokens: int | None, seconds: float | None, calls: int | None) -> Budget:
    """The budget that the options give. Raises UsageError."""
    from pydantic import ValidationError

    from mathagent.budget import Budget

    try:
        return Budget(max_tokens=tokens, max_seconds=seconds, max_calls=calls)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0]).removeprefix("max_")
        raise UsageError(f"--budget-{name} must be greater than 0") from error


def strategy_list(listed: str | None, option: str) -> list[str] | None:
    """The strategies in a list with commas; those in the brackets of a composition part nothing. None: none is given.

    Raises UsageError where the list is empty or a composition cannot be read.
    """
    from mathagent.agents.composition_text import canonical, split_list

    if listed is None:
        return None
    names = [canonical(name) for name in split_list(listed)]
    if not names:
        raise UsageError(f"{option} names no strategy")
    return names


def config_of(n: int | None, temperature: float | None, settings: list[str] | None) -> dict[str, Any]:
    """The strategy's settings that the options give. Raises UsageError."""
    from mathagent.agents.strategy import parse_settings

    flags = {"n": n, "temperature": temperature}
    given = {name: value for name, value in flags.items() if value is not None}
    pairs = [one for one in settings or [] if not one.startswith("@")]
    return {**given, **_settings_of_files(settings or []), **parse_settings(pairs)}


def _settings_of_files(settings: list[str]) -> dict[str, Any]:
    """The settings in the files that ``@FILE`` names, such as those that optimize-prompt writes. Raises UsageError."""
    paths = [one[1:] for one in settings if one.startswith("@")]
    if not paths:
        return {}
    from mathagent.evals.prompt_search.result import read_settings

    return {name: value for path in paths for name, value in read_settings(Path(path)).items()}


DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder with the data sets (default: MATHAGENT_DATA).")
]
ItemSeconds = Annotated[
    float | None,
    typer.Option(help="Give up an attempt that hangs after so long (default: a minute after --budget-seconds)."),
]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, help="Attempts at a time (default: what the model's backend answers well)."),
]
