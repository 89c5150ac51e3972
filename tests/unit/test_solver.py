"""Solver: what is opened, asked, kept and remembered."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

import mathagent
from mathagent import Budget, Problem, Solver, UsageError
from mathagent.errors import BackendError, StorageError, UnsupportedOption
from mathagent.events import Event, ModelReplied, Remembered, SolveFinished, Warned
from mathagent.memory.base import Added
from mathagent.memory.experience import Exemplar, Experience
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies import STRATEGIES
from tests.unit.agents.fake_store import FakeStore

PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"


@pytest.fixture(autouse=True)
def everything_is_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """How alike a problem must be to be shown has tests of its own (tests/unit/agents/test_recall.py)."""
    monkeypatch.setattr(HashedEmbedder, "chance_similarity", -1.0)


async def test_leaving_a_stream_early_stops_the_solve() -> None:
    backend = ScriptedBackend(lambda request, sample: "no idea")
    async with Solver(backend, cache=False) as solver:
        events = solver.stream("What?", "self-consistency", config={"n": 256, "window": 1})
        async for event in events:
            if isinstance(event, ModelReplied):
                break
        await events.aclose()
        asked = len(backend.requests)
        await asyncio.sleep(0.2)
        assert len(backend.requests) == asked


async def test_many_problems_at_once() -> None:
    def doubles(request: object, sample: int) -> str:
        number = int(request.messages[1].content.split()[2])  # type: ignore[attr-defined]
        return f"\\boxed{{{2 * number}}}"

    async with Solver(ScriptedBackend(doubles), cache=False) as solver:
        solutions = await asyncio.gather(*(solver.solve(f"What is {n} + {n}?", "cot") for n in range(20)))
    assert [solution.answer for solution in solutions] == [str(2 * n) for n in range(20)]


@pytest.mark.usefixtures("cold_zygotes")
async def test_the_cache_answers_the_second_time() -> None:
    first = ScriptedBackend([PROGRAM])
    async with Solver(first) as solver:
        before = await solver.solve("What is 6*7?", "pal")
    silent = ScriptedBackend([])
    async with Solver(silent) as solver:
        after = await solver.solve("What is 6*7?", "pal")
    assert silent.requests == []
    assert after.answer == before.answer == "42"
    assert (after.usage.calls, after.usage.cached_calls) == (1, 1)
    assert after.usage.completion_tokens == before.usage.completion_tokens


async def test_seed_is_refused_where_it_cannot_be_kept() -> None:
    async with Solver(ScriptedBackend([], capabilities=Capabilities()), cache=False) as solver:
        with pytest.raises(UnsupportedOption, match="does not support seed"):
            await solver.solve("x", "cot", seed=3)


async def test_seed_reaches_the_backend() -> None:
    backend = ScriptedBackend(["\\boxed{1}"])
    async with Solver(backend, cache=False) as solver:
        await solver.solve("x", "cot", seed=3)
    assert backend.requests[0].params.seed == 3


@pytest.mark.parametrize("text", ["", "  \n", "a\x00b", "x" * 100_001])
async def test_bad_problems(text: str) -> None:
    async with Solver(ScriptedBackend([]), cache=False) as solver:
        with pytest.raises(UsageError):
            await solver.solve(text)


async def test_a_minimal_confidence_is_a_probability() -> None:
    backend = ScriptedBackend(["\\boxed{1}"])
    async with Solver(backend, cache=False) as solver:
        with pytest.raises(UsageError, match="from 0 to 1"):
            await solver.solve("x", "cot", min_confidence=1.5)
        assert backend.requests == []
        events = [event async for event in solver.stream("x", "cot", min_confidence=0.9)]
    assert isinstance(events[-1], SolveFinished)
    assert events[-1].solution.abstained
    assert events[-1].solution.answer == "1"


async def test_unknown_strategy_and_setting() -> None:
    async with Solver(ScriptedBackend([]), cache=False) as solver:
        with pytest.raises(UsageError, match="did you mean pal"):
            await solver.solve("x", "pall")
        with pytest.raises(UsageError, match="has no setting 'm'"):
            await solver.solve("x", "pal", config={"m": 1})


async def test_problem_identity_is_its_content() -> None:
    async with Solver(ScriptedBackend(["\\boxed{1}"]), cache=False) as solver:
        solution = await solver.solve(Problem(text="x", reference="secret"), "cot")
    assert solution.problem.id == Problem(text="x").content_hash()
    assert solution.problem.reference is None


def test_the_facade_is_small() -> None:
    public = [name for name, value in vars(Solver).items() if callable(value) and not name.startswith("_")]
    assert sorted(public) == [
        "aclose",
        "close",
        "graph",
        "solve",
        "solve_many",
        "solve_many_sync",
        "solve_sync",
        "stream",
        "stream_sync",
    ]
    for name in public:
        assert (getattr(Solver, name).__doc__ or "").strip()
    assert inspect.signature(Solver.solve_sync) == inspect.signature(Solver.solve)


def test_one_solver_for_synchronous_code() -> None:
    with Solver(ScriptedBackend(lambda request, sample: "\\boxed{1}"), cache=False) as solver:
        assert solver.solve_sync("x", "cot").answer == "1"
        last = list(solver.stream_sync("x", "cot"))[-1]
        assert isinstance(last, SolveFinished)
        assert [one.answer for one in solver.solve_many_sync(["x", "y", ""], "cot", ordered=True)] == [
            "1",
            "1",
            None,
        ]


def test_leaving_a_synchronous_stream_early_stops_the_solve() -> None:
    backend = ScriptedBackend(lambda request, sample: "no idea")
    with Solver(backend, cache=False) as solver:
        events = solver.stream_sync("What?", "self-consistency", config={"n": 256, "window": 1})
        assert any(isinstance(event, ModelReplied) for event in events)
        events.close()  # type: ignore[attr-defined]
        asked = len(backend.requests)
        assert solver.solve_sync("x", "cot").answer == "no idea"
        assert len(backend.requests) - asked <= 2


def test_threads_share_a_solver() -> None:
    def doubles(request: ChatRequest, sample: int) -> str:
        return f"\\boxed{{{2 * int(request.messages[1].content.split()[2])}}}"

    with Solver(ScriptedBackend(doubles), cache=False) as solver, ThreadPoolExecutor(8) as threads:
        solutions = threads.map(lambda n: solver.solve_sync(f"What is {n} + {n}?", "cot"), range(24))
        assert [solution.answer for solution in solutions] == [str(2 * n) for n in range(24)]


def test_an_interrupt_may_be_set_by_another_thread() -> None:
    interrupt = asyncio.Event()

    def respond(request: ChatRequest, sample: int) -> str:
        if sample == 3:
            threading.Thread(target=interrupt.set).start()
        return "\\boxed{1}"

    config = {"n": 256, "window": 1, "over": "cot", "stop": "none"}
    backend = ScriptedBackend(lambda request, sample: Reply(text=respond(request, sample), delay_s=0.05))
    with Solver(backend, cache=False) as solver:
        solution = solver.solve_sync("x", "self-consistency", config=config, interrupt=interrupt)
    assert (solution.stopped, solution.answer) == ("interrupted", "1")
    assert 1 <= len(solution.candidates) < 256


async def test_an_interrupt_that_another_loop_waits_for() -> None:
    interrupt = asyncio.Event()
    waiting = asyncio.ensure_future(interrupt.wait())  # from now on it is of this loop
    await asyncio.sleep(0)

    begun = threading.Event()

    def respond(request: ChatRequest, sample: int) -> Reply:
        begun.set()
        return Reply(text="\\boxed{1}", delay_s=0.05)

    config = {"n": 256, "window": 1, "over": "cot", "stop": "none"}
    solver = Solver(ScriptedBackend(respond), cache=False)
    solver.home.settle()  # of our own loop
    solving = asyncio.ensure_future(solver.solve("x", "self-consistency", config=config, interrupt=interrupt))
    assert await asyncio.to_thread(begun.wait, 30)
    interrupt.set()
    solution = await solving
    await waiting
    await solver.aclose()
    assert solution.stopped == "interrupted"


async def test_both_forms_where_a_loop_runs_already() -> None:
    """As in Jupyter: its loop runs this test, and stands still while the synchronous form is waited for."""
    solver = Solver(ScriptedBackend(lambda request, sample: "\\boxed{1}"), cache=False)
    assert solver.solve_sync("x", "cot").answer == "1"
    assert (await solver.solve("x", "cot")).answer == "1"
    await solver.aclose()


async def test_a_solver_of_this_loop_says_that_it_must_be_awaited() -> None:
    async with Solver(ScriptedBackend(["\\boxed{1}"]), cache=False) as solver:
        with pytest.raises(RuntimeError, match="await the async function"):
            solver.solve_sync("x", "cot")
        assert (await asyncio.to_thread(solver.solve_sync, "x", "cot")).answer == "1"


def test_a_solver_whose_loop_has_ended_says_so_and_can_be_closed() -> None:
    solver = Solver(ScriptedBackend(["\\boxed{1}"]), cache=False)
    assert asyncio.run(solver.solve("x", "cot")).answer == "1"
    with pytest.raises(RuntimeError, match="has ended"):
        asyncio.run(solver.solve("x", "cot"))
    with pytest.raises(RuntimeError, match="has ended"):
        solver.solve_sync("x", "cot")
    asyncio.run(solver.aclose())


async def test_many_problems_with_options_that_are_wrong_for_all() -> None:
    async with Solver(ScriptedBackend([], capabilities=Capabilities()), cache=False) as solver:
        wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
            ({"strategy": "pall"}, UsageError, "did you mean pal"),
            ({"config": {"m": 1}}, UsageError, "has no setting 'm'"),
            ({"seed": 3}, UnsupportedOption, "does not support seed"),
            ({"min_confidence": 2.0}, UsageError, "from 0 to 1"),
            ({"stratgy": "cot"}, TypeError, "no option stratgy"),
        ]
        for options, error, said in wrong:
            with pytest.raises(error, match=said):
                await anext(solver.solve_many(["x"], **options))


async def test_each_of_many_problems_has_its_own_budget() -> None:
    backend = ScriptedBackend(lambda request, sample: "no idea")
    async with Solver(backend, cache=False) as solver:
        found = [one async for one in solver.solve_many(["x"] * 4, "cot", budget=Budget(max_calls=1))]
    assert [one.solution.usage.calls for one in found if one.solution] == [1] * 4


async def test_a_solve_within_somebodys_graph_is_none_of_its_steps() -> None:
    """A tool of a LangGraph agent, for example: the agent's checkpointer must not become the strategy's."""
    saver = InMemorySaver()
    async with Solver(ScriptedBackend(["\\boxed{1}"]), cache=False) as solver:

        async def node(state: dict[str, Any]) -> dict[str, Any]:
            return {"answer": (await solver.solve("x", "cot")).answer}

        graph = StateGraph(dict)
        graph.add_node("node", node)
        graph.add_edge(START, "node")
        config: Any = {"configurable": {"thread_id": "t"}}
        await graph.compile(checkpointer=saver).ainvoke({}, config)
    namespaces = {entry.config["configurable"]["checkpoint_ns"] for entry in saver.list(None)}
    assert namespaces == {""}


def test_version() -> None:
    assert mathagent.__version__.count(".") == 2


# Memory

QUESTION = "The sum of a number x and 4 is 10. What is x?"
SUBSTITUTION = {"kind": "substitution", "equations": ["x + 4 = 10"], "asked": "x"}


def solved(problem: str, reasoning: str = "Think.", **fields: Any) -> Experience:
    return Experience(content=Exemplar(problem=problem, reasoning=reasoning, answer="1"), trust="graded", **fields)


SAME = solved(QUESTION, "The same one.")
OTHER_NUMBERS = solved("The sum of a number x and 9 is 31. What is x?", "Other numbers.")
SIMILAR = solved(
    "A basket holds apples and pears, 12 fruits in sum; 5 are pears. Which number of apples?", "Take 5."
)


def text_of(backend: ScriptedBackend) -> str:
    return "\n".join(turn.content for request in backend.requests for turn in request.messages)


def contents_of(folder: Path) -> dict[str, bytes]:
    """All that is kept there: SQLite leaves the empty log and the shared memory of a reader lying about."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    return {name: content for name, content in found.items() if content}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "kept" / "memory.db", HashedEmbedder())
    await store.add([SAME, OTHER_NUMBERS, SIMILAR])
    yield store
    await store.aclose()


