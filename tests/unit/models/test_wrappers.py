"""The stack of wrappers: what is counted, cached, retried, limited and cut off, on every path."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathagent.budget import Budget, Meter
from mathagent.errors import BackendError, LimitReached, StorageError, UnsupportedOption
from mathagent.events import Event, Retried, Warned
from mathagent.models.base import Backend, Capabilities, ChatRequest, OnDelta, PartialReply, on_sample
from mathagent.models.cache import CompletionCache, sample_keys
from mathagent.models.remembering import Cached
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.models.wrappers import Budgeted, Limited, Metered, Retrying, wrap
from mathagent.types import Completion, Message, SamplingParams, Usage


def ask(n: int = 1, max_tokens: int = 100, first: int = 0, text: str = "q") -> ChatRequest:
    params = SamplingParams(n=n, max_tokens=max_tokens, temperature=0.7)
    return ChatRequest(messages=(Message(role="user", content=text),), params=params, first_sample=first)


def reply(text: str = "x", tokens: int = 1) -> Completion:
    return Completion(text=text, usage=Usage(calls=1, prompt_tokens=2, completion_tokens=tokens))


class Answering:
    """A backend that answers by a function of (call number, request); a coroutine's result counts too."""

    name = identity = "test:answering"
    capabilities = Capabilities(n=True, streaming=True)
    max_parallel = 4
    default_seed = None

    def __init__(self, answer: Callable[[int, ChatRequest], object]) -> None:
        self.answer = answer
        self.requests: list[ChatRequest] = []
        self.running = self.most_running = self.cancelled = 0

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        self.requests.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            found = self.answer(len(self.requests), request)
            if asyncio.iscoroutine(found):
                found = await found
            if isinstance(found, Exception):
                raise found
            assert isinstance(found, list)
            return found
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def aclose(self) -> None:
        raise AssertionError("wrappers own nothing")


def numbered(call: int, request: ChatRequest) -> list[Completion]:
    return [reply(f"{request.first_sample + index} call {call}") for index in range(request.params.n)]


def passing(message: str = "busy", after: float | None = None) -> BackendError:
    return BackendError(message, retryable=True, retry_after_s=after)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[CompletionCache]:
    opened = CompletionCache(tmp_path / "cache.db")
    yield opened
    opened.close()


def stack(
    raw: Backend, meter: Meter, cache: CompletionCache | None = None, events: list[Event] | None = None
) -> Backend:
    emit = (lambda _: None) if events is None else events.append
    return wrap(raw, meter=meter, cache=cache, semaphore=asyncio.Semaphore(raw.max_parallel), emit=emit)


