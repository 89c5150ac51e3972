"""The Python API: solve, solve_sync, stream, Solver."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import mathagent
from mathagent import Budget, Problem, Solution, Solver, UsageError, solve, solve_sync, stream
from mathagent.errors import UnsupportedOption
from mathagent.events import CodeFinished, CodeStarted, ModelReplied, SolveFinished, SolveStarted, TokenDelta
from mathagent.models.base import Capabilities
from mathagent.models.scripted import ScriptedBackend

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


async def test_leaving_a_stream_early_stops_the_solve() -> None:
    backend = ScriptedBackend(lambda request, sample: "no idea")
    async with Solver(backend, cache=False) as solver:
        events = solver.stream("What?", "self-consistency", config={"n": 256, "window": 1})
        async for event in events:
            if isinstance(event, ModelReplied):
                break
        await events.aclose()  # type: ignore[attr-defined]
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


def test_unknown_options_are_type_errors(model: str) -> None:
    with pytest.raises(TypeError):
        solve_sync("x", "pal", model=model, stratgy="cot")


async def test_problem_identity_is_its_content() -> None:
    async with Solver(ScriptedBackend(["\\boxed{1}"]), cache=False) as solver:
        solution = await solver.solve(Problem(text="x", reference="secret"), "cot")
    assert solution.problem.id == Problem(text="x").content_hash()
    assert solution.problem.reference is None


def test_version() -> None:
    assert mathagent.__version__.count(".") == 2
