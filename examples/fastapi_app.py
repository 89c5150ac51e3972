"""mathagent inside your own FastAPI app: one solver for all requests, an answer with its evidence, a live trace.

    uvicorn fastapi_app:app --app-dir examples
    curl 127.0.0.1:8000/homework -H 'Content-Type: application/json' -d '{"problem": "What is 6*7?", "given": "42"}'

The model is MATHAGENT_MODEL. For OpenAI's API ready-made, see `mathagent serve` (docs/server.md).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from mathagent import Budget, MathagentError, Solver, UsageError

BUDGET = Budget(max_seconds=120)


class Homework(BaseModel):
    """A problem, and what a student says of it."""

    problem: str = Field(min_length=1, max_length=4000)
    given: str


class Marked(BaseModel):
    """Whether the student is right, as far as we know."""

    right: bool | None
    answer: str | None
    confidence: float | None
    evidence: list[str]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Solver() as app.state.solver:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/homework")
async def mark(homework: Homework, request: Request) -> Marked:
    solver: Solver = request.app.state.solver
    try:
        solution = await solver.solve(homework.problem, "pal", budget=BUDGET)
    except UsageError as error:
        raise HTTPException(422, str(error)) from error
    except MathagentError as error:
        raise HTTPException(503, "the solver is not available") from error
    right = None
    if solution.answer is not None:  # compared as mathematics: 1/2 is 0.5
        right = (await solver.comparer.equal(homework.given, solution.answer)).verdict == "equal"
    return Marked(
        right=right,
        answer=solution.answer,
        confidence=solution.confidence,
        evidence=[check.claim or check.kind for check in solution.certificate if check.outcome == "holds"],
    )


@app.get("/live", response_class=EventSourceResponse)
async def live(problem: str, request: Request) -> AsyncIterator[ServerSentEvent]:
    """Every event of a solve; a client that goes away ends it."""
    async with aclosing(request.app.state.solver.stream(problem, "pal", budget=BUDGET)) as events:
        async for event in events:
            yield ServerSentEvent(event=event.kind, raw_data=event.model_dump_json())