class Unwritable(FakeStore):
    """A store that can be read."""

    async def add(self, experiences: Sequence[Experience], **noted: Any) -> Added:
        raise StorageError("the disk is full")


async def test_without_a_memory_nothing_is_opened_or_made(own_home: Path) -> None:
    async with Solver(ScriptedBackend(["\\boxed{6}"]), cache=False) as solver:
        solution = await solver.solve(QUESTION, "cot")
    assert solution.recalled == ()
    assert not (own_home / "memory.db").exists()


async def test_a_read_memory_is_shown_and_never_written(store: SqliteStore) -> None:
    await store.aclose()
    folder = store.path.parent
    before = contents_of(folder)
    reader = SqliteStore(store.path, HashedEmbedder(), read_only=True)
    for memory in (store.path, reader):  # a file, a store
        backend = ScriptedBackend(["So \\boxed{6}."])
        async with Solver(backend, cache=False, memory=memory, memory_mode="read") as solver:
            solution = await solver.solve(QUESTION, "cot")
        assert SAME.id in solution.recalled
        assert "The same one." in text_of(backend)
        assert contents_of(folder) == before
    await reader.aclose()
    assert set(solution.recalled) == {SAME.id, OTHER_NUMBERS.id, SIMILAR.id}


def judged_by(*checks: dict[str, object]) -> ScriptedBackend:
    """auto on QUESTION: the views differ, checks decide (or, without any, votes)."""

    def respond(request: ChatRequest, sample: int) -> str:
        if request.role == "verifier":
            return json.dumps({"reasoning": "put it in", "checks": list(checks)})
        if request.role == "coder":
            return f"```python\ndef solution():\n    total = 10\n    return total - 4  # {sample}\n```"
        return "So it is \\boxed{77}."

    return ScriptedBackend(respond, capabilities=Capabilities(json_schema=True))


