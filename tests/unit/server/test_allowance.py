"""What a key may use in a day."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mathagent.models.scripted import Reply
from mathagent.server.allowance import today
from tests.unit.server.served import FORTY_TWO, KEY, OTHER_KEY, Waits, always, idle, keys, served

ALICE = {"Authorization": f"Bearer {KEY}"}
BOB = {"Authorization": f"Bearer {OTHER_KEY}"}


async def test_solves_of_a_day_outlive_the_process(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), keys=keys(solves_per_day=2), headers=ALICE) as server:
        assert (await server.chat()).status_code == 200
    async with served(tmp_path, always(FORTY_TWO), keys=keys(solves_per_day=2), headers=ALICE) as server:
        assert (await server.chat()).status_code == 200
        third = await server.chat()
        assert third.status_code == 429
        assert third.json()["error"]["code"] == "insufficient_quota"
        assert 0 < int(third.headers["retry-after"]) <= 86400
        others = await server.http.post("/v1/solve", json={"problem": "6*7?", "strategy": "cot"}, headers=BOB)
        assert others.status_code == 200


async def test_tokens_end_what_runs(tmp_path: Path) -> None:
    asked = [Reply(text=f"candidate \\boxed{{{number % 7}}}", completion_tokens=10) for number in range(40)]
    calls = 0

    def respond(request: object, sample: int) -> Reply:
        nonlocal calls
        calls += 1
        return asked[sample]

    options = {"settings": {"over": "cot", "n": 40, "window": 1, "stop": "none"}, "stream": False}
    async with served(tmp_path, respond, keys=keys(tokens_per_day=50), headers=ALICE) as server:
        first = (await server.solve(strategy="self-consistency", **options)).json()
        refused = await server.solve(stream=False)
        spent = await server.desk.store.used("alice", today())
    assert first["stopped"] == "budget"
    assert "allowance" in first["detail"]
    assert first["answer"] is not None
    assert calls < 40
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert spent == (1, first["usage"]["completion_tokens"])


async def test_a_solve_whose_client_left_counts_what_it_used(tmp_path: Path) -> None:
    backend = Waits(always(FORTY_TWO))
    async with served(tmp_path, backend, keys=keys(tokens_per_day=1000), headers=ALICE) as server:
        backend.let.set()
        await server.chat()
        backend.let.clear()
        backend.asked.clear()
        leaving = asyncio.ensure_future(server.chat("What is 3*14?"))
        await backend.asked.wait()
        leaving.cancel()
        await idle(server)
        spent = await server.desk.store.used("alice", today())
    assert spent == (2, len(FORTY_TWO.split()))


async def test_solves_that_come_at_once_are_counted_one_by_one(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), keys=keys(solves_per_day=2), headers=ALICE) as server:
        replies = await asyncio.gather(*(server.chat() for _ in range(8)))
        assert sorted(reply.status_code for reply in replies) == [200] * 2 + [429] * 6
