"""EndpointPool: one model behind several endpoints: weighted balancing, fail-over, and a second request when one lags.

Endpoints that have less in flight than their weight's share take turns, by weight; one that has asked for a pause is
passed over meanwhile. One that fails by its own fault is left alone for a while (circuit_breaker), and its request goes
to another; only when each has been tried does it fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

from mathagent.errors import BackendError
from mathagent.models.base import Capabilities, ChatRequest, OnDelta, PartialReply, on_sample
from mathagent.models.circuit_breaker import Admission, CircuitBreaker
from mathagent.models.endpoints import joined_identity
from mathagent.models.openai_compat import OpenAICompatible
from mathagent.types import Completion

_NOT_SET_UP = frozenset({401, 402, 403, 404, 405, 429})
"""Statuses by which an endpoint shows that it is not set up as the others are, or not paid for (a 429 that waiting does
not mend): every request to it fails alike."""


def _blame(error: BackendError) -> Literal["request", "load", "unclear", "endpoint", "setup"]:
    """What a failure is due to: the request itself, too many of them, or the endpoint, now or for good.

    "unclear": the endpoint works (it answered with status 200), and says of this request that it failed. Another may
    do better; if none does, it was the request.
    """
    if error.status == 429 and error.retryable:
        return "load"
    if error.status == 200:
        return "unclear"
    if error.retryable:
        return "endpoint"
    return "setup" if error.status is None or error.status in _NOT_SET_UP else "request"


@dataclass
class Member:
    """One endpoint of a pool. ``in_flight`` counts samples; ``credit`` says how far it is behind its turn."""

    backend: OpenAICompatible
    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    in_flight: int = 0
    credit: float = 0.0

    @property
    def weight(self) -> float:
        return self.backend.endpoint.settings.weight


@dataclass(frozen=True)
class Turn:
    """A member that is to be asked, by leave of its breaker."""

    member: Member
    admission: Admission


class EndpointPool:
    """A Backend over endpoints that serve the same model. It can do what all of them can."""

    def __init__(
        self,
        model: str,
        backends: Sequence[OpenAICompatible],
        *,
        named: bool = False,
        new_breaker: Callable[[], CircuitBreaker] = CircuitBreaker,
    ) -> None:
        self.default_seed = backends[0].default_seed
        self.max_parallel = sum(one.max_parallel for one in backends)
        self.members = [Member(one, new_breaker()) for one in backends]
        self._model, self._named = model, named
        hedges = (one.endpoint.settings.hedge_s for one in backends)
        self._hedge_s = min((one for one in hedges if one is not None), default=None)

    @property
    def name(self) -> str:
        urls = ",".join(one.backend.endpoint.written for one in self.members)
        return f"openai:{self._model}@{urls}" if self._named else f"openai:{self._model}"

    @property
    def identity(self) -> str:
        return f"openai:{self._model}@{joined_identity([one.backend.endpoint for one in self.members])}"

    @property
    def capabilities(self) -> Capabilities:
        """What all can do: which of them is asked is not known before."""
        every = [one.backend.capabilities for one in self.members]
        return Capabilities(
            **{name: all(getattr(one, name) for one in every) for name in Capabilities.model_fields}
        )

    async def prepare(self) -> None:
        """Asks each server which one it is."""
        await asyncio.gather(*(one.backend.prepare() for one in self.members))

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        """See Backend.complete. Raises BackendError (PartialReply where some samples arrived), UsageError.

        Samples that arrived before an endpoint failed stay; the others are asked for elsewhere.
        """
        arrived: dict[int, Completion] = {}
        tried: list[Member] = []
        failure: BackendError | None = None
        while True:
            missing = [index for index in range(request.params.n) if index not in arrived]
            if not missing:
                return [arrived[index] for index in range(request.params.n)]
            turn = self._next(tried)
            if turn is None:
                raise self._given_up(failure, arrived)
            tried.append(turn.member)
            try:
                await self._draw(turn, request, missing, arrived, on_delta, tried)
            except BackendError as error:
                if _blame(error) == "request":
                    raise self._given_up(error, arrived) from error
                # What waiting may mend is told rather than an endpoint that is not set up: it is worth a retry.
                failure = error if failure is None or error.retryable else failure

    async def _draw(
        self,
        turn: Turn,
        request: ChatRequest,
        missing: list[int],
        arrived: dict[int, Completion],
        on_delta: OnDelta | None,
        tried: list[Member],
    ) -> None:
        """Asks the member of ``turn`` for the samples ``missing`` and adds them to ``arrived``, whatever fails."""
        for start, count in _runs(missing):
            part = request.samples(start, count)
            listener = None if on_delta is None else _shifted(on_delta, start)
            try:
                if self._hedge_s is None or listener is not None:
                    done = await self._ask(turn, part, listener, start)
                else:
                    done = await self._hedged(turn, part, start, self._hedge_s, tried)
            except PartialReply as error:
                arrived.update({start + offset: one for offset, one in error.arrived.items()})
                raise
            arrived.update({start + offset: one for offset, one in enumerate(done)})

    async def _ask(
        self, turn: Turn, request: ChatRequest, on_delta: OnDelta | None, start: int
    ) -> list[Completion]:
        """What the member of ``turn`` replies; its breaker is told."""
        member, breaker = turn.member, turn.member.breaker
        told = on_sample.get()
        token = on_sample.set(None if told is None else lambda index, one: told(start + index, one))
        member.in_flight += request.params.n
        try:
            done = await member.backend.complete(request, on_delta)
        except BackendError as error:
            match _blame(error):
                case "request":
                    breaker.succeeded()  # it answers
                case "load" | "unclear":  # its own limit sees to the load
                    breaker.left(turn.admission)
                case blame:
                    breaker.failed(turn.admission, fatal=blame == "setup")
            raise
        except BaseException:
            breaker.left(turn.admission)
            raise
        finally:
            member.in_flight -= request.params.n
            on_sample.reset(token)
        breaker.succeeded()
        return done

    async def _hedged(
        self, turn: Turn, request: ChatRequest, start: int, after_s: float, tried: list[Member]
    ) -> list[Completion]:
        """The reply of the member of ``turn``, or of another one that is asked as well once ``after_s`` have passed.

        What the slower one spends meanwhile is not known, and is not counted.
        """
        first = asyncio.ensure_future(self._ask(turn, request, None, start))
        tasks = {first}
        try:
            await asyncio.wait(tasks, timeout=after_s)
            if not first.done() and (other := self._next(tried)) is not None:
                tried.append(other.member)
                tasks.add(asyncio.ensure_future(self._ask(other, request, None, start)))
            failure: BaseException | None = None
            while tasks:
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    failure = task.exception()
                    if failure is None:
                        return task.result()
            assert failure is not None
            raise failure
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _next(self, tried: Sequence[Member]) -> Turn | None:
        """The endpoint to ask now, of those not ``tried`` and not left alone."""
        ready = [one for one in self.members if one not in tried and one.breaker.ready]
        if not ready:
            return None
        member = _in_turn([one for one in ready if not one.backend.client.paused] or ready)
        admission = member.breaker.admit()
        assert admission is not None  # it was ready
        return Turn(member, admission)

    def _given_up(self, failure: BackendError | None, arrived: dict[int, Completion]) -> BackendError:
        """The error of a request that no endpoint has answered whole."""
        if failure is None:
            wait_s = min(one.breaker.wait_s() for one in self.members)
            failure = BackendError(
                f"{self.name}: none of {len(self.members)} endpoints answers at present; the next is tried in"
                f" {wait_s:.0f} s",
                retryable=True,
                retry_after_s=wait_s,
            )
        return PartialReply(failure, arrived) if arrived else failure

    async def aclose(self) -> None:
        """Closes the connections; safe to call twice."""
        async with AsyncExitStack() as closing:  # all of them, whatever one of them raises
            for member in self.members:
                closing.push_async_callback(member.backend.aclose)


def _in_turn(members: Sequence[Member]) -> Member:
    """Smooth weighted round robin, as in nginx, over those that have room: with little in flight the weights hold by
    turns, with much by what is in flight, so that a slow endpoint gets less."""
    load = 1 + sum(one.in_flight for one in members)
    total = sum(one.weight for one in members)
    # Not all can have their share of a load that is one more than what is in flight; rounding must not say so.
    free = [one for one in members if one.in_flight * total < load * one.weight] or members
    for one in free:
        one.credit += one.weight
    chosen = max(free, key=lambda one: one.credit)
    chosen.credit -= sum(one.weight for one in free)
    return chosen


def _shifted(on_delta: OnDelta, start: int) -> OnDelta:
    return lambda index, text: on_delta(start + index, text)


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Rising ``indices`` as runs of neighbours: (first, count)."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][0] + runs[-1][1] == index:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((index, 1))
    return runs