WITH_VERIFIER = {"by": "program", "n": 4, "programs": 1, "words": 1, "repairs": 0}


@pytest.mark.parametrize("checked", [False, True])
async def test_only_what_a_strong_check_holds_for_is_remembered(tmp_path: Path, checked: bool) -> None:
    path = tmp_path / "memory.db"
    events: list[Event] = []
    backend = judged_by(*[SUBSTITUTION] * checked)
    async with Solver(backend, cache=False, memory=path, memory_mode="learn") as solver:
        solution = await solver.solve(QUESTION, "auto", config=WITH_VERIFIER, on_event=events.append)
        assert solver.memory.store is not None
        found = {one.kind: one async for one in solver.memory.store.scan()}
    assert solution.answer is not None
    remembered = [event for event in events if isinstance(event, Remembered)]
    if not checked:
        assert (found, remembered) == ({}, [])
        return
    assert solution.answer == "6"
    assert found["exemplar"].trust == "verified"
    assert found["exemplar"].provenance.run == solution.solve_id
    assert "total - 4" in found["exemplar"].content.program  # type: ignore[union-attr]
    assert len(remembered) == 1
    assert isinstance(events[-1], SolveFinished)  # nothing is written while it runs
    assert events.index(remembered[0]) == len(events) - 2


async def test_uses_are_counted_of_what_was_shown(store: SqliteStore) -> None:
    async with Solver(judged_by(SUBSTITUTION), cache=False, memory=store, memory_mode="learn") as solver:
        solution = await solver.solve(QUESTION, "auto", config=WITH_VERIFIER | {"recall": 2})
    assert len(solution.recalled) == 2
    counted = {one.id: (one.uses, one.successes) async for one in store.scan(("exemplar",))}
    assert [counted[one] for one in solution.recalled] == [(1, 1)] * 2
    (unused,) = {SAME.id, OTHER_NUMBERS.id, SIMILAR.id} - set(solution.recalled)
    assert counted[unused] == (0, 0)


