"""One problem, one call: solve, solve_sync, stream."""

from __future__ import annotations

import asyncio
import inspect
import json
from pathlib import Path

import pytest

from mathagent import Budget, Solution, Solver, UsageError, solve, solve_sync, stream
from mathagent.agents.solve_options import EachOptions, SolveOptions, SolverOptions, StreamOptions
from mathagent.events import (
    CodeFinished,
    CodeStarted,
    ModelReplied,
    Recalled,
    SolveFinished,
    SolveStarted,
    TokenDelta,
)
from mathagent.memory.experience import Exemplar, Experience
from tests.unit.agents.fake_store import FakeStore

pytestmark = pytest.mark.usefixtures("cold_zygotes")

PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([PROGRAM]), encoding="utf-8")
    return f"script:{path}"


def test_solve_sync(model: str) -> None:
    assert solve_sync("What is 6*7?", "pal", model=model).answer == "42"


def test_solve_sync_inside_a_running_loop(model: str) -> None:
    async def notebook_cell() -> str | None:
        return solve_sync("What is 6*7?", "pal", model=model).answer

    assert asyncio.run(notebook_cell()) == "42"


async def test_solve(model: str) -> None:
    solution = await solve("What is 6*7?", "pal", model=model, budget=Budget(max_calls=3), cache=False)
    assert isinstance(solution, Solution)
    assert solution.answer == "42"
    assert Solution.model_validate_json(solution.model_dump_json()) == solution


async def test_stream_tells_everything_in_order(model: str) -> None:
    events = [event async for event in stream("What is 6*7?", "pal", model=model)]
    kinds = [type(event) for event in events]
    assert kinds[0] is SolveStarted
    assert kinds[-1] is SolveFinished
    order = [kind for kind in kinds if kind in (TokenDelta, ModelReplied, CodeStarted, CodeFinished)]
    assert order == [TokenDelta, ModelReplied, CodeStarted, CodeFinished]
    assert isinstance(events[-1], SolveFinished)
    assert events[-1].solution.answer == "42"


def test_unknown_options_are_type_errors(model: str) -> None:
    with pytest.raises(TypeError):
        solve_sync("x", "pal", model=model, stratgy="cot")


def test_the_types_of_options_are_those_of_the_signatures() -> None:
    def keywords(function: object) -> set[str]:
        parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
        return {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}

    assert SolverOptions.__annotations__.keys() == keywords(Solver.__init__)
    assert SolveOptions.__annotations__.keys() == keywords(Solver.solve)
    assert not SolverOptions.__annotations__.keys() & keywords(Solver.solve)
    assert EachOptions.__annotations__.keys() < StreamOptions.__annotations__.keys() < keywords(Solver.solve)


async def test_a_memory_can_be_given(model: str) -> None:
    content = Exemplar(problem="What is 5 times 8?", program="5 * 8", answer="40")
    one = Experience(content=content, trust="graded")
    options = {"model": model, "memory": FakeStore([one]), "memory_mode": "read", "cache": False}
    assert (await solve("What is 6*7?", "pal", **options)).recalled == (one.id,)
    events = [event async for event in stream("What is 6*7?", "pal", **options)]
    assert sum(isinstance(event, Recalled) for event in events) == 1
    with pytest.raises(UsageError, match="none of off, read, learn"):
        await solve("What is 6*7?", "pal", **(options | {"memory_mode": "write"}))
