"""Serving: the app at an address, until the process is told to end."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from mathagent.errors import ResourceError, UsageError
from mathagent.server.desk import CANCEL_S
from mathagent.server.options import ServeOptions
from mathagent.server.parts import Parts

KEEP_ALIVE_S = 30


def check_address(host: str, options: ServeOptions) -> None:
    """Raises UsageError where others could reach ``host``, and no key is asked for."""
    if options.keys or is_loopback(host):
        return
    raise UsageError(
        f"others can reach {host or 'every address'}: set MATHAGENT_SERVER_KEY to a key that they must have, or name"
        " a file of keys with --keys"
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class EndingServer(uvicorn.Server):
    """Has solves finish as soon as the process is told to end, not only once their clients have gone.

    Where uvicorn would then raise the signal anew, which ends the process at once, this one goes on to clear up.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See uvicorn. A second Ctrl-C ends it without waiting."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
        self._drain()


async def serve(
    app: FastAPI, host: str, port: int, *, on_listening: Callable[[str], None] = lambda url: None
) -> None:
    """Serves ``app`` until SIGTERM or SIGINT, and then lets its solves end well.

    ``on_listening`` hears the URL (``port`` 0: any free one). Raises UsageError where the address is open to others
    and no key is asked for, ResourceError where it cannot be listened at.
    """
    parts: Parts = app.state.mathagent
    limits = parts.options.limits
    check_address(host, parts.options)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(limits.drain_s + 2 * CANCEL_S) + 1,
    )
    loop = asyncio.get_running_loop()
    draining: list[asyncio.Task[None]] = []

    def drain() -> None:
        loop.call_soon_threadsafe(lambda: draining.append(loop.create_task(parts.desk.drain())))

    with _listener(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        on_listening(f"http://{shown}:{listener.getsockname()[1]}")
        await EndingServer(config, drain).serve(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"--host: '{host}' is no address ({error.strerror})") from error
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ResourceError(
            f"cannot listen at {host}:{port}: {error.strerror or error}; choose another with --host and --port"
        ) from error
    return listener