async def test_a_memory_that_cannot_be_written_costs_no_answer() -> None:
    events: list[Event] = []
    async with Solver(judged_by(SUBSTITUTION), cache=False, memory=Unwritable(), memory_mode="learn") as solver:
        solution = await solver.solve(QUESTION, "auto", config=WITH_VERIFIER, on_event=events.append)
    assert (solution.answer, solution.stopped) == ("6", "finished")
    (warned,) = (event for event in events if isinstance(event, Warned))
    assert "not remembered: the disk is full" in warned.message


async def test_a_measured_solve_hides_its_problem_and_writes_nothing(store: SqliteStore) -> None:
    before = await store.fingerprint()
    backend = judged_by(SUBSTITUTION)
    async with Solver(backend, cache=False, memory=store, memory_mode="learn") as solver:
        solution = await solver.solve(QUESTION, "auto", config=WITH_VERIFIER, measured=True)
        assert solution.answer == "6"
        assert solution.recalled == (SIMILAR.id,)
        assert "Take 5." in text_of(backend)
        for hidden in ("The same one.", "Other numbers.", OTHER_NUMBERS.key_text):
            assert hidden not in text_of(backend)
        assert await store.fingerprint() == before
        assert [one.uses async for one in store.scan()] == [0, 0, 0]
        await solver.memory.remember(solution, STRATEGIES.load("auto"), right=True)  # as an evaluation does
    assert await store.fingerprint() != before


