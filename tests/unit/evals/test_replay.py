"""Replay: the same records from the cache alone; whatever is missing or different has a name."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mathagent.config import settings
from mathagent.errors import UsageError
from mathagent.evals.bench_spec import BenchSpec
from mathagent.evals.dataset import Dataset
from mathagent.evals.grid import Grid
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.replay import CARRIED, Replay, Replayed, carried, differences_of
from mathagent.evals.run_tables import RunInfo
from mathagent.models.cache import CompletionCache
from mathagent.storage import open_database
from mathagent.types import Problem
from tests.fake_endpoint import FakeEndpoint

PROBLEMS = tuple(Problem(text=f"What is {n} + {n}?", id=f"p{n}", reference=str(2 * n)) for n in range(5))


def doubles(body: dict[str, Any], index: int) -> str:
    """A program, or prose; every third number wrong, and not the same for every seed."""
    asked = body["messages"][-1]["content"] + "".join(one["content"] for one in body["messages"])
    number = int(re.findall(r"What is (\d+) \+", asked)[-1])
    right = number * 2 + (1 if number % 3 == 2 else 0) + ((body.get("seed") or 0) % 2 if number == 4 else 0)
    if "python" in asked.lower():
        return f"```python\ndef solution():\n    return {right}\n```"
    return f"Twice {number}: \\boxed{{{right}}}"


@pytest.fixture
async def endpoint() -> AsyncIterator[FakeEndpoint]:
    server = await FakeEndpoint().start()
    server.will(text=doubles)
    yield server
    await server.stop()


@pytest.fixture
def store() -> RecordStore:
    return RecordStore(settings().runs_path)


async def bench(store: RecordStore, url: str, **spec: Any) -> RunInfo:
    asked = BenchSpec(models=({"name": "openai:fake", "base_url": url},), **spec)  # type: ignore[arg-type]
    async with Grid(asked, [Dataset(name="doubles", problems=PROBLEMS)], store) as grid:
        await grid.measure(lambda record, known: None)
        return store.run(grid.run.id)


async def replayed(store: RecordStore, run: RunInfo) -> list[Replayed]:
    async with Replay(run, store.run_records(run.id)) as replay:
        return await replay.run(lambda one: None)


async def test_every_record_comes_out_the_same_and_no_model_is_asked(
    store: RecordStore, endpoint: FakeEndpoint
) -> None:
    run = await bench(
        store, endpoint.url, strategies=("cot", "pal", "self-consistency"), settings={"n": 4}, seed=7, attempts=2
    )
    asked = len(endpoint.bodies)
    await endpoint.stop()
    found = await replayed(store, run)
    assert [one.differences for one in found] == [()] * 30
    assert {one.status for one in found} == {"same"}
    before = [record.model_dump_json() for record in store.run_records(run.id)]
    assert [one.record.model_dump_json() for one in found] == before
    assert len(endpoint.bodies) == asked


async def test_what_started_the_sandbox_before_does_not_show_in_a_record_without_programs(
    store: RecordStore, endpoint: FakeEndpoint
) -> None:
    """Of cot and pal side by side it is chance which of the cot attempts find the sandbox started."""
    alone = await bench(store, endpoint.url, strategies=("cot",))
    beside = await bench(store, endpoint.url, strategies=("pal", "cot"), seed=1, concurrency=1)
    assert {record.sandbox for record in store.run_records(alone.id)} == {"process"}
    told = {(record.strategy, "/" in record.sandbox) for record in store.run_records(beside.id)}
    assert told == {("pal", True), ("cot", False)}
    assert {one.status for run in (alone, beside) for one in await replayed(store, run)} == {"same"}


async def test_a_completion_that_is_missing_is_named_with_its_item_and_call(
    store: RecordStore, endpoint: FakeEndpoint
) -> None:
    run = await bench(store, endpoint.url, strategies=("cot",))
    with open_database(settings().cache_path) as connection:
        connection.execute("DELETE FROM completions WHERE completion LIKE '%Twice 3%'")
    await endpoint.stop()
    found = await replayed(store, run)
    assert [one.status for one in found] == ["same", "same", "same", "missing", "same"]
    assert found[3].problem_id == "p3"
    (told,) = found[3].missing
    assert "sample 0 of role" in told
    assert "What is 3 + 3?" in told


async def test_a_record_that_was_tampered_with_is_a_difference_by_its_place(
    store: RecordStore, endpoint: FakeEndpoint
) -> None:
    run = await bench(store, endpoint.url, strategies=("pal",))
    records = store.run_records(run.id)
    assert records[1].solution is not None
    forged = records[1].solution.model_copy(update={"confidence_basis": "I am sure"})
    records[1] = records[1].model_copy(update={"answer": "3", "outcome": "incorrect", "solution": forged})
    async with Replay(run, records) as replay:
        found = await replay.run(lambda one: None)
    assert [one.status for one in found] == ["same", "different", "same", "same", "same"]
    places = {one.place: (one.before, one.now) for one in found[1].differences}
    assert places["answer"] == ("3", "2")
    assert places["outcome"] == ("incorrect", "correct")
    assert places["solution.confidence_basis"][0] == "I am sure"
    assert len(places) == 3


async def test_a_changed_reply_in_the_cache_is_a_difference(store: RecordStore, endpoint: FakeEndpoint) -> None:
    run = await bench(store, endpoint.url, strategies=("cot",))
    with open_database(settings().cache_path) as connection:
        connection.execute("UPDATE completions SET completion = replace(completion, 'boxed{2}', 'boxed{5}')")
    found = await replayed(store, run)
    assert [one.status for one in found] == ["same", "different", "same", "same", "same"]
    assert ("answer", "2", "5") in [(one.place, one.before, one.now) for one in found[1].differences]


async def test_a_failed_solve_has_nothing_to_replay(store: RecordStore, endpoint: FakeEndpoint) -> None:
    endpoint.will(status=400, raw=b'{"error": {"message": "no"}}')
    run = await bench(store, endpoint.url, strategies=("cot",))
    assert {one.status for one in await replayed(store, run)} == {"skipped"}


async def test_a_solve_that_its_seconds_ended_ends_there_again(store: RecordStore, endpoint: FakeEndpoint) -> None:
    endpoint.will(delay_s=None)
    run = await bench(store, endpoint.url, strategies=("cot",), budget={"seconds": 0.2})
    (first, *_) = store.run_records(run.id)
    assert first.solution is not None
    assert first.solution.stopped == "budget"
    found = await replayed(store, run)
    assert [(one.status, one.differences) for one in found] == [("same", ())] * 5


async def test_a_budget_of_tokens_cuts_where_it_did(store: RecordStore, endpoint: FakeEndpoint) -> None:
    run = await bench(
        store, endpoint.url, strategies=("self-consistency",), settings={"n": 8}, budget={"tokens": 20}
    )
    found = await replayed(store, run)
    assert [(one.status, one.differences) for one in found] == [("same", ())] * 5


async def test_a_run_that_learned_cannot_be_replayed(store: RecordStore) -> None:
    spec = BenchSpec(models=({"name": "openai:fake", "base_url": "http://127.0.0.1:9/v1"},), memory_mode="learn")  # type: ignore[arg-type]
    run = store.start_run(spec.recorded())
    with pytest.raises(UsageError, match="learned as it went"):
        Replay(run, [])


async def test_a_model_that_is_another_now_is_refused(store: RecordStore, endpoint: FakeEndpoint) -> None:
    run = await bench(store, endpoint.url, strategies=("cot",))
    other = {"model": "embedded:qwen2.5-coder-1.5b", "backend": "embedded:qwen2.5-coder-1.5b@0123456789abcdef"}
    records = [one.model_copy(update=other) for one in store.run_records(run.id)]
    with pytest.raises(UsageError, match=r"was made with embedded:qwen2[.]5-coder-1[.]5b@0123456789abcdef"):
        Replay(run, records)


async def test_without_the_cache_nothing_is_invented(store: RecordStore, endpoint: FakeEndpoint) -> None:
    run = await bench(store, endpoint.url, strategies=("cot",), cache=False)
    CompletionCache(settings().cache_path).close()
    assert {one.status for one in await replayed(store, run)} == {"missing"}


def test_carried_fields_do_not_hide_settings_of_the_same_name() -> None:
    fields: dict[str, Any] = {
        "key": "k",
        "dataset": "d",
        "problem_id": "p",
        "strategy": "cot",
        "model": "m",
        "reference": "1",
        "answer": "1",
        "outcome": "correct",
        "reason": "",
    }
    before = Record(**fields, config={"seconds": 1}, seconds=1.0)
    now = Record(**fields, config={"seconds": 2}, seconds=2.0)
    made = carried(before, now)
    assert made.seconds == 1.0
    assert [one.place for one in differences_of(before, made)] == ["config.seconds"]
    assert "answer" not in CARRIED
