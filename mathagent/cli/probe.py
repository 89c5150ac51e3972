"""mathagent probe: asks a model what it can do, shows it, and keeps it for later solves."""

from __future__ import annotations

import asyncio
import json
import re
import sys

import typer
from rich.console import Console

from mathagent.config import settings
from mathagent.console.probe_view import finding_line, show_record
from mathagent.console.pull_view import progress_for_pull
from mathagent.errors import BackendError, ModelFileError, UsageError
from mathagent.models.base import Backend, Composed, ConnectOptions, prepare
from mathagent.models.capability_record import CapabilityRecord, all_records, find_record, store_record
from mathagent.models.connect import connect_backend
from mathagent.models.pull import OnProgress
from mathagent.types import Value


class ProbeArguments(Value):
    """The parsed arguments; ``sandbox`` is "" where nothing is asked."""

    model: str | None
    base_url: str | None
    show: bool
    store: bool
    max_tokens: int
    test_seconds: float
    context: int
    as_json: bool
    sandbox: str


def probe_command(arguments: ProbeArguments) -> int:
    """Prints the record; exit code 0, or 2 where the model cannot be reached or is none to probe."""
    record = asyncio.run(_shown(arguments) if arguments.show else _probed(arguments))
    if arguments.as_json:
        sys.stdout.write(json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n")
    else:
        show_record(Console(), record)
    if arguments.store and not arguments.show:
        path = store_record(record, settings().capabilities_dir)
        typer.echo(f"kept in {path}", err=True)
    return 0


async def _shown(arguments: ProbeArguments) -> CapabilityRecord:
    """The record that is kept of the model. Raises UsageError where there is none."""
    folder = settings().capabilities_dir
    backend = await _opened(arguments)
    try:
        await prepare(backend)
        name, found = backend.name, find_record(backend.identity, folder)
    finally:
        await backend.aclose()
    if found is not None:
        return found
    records = all_records(folder)
    # An endpoint that is away cannot say which server it is, which is a part of the identity.
    alike = [record for record in records if record.model == name]
    if len(alike) == 1:
        return alike[0]
    kept = f"; there are records of {', '.join(record.model for record in records)}" if records else ""
    raise UsageError(f"{name} has not been probed; run: mathagent probe {name}{kept}")


async def _probed(arguments: ProbeArguments) -> CapabilityRecord:
    """What a probe of the model finds. Raises UsageError where it cannot be reached."""
    from mathagent.evals.probe.asking import ProbeLimits
    from mathagent.evals.probe.run import probe
    from mathagent.sandbox import SANDBOXES

    limits = ProbeLimits(
        reply_tokens=arguments.max_tokens,
        test_seconds=arguments.test_seconds,
        context_tokens=arguments.context,
    )
    console = Console(stderr=True)
    with progress_for_pull(console) as on_progress:
        backend = await _opened(arguments, on_progress)
        sandbox = SANDBOXES.load(arguments.sandbox)()
        try:
            return await probe(
                backend,
                sandbox,
                limits=limits,
                on_finding=None if arguments.as_json else lambda one: typer.echo(finding_line(one), err=True),
            )
        except (BackendError, ModelFileError) as error:
            raise UsageError(f"{backend.name} cannot be reached: {error}") from error
        finally:
            await sandbox.aclose()
            await backend.aclose()


def _is_url(text: str) -> bool:
    return re.match(r"https?://", text) is not None


async def _opened(arguments: ProbeArguments, on_progress: OnProgress | None = None) -> Backend:
    """The backend of the model that is named, or the one that is served at the URL. Raises UsageError."""
    from mathagent.models.served_models import model_at

    model = arguments.model
    if model is not None and _is_url(model):
        if arguments.base_url is not None:
            raise UsageError("the model is a URL already; leave out --base-url")
        try:
            model = await model_at(model)
        except BackendError as error:
            raise UsageError(f"{model} cannot be reached: {error}") from error
    backend = connect_backend(model, ConnectOptions(base_url=arguments.base_url, on_progress=on_progress))
    if isinstance(backend, Composed):
        await backend.aclose()
        raise UsageError(f"{backend.name} is several models; probe each by itself")
    return backend
