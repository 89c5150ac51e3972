"""Many problems at once, with a solve that is played."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.solve_many import SolveOutcome, outcomes
from mathagent.errors import BackendError, UsageError
from mathagent.types import Problem, Solution


def solution(problem: Problem) -> Solution:
    return Solution(
        problem=problem, answer=problem.text, confidence=None, confidence_basis="", strategy="s", model=""
    )


class Played:
    """Solves each problem when its turn in ``order`` has come; "bad" and "broken" ones fail."""

    def __init__(self, *order: str) -> None:
        self.gates = {text: asyncio.Event() for text in order}
        self.running: set[str] = set()
        self.most = 0
        self.cancelled: list[str] = []

    async def __call__(self, problem: Problem) -> Solution:
        self.running.add(problem.text)
        self.most = max(self.most, len(self.running))
        try:
            if problem.text in self.gates:
                await self.gates[problem.text].wait()
            if problem.text == "bad":
                raise BackendError("down")
            if problem.text == "broken":
                raise KeyError("x")
            return solution(problem)
        except asyncio.CancelledError:
            self.cancelled.append(problem.text)
            raise
        finally:
            self.running.discard(problem.text)


async def all_of(solve: Played, problems: list[object], *, concurrency: int, ordered: bool) -> list[SolveOutcome]:
    results = outcomes(solve, problems, concurrency=concurrency, ordered=ordered)  # type: ignore[arg-type]
    return [outcome async for outcome in results]


async def test_a_failure_is_named_and_ends_no_other() -> None:
    found = await all_of(
        Played(), ["a", "bad", "broken", 7, Problem(text="b", id="last")], concurrency=2, ordered=True
    )
    assert [outcome.answer for outcome in found] == ["a", None, None, None, "b"]
    assert [one.failure.error if one.failure else "" for one in found] == [
        "",
        "BackendError",
        "KeyError",
        "UsageError",
        "",
    ]
    assert found[1].failure is not None
    assert found[1].failure.message == "down"
    assert found[4].problem.id == "last"
    assert all((one.solution is None) != (one.failure is None) for one in found)


async def test_as_they_finish_and_in_order() -> None:
    for ordered, expected in ((False, [1, 0]), (True, [0, 1])):
        solve = Played("slow")
        results = outcomes(solve, ["slow", "quick"], concurrency=2, ordered=ordered)
        seen = []
        first = asyncio.create_task(anext(results))
        while "slow" not in solve.running or "quick" in solve.running:  # noqa: ASYNC110 - no time passes
            await asyncio.sleep(0)
        if not ordered:
            seen.append((await first).index)
        solve.gates["slow"].set()
        if ordered:
            seen.append((await first).index)
        seen += [outcome.index async for outcome in results]
        assert seen == expected


async def test_problems_are_read_as_they_are_needed() -> None:
    read: list[int] = []

    def source() -> Iterator[str]:
        for number in range(100):
            read.append(number)
            yield str(number)

    results = outcomes(Played(), source(), concurrency=3, ordered=False)
    await anext(results)
    assert len(read) <= 4
    await results.aclose()


async def test_an_async_source_will_do() -> None:
    async def source() -> AsyncIterator[str]:
        for text in "ab":
            yield text

    found = [one.answer async for one in outcomes(Played(), source(), concurrency=1, ordered=True)]
    assert found == ["a", "b"]


async def test_closing_ends_what_is_being_solved() -> None:
    solve = Played("x", "y")
    results = outcomes(solve, ["quick", "x", "y"], concurrency=3, ordered=False)
    assert (await anext(results)).answer == "quick"
    await results.aclose()
    assert sorted(solve.cancelled) == ["x", "y"]
    assert not solve.running


async def test_wrong_use() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        await anext(outcomes(Played(), ["x"], concurrency=0, ordered=False))
    with pytest.raises(UsageError, match="several problems"):
        await anext(outcomes(Played(), "What is 1+1?", concurrency=1, ordered=False))


@given(st.lists(st.sampled_from(["a", "bad", "broken"]), max_size=12), st.integers(1, 4), st.booleans())
def test_each_problem_has_one_outcome_and_so_many_run_at_once(
    texts: list[str], at_once: int, ordered: bool
) -> None:
    solve = Played()
    found = asyncio.run(all_of(solve, list(texts), concurrency=at_once, ordered=ordered))
    assert sorted(one.index for one in found) == list(range(len(texts)))
    assert all(one.problem.text == texts[one.index] for one in found)
    assert solve.most <= at_once
    if ordered:
        assert [one.index for one in found] == list(range(len(texts)))
