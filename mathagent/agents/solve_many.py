"""Many problems at once: so many at a time, and none whose failure would end the others."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator

from mathagent.errors import MathagentError, UsageError
from mathagent.types import Problem, Solution, Value

Problems = Iterable[str | Problem] | AsyncIterable[str | Problem]


class SolveFailure(Value):
    """Why a problem has no Solution: ``error`` is the name of the exception (UsageError, BackendError, …)."""

    error: str
    message: str


class SolveOutcome(Value):
    """What became of problem number ``index`` (from 0) of many: ``solution`` or ``failure``, exactly one of the two."""

    index: int
    problem: Problem
    solution: Solution | None = None
    failure: SolveFailure | None = None

    @property
    def answer(self) -> str | None:
        """The solution's answer; None where there is none."""
        return None if self.solution is None else self.solution.answer


async def outcomes(
    solve: Callable[[Problem], Awaitable[Solution]], problems: Problems, *, concurrency: int, ordered: bool
) -> AsyncGenerator[SolveOutcome]:
    """Solves ``problems``, which are read as they are needed, ``concurrency`` at a time.

    Outcomes come as they are ready, or, ``ordered``, in the order of the problems. Closing the generator ends what
    is being solved. Raises UsageError for a concurrency of nothing.
    """
    if concurrency < 1:
        raise UsageError(f"a concurrency of {concurrency} solves nothing; give at least 1")
    source = _items(problems)
    running: set[asyncio.Task[SolveOutcome]] = set()
    queue: deque[asyncio.Task[SolveOutcome]] = (
        deque()
    )  # all that is not handed out yet, in the order of the problems
    more, index = True, 0
    try:
        while True:
            while more and len(running) < concurrency:
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    more = False
                    break
                task = asyncio.ensure_future(_outcome(solve, item, index))
                running.add(task)
                queue.append(task)
                index += 1
            if not queue:
                return
            if not queue[0].done() if ordered else not any(task.done() for task in queue):
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            running = {task for task in running if not task.done()}
            for task in _ready(queue, ordered=ordered):
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


def _ready(queue: deque[asyncio.Task[SolveOutcome]], *, ordered: bool) -> Iterator[asyncio.Task[SolveOutcome]]:
    """Takes what may be handed out now out of ``queue``."""
    if ordered:
        while queue and queue[0].done():
            yield queue.popleft()
        return
    done = [task for task in queue if task.done()]
    for task in done:
        queue.remove(task)
    yield from done


async def _outcome(solve: Callable[[Problem], Awaitable[Solution]], item: object, index: int) -> SolveOutcome:
    problem = item if isinstance(item, Problem) else Problem(text=str(item))
    try:
        if not isinstance(item, str | Problem):
            raise UsageError(f"problem {index} is a {type(item).__name__}; give a text or a Problem")
        return SolveOutcome(index=index, problem=problem, solution=await solve(problem))
    except MathagentError as error:
        failure = SolveFailure(error=type(error).__name__, message=str(error))
    except Exception as error:  # noqa: BLE001 - one problem that a method breaks on must not cost the others
        failure = SolveFailure(error=type(error).__name__, message=f"the method broke: {error}")
    return SolveOutcome(index=index, problem=problem, failure=failure)


async def _items(problems: Problems) -> AsyncIterator[object]:
    if isinstance(problems, str | Problem):
        raise UsageError("solve_many takes several problems; give a list of them, or use solve")
    if isinstance(problems, AsyncIterable):
        async for item in problems:
            yield item
    else:
        for item in problems:
            yield item
