"""Journaled: what one solve has drawn is kept sample by sample, and a second process gets it as the first did."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mathagent.budget import Meter
from mathagent.errors import BackendError
from mathagent.models.base import Backend, ChatRequest, PartialReply
from mathagent.models.cache import CompletionCache, sample_keys
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.models.wrappers import wrap
from mathagent.types import Completion, Message, SamplingParams, Usage


class Kept:
    """A journal in memory: ``rows`` outlive the process, ``replays`` are those of the killed one."""

    def __init__(self, replays: dict[str, Completion] | None = None) -> None:
        self.replays = dict(replays or {})
        self.rows: dict[str, Completion] = {}
        self.flushed: dict[str, Completion] = {}
        self.two = asyncio.Event()

    def replay(self, key: str) -> Completion | None:
        return self.replays.pop(key, None)

    def record(self, key: str, completion: Completion) -> None:
        self.rows[key] = completion
        if len(self.rows) == 2:
            self.two.set()

    async def flush(self) -> None:
        self.flushed = dict(self.rows)


def ask(n: int) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content="q"),), params=SamplingParams(n=n, temperature=0.7))


def stack(raw: Backend, journal: Kept, meter: Meter, cache: CompletionCache | None = None) -> Backend:
    return wrap(
        raw, meter=meter, cache=cache, semaphore=asyncio.Semaphore(4), emit=lambda event: None, journal=journal
    )


@pytest.mark.parametrize("cached", [False, True], ids=["no-cache", "cache"])
async def test_what_was_paid_is_replayed_and_counted_as_it_was(cached: bool, tmp_path: Path) -> None:
    cache = CompletionCache(tmp_path / "cache.db") if cached else None
    journal, first = Kept(), Meter()
    done = await stack(ScriptedBackend(["a", "b"]), journal, first, cache).complete(ask(2))
    assert [*journal.flushed.values()] == done
    second = Meter()
    resumed = Kept(journal.flushed)
    again = await stack(ScriptedBackend(["c"]), resumed, second, cache).complete(ask(3))
    assert [completion.text for completion in again] == ["a", "b", "c"]
    assert second.usage == first.usage + again[2].usage
    assert second.usage.cached_calls == 0
    assert len(resumed.rows) == 1  # the others are kept already
    if cache is not None:
        cache.close()


async def test_a_cache_hit_is_replayed_as_a_cache_hit(tmp_path: Path) -> None:
    cache = CompletionCache(tmp_path / "cache.db")
    await stack(ScriptedBackend(["a"]), Kept(), Meter(), cache).complete(ask(1))
    journal, first, second = Kept(), Meter(), Meter()
    await stack(ScriptedBackend([]), journal, first, cache).complete(ask(1))
    cache.close()
    await stack(ScriptedBackend([]), Kept(journal.flushed), second).complete(ask(1))
    assert first.usage == second.usage
    assert second.usage.cached_calls == 1


async def test_nothing_is_replayed_twice() -> None:
    journal = Kept()
    await stack(ScriptedBackend(["a"]), journal, Meter()).complete(ask(1))
    backend = stack(ScriptedBackend(["b"]), Kept(journal.flushed), Meter())
    texts = [(await backend.complete(ask(1)))[0].text for _ in range(2)]
    assert texts == ["a", "b"]


@pytest.mark.parametrize("cached", [False, True], ids=["no-cache", "cache"])
async def test_a_sample_is_kept_before_the_others_of_its_request_are_there(cached: bool, tmp_path: Path) -> None:
    cache = CompletionCache(tmp_path / "cache.db") if cached else None
    journal, meter = Kept(), Meter()
    raw = ScriptedBackend(["a", "b", Reply(text="late", delay_s=60)])
    asking = asyncio.ensure_future(stack(raw, journal, meter, cache).complete(ask(3)))
    await journal.two.wait()
    asking.cancel()  # the process dies
    await asyncio.gather(asking, return_exceptions=True)
    assert [completion.text for completion in journal.rows.values()] == ["a", "b"]
    if cache is not None:
        found = cache.lookup(sample_keys(raw.identity, ask(3)))
        assert [completion and completion.text for completion in found] == ["a", "b", None]
        cache.close()
    silent = ScriptedBackend(["c"])
    again = await stack(silent, Kept(journal.rows), Meter()).complete(ask(3))
    assert [completion.text for completion in again] == ["a", "b", "c"]
    assert [request.first_sample for request in silent.requests] == [2]


async def test_a_sample_told_early_is_not_taken_for_a_cache_hit(tmp_path: Path) -> None:
    cache = CompletionCache(tmp_path / "cache.db")
    meter = Meter()
    done = await stack(ScriptedBackend(["a", "b"]), Kept(), meter, cache).complete(ask(2))
    cache.close()
    assert [completion.cached for completion in done] == [False, False]
    assert meter.usage == Usage(calls=2, prompt_tokens=1, completion_tokens=2)


async def test_a_partial_reply_is_kept_and_counted_once() -> None:
    class Breaking(ScriptedBackend):
        async def complete(self, request: ChatRequest, on_delta: object = None) -> list[Completion]:
            if self.requests:
                return await super().complete(request)
            (first,) = await super().complete(request.samples(0, 1))
            raise PartialReply(BackendError("busy", retryable=True, retry_after_s=0.0), {0: first})

    journal, meter, raw = Kept(), Meter(), Breaking(["a", "b"])
    done = await stack(raw, journal, meter).complete(ask(2))
    assert [completion.text for completion in done] == ["a", "b"]
    assert meter.usage.calls == 2
    assert {completion.text for completion in journal.rows.values()} >= {"a", "b"}


async def test_a_partial_reply_behind_a_cache_hit_keeps_its_samples_apart(tmp_path: Path) -> None:
    """The offsets of what arrived count from the gap that was asked for, those of the solve from its request."""

    class Breaking(ScriptedBackend):
        async def complete(self, request: ChatRequest, on_delta: object = None) -> list[Completion]:
            done = await super().complete(request)
            if len(self.requests) == 1:
                raise PartialReply(BackendError("busy", retryable=True, retry_after_s=0.0), {0: done[0]})
            return done

    cache = CompletionCache(tmp_path / "cache.db")
    await stack(ScriptedBackend(["hit"]), Kept(), Meter(), cache).complete(ask(1))
    journal, meter, raw = Kept(), Meter(), Breaking(["a", "lost", "b"])
    done = await stack(raw, journal, meter, cache).complete(ask(3))
    cache.close()
    assert [completion.text for completion in done][:2] == ["hit", "a"]
    assert meter.usage.calls == 3
