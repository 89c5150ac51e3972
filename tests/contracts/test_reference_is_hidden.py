"""No prompt of any strategy may contain the reference answer, or what came with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.evals.dataset import Dataset
from mathagent.evals.records import RecordStore
from mathagent.evals.runner import Arm, Benchmark
from mathagent.models.scripted import ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Problem

SECRET = "271828182"


@pytest.mark.parametrize("name", STRATEGIES.table)
async def test_reference_never_reaches_the_model(name: str, tmp_path: Path) -> None:
    problem = Problem(
        text="What is e to nine digits?", id="p1", reference=SECRET, metadata={"solution": f"it is {SECRET}"}
    )
    backend = ScriptedBackend(lambda request, index: "I cannot say")
    store = RecordStore(tmp_path / "runs.db")
    async with Solver(backend, cache=False) as solver:
        benchmark = Benchmark(solver, store, Dataset(name="secret", problems=(problem,)))
        records = await benchmark.run(Arm(strategy=name, config={}), lambda record, known: None)
    store.close()
    assert len(records) == 1
    assert records[0].reference == SECRET
    assert backend.requests
    for request in backend.requests:
        assert SECRET not in request.model_dump_json()
    assert records[0].solution is not None
    assert SECRET not in records[0].solution.model_dump_json()
