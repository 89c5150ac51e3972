"""No prompt of any strategy may contain the reference answer, or what came with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mathagent.evals.dataset import Dataset
from mathagent.evals.records import RecordStore
from mathagent.evals.runner import Arm, Benchmark
from mathagent.memory.hashed_embedder import HashedEmbedder
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "271828182"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """One for all strategies: each would start its own."""
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


@pytest.mark.parametrize("name", STRATEGIES.table)
async def test_reference_never_reaches_the_model(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    problem = Problem(
        text="What is e to nine digits?", id="p1", reference=SECRET, metadata={"solution": f"it is {SECRET}"}
    )
    backend = ScriptedBackend(lambda request, index: "I cannot say")
    store = RecordStore(tmp_path / "runs.db")
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        benchmark = Benchmark(solver, store, Dataset(name="secret", problems=(problem,)))
        records = await benchmark.run(Arm(strategy=name, config={}), lambda record, known: None)
    store.close()
    assert len(records) == 1
    assert records[0].reference == SECRET
    assert backend.requests
    for request in backend.requests:
        assert SECRET not in request.model_dump_json()
    assert records[0].solution is not None, records[0].error
    assert SECRET not in records[0].solution.model_dump_json()


@pytest.mark.parametrize("name", STRATEGIES.table)
async def test_nor_does_a_memory_that_learns_from_grades_tell_it(
    name: str, sandbox: Sandbox, tmp_path: Path
) -> None:
    """The second problem is shown what the first has taught: that its answer was wrong, never which is right."""
    told = ("What is the number e, written down to nine digits?", "Which number is e: give the first nine digits.")
    problems = tuple(
        Problem(text=text, id=f"p{place}", reference=SECRET, metadata={"solution": f"it is {SECRET}"})
        for place, text in enumerate(told)
    )
    program = "```python\ndef solution():\n    return 5\n```"
    backend = ScriptedBackend(lambda request, index: program if request.role == "coder" else "So e is \\boxed{5}.")
    store = RecordStore(tmp_path / "runs.db")
    memory = SqliteStore(tmp_path / "memory.db", HashedEmbedder())
    async with Solver(backend, sandbox=sandbox, cache=False, memory=memory, memory_mode="learn") as solver:
        benchmark = Benchmark(solver, store, Dataset(name="secret", problems=problems))
        arm = Arm(strategy=name, config={}, feedback=True)
        records = await benchmark.run(arm, lambda record, known: None)
    store.close()
    assert [record.memory.remembered > 0 for record in records if record.memory] == [True, True]
    assert SECRET not in "".join([one.model_dump_json() async for one in memory.scan()])
    await memory.aclose()
    for request in backend.requests:
        assert SECRET not in request.model_dump_json()
    for record in records:
        assert record.solution is not None
        assert SECRET not in record.solution.model_dump_json()
    if name in ("auto", "cot", "pal", "self-consistency"):
        assert records[1].solution is not None
        assert records[1].solution.recalled
