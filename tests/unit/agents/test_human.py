"""A person beside a solve: approvals, plans and hints, answered at once or by a later process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from mathagent.agents.blocks.sample import draw
from mathagent.agents.blocks.select import vote
from mathagent.agents.checkpoints import Checkpoints
from mathagent.agents.context import RunContext
from mathagent.agents.human import Human, review_plan, with_hints
from mathagent.agents.state import SolveState
from mathagent.agents.strategy import Strategy, StrategyConfig
from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.errors import UsageError
from mathagent.events import CodeFinished, Event, HintGiven, PersonAnswered, PersonAsked, SolveFinished
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.sandbox.process import ProcessSandbox
from mathagent.solver import Solver
from mathagent.types import (
    Answer,
    ApproveCode,
    Approved,
    Candidate,
    Edited,
    Message,
    Refused,
    Request,
    Response,
    ReviewPlan,
    SamplingParams,
)


def program(value: object) -> str:
    return f"```python\ndef solution():\n    return {value}\n```"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[ProcessSandbox]:
    one = ProcessSandbox()
    yield one
    await one.aclose()


pytestmark = pytest.mark.asyncio(loop_scope="module")


def solver(backend: ScriptedBackend, sandbox: ProcessSandbox, **options: Any) -> Solver:
    return Solver(backend, sandbox=sandbox, cache=False, **options)


def says(*responses: Response, asked: list[Request]) -> Any:
    """A person who gives ``responses`` one after the other."""
    left = list(responses)

    async def on_interrupt(request: Request) -> Response:
        asked.append(request)
        return left.pop(0)

    return on_interrupt


async def test_an_approved_program_runs(sandbox: ProcessSandbox) -> None:
    asked: list[Request] = []
    events: list[Event] = []
    human = Human(says(Approved(), asked=asked), approve_code=True)
    async with solver(ScriptedBackend([program("6 * 7")]), sandbox) as one:
        solution = await one.solve("6*7?", "pal", human=human, on_event=events.append)
    assert solution.answer == "42"
    assert len(asked) == 1
    assert isinstance(asked[0], ApproveCode)
    assert "return 6 * 7" in asked[0].program
    order = [type(event) for event in events if isinstance(event, PersonAsked | PersonAnswered | CodeFinished)]
    assert order == [PersonAsked, PersonAnswered, CodeFinished]


async def test_a_refused_program_does_not_run(sandbox: ProcessSandbox) -> None:
    human = Human(says(Refused(reason="too slow"), asked=[]), approve_code=True)
    async with solver(ScriptedBackend([program("6 * 7")]), sandbox) as one:
        solution = await one.solve("6*7?", "pal", human=human)
    assert solution.answer is None
    execution = solution.candidates[0].steps[-1].execution
    assert execution is not None
    assert execution.status == "refused"
    assert execution.error is not None
    assert execution.error.endswith("too slow")


async def test_an_edited_program_runs_in_the_place_of_the_models(sandbox: ProcessSandbox) -> None:
    human = Human(says(Edited(text="43"), asked=[]), approve_code=True)
    async with solver(ScriptedBackend([program("6 * 7")]), sandbox) as one:
        solution = await one.solve("6*7?", "pal", human=human)
    assert solution.answer == "43"
    execution = solution.candidates[0].steps[-1].execution
    assert execution is not None
    assert execution.edited == "43"
    assert (solution.candidates[0].steps[0].text, solution.candidates[0].steps[0].origin) == ("43", "user")
    assert [check.program for check in solution.certificate] == ["43"]


async def test_each_cell_of_a_session_needs_approval(sandbox: ProcessSandbox) -> None:
    from mathagent.agents.human import ApprovedSandbox, Interrupts
    from mathagent.budget import Meter

    asked: list[Request] = []
    human = Human(says(Approved(), Refused(), Edited(text="x + 2"), asked=asked), approve_code=True)
    approved = ApprovedSandbox(sandbox, Interrupts(human, Meter(), lambda event: None))
    assert approved.label == sandbox.label
    session = await approved.session()
    try:
        assert (await session.run("x = 1")).ok
        assert (await session.run("x = 5")).status == "refused"
        assert (await session.run("x + 1")).value == "3"
        assert (await session.run("x = 1")).ok  # said yes to before
        assert len(asked) == 3
    finally:
        await session.aclose()


async def test_the_same_program_is_asked_for_once_and_one_at_a_time(sandbox: ProcessSandbox) -> None:
    at_once = 0

    async def on_interrupt(request: Request) -> Response:
        nonlocal at_once
        at_once += 1
        assert at_once == 1
        await asyncio.sleep(0.05)
        at_once -= 1
        return Approved()

    asked: list[Event] = []
    backend = ScriptedBackend([program(1), program(2), program(1), program(2)])
    async with solver(backend, sandbox) as one:
        solution = await one.solve(
            "x", "pal", config={"n": 4}, human=Human(on_interrupt, approve_code=True), on_event=asked.append
        )
    assert len(solution.candidates) == 4
    assert sum(isinstance(event, PersonAsked) for event in asked) == 2


async def test_with_nobody_to_ask_it_stops_and_is_resumed_with_the_answers(sandbox: ProcessSandbox) -> None:
    backend = ScriptedBackend([program(42), program(41), program(42)])
    events: list[Event] = []
    async with solver(backend, sandbox) as one:
        first = await one.solve(
            "x", "pal", config={"n": 3}, human=Human(approve_code=True), on_event=events.append
        )
        assert first.stopped == "interrupted"
        assert first.resumable
        assert first.answer is None
        assert isinstance(first.waiting_for, ApproveCode)
        assert isinstance(events[-1], SolveFinished)
        assert PersonAsked(request=first.waiting_for) in events
        (stored,) = Checkpoints(settings().solves_dir).resumable()
        assert stored.waiting_for == first.waiting_for
        again = await one.solve(resume=first.solve_id)  # without an answer it waits for the same
        assert again.waiting_for == first.waiting_for
        second = await one.solve(resume=first.solve_id, answer=Approved())
        assert isinstance(second.waiting_for, ApproveCode)
        assert second.waiting_for != first.waiting_for
        third = await one.solve(resume=first.solve_id, answer=Refused())
        assert third.stopped == "finished"
        assert third.answer == "42"
        assert [candidate.failure is None for candidate in third.candidates] == [True, False, True]
        assert third.usage.calls == 3
        assert len(backend.requests) == 1
        assert Checkpoints(settings().solves_dir).resumable() == []
        with pytest.raises(UsageError, match="no unfinished solve"):
            await one.solve(resume=first.solve_id, answer=Approved())


async def test_an_answer_that_nobody_asked_for_is_refused(sandbox: ProcessSandbox) -> None:
    backend = ScriptedBackend([program(1), program(2)])
    async with solver(backend, sandbox) as one:
        with pytest.raises(UsageError, match="give a problem"):
            await one.solve("x", "pal", answer=Approved())
        with pytest.raises(UsageError, match="nobody is there to ask"):
            async with solver(backend, sandbox, checkpoints=False) as other:
                await other.solve("x", "pal", human=Human(approve_code=True))
        with pytest.raises(UsageError, match="give none of them"):
            await one.solve("x", resume="abc")


async def test_the_clock_stands_still_while_the_person_thinks(sandbox: ProcessSandbox) -> None:
    async def slow(request: Request) -> Response:
        await asyncio.sleep(1.2)
        return Approved()

    async with solver(ScriptedBackend([program("6 * 7")]), sandbox) as one:
        await one.solve("warm up", "cot", budget=Budget(max_calls=1), config={"n": 1})  # its reply is no answer
        one.backend = ScriptedBackend([program("6 * 7")])
        solution = await one.solve(
            "6*7?", "pal", human=Human(slow, approve_code=True), budget=Budget(max_seconds=10)
        )
    assert solution.answer == "42"
    assert solution.seconds < 1.2


async def test_ctrl_c_while_the_person_thinks_ends_the_solve(sandbox: ProcessSandbox) -> None:
    interrupt = asyncio.Event()

    async def never(request: Request) -> Response:
        interrupt.set()
        await asyncio.sleep(60)
        raise AssertionError

    async with solver(ScriptedBackend([program("6 * 7")]), sandbox) as one:
        solution = await one.solve("6*7?", "pal", human=Human(never, approve_code=True), interrupt=interrupt)
        assert solution.stopped == "interrupted"
        assert solution.resumable
        one.backend = ScriptedBackend([])
        resumed = await one.solve(resume=solution.solve_id, human=Human(says(Approved(), asked=[])))
    assert resumed.answer == "42"  # what Ctrl-C made of the node was not kept


async def test_hints_go_to_the_end_of_the_last_turn_of_the_user() -> None:
    prefilled = (
        Message(role="system", content="s"),
        Message(role="user", content="solve it"),
        Message(role="assistant", content="def"),
    )
    assert with_hints(prefilled, []) == prefilled
    hinted = with_hints(prefilled, ["mod 7", "it is even"])
    assert [message.role for message in hinted] == ["system", "user", "assistant"]
    assert hinted[1].content.startswith("solve it\n")
    assert hinted[1].content.endswith("- mod 7\n- it is even")
    assert (hinted[0], hinted[2]) == (prefilled[0], prefilled[2])


async def test_a_hint_reaches_the_next_call_and_outlives_the_process(sandbox: ProcessSandbox) -> None:
    human = Human()

    def respond(request: ChatRequest, sample: int) -> str:
        if sample == 0:
            human.hint("  think of 7 ")
            human.hint(" ")
        return "\\boxed{1}"

    backend = ScriptedBackend(respond)
    events: list[Event] = []
    given = {"over": "cot", "n": 4, "window": 2, "stop": "none"}
    async with solver(backend, sandbox) as one:
        await one.solve("x", "self-consistency", config=given, human=human, on_event=events.append)
    texts = [request.messages[-1].content for request in backend.requests]
    assert [("- think of 7" in text) for text in texts] == [False, True]
    assert [event.text for event in events if isinstance(event, HintGiven)] == ["think of 7"]

    interrupt = asyncio.Event()
    stopping = Human(hints=["from the start"])

    def respond_then_stop(request: ChatRequest, sample: int) -> str:
        if sample == 2:
            interrupt.set()
        return "\\boxed{1}"

    backend = ScriptedBackend(respond_then_stop)
    async with solver(backend, sandbox) as one:
        first = await one.solve(
            "x", "self-consistency", config={**given, "n": 8}, human=stopping, interrupt=interrupt
        )
        assert first.resumable
        later = await one.solve(resume=first.solve_id, human=Human(hints=["and now this"]))
    assert later.stopped == "finished"
    last = backend.requests[-1].messages[-1].content
    assert last.endswith("- from the start\n- and now this")


def planned(seen: list[str]) -> Strategy:
    """A strategy with a plan: a call to the model, the review, the answer."""

    def build(config: StrategyConfig) -> StateGraph[Any, Any, Any, Any]:
        async def plan(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
            message = Message(role="user", content=state.problem.text)
            drafts, _ = await draw(runtime.context, (message,), SamplingParams(), role="planner")
            assert drafts[0].completion is not None
            followed = await review_plan(runtime.context, drafts[0].completion.text)
            seen.append(followed)
            return {"candidates": [Candidate(answer=Answer(raw=followed, normal=followed))]}

        async def select(state: SolveState, runtime: Runtime[RunContext]) -> dict[str, Any]:
            return await vote(runtime.context, state.candidates)

        graph = StateGraph(SolveState, context_schema=RunContext)
        graph.add_node("plan", plan)
        graph.add_node("select", select)
        graph.add_edge(START, "plan")
        graph.add_edge("plan", "select")
        graph.add_edge("select", END)
        return graph

    return Strategy("planned", "A plan.", "none", StrategyConfig, build, ())


@pytest.mark.parametrize(
    ("response", "followed"),
    [(Approved(), "7"), (Edited(text="8"), "8"), (Refused(), "")],
    ids=lambda one: str(one),
)
async def test_a_plan_is_reviewed(
    response: Response, followed: str, sandbox: ProcessSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    strategy = planned(seen)
    monkeypatch.setattr("mathagent.solver.STRATEGIES.load", lambda name: strategy)
    backend = ScriptedBackend(["7"])
    async with solver(backend, sandbox) as one:
        first = await one.solve("x", "planned", human=Human(review_plans=True))
        assert first.waiting_for == ReviewPlan(plan="7")
        await one.solve(resume=first.solve_id, answer=response)
    assert seen == [followed]
    assert len(backend.requests) == 1  # the node ran twice, the model was asked once


async def test_plans_are_not_reviewed_unasked(sandbox: ProcessSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    strategy = planned(seen)
    monkeypatch.setattr("mathagent.solver.STRATEGIES.load", lambda name: strategy)
    async with solver(ScriptedBackend(["7"]), sandbox) as one:
        solution = await one.solve("x", "planned", human=Human(approve_code=True))
    assert (solution.stopped, seen) == ("finished", ["7"])
