"""Checkpoints: small, gone at the end, and never the end of a solve."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.blocks.sample import draw
from mathagent.agents.checkpoints import Checkpoints, SolveSpec, new_solve_id
from mathagent.agents.context import RunContext
from mathagent.agents.graph import run_graph
from mathagent.agents.saver import SolveSaver, open_saver
from mathagent.agents.state import Draft, SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.errors import BackendError, StorageError, UnknownName, UsageError
from mathagent.events import Event, SolveStarted, Warned
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Answer, Candidate, Completion, Execution, Message, Problem, SamplingParams, Step

FOUR = {"over": "cot", "n": 4, "window": 2, "stop": "none"}


def spec(solve_id: str) -> SolveSpec:
    return SolveSpec(
        solve_id=solve_id,
        problem=Problem(text="x"),
        strategy="cot",
        config={},
        budget=Budget(),
        seed=None,
        model="m",
        identity="m",
        base_url=None,
        sandbox="process",
        cache=True,
        code="c",
    )


def growing(nodes: int) -> StateGraph[Any, Any, Any, Any]:
    """Each node adds a candidate of about 25 KB, and draws on one long prompt."""
    prompt = Message(role="user", content="p" * 4000)

    async def propose(state: SolveState) -> dict[str, Any]:
        number = len(state.candidates)
        reply = "".join(f"{number}:{place} " for place in range(1500))
        step = Step(
            kind="observation", text=reply, origin="tool", execution=Execution(status="ok", stdout=f"o{reply}")
        )
        draft = Draft(sample=number, messages=(prompt,), completion=Completion(text=reply))
        return {"candidates": [Candidate(steps=(step,), answer=Answer(raw="4", normal="4"))], "drafts": (draft,)}

    graph = StateGraph(SolveState)
    graph.add_node("propose", propose)
    graph.add_edge(START, "propose")
    graph.add_conditional_edges("propose", lambda state: END if len(state.candidates) >= nodes else "propose")
    return graph


async def test_the_file_grows_with_the_state_and_not_with_its_square(tmp_path: Path) -> None:
    folder = tmp_path / "solves"
    folder.mkdir()
    saver = await open_saver(folder / "solve.db")
    run = await run_graph(growing(40), SolveState(problem=Problem(text="x")), None, saver)  # type: ignore[arg-type]
    state = len(run.state.model_dump_json())
    disk = sum(entry.stat().st_size for entry in os.scandir(folder))
    assert state > 800_000
    assert disk < 1.6 * state
    for table in ("checkpoints", "writes"):
        cursor = await saver.conn.execute(f"SELECT count(*) FROM {table}")
        assert (await cursor.fetchone() or (9,))[0] <= 1
    again = await saver.aget_tuple({"configurable": {"thread_id": "solve"}})
    assert again is not None
    assert again.checkpoint["channel_values"]["candidates"] == run.state.candidates
    await saver.aclose(delete=True)
    assert list(os.scandir(folder)) == []


def test_ids_are_short_and_sort_by_time() -> None:
    ids = []
    for _ in range(5):
        ids.append(new_solve_id())
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {13}
    assert all(one.isalnum() for one in ids)


async def test_a_finished_solve_leaves_nothing() -> None:
    events: list[Event] = []
    async with Solver(ScriptedBackend(lambda request, sample: "\\boxed{1}"), cache=False) as solver:
        solution = await solver.solve("x", "self-consistency", config=FOUR, on_event=events.append)
    assert isinstance(events[0], SolveStarted)
    assert events[0].solve_id == solution.solve_id != ""
    assert not solution.resumable
    assert list(settings().solves_dir.iterdir()) == []


async def test_without_checkpoints_nothing_is_written(own_home: Path) -> None:
    async with Solver(ScriptedBackend(["\\boxed{1}"]), cache=False, checkpoints=False) as solver:
        solution = await solver.solve("x", "cot")
        assert solution.solve_id
        with pytest.raises(UsageError, match="keeps no checkpoints"):
            await solver.solve(resume=solution.solve_id)
    assert not (own_home / "solves").exists()


async def test_another_folder(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    replies = ["\\boxed{1}", "\\boxed{1}", Reply(error="down")]
    async with Solver(ScriptedBackend(replies), cache=False, checkpoints=folder) as solver:
        await solver.solve("x", "self-consistency", config=FOUR)
    assert len(list(folder.glob("*.db"))) == 1


async def test_a_solve_that_a_failing_model_ended_is_resumed() -> None:
    replies = ["\\boxed{1}", "\\boxed{2}", Reply(error="down"), "lost with it", "\\boxed{2}", "\\boxed{2}"]
    async with Solver(ScriptedBackend(replies), cache=False) as solver:
        first = await solver.solve("x", "self-consistency", config=FOUR)
        assert (first.stopped, first.resumable, len(first.candidates)) == ("error", True, 2)
        second = await solver.solve(resume=first.solve_id)
    assert (second.stopped, second.answer, len(second.candidates)) == ("finished", "2", 4)
    assert second.usage.calls == 4


async def test_of_parallel_nodes_the_finished_one_does_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def build(config: StrategyConfig) -> StateGraph[Any, Any, Any, Any]:
        def node(name: str, wait_s: float) -> Any:
            async def run(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
                ran.append(name)
                await asyncio.sleep(wait_s)
                message = Message(role="user", content=name)
                drafts, _ = await draw(runtime.context, (message,), SamplingParams(), role=name)
                assert drafts[0].completion is not None
                text = drafts[0].completion.text
                return {"candidates": [Candidate(answer=Answer(raw=text, normal=text))]}

            return run

        graph = StateGraph(SolveState, context_schema=RunContext)
        for name, wait_s in (("quick", 0.0), ("slow", 0.2)):
            graph.add_node(name, node(name, wait_s))
            graph.add_edge(START, name)
            graph.add_edge(name, END)
        return graph

    strategy = Strategy("parallel", "", "", StrategyConfig, build, ())
    monkeypatch.setattr("mathagent.solver.STRATEGIES.load", lambda name: strategy)
    backend = ScriptedBackend([Reply(text="1", role="quick"), Reply(error="down"), Reply(text="2", role="slow")])
    async with Solver(backend, cache=False) as solver:
        with pytest.raises(BackendError):
            await solver.solve("x", "parallel")
        (stored,) = Checkpoints(settings().solves_dir).resumable()
        solution = await solver.solve(resume=stored.spec.solve_id)
    assert ran == ["quick", "slow", "slow"]
    assert {one.answer.raw for one in solution.candidates if one.answer} == {"1", "2"}
    assert solution.usage.calls == 2


async def test_an_error_before_anything_was_paid_leaves_nothing() -> None:
    async with Solver(ScriptedBackend([Reply(error="down")]), cache=False) as solver:
        with pytest.raises(BackendError):
            await solver.solve("x", "cot")
    assert list(settings().solves_dir.iterdir()) == []


async def test_a_budget_that_ended_is_an_end() -> None:
    backend = ScriptedBackend(lambda request, sample: "\\boxed{1}")
    async with Solver(backend, cache=False) as solver:
        solution = await solver.solve("x", "self-consistency", config=FOUR, budget=Budget(max_calls=2))
    assert (solution.stopped, solution.resumable) == ("budget", False)
    assert list(settings().solves_dir.iterdir()) == []


async def test_a_folder_that_cannot_be_written_is_warned_of_once(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    events: list[Event] = []
    async with Solver(ScriptedBackend(["\\boxed{1}"]), cache=False, checkpoints=blocked / "x") as solver:
        solution = await solver.solve("x", "cot", on_event=events.append)
    assert solution.answer == "1"
    warnings = [event.message for event in events if isinstance(event, Warned)]
    assert len(warnings) == 1
    assert "cannot be resumed" in warnings[0]


async def test_a_disk_that_fills_up_does_not_end_the_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SolveSaver.record

    def record(self: SolveSaver, key: str, completion: Completion) -> None:
        self._write("PRAGMA max_page_count=1", ())  # SQLite's own full disk
        whole(self, key, completion)

    monkeypatch.setattr(SolveSaver, "record", record)
    events: list[Event] = []
    replies = ["\\boxed{1} " + "long " * 3000] * 4
    async with Solver(ScriptedBackend(replies), cache=False) as solver:
        solution = await solver.solve("x", "self-consistency", config=FOUR, on_event=events.append)
    assert (solution.answer, solution.stopped) == ("1", "finished")
    warnings = [event.message for event in events if isinstance(event, Warned)]
    assert len(warnings) == 1
    assert "full" in warnings[0]
    assert list(settings().solves_dir.iterdir()) == []


async def test_what_cannot_be_resumed_says_why(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(UnknownName, match="no unfinished solve"):
        await checkpoints.reopen("nothing")
    with pytest.raises(UnknownName):
        await checkpoints.reopen("../etc/passwd")
    (tmp_path / "bad.db").write_bytes(b"no database at all" * 500)
    with pytest.raises(StorageError, match="damaged"):
        await checkpoints.reopen("bad")
    with pytest.raises(StorageError, match="does not hold a solve"):
        checkpoints.stored("bad")
    saver = await checkpoints.begin(spec("old"))
    saver.note("spec", "", '{"written": "by another version"}')
    await saver.aclose(delete=False)
    with pytest.raises(UsageError, match="another version"):
        await checkpoints.reopen("old")
    saver = await checkpoints.begin(spec("good"))
    await saver.aclose(delete=False)
    assert [one.spec.solve_id for one in checkpoints.resumable()] == ["good"]
    with pytest.raises(UnknownName, match="did you mean good"):
        checkpoints.stored("goof")


async def test_of_those_that_open_one_at_once_exactly_one_gets_it(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "solves")
    for name in ("a", "b", "c"):
        saver = await checkpoints.begin(spec(name))
        await saver.aclose(delete=False)
        opened = await asyncio.gather(*(checkpoints.reopen(name) for _ in range(3)), return_exceptions=True)
        won = [one for one in opened if not isinstance(one, BaseException)]
        lost = [str(one) for one in opened if isinstance(one, BaseException)]
        assert len(won) == 1
        assert all("another process" in one for one in lost)
        await won[0][1].aclose(delete=True)


async def test_who_waits_for_a_solve_that_ends_finds_none(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "solves")
    saver = await checkpoints.begin(spec("a"))
    waiting = asyncio.ensure_future(checkpoints.reopen("a"))
    await asyncio.sleep(0.3)
    await saver.aclose(delete=True)
    with pytest.raises(UnknownName, match="no unfinished solve"):
        await waiting
    assert list(os.scandir(tmp_path / "solves")) == []


async def test_old_ones_and_too_many_are_deleted_but_none_at_work(tmp_path: Path) -> None:
    folder = tmp_path / "solves"
    checkpoints = Checkpoints(folder)
    for number in range(6):
        saver = await checkpoints.begin(spec(f"s{number}"))
        await saver.aclose(delete=False)
        age = time.time() - number * 86400
        os.utime(folder / f"s{number}.db", (age, age))
    at_work = await checkpoints.begin(spec("working"))
    os.utime(folder / "working.db", (0, 0))
    os.utime(folder / "working.db-wal", (0, 0))
    await checkpoints.tidy(max_age_days=3.5, max_files=3)
    left = {entry.name for entry in os.scandir(folder)}
    assert left == {"s0.db", "s1.db", "s2.db", "working.db", "working.db-wal"}
    assert at_work.works
    await at_work.aclose(delete=False)
    os.utime(folder / "working.db", (0, 0))
    await checkpoints.tidy(max_age_days=3.5, max_files=3)
    assert not (folder / "working.db").exists()


async def test_no_key_and_no_reference_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a-very-secret-key"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    settings.cache_clear()
    problem = Problem(text="x", reference="the reference", metadata={"solution": "the reference"})
    async with Solver(ScriptedBackend(["\\boxed{1}"] * 2 + [Reply(error="down")]), cache=False) as solver:
        await solver.solve(problem, "self-consistency", config=FOUR)
    (path,) = settings().solves_dir.glob("*.db")
    kept = path.read_bytes()
    assert b"boxed" in kept
    assert secret.encode() not in kept
    assert b"the reference" not in kept


def files(folder: Path) -> list[Path]:
    return list((folder / "solves").glob("*"))


async def test_a_solve_cancelled_as_it_begins_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread would keep the process from ending."""
    writing, flush = asyncio.Event(), SolveSaver.flush

    async def slow(saver: SolveSaver) -> None:
        if not writing.is_set():
            writing.set()
            await asyncio.Event().wait()
        await flush(saver)

    monkeypatch.setattr(SolveSaver, "flush", slow)
    before = set(threading.enumerate())
    begun = asyncio.create_task(Checkpoints(tmp_path / "solves").begin(spec(new_solve_id())))
    await writing.wait()
    begun.cancel()
    with pytest.raises(asyncio.CancelledError):
        await begun
    for thread in set(threading.enumerate()) - before:
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive()
    assert not files(tmp_path)


async def test_a_solve_that_cannot_be_written_down_leaves_no_file(tmp_path: Path) -> None:
    half = spec(new_solve_id()).model_copy(update={"problem": Problem(text="\ud800")})
    with pytest.raises(ValueError, match="surrogates"):
        await Checkpoints(tmp_path / "solves").begin(half)
    assert not files(tmp_path)