class Naps:
    """Stands in for asyncio.sleep: notes the seconds and passes none."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


# Metered, Cached


async def test_a_reply_is_counted_once_and_a_hit_as_cached(cache: CompletionCache) -> None:
    raw, meter = Answering(numbered), Meter()
    backend = stack(raw, meter, cache)
    first = await backend.complete(ask(3))
    assert meter.usage == Usage(calls=3, prompt_tokens=6, completion_tokens=3)
    again = await backend.complete(ask(3))
    assert len(raw.requests) == 1
    assert [c.text for c in again] == [c.text for c in first]
    assert [c.cached for c in again] == [True] * 3
    asked = Usage(calls=3, prompt_tokens=6, completion_tokens=3)
    assert meter.usage == asked + asked.as_cached()
    assert meter.usage.cached_completion_tokens == 3


async def test_only_the_missing_samples_are_asked_for(cache: CompletionCache) -> None:
    raw, meter = Answering(numbered), Meter()
    backend = Cached(Metered(raw, meter), cache, meter, lambda _: None)
    await backend.complete(ask(1, first=1))
    await backend.complete(ask(1, first=4))
    heard: list[tuple[int, str]] = []
    done = await backend.complete(ask(6), lambda index, text: heard.append((index, text)))
    assert [c.text.split()[0] for c in done] == ["0", "1", "2", "3", "4", "5"]
    assert [(r.first_sample, r.params.n) for r in raw.requests[2:]] == [(0, 1), (2, 2), (5, 1)]
    assert [c.cached for c in done] == [False, True, False, False, True, False]
    assert sorted(index for index, _ in heard) == [1, 4]  # raw streams nothing here; hits are told whole
    assert meter.usage.cached_calls == 2
    assert meter.usage.calls == 8


async def test_deltas_carry_the_index_of_the_whole_request(cache: CompletionCache) -> None:
    raw = ScriptedBackend(lambda request, index: f"text {index}")
    backend = Cached(raw, cache, Meter(), lambda _: None)
    await backend.complete(ask(1))
    heard: dict[int, str] = {}
    await backend.complete(ask(3), heard.__setitem__)
    assert heard == {0: "text 0", 1: "text 1", 2: "text 2"}


async def test_the_same_request_twice_at_once_agrees_with_every_replay(cache: CompletionCache) -> None:
    async def slow(call: int, request: ChatRequest) -> list[Completion]:
        await asyncio.sleep(0.01 * call)
        return numbered(call, request)

    backend = stack(Answering(slow), Meter(), cache)
    one, other = await asyncio.gather(backend.complete(ask(2)), backend.complete(ask(2)))
    replayed = await backend.complete(ask(2))
    assert [c.text for c in one] == [c.text for c in other] == [c.text for c in replayed]


async def test_cached_refuses_what_the_backend_lacks_even_on_a_hit(cache: CompletionCache) -> None:
    backend = Cached(Answering(numbered), cache, Meter(), lambda _: None)
    request = ask().model_copy(update={"grammar": "x"})
    cache.store(sample_keys(backend.identity, request), [reply()])
    with pytest.raises(UnsupportedOption, match="grammar"):
        await backend.complete(request)


@pytest.mark.parametrize("when", ["lookup", "store"])
async def test_a_failing_cache_costs_no_reply_and_warns_once(
    cache: CompletionCache, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(cache, when, fail)
    events: list[Event] = []
    raw, meter = Answering(numbered), Meter()
    backend = stack(raw, meter, cache, events)
    for call in (1, 2):
        assert [c.text for c in await backend.complete(ask(2))] == [f"0 call {call}", f"1 call {call}"]
    assert events == [Warned(message="the disk is full; going on without the cache")]
    assert meter.usage == Usage(calls=4, prompt_tokens=8, completion_tokens=4)


async def test_what_arrived_before_a_failure_is_kept_and_counted_once(cache: CompletionCache) -> None:
    def answer(call: int, request: ChatRequest) -> object:
        if call == 1:
            return PartialReply(passing(), {0: reply("zero"), 2: reply("two")})
        return numbered(call, request)

    raw, meter = Answering(answer), Meter(Budget(max_calls=4))
    backend = stack(raw, meter, cache)
    done = await backend.complete(ask(4))
    assert [c.text for c in done] == ["zero", "1 call 2", "two", "3 call 3"]
    assert [(r.first_sample, r.params.n) for r in raw.requests] == [(0, 4), (1, 1), (3, 1)]
    assert meter.usage == Usage(calls=4, prompt_tokens=8, completion_tokens=4)
    assert not any(c.cached for c in done)


async def test_what_arrived_before_a_failure_is_kept_with_a_broken_cache(
    cache: CompletionCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(call: int, request: ChatRequest) -> object:
        return PartialReply(passing(), {0: reply("zero")}) if call == 1 else numbered(call, request)

    cache.close()
    raw = Answering(answer)
    done = await stack(raw, Meter(), cache).complete(ask(2))
    assert [c.text for c in done] == ["zero", "1 call 2"]


async def test_what_one_gap_gave_is_not_asked_again_where_the_next_fails() -> None:
    def answer(call: int, request: ChatRequest) -> object:
        if call == 1:
            return PartialReply(passing(after=0.0), {1: reply("one")})
        return passing(after=0.0) if call == 3 else numbered(call, request)

    raw, meter, journal = Answering(answer), Meter(), Silent()
    backend = wrap(
        raw, meter=meter, cache=None, semaphore=asyncio.Semaphore(1), emit=lambda event: None, journal=journal
    )
    done = await backend.complete(ask(3))
    assert [c.text for c in done] == ["0 call 2", "one", "2 call 4"]
    assert [(r.first_sample, r.params.n) for r in raw.requests] == [(0, 3), (0, 1), (2, 1), (2, 1)]
    assert meter.usage.calls == 3


class Silent:
    """A journal that keeps nothing."""

    def replay(self, key: str) -> None:
        return None

    def record(self, key: str, completion: Completion) -> None:
        return None

    async def flush(self) -> None:
        return None


async def test_a_partial_reply_counts_even_where_the_error_stays() -> None:
    raw, meter = Answering(lambda *_: PartialReply(BackendError("no"), {1: reply(tokens=5)})), Meter()
    with pytest.raises(BackendError, match="no"):
        await stack(raw, meter).complete(ask(2))
    assert meter.usage == Usage(calls=1, prompt_tokens=2, completion_tokens=5)
    assert meter.limit_reached() is None


def tell(index: int, completion: Completion) -> None:
    """What a backend does as soon as one sample is whole."""
    told = on_sample.get()
    assert told is not None
    told(index, completion)


async def test_a_sample_that_was_told_before_the_deadline_is_counted_and_kept(cache: CompletionCache) -> None:
    def answer(call: int, request: ChatRequest) -> object:
        tell(1, reply("one", tokens=7))
        return for_ever()

    meter = Meter(Budget(max_seconds=0.05, max_tokens=300))
    with pytest.raises(LimitReached):
        await stack(Answering(answer), meter, cache).complete(ask(3))
    assert meter.usage == Usage(calls=1, prompt_tokens=2, completion_tokens=7)
    later = Meter()
    await stack(Answering(numbered), later, cache).complete(ask(3))
    assert later.usage.cached_calls == 1


async def test_a_sample_that_was_told_counts_once_where_the_request_comes_back() -> None:
    def answer(call: int, request: ChatRequest) -> object:
        tell(0, reply("zero", tokens=7))
        return [reply("zero", tokens=7), reply("one", tokens=5)]

    meter = Meter()
    await stack(Answering(answer), meter).complete(ask(2))
    assert meter.usage == Usage(calls=2, prompt_tokens=4, completion_tokens=12)


async def test_a_sample_that_was_told_before_a_failure_is_not_counted_again(cache: CompletionCache) -> None:
    """The connection breaks after it; the request that is sent again gets it from the cache."""

    def answer(call: int, request: ChatRequest) -> object:
        if call == 1:
            tell(0, reply("zero", tokens=7))
            return passing(after=0.0)
        return numbered(call, request)

    raw, meter = Answering(answer), Meter()
    done = await stack(raw, meter, cache).complete(ask(2))
    assert [one.text for one in done] == ["zero", "1 call 2"]
    assert meter.usage == Usage(calls=2, prompt_tokens=4, completion_tokens=8)
    assert [(r.first_sample, r.params.n) for r in raw.requests] == [(0, 2), (1, 1)]


def test_wrappers_see_capabilities_that_the_backend_loses() -> None:
    raw = Answering(numbered)
    backend = Limited(Metered(raw, Meter()), asyncio.Semaphore(1))
    raw.capabilities = Capabilities(n=False)
    assert not backend.capabilities.n
    assert (backend.name, backend.max_parallel, backend.default_seed) == ("test:answering", 4, None)


# Limited


async def test_limited_lets_through_as_many_as_it_may() -> None:
    async def slow(call: int, request: ChatRequest) -> list[Completion]:
        await asyncio.sleep(0.001)
        return numbered(call, request)

    raw = Answering(slow)
    backend = stack(raw, Meter())
    await asyncio.gather(*(backend.complete(ask(text=str(index))) for index in range(64)))
    assert raw.most_running == 4


async def test_a_waiting_retry_holds_no_slot() -> None:
    def answer(call: int, request: ChatRequest) -> object:
        return passing() if call == 1 else numbered(call, request)

    raw = Answering(answer)
    woken = asyncio.Event()

    async def nap(_: float) -> None:
        await woken.wait()

    limited = Limited(raw, asyncio.Semaphore(1))
    first = asyncio.ensure_future(Retrying(limited, lambda _: None, sleep=nap).complete(ask()))
    await asyncio.sleep(0)
    assert len(await asyncio.wait_for(limited.complete(ask()), 5)) == 1
    woken.set()
    await first


# Retrying


async def test_passing_errors_are_retried_with_growing_jittered_waits() -> None:
    raw, naps = Answering(lambda *_: passing()), Naps()
    events: list[Event] = []
    backend = Retrying(raw, events.append, attempts=5, base_s=1, longest_s=3, rng=random.Random(0), sleep=naps)
    with pytest.raises(BackendError, match="busy"):
        await backend.complete(ask())
    assert len(raw.requests) == 5
    for wait, full in zip(naps.seconds, (1, 2, 3, 3), strict=True):
        assert full / 2 <= wait <= full
    assert len(set(naps.seconds)) == 4
    retried = [event for event in events if isinstance(event, Retried)]
    assert [event.attempt for event in retried] == [1, 2, 3, 4]
    assert [event.wait_s for event in retried] == [round(wait, 3) for wait in naps.seconds]


async def test_two_clients_do_not_wait_alike() -> None:
    waits = []
    for _ in range(2):
        naps = Naps()
        with pytest.raises(BackendError):
            await Retrying(Answering(lambda *_: passing()), lambda _: None, attempts=2, sleep=naps).complete(ask())
        waits += naps.seconds
    assert waits[0] != waits[1]


@pytest.mark.parametrize("after", [0.0, 4.0, 30.0])
async def test_retry_after_is_the_least_wait(after: float) -> None:
    def answer(call: int, request: ChatRequest) -> object:
        return passing(after=after) if call == 1 else numbered(call, request)

    naps = Naps()
    await Retrying(Answering(answer), lambda _: None, base_s=0.5, sleep=naps).complete(ask())
    (wait,) = naps.seconds
    assert after <= wait <= after + 0.5


@pytest.mark.parametrize("error", [BackendError("401"), passing(after=31.0), LimitReached("max_calls", "over")])
async def test_what_waiting_cannot_help_is_raised_at_once(error: Exception) -> None:
    raw, naps = Answering(lambda *_: error), Naps()
    with pytest.raises(type(error)):
        await Retrying(raw, lambda _: None, longest_s=30.0, sleep=naps).complete(ask())
    assert (len(raw.requests), naps.seconds) == (1, [])


# Budgeted


async def test_max_tokens_is_cut_to_what_is_left_and_the_cache_sees_it(cache: CompletionCache) -> None:
    raw, meter = (
        Answering(lambda call, request: [reply(tokens=30)] * request.params.n),
        Meter(Budget(max_tokens=70)),
    )
    backend = stack(raw, meter, cache)
    await backend.complete(ask())
    await backend.complete(ask(text="r"))
    assert [r.params.max_tokens for r in raw.requests] == [70, 40]
    replay = Meter(Budget(max_tokens=70))
    backend = stack(raw, replay, cache)
    await backend.complete(ask())
    await backend.complete(ask(text="r"))
    assert len(raw.requests) == 2
    assert replay.usage.completion_tokens == 60


async def test_requests_in_flight_cannot_overdraw_together() -> None:
    async def slow(_: int, request: ChatRequest) -> list[Completion]:
        await asyncio.sleep(0.01)
        return [reply(tokens=request.params.max_tokens)]

    raw, meter = Answering(slow), Meter(Budget(max_tokens=150, max_calls=9))
    raw.max_parallel = 9
    backend = stack(raw, meter)
    results = await asyncio.gather(*(backend.complete(ask(text=str(i))) for i in range(3)), return_exceptions=True)
    assert [r.params.max_tokens for r in raw.requests] == [100, 50]
    assert isinstance(results[2], LimitReached)
    assert results[2].limit == "max_tokens"
    assert meter.usage.completion_tokens == 150


async def test_near_the_end_of_its_tokens_a_request_waits_for_those_in_flight() -> None:
    """Else the first, which uses little of what it has reserved, would starve the others."""

    async def brief(*_: object) -> list[Completion]:
        await asyncio.sleep(0.01)
        return [reply(tokens=20)]

    raw, meter = Answering(brief), Meter(Budget(max_tokens=150))
    raw.max_parallel = 9
    backend = stack(raw, meter)
    await asyncio.gather(*(backend.complete(ask(text=str(i))) for i in range(4)))
    assert [r.params.max_tokens for r in raw.requests] == [100, 100, 100, 90]
    assert meter.usage.completion_tokens == 80
    free = Meter()
    await asyncio.gather(*(stack(raw, free).complete(ask(text=str(i))) for i in range(3)))
    assert free.usage.calls == 3


async def test_small_requests_one_behind_the_other_do_not_starve_a_large_one() -> None:
    async def brief(*_: object) -> list[Completion]:
        await asyncio.sleep(0.001)
        return [reply(tokens=5)]

    raw, meter = Answering(brief), Meter(Budget(max_tokens=100))
    raw.max_parallel = 9
    backend = stack(raw, meter)

    async def small() -> None:
        for index in range(4):
            await backend.complete(ask(text=str(index), max_tokens=20))

    await asyncio.gather(small(), backend.complete(ask(text="large", max_tokens=90)))
    assert [r.params.max_tokens for r in raw.requests] == [20, 90, 20, 20, 20]


@pytest.mark.parametrize("end", ["cancel", "error"])
async def test_a_request_that_ends_while_others_wait_lets_them_on(end: str) -> None:
    async def answer(call: int, _: ChatRequest) -> list[Completion]:
        await asyncio.sleep(0.01)
        if call == 1 and end == "error":
            raise BackendError("no")
        return [reply(tokens=5)]

    raw, meter = Answering(answer), Meter(Budget(max_tokens=150))
    raw.max_parallel = 9
    backend = stack(raw, meter)
    asked = [asyncio.ensure_future(backend.complete(ask(text=str(index)))) for index in range(4)]
    await asyncio.sleep(0.001)
    if end == "cancel":
        asked[0].cancel()  # in flight
        asked[1].cancel()  # the first of those that wait
    results = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 10)
    assert [isinstance(result, list) for result in results] == [False, end == "error", True, True]
    assert (meter._reserved_tokens, meter._reserved_calls) == (0, 0)


async def test_an_interrupt_wakes_a_request_that_waits_for_others() -> None:
    raw, meter = Answering(for_ever), Meter(Budget(max_tokens=150))
    backend = stack(raw, meter)
    asked = [asyncio.ensure_future(backend.complete(ask(text=str(index)))) for index in range(3)]
    await asyncio.sleep(0.01)
    assert raw.running == 1
    meter.interrupt()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [getattr(result, "limit", result) for result in results] == ["interrupted"] * 3


async def test_a_finished_request_is_not_counted_twice_while_it_is_stored() -> None:
    """Between its usage being metered and its reservation released, another request still finds what is left."""
    meter = Meter(Budget(max_tokens=100))
    found: list[int] = []

    class Peeking(Metered):
        async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
            done = await super().complete(request, on_delta)
            reservation = meter.reserve(1, 1000)
            found.append(reservation.max_tokens)
            meter.release(reservation)
            return done

    raw = Answering(lambda *_: [reply(tokens=40)])
    await Budgeted(Peeking(raw, meter), meter).complete(ask(max_tokens=60))
    assert found == [40]
    assert meter.reserve(1, 1000).max_tokens == 60


async def test_calls_run_out() -> None:
    meter = Meter(Budget(max_calls=3))
    backend = stack(Answering(numbered), meter)
    await backend.complete(ask(2))
    with pytest.raises(LimitReached) as caught:
        await backend.complete(ask(2))
    assert caught.value.limit == "max_calls"
    await backend.complete(ask(1))
    with pytest.raises(LimitReached):
        await backend.complete(ask(1))


async def for_ever(*_: object) -> list[Completion]:
    await asyncio.sleep(3600)
    return []


async def test_the_deadline_ends_a_request_and_its_connection() -> None:
    raw, meter = Answering(for_ever), Meter(Budget(max_seconds=0.05, max_tokens=100, max_calls=5))
    with pytest.raises(LimitReached) as caught:
        await stack(raw, meter).complete(ask())
    assert caught.value.limit == "max_seconds"
    assert (raw.cancelled, raw.running) == (1, 0)


async def test_the_deadline_ends_a_retry_s_wait() -> None:
    raw, meter = Answering(lambda *_: passing(after=20.0)), Meter(Budget(max_seconds=0.05))
    with pytest.raises(LimitReached):
        await asyncio.wait_for(stack(raw, meter).complete(ask()), 10)
    assert len(raw.requests) == 1


async def test_interrupt_ends_requests_in_flight_and_later_ones() -> None:
    raw, meter = Answering(for_ever), Meter()
    backend = stack(raw, meter)
    asked = [asyncio.ensure_future(backend.complete(ask(text=str(index)))) for index in range(6)]
    await asyncio.sleep(0.01)
    meter.interrupt()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [getattr(result, "limit", result) for result in results] == ["interrupted"] * 6
    with pytest.raises(LimitReached, match="interrupted"):
        await backend.complete(ask())
    assert (raw.cancelled, raw.running) == (4, 0)


async def test_a_reply_that_comes_as_the_deadline_falls_is_kept() -> None:
    async def stubborn(*_: object) -> list[Completion]:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return [reply("just in time")]
        raise AssertionError

    meter = Meter(Budget(max_seconds=0.02))
    (done,) = await stack(Answering(stubborn), meter).complete(ask())
    assert done.text == "just in time"
    assert meter.usage.calls == 1


@pytest.mark.parametrize("end", ["reply", "error", "bug", "deadline", "cancel", "interrupt"])
async def test_every_path_releases_what_was_reserved(end: str) -> None:
    answers: dict[str, Callable[[int, ChatRequest], object]] = {
        "reply": lambda *_: [reply(tokens=10)],
        "error": lambda *_: BackendError("no"),
        "bug": lambda *_: RuntimeError("a bug"),
    }
    meter = Meter(Budget(max_tokens=100, max_calls=2, max_seconds=0.05 if end == "deadline" else 3600))
    task = asyncio.ensure_future(stack(Answering(answers.get(end, for_ever)), meter).complete(ask()))
    await asyncio.sleep(0.01)
    if end == "cancel":
        task.cancel()
    if end == "interrupt":
        meter.interrupt()
    (result,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(result, BaseException) == (end != "reply")
    used = meter.usage.completion_tokens
    assert (meter._reserved_tokens, meter._reserved_calls) == (0, 0)
    assert used == (10 if end == "reply" else 0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    max_tokens=st.integers(1, 200),
    max_calls=st.none() | st.integers(1, 30),
    requests=st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 80), st.floats(0, 1), st.integers(0, 3)), max_size=12
    ),
    with_cache=st.booleans(),
)
def test_tokens_never_exceed_the_budget(
    tmp_path_factory: pytest.TempPathFactory,
    max_tokens: int,
    max_calls: int | None,
    requests: list[tuple[int, int, float, int]],
    with_cache: bool,
) -> None:
    """Whatever is asked, in whatever order it ends, and however often it fails first."""

    async def run() -> None:
        rng = random.Random(len(requests))

        async def answer(_: int, request: ChatRequest) -> object:
            _, _, share, failures = requests[int(request.messages[0].content)]
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            if rng.randrange(4) < failures:
                return BackendError("no", retryable=rng.random() < 0.5)
            most = request.params.max_tokens
            return [reply(tokens=max(1, round(share * most))) for _ in range(request.params.n)]

        meter = Meter(Budget(max_tokens=max_tokens, max_calls=max_calls))
        cache = CompletionCache(tmp_path_factory.mktemp("law") / "cache.db") if with_cache else None
        naps = Naps()
        raw = Answering(answer)
        inner: Backend = Metered(raw, meter)
        if cache is not None:
            inner = Cached(inner, cache, meter, lambda _: None)
        limited = Limited(inner, asyncio.Semaphore(3))
        backend = Budgeted(Retrying(limited, lambda _: None, attempts=2, rng=rng, sleep=naps), meter)

        async def one(index: int) -> None:
            n, longest, _, _ = requests[index]
            with contextlib.suppress(LimitReached, BackendError):
                await backend.complete(ask(n, longest, text=str(index)))
            assert meter.usage.completion_tokens <= max_tokens

        await asyncio.gather(*(one(index) for index in range(len(requests))))
        assert meter.usage.completion_tokens <= max_tokens
        assert max_calls is None or meter.usage.calls <= max_calls
        assert (meter._reserved_tokens, meter._reserved_calls) == (0, 0)
        if cache is not None:
            cache.close()

    asyncio.run(run())


async def test_the_double_works_in_the_stack(cache: CompletionCache) -> None:
    raw = ScriptedBackend([Reply(text="a", role="solver"), "b"])
    backend = stack(raw, Meter(), cache)
    assert [c.text for c in await backend.complete(ask(2))] == ["a", "b"]
    raw.assert_finished()
    await backend.aclose()