@pytest.mark.usefixtures("cold_zygotes")
@pytest.mark.parametrize("measured", [False, True])
async def test_a_resumed_solve_is_as_measured_as_it_began(measured: bool) -> None:
    """cot has no answer, pal meets an endpoint that is down, and is tried again by the resumed solve."""
    store = FakeStore([SAME])
    down = True

    def respond(request: ChatRequest, sample: int) -> str:
        if request.role != "coder":
            return ""
        if down:
            raise BackendError("down")
        return PROGRAM

    config = {"strategies": ["cot", "pal"], "ask_verifier": False, "epsilon": 0.0}
    backend = ScriptedBackend(respond, capabilities=Capabilities())
    async with Solver(backend, cache=False, memory=store, memory_mode="learn") as solver:
        with pytest.raises(BackendError, match="down"):
            await solver.solve(QUESTION, "smart-meta", config=config, measured=measured)
        assert solver.checkpoints is not None
        (left,) = solver.checkpoints.resumable()
        down = False
        asked = len(store.queries)
        with pytest.raises(UsageError, match="a resumed solve has"):
            await solver.solve(resume=left.spec.solve_id, measured=True)
        solution = await solver.solve(resume=left.spec.solve_id)
    assert solution.answer == "42"
    assert len(store.queries) > asked
    assert {query.guard for query in store.queries} == {QUESTION if measured else None}
    assert (list(store.kept) == [SAME.id]) == measured
