"""Serving: the app at an address, until the process is told to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from mathagent.agents.listening import check_reach, listen, url_of
from mathagent.server.desk import CANCEL_S
from mathagent.server.options import ServeOptions
from mathagent.server.parts import Parts

KEEP_ALIVE_S = 30


def check_address(host: str, options: ServeOptions) -> None:
    """Raises UsageError where others could reach ``host``, and no key is asked for."""
    check_reach(host, has_key=bool(options.keys), advice=", or name a file of keys with --keys")


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

    with listen(host, port) as listener:
        on_listening(url_of(host, listener))
        await EndingServer(config, drain).serve(sockets=[listener])
