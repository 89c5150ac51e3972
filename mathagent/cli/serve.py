"""mathagent serve: the HTTP server."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from pydantic import ValidationError

from mathagent import telemetry
from mathagent.agents.solver_memory import MemoryMode
from mathagent.config import settings
from mathagent.errors import UsageError
from mathagent.types import Value

if TYPE_CHECKING:
    from mathagent.sandbox.base import Sandbox
    from mathagent.server.options import ServeOptions
    from mathagent.solver import Solver

LogLevel = Literal["debug", "info", "warning", "error"]
NEEDED = ("fastapi", "uvicorn", "prometheus_client", "sse_starlette")


class ServeArguments(Value):
    """The parsed arguments."""

    host: str
    port: int
    models: tuple[str, ...]
    base_url: str | None
    strategy: str | None
    keys: Path | None
    limits: dict[str, Any]
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    log_format: str
    log_level: str
    sandbox: str
    cache: bool
    memory: Path | None
    memory_mode: MemoryMode | None


def serve_command(arguments: ServeArguments) -> int:
    """Serves until the process is told to end. Raises UsageError before anything is opened."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(f"the server needs {', '.join(missing)}: pip install 'mathagent[serve]'")
    from mathagent.server.log_lines import LogFormat, log_to
    from mathagent.server.serving import check_address

    if arguments.log_format not in get_args(LogFormat):
        raise UsageError(f"--log-format: '{arguments.log_format}' is neither text nor json")
    if arguments.log_level not in get_args(LogLevel):
        raise UsageError(f"--log-level: '{arguments.log_level}' is none of {', '.join(get_args(LogLevel))}")
    options = _options(arguments)
    check_address(arguments.host, options)
    form = cast("LogFormat", arguments.log_format)
    log_to(form=form, level=arguments.log_level, redact=_redactor(arguments))
    end_telemetry = telemetry.export("mathagent") if settings().otel_endpoint else None
    try:
        asyncio.run(_serve(arguments, options))
    finally:
        if end_telemetry is not None:
            end_telemetry()
    return 0


def _options(arguments: ServeArguments) -> ServeOptions:
    from mathagent.agents.outside_requests import allowed_strategy
    from mathagent.server.keys import key_of, read_keys
    from mathagent.server.options import ServeLimits, ServeOptions
    from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES

    keys = () if arguments.keys is None else read_keys(arguments.keys)
    own = settings().server_key
    if own is not None:
        keys = (*keys, key_of("MATHAGENT_SERVER_KEY", own))
    try:
        limits = ServeLimits.model_validate(arguments.limits)
    except ValidationError as error:
        first = error.errors()[0]
        name = {"seconds": "max-seconds", "drain_s": "drain-seconds"}.get(str(first["loc"][0]), first["loc"][0])
        raise UsageError(f"--{name} is wrong: {first['msg']}") from error
    for origin in arguments.origins:
        if not origin.startswith(("http://", "https://")) or origin.endswith("/"):
            raise UsageError(f"--allow-origin: '{origin}' is no origin; give for example https://app.example.org")
    return ServeOptions(
        strategy=allowed_strategy(arguments.strategy or DEFAULT_STRATEGY, STRATEGIES),
        keys=keys,
        hosts=arguments.hosts,
        origins=arguments.origins,
        limits=limits,
    )


def _redactor(arguments: ServeArguments) -> Any:
    from urllib.parse import urlsplit

    from mathagent.tools.redaction import Redactor, secrets_in

    password = urlsplit(arguments.base_url or "").password
    return Redactor([*secrets_in(settings()), *([password] if password else [])])


async def _serve(arguments: ServeArguments, options: ServeOptions) -> None:
    from mathagent.sandbox import SANDBOXES
    from mathagent.server.app import create_app
    from mathagent.server.model_table import ModelTable
    from mathagent.server.serving import serve
    from mathagent.solver import Solver

    sandbox: Sandbox = SANDBOXES.load(arguments.sandbox)()

    def open_solver(model: str) -> Solver:
        return Solver(
            model,
            base_url=arguments.base_url,
            sandbox=sandbox,
            cache=arguments.cache,
            memory=arguments.memory,
            memory_mode=arguments.memory_mode or "off",
        )

    models = ModelTable.of(arguments.models or (settings().model,), open_solver)
    models.solver(models.default)  # a name that is wrong is told now
    app = create_app(models, options, settings().home_dir / "server.db")
    async with AsyncExitStack() as closing:  # the models first; all, whatever one of them raises
        closing.push_async_callback(sandbox.aclose)
        closing.push_async_callback(models.aclose)
        await serve(app, arguments.host, arguments.port, on_listening=_say)


def _say(url: str) -> None:
    sys.stdout.write(f"serving at {url}\n")
    sys.stdout.flush()
    logging.getLogger("mathagent.server").info("serving at %s", url)
