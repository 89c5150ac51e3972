"""2,000 requests through a server that fails one time in five, in every way there is: none lost, none counted twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fake_endpoint import Behaviour, FakeEndpoint

from mathagent.budget import Budget, Meter
from mathagent.errors import BackendError
from mathagent.models.base import Backend, ChatRequest, ConnectOptions
from mathagent.models.cache import CompletionCache
from mathagent.models.connect import connect_backend
from mathagent.models.remembering import Cached
from mathagent.models.wrappers import Budgeted, Limited, Metered, Retrying
from mathagent.types import Completion, Message, SamplingParams

AT_ONCE, FAILING = 64, 0.2
HANGS = 0.3  # of the other ways: each takes its deadline's time

FAILURES = {
    "500": Behaviour(status=500, raw=b'{"error": "internal"}'),
    "502 page": Behaviour(status=502, raw=b"<html><title>Bad Gateway</title>", content_type="text/html"),
    "503 with a wait": Behaviour(status=503, raw=b"{}", headers={"Retry-After": "0.002"}),
    "429": Behaviour(status=429, raw=b'{"error": {"message": "slow down"}}', headers={"Retry-After": "0.002"}),
    "429 without a wait": Behaviour(status=429, raw=b""),
    "closed without an answer": Behaviour(cut="drop"),
    "cut in the body": Behaviour(cut="body"),
    "malformed": Behaviour(raw=b'{"choices": [{"message": {"content": "half'),
    "empty": Behaviour(raw=b""),
    "no UTF-8": Behaviour(raw=b'{"choices": "\xff"}'),
    "hangs before": Behaviour(delay_s=None),
    "hangs within": Behaviour(cut="hang"),
    "slow": Behaviour(delay_s=0.02),
    "wrong content type": Behaviour(content_type="text/html"),
    "no usage": Behaviour(usage=False),
    "wrong usage": Behaviour(stated_usage={"prompt_tokens": "many", "completion_tokens": -7}),
    "huge usage": Behaviour(stated_usage={"prompt_tokens": 1, "completion_tokens": 10**12}),
    "endless count": Behaviour(stated_usage={"prompt_tokens": 10**400, "completion_tokens": 10**400}),
    "too many levels": Behaviour(raw=b"[" * 20_000),
    "too many digits": Behaviour(raw=b'{"usage": ' + b"1" * 5000 + b"}"),
    "fewer samples": Behaviour(n="ignore"),
    "failed with status 200": Behaviour(raw=b'{"error": {"message": "overloaded", "code": 503}}'),
    # What waiting cannot mend, and is told at once:
    "another service": Behaviour(raw=b"<html>hello</html>", content_type="text/html"),
    "something else": Behaviour(raw=b'{"hello": 1}'),
    "refused": Behaviour(status=403, raw=b'{"error": "not you"}'),
}


class FailingEndpoint(FakeEndpoint):
    """Fails one time in five by ``rng``; cut streams end in both ways."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(Behaviour(text=lambda body, index: f"answer to {body['messages'][-1]['content']}"))
        self.rng = rng
        self.failed = Counter[str]()

    def next_behaviour(self, body: dict[str, object]) -> Behaviour:
        ways = sorted(FAILURES)
        if self.rng.random() >= FAILING:
            return self.behaviour
        (way,) = self.rng.choices(ways, [HANGS if way.startswith("hangs") else 1.0 for way in ways])
        self.failed[way] += 1
        how = replace(FAILURES[way], text=self.behaviour.text)
        return replace(how, cut="reset") if how.cut == "body" and body.get("stream") else how


def stack(raw: Backend, meter: Meter, cache: CompletionCache) -> Backend:
    """The stack of a solve (models/wrappers.py: wrap), whose waits are a thousandth as long."""

    async def nap(seconds: float) -> None:
        await asyncio.sleep(seconds / 1000)

    cached = Cached(Metered(raw, meter), cache, meter, lambda event: None)
    limited = Limited(cached, asyncio.Semaphore(AT_ONCE))
    return Budgeted(Retrying(limited, lambda event: None, rng=random.Random(3), sleep=nap), meter)


def ask(number: int) -> ChatRequest:
    params = SamplingParams(n=2 if number % 10 == 0 else 1, seed=1, max_tokens=50, temperature=0.7)
    return ChatRequest(messages=(Message(role="user", content=f"question {number}"),), params=params)


@pytest.mark.parametrize(("endpoints", "requests"), [(1, 2000), (2, 500)])
async def test_every_request_ends_with_its_own_result_or_a_named_error(
    tmp_path: Path, endpoints: int, requests: int
) -> None:
    servers = [await FailingEndpoint(random.Random(seed)).start() for seed in range(endpoints)]
    urls = ",".join(f"{one.url}?total_s=4" for one in servers)
    raw = connect_backend("openai:m", ConnectOptions(base_url=urls))
    cache, meter = CompletionCache(tmp_path / "cache.db"), Meter(Budget(max_calls=10 * requests))
    backend = stack(raw, meter, cache)
    try:

        async def one(number: int) -> list[Completion] | BackendError:
            try:
                streamed = number % 8 == 1
                return await backend.complete(ask(number), (lambda *_: None) if streamed else None)
            except BackendError as error:
                return error

        async with asyncio.timeout(240):
            ended = await asyncio.gather(*(one(number) for number in range(requests)))
    finally:
        await raw.aclose()
        for server in servers:
            await server.stop()
        cache.close()

    assert len(ended) == requests
    results = {number: done for number, done in enumerate(ended) if isinstance(done, list)}
    errors = [done for done in ended if isinstance(done, BackendError)]
    for number, done in results.items():  # its own, whole, and as many as were asked for
        assert [one.text for one in done] == [f"answer to question {number}"] * ask(number).params.n
        assert all(0 < one.usage.completion_tokens <= 50 for one in done)
        assert done[0].usage.prompt_tokens > 0
    assert len(results) + len(errors) == requests
    for error in errors:
        assert len(str(error).splitlines()) == 1
        assert "openai:m" in str(error)
    # Only what waiting cannot mend is an error, or what failed five times in a row; with a second endpoint hardly any.
    assert len(errors) < (0.06 if endpoints == 1 else 0.03) * requests
    # Counted is what was returned (and what arrived before another sample of its request failed), once.
    returned = sum(len(done) for done in results.values())
    lost = sum(ask(number).params.n for number, done in enumerate(ended) if isinstance(done, BackendError))
    assert returned <= meter.usage.calls <= returned + lost
    assert meter.usage.cached_calls == 0
    failed = sum((server.failed for server in servers), Counter[str]())
    assert endpoints > 1 or set(failed) == set(FAILURES)
    assert sum(failed.values()) > 0.15 * requests
