"""The options of ``mathagent serve`` (docs/server.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mathagent.cli.options import (
    BaseUrl,
    MemoryFile,
    MemoryModeOption,
    NoCache,
    Sandbox,
    UnsafeLocal,
    memory_mode_of,
    sandbox_name,
)


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine need keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0: any free one.")] = 8765,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="A model that clients may use; may be repeated, the first is the default."
        ),
    ] = None,
    base_url: BaseUrl = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", "-s", help="The strategy of who names none.")
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="TOML file of keys and what each may use a day.")] = None,
    max_solves: Annotated[int | None, typer.Option(min=1, help="Solves at the same time (4).")] = None,
    max_waiting: Annotated[
        int | None, typer.Option(min=0, help="Requests that wait for their turn (64); more get a 429.")
    ] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Seconds of one solve (600).")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Completion tokens of one solve (unlimited).")
    ] = None,
    max_body_kb: Annotated[int | None, typer.Option(min=1, help="KiB of one request (1024).")] = None,
    drain_seconds: Annotated[
        float | None, typer.Option(min=0, help="Seconds that solves have to finish when the server ends (10).")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name by which clients reach the server; may be repeated.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="Origin of web pages that may use the server (CORS); may be repeated.")
    ] = None,
    log_format: Annotated[str, typer.Option(help="text, or json: one object a line.")] = "text",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    sandbox: Sandbox = None,
    unsafe_local: UnsafeLocal = False,
    no_cache: NoCache = False,
    memory: MemoryFile = None,
    memory_mode: MemoryModeOption = None,
) -> int:
    """Serve solves over HTTP: OpenAI's chat API, events, stored solutions, metrics."""
    from mathagent.cli.serve import ServeArguments, serve_command

    limits = {
        "solves": max_solves,
        "waiting": max_waiting,
        "seconds": max_seconds,
        "tokens": max_tokens,
        "body_bytes": None if max_body_kb is None else max_body_kb * 1024,
        "drain_s": drain_seconds,
    }
    return serve_command(
        ServeArguments(
            host=host,
            port=port,
            models=tuple(model or ()),
            base_url=base_url,
            strategy=strategy,
            keys=keys,
            limits={name: value for name, value in limits.items() if value is not None},
            hosts=tuple(allow_host or ()),
            origins=tuple(allow_origin or ()),
            log_format=log_format,
            log_level=log_level,
            sandbox=sandbox_name(sandbox, unsafe_local, interactive=False),
            cache=not no_cache,
            memory=memory,
            memory_mode=memory_mode_of(memory, memory_mode),
        )
    )
