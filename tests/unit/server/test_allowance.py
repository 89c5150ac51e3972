"""What a key may use in a day."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.models.scripted import Reply
from mathagent.server import allowance
from mathagent.server.allowance import Allowance, UsedUp, today
from mathagent.server.options import ServeLimits
from mathagent.server.store import SolutionStore
from tests.unit.server.served import FORTY_TWO, KEY, OTHER_KEY, Waits, always, idle, keys, served, until

ALICE = {"Authorization": f"Bearer {KEY}"}
BOB = {"Authorization": f"Bearer {OTHER_KEY}"}
CHEAP = {"problem": "What is 6*7?", "strategy": "cot", "stream": False}


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


async def test_who_is_sent_away_pays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a full queue at once, and by no turn in time."""
    backend = Waits(always(FORTY_TWO))
    limits = ServeLimits(solves=1, waiting=1, drain_s=0)
    async with served(tmp_path, backend, keys=keys(solves_per_day=2), headers=BOB, limits=limits) as server:
        held = asyncio.ensure_future(server.solve())
        await backend.asked.wait()
        monkeypatch.setattr(server.desk.gate, "_longest_s", 0.1)
        waiting = asyncio.ensure_future(server.http.post("/v1/solve", json=CHEAP, headers=ALICE))
        await until(lambda: server.desk.gate.waiting == 1)
        full = await server.http.post("/v1/solve", json=CHEAP, headers=ALICE)
        late = await waiting
        assert [one.json()["error"]["code"] for one in (full, late)] == ["server_busy"] * 2
        held.cancel()
        await idle(server)
        backend.let.set()
        codes = [(await server.http.post("/v1/solve", json=CHEAP, headers=ALICE)).status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        assert (await server.desk.store.used("alice", today()))[0] == 2


async def test_who_leaves_the_queue_pays_nothing(tmp_path: Path) -> None:
    backend = Waits(always(FORTY_TWO))
    limits = ServeLimits(solves=1, drain_s=0)
    async with served(tmp_path, backend, keys=keys(solves_per_day=1), headers=ALICE, limits=limits) as server:
        held = asyncio.ensure_future(server.http.post("/v1/solve", json=CHEAP, headers=BOB))
        await backend.asked.wait()
        waiting = asyncio.ensure_future(server.solve())
        await until(lambda: server.desk.gate.waiting == 1)
        assert (await server.solve()).json()["error"]["code"] == "insufficient_quota"  # one is set aside
        waiting.cancel()
        await until(lambda: server.desk.gate.waiting == 0)
        backend.let.set()
        await held
        await idle(server)
        assert (await server.solve()).status_code == 200


class Days:
    """What day it is, as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = "2026-12-31"
        monkeypatch.setattr(allowance, "today", lambda: self.now)


async def test_a_solve_over_midnight_counts_for_the_day_on_which_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = Days(monkeypatch)
    store = SolutionStore(tmp_path / "server.db", kept=10, kept_days=1)
    counted = Allowance(store)
    key, _ = keys(tokens_per_day=100, solves_per_day=2)
    await counted.admit(key)
    day = counted.begin(key)
    await counted.note(key, day)
    assert counted.spend(key, day, 60)
    days.now = "2027-01-01"
    await counted.admit(key)  # another of the new day looks at its own count
    new = counted.begin(key)
    await counted.note(key, new)
    assert new == days.now
    assert counted.spend(key, new, 99)
    assert not counted.spend(key, day, 40)  # the old day's 60 are not forgotten
    await counted.end(key, day, counted=100, used=90)
    await counted.end(key, new, counted=99, used=99)
    assert await store.used("alice", day) == (1, 90)
    assert await store.used("alice", new) == (1, 99)
    await counted.admit(key)
    counted.give_back(key)
    await store.aclose()


async def test_one_that_waits_over_midnight_counts_for_the_new_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = Days(monkeypatch)
    store = SolutionStore(tmp_path / "server.db", kept=10, kept_days=1)
    counted = Allowance(store)
    key, _ = keys(solves_per_day=1)
    await counted.admit(key)
    days.now = "2027-01-01"
    with pytest.raises(UsedUp):
        await counted.admit(key)
    day = counted.begin(key)
    await counted.note(key, day)
    await counted.end(key, day, counted=0, used=5)
    assert await store.used("alice", "2026-12-31") == (0, 0)
    assert await store.used("alice", "2027-01-01") == (1, 5)
    await store.aclose()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["admit", "begin", "leave", "end", "midnight"]), st.integers(0, 9)), max_size=40
    )
)
def test_the_books_hold_what_was_begun_and_used_whatever_the_order(steps: list[tuple[str, int]]) -> None:
    """Laws: no day has more solves than the key may have, each begun solve and each token stands in one day's row."""

    async def run() -> None:
        day = datetime(2026, 1, 1, tzinfo=UTC)
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
            patched.setattr(allowance, "today", lambda: day.strftime("%Y-%m-%d"))
            store = SolutionStore(Path(folder) / "server.db", kept=1, kept_days=1)
            counted, waiting, running = Allowance(store), 0, list[str]()
            key, _ = keys(solves_per_day=2)
            begun, used = Counter[str](), Counter[str]()
            for step, amount in steps:
                if step == "midnight":
                    day += timedelta(days=1)
                elif step == "admit":
                    try:
                        await counted.admit(key)
                        waiting += 1
                    except UsedUp:
                        assert waiting + begun[day.strftime("%Y-%m-%d")] >= 2
                elif step in ("begin", "leave") and waiting:
                    waiting -= 1
                    if step == "leave":
                        counted.give_back(key)
                    else:
                        running.append(counted.begin(key))
                        await counted.note(key, running[-1])
                        begun[running[-1]] += 1
                elif step == "end" and running:
                    ended = running.pop(amount % len(running))
                    counted.spend(key, ended, amount)
                    await counted.end(key, ended, counted=amount, used=amount // 2)
                    used[ended] += amount // 2
            for one in begun:
                assert begun[one] <= 2
                assert await store.used("alice", one) == (begun[one], used[one])
            await store.aclose()

    asyncio.run(run())
