"""One endpoint: sends a body to it within its deadlines and its limits, and reads what comes back.

A failure of any kind is a BackendError of one line. Nothing is sent twice here: that is Retrying's matter (wrappers),
and openai_pool's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from mathagent.errors import BackendError, UsageError
from mathagent.models.adaptive_limit import AdaptiveLimit
from mathagent.models.base import OnDelta
from mathagent.models.endpoints import Endpoint
from mathagent.models.openai_errors import (
    connection_error,
    not_json,
    stated_error,
    stated_failure,
    status_error,
)
from mathagent.models.openai_reply import StreamedReply, completions_from_reply, error_message
from mathagent.models.openai_session import OpenAISession, Response, read_json
from mathagent.models.server_events import ServerEvent
from mathagent.types import Completion

READ_TIMEOUT_S = 1800.0  # a small CPU may need minutes for one reply; budgets bound the rest
CONNECT_TIMEOUT_S = 10.0
ASKING_WHO_S = 5.0
"""How long a server may take to say which models it has."""


@dataclass(frozen=True)
class Connection:
    """An open session, which works in one event loop only. ``singles`` bounds the requests sent one by one."""

    session: OpenAISession
    loop: asyncio.AbstractEventLoop
    singles: asyncio.Semaphore
    limit: AdaptiveLimit


class OpenAIEndpoint:
    """``backend`` is the name in messages. One object serves one event loop at a time: after that loop has been closed,
    the next may use it."""

    def __init__(self, backend: str, endpoint: Endpoint, api_key: str) -> None:
        self.backend, self.endpoint = backend, endpoint
        self.base_url, self.shown = endpoint.url, endpoint.shown
        self.reached = False
        self._api_key = api_key
        self._connection: Connection | None = None

    @property
    def paused(self) -> bool:
        """Whether it has asked to be left alone for now."""
        return self._connection is not None and self._connection.limit.pause_left() > 0

    async def ask(self, body: dict[str, Any], prompt_length: int, most: int) -> list[Completion]:
        """The samples of one whole reply. ``prompt_length`` is in characters, ``most`` the tokens of all samples."""
        connection = await self.open()
        async with connection.limit.slot() as begun:
            reply = await self._told(
                connection, begun, self._within(self._whole(connection.session, body), asyncio.timeout(None))
            )
            return completions_from_reply(reply, self.backend, body["n"], most=most, prompt_length=prompt_length)

    async def stream(
        self, body: dict[str, Any], prompt_length: int, most: int, on_delta: OnDelta
    ) -> list[Completion]:
        """As ``ask``; ``on_delta`` hears the pieces of text as they come; all at once where the server does not
        stream."""
        connection = await self.open()
        streamed = StreamedReply(self.backend)
        async with connection.limit.slot() as begun:
            first = asyncio.timeout(self.endpoint.settings.first_token_s)
            reading = self._pieces(connection.session, body, streamed, on_delta, first)
            whole = await self._told(connection, begun, self._within(reading, first))
        if whole is None:
            return streamed.completions(body["n"], most=most, prompt_length=prompt_length)
        done = completions_from_reply(whole, self.backend, body["n"], most=most, prompt_length=prompt_length)
        for index, completion in enumerate(done):
            if completion.text:
                on_delta(index, completion.text)
        return done

    async def models(self) -> object:
        """What ``GET /models`` replies, None where it is refused. Raises BackendError where it cannot be reached, or
        fails in passing."""
        import aiohttp

        session = (await self.open()).session
        try:
            async with asyncio.timeout(ASKING_WHO_S):
                response = await session.get("/models")
            if response.is_success:
                return response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._connection_error(error) from error
        except ValueError:  # no JSON, or in no charset
            return None
        failure = self._status_error(response)
        if failure.retryable:
            raise failure
        return None

    async def _told(self, connection: Connection, begun: int, asking: Any) -> Any:
        """What ``asking`` returns; the limit is told whether the endpoint asked to slow down."""
        try:
            reply = await asking
        except BackendError as error:
            if error.status == 429 or (error.status == 503 and error.retry_after_s):
                connection.limit.refused(begun, error.retry_after_s)
            raise
        connection.limit.succeeded()
        self.reached = True
        return reply

    async def _within(self, asking: Any, first: asyncio.Timeout) -> Any:
        """What ``asking`` returns, within the endpoint's deadlines, of which it lifts ``first`` itself."""
        total_s = self.endpoint.settings.total_s
        try:
            async with asyncio.timeout(total_s), first:
                return await asking
        except TimeoutError as error:
            if first.expired():
                what = f"did not begin its reply within {self.endpoint.settings.first_token_s:g} s"
            else:
                what = f"did not end its reply within {total_s:g} s"
            raise BackendError(
                f"{self.backend} at {self.shown} {what}; is the server overloaded? try again later",
                retryable=True,
            ) from error
        except json.JSONDecodeError as error:
            raise not_json(self.backend, self.shown, error.doc) from error
        except UnicodeDecodeError as error:
            raise not_json(self.backend, self.shown, "") from error
        except UnicodeEncodeError as error:
            raise UsageError(
                "the prompt holds half a character (a lone surrogate); give valid Unicode text"
            ) from error

    async def _whole(self, session: OpenAISession, body: dict[str, Any]) -> object:
        import aiohttp

        try:
            response = await session.post(body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._connection_error(error) from error
        return self._reply_of(response)

    def _reply_of(self, response: Response) -> object:
        """The JSON of a success. Raises BackendError where it says that it is none."""
        if not response.is_success:
            raise self._status_error(response)
        reply = response.json()
        failure = stated_failure(reply)
        if failure is not None and not (isinstance(reply, dict) and reply.get("choices")):
            raise self._stated_error(failure)
        return reply

    async def _pieces(
        self,
        session: OpenAISession,
        body: dict[str, Any],
        reply: StreamedReply,
        on_delta: OnDelta,
        first: asyncio.Timeout,
    ) -> object:
        """Adds the pieces of a stream to ``reply``; returns the reply of a server that does not stream."""
        import aiohttp

        try:
            async with session.stream(body) as answer:
                if not await answer.is_stream():
                    return self._reply_of(await answer.whole())
                async with aclosing(answer.events()) as events:
                    async for event in events:
                        if first.when() is not None:
                            first.reschedule(None)
                        for index, text in reply.add(self._chunk(event)):
                            on_delta(index, text)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._connection_error(error) from error
        if not reply.finished:
            message = f"{self.backend} at {self.shown}: the reply broke off before its end; trying again may help"
            raise BackendError(message, retryable=True)
        return None

    def _chunk(self, event: ServerEvent) -> object:
        """What an event holds. Raises BackendError where it says that the reply failed."""
        chunk = read_json(event.data)
        failure = stated_failure(chunk)
        if failure is not None or event.name == "error":
            raise self._stated_error(chunk if failure is None else failure)
        return chunk

    def _connection_error(self, error: BaseException) -> BackendError:
        return connection_error(error, backend=self.backend, base_url=self.shown, reached=self.reached)

    def _status_error(self, response: Response) -> BackendError:
        self.reached = True
        return status_error(
            response.status,
            _with_quota(response.error_body()),
            backend=self.backend,
            base_url=self.shown,
            retry_after=response.headers.get("retry-after"),
        )

    def _stated_error(self, body: object) -> BackendError:
        """The error for a failure that the server reports with HTTP status 200."""
        self.reached = True
        return stated_error(body, _with_quota(body), backend=self.backend, base_url=self.shown)

    async def open(self) -> Connection:
        """The connection, opened where need be. Raises UsageError in another event loop than the one it is open in."""
        loop = asyncio.get_running_loop()
        if self._connection is not None and self._connection.loop is not loop:
            if not self._connection.loop.is_closed():
                raise UsageError(f"{self.backend} is open in another event loop; open one backend for each loop")
            await self.aclose()
        if self._connection is None:
            settings = self.endpoint.settings
            session = OpenAISession(
                self.base_url,
                self._api_key,
                read_timeout_s=settings.silence_s or READ_TIMEOUT_S,
                connect_timeout_s=settings.connect_s or CONNECT_TIMEOUT_S,
            )
            singles = asyncio.Semaphore(settings.parallel)
            self._connection = Connection(session, loop, singles, AdaptiveLimit())
        return self._connection

    async def aclose(self) -> None:
        """Closes the connections; safe to call twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.session.close()


def _with_quota(body: object) -> str:
    """What an error body says, and whether it is a quota that is used up: that waiting does not mend."""
    used_up = isinstance(body, Mapping) and "insufficient_quota" in (body.get("code"), body.get("type"))
    return error_message(body) + (" (insufficient_quota)" if used_up else "")
