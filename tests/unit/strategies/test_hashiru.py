"""hashiru against the deterministic tests of its card: decisions, ledger, refusals, tools, local before remote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.events import CodeFinished, Decided, Event
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.types import Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "What is 6 * 7?"
BLOCKS = Capabilities(n=True, seed=True)
"""Typed questions are answered in blocks of JSON."""
LOCAL = {"name": "small", "create": 10, "invoke": 40}


def decide(action: str, **fields: str) -> Reply:
    said = {"reasoning": f"because {action}", "action": action, **fields}
    return Reply(text=f"```json\n{json.dumps(said)}\n```", role="manager")


HIRE = decide("hire", name="solver", text="You multiply.")
ASK = decide("ask", name="solver", text="What is 6 times 7?")
WORKER = Reply(text="42", role="worker", contains=("You multiply.", "6 times 7"), lacks=("Price list",))
RELEASE = decide("release", name="solver")
ANSWER = decide("answer", text="42")


class Solved:
    def __init__(self, solution: Solution, backend: ScriptedBackend, events: list[Event]) -> None:
        self.solution, self.backend, self.events = solution, backend, events
        self.decided = [event for event in events if isinstance(event, Decided)]

    @property
    def outcomes(self) -> list[str]:
        return [event.outcome for event in self.decided]

    def prompt(self, place: int) -> str:
        return "\n".join(message.content for message in self.backend.requests[place].messages)


async def solve(sandbox: Sandbox, replies: list[Reply], budget: Budget | None = None, **config: object) -> Solved:
    events: list[Event] = []
    backend = ScriptedBackend(replies, capabilities=BLOCKS)
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(QUESTION, "hashiru", budget=budget, config=config, on_event=events.append)
    backend.assert_finished()
    return Solved(solution, backend, events)


async def test_budget_hire_ask_release_answer(sandbox: Sandbox) -> None:
    priced = {**LOCAL, "price_in": 1000, "price_out": 2000}
    solved = await solve(
        sandbox, [decide("budget"), HIRE, ASK, WORKER, RELEASE, ANSWER], models=[priced], hiring="both"
    )
    assert solved.solution.answer == "42"
    assert solved.backend.roles == ["manager"] * 3 + ["worker"] + ["manager"] * 2
    assert [(event.decision, event.subject) for event in solved.decided] == [
        *[("budget", ""), ("hire", "solver"), ("ask", "solver"), ("release", "solver"), ("answer", "")],
    ]
    assert [event.left["resources"] for event in solved.decided] == [100, 90, 90, 100, 100]
    assert solved.outcomes[2] == "solver replied: 42"
    assert solved.decided[1].reason == "because hire"
    requests = solved.backend.requests
    paid = 10 - solved.decided[-1].left["dollars"]
    by_manager = sum(
        1000 * len(request.messages[0].content.split()) for request in requests if request.role == "manager"
    )
    assert paid > by_manager / 1e6  # its words count, and the worker's
    assert "3. ask solver: solver replied: 42" in solved.prompt(5)
    assert "solver on small: You multiply." in solved.prompt(4)


async def test_words_of_workers_are_charged_exactly(sandbox: Sandbox) -> None:
    remote = {"name": "cloud", "model": "script:none", "place": "remote", "price_in": 1e6, "price_out": 2e6}
    ledger_models = [{"name": "own"}, {**remote, "model": "", "name": "own-remote"}]
    hire = decide("hire", name="solver", model="own-remote", text="You multiply.")
    solved = await solve(sandbox, [hire, ASK, WORKER, ANSWER], models=ledger_models, money=5000)
    before, after = (event.left["dollars"] for event in solved.decided[:2])
    assert before - after == pytest.approx(2 + 5 + 2 * 1)  # "You multiply.", "What is 6 times 7?" and "42"


async def test_a_hire_beyond_the_budget_is_told_and_nobody_is_hired(sandbox: Sandbox) -> None:
    solved = await solve(sandbox, [HIRE, ASK, ANSWER], resources=20)
    assert solved.outcomes[:2] == [
        "refused: the budgets do not allow to hire on any model; left: 20 resources, 10 dollars",
        "refused: there is no agent solver",
    ]
    assert solved.solution.answer == "42"
    assert "Agents: none" in solved.prompt(1)


async def test_refusals_are_told(sandbox: Sandbox) -> None:
    replies = [
        HIRE,
        HIRE,
        decide("hire", name="other", model="huge"),
        decide("hire"),
        decide("ask", name="solver"),
        decide("release", name="other"),
        decide("note", name="k", text="one"),
        decide("note", name="k", text="two"),
        decide("use_tool", name="f", text="f(1)"),
        decide("answer", text=""),
        ANSWER,
    ]
    solved = await solve(sandbox, replies)
    assert solved.outcomes == [
        "solver is hired on own",
        "refused: there is an agent solver already",
        "refused: there is no model huge; there are: own",
        "refused: an agent needs a name",
        "refused: the task is missing",
        "refused: there is no agent other",
        "noted",
        "refused: there is a note k already",
        "refused: there is no tool f",
        "refused: the text holds no answer",
        "answered",
        "solver is released",
    ]
    assert "Notes: k: one" in solved.prompt(10)


async def test_a_tool_is_tested_before_it_is_used(sandbox: Sandbox) -> None:
    good = "def triple(x):\n    return 3 * x"
    replies = [
        decide("make_tool", name="triple", code="def triple(x:\n    return 3 * x", text="triple(4)"),
        decide("make_tool", name="triple", code=good, text="triple(4)", expected="13"),
        decide("make_tool", name="triple", code=f"import subprocess\n{good}", text="triple(4)"),
        decide("use_tool", name="triple", text="triple(14)"),
        decide("make_tool", name="triple", code=good, text="triple(4)", expected="12"),
        decide("make_tool", name="triple", code=good, text="triple(4)"),
        decide("use_tool", name="triple", text="triple(14)"),
        ANSWER,
    ]
    solved = await solve(sandbox, replies)
    outcomes = solved.outcomes
    assert "SyntaxError" in outcomes[0]
    assert outcomes[0].startswith("refused: its test failed")
    assert outcomes[1:7] == [
        "refused: its test failed: triple(4) gives 12, not 13",
        "refused: a tool may not install packages or start programs",
        "refused: there is no tool triple",
        "the tool triple passed its test",
        "refused: there is a tool triple already",
        "42",
    ]
    assert "Tools: triple, such as triple(4)" in solved.prompt(5)
    assert solved.solution.answer == "42"
    [check] = solved.solution.certificate
    assert check.expected == "42"


async def test_tools_may_be_forbidden_and_programs_run(sandbox: Sandbox) -> None:
    replies = [decide("make_tool", name="f"), decide("run_program", code="print(6 * 7)"), ANSWER]
    solved = await solve(sandbox, replies, own_tools=False)
    assert solved.outcomes[:2] == ["refused: no tools may be written", "42"]
    assert "make_tool:" not in solved.prompt(0)
    assert sum(isinstance(event, CodeFinished) for event in solved.events) == 1


async def test_local_first_then_remote_then_the_manager_itself(sandbox: Sandbox, tmp_path: Path) -> None:
    script = tmp_path / "worker.json"
    script.write_text(json.dumps([{"text": "It is \\boxed{42}.", "role": "worker"}]), encoding="utf-8")
    remote = {"name": "cloud", "model": f"script:{script}", "place": "remote", "price_in": 1.0, "price_out": 1.0}
    models = [LOCAL, remote]
    solved = await solve(sandbox, [HIRE, ANSWER], models=models)
    assert solved.outcomes[0] == "solver is hired on small"
    solved = await solve(sandbox, [HIRE, ASK, ANSWER], models=models, resources=20)
    assert solved.outcomes[:2] == ["solver is hired on cloud", "solver replied: It is \\boxed{42}."]
    assert solved.backend.roles == ["manager"] * 3  # the worker was asked elsewhere
    assert solved.solution.usage.calls == 4
    solved = await solve(sandbox, [HIRE, ANSWER], models=models, resources=20, money=0)
    assert solved.outcomes[0].startswith("refused: the budgets do not allow")
    assert solved.solution.answer == "42"
    solved = await solve(sandbox, [HIRE, ANSWER], models=models, resources=20, hiring="local")
    assert solved.outcomes[0].startswith("refused")
    missing = {**remote, "model": "script:/nowhere.json"}
    solved = await solve(sandbox, [HIRE, ANSWER], models=[missing])
    assert "cannot be opened" in solved.outcomes[0]


async def test_an_unreadable_manager_answers_itself(sandbox: Sandbox) -> None:
    alone = Reply(text="6 * 7 = \\boxed{42}", role="manager", contains=("You answer a question yourself",))
    solved = await solve(sandbox, [*[Reply(text="I cannot say")] * 3, alone])
    assert solved.solution.answer == "42"
    assert solved.decided[-1].reason == "it answers itself"
    nonsense = await solve(sandbox, [Reply(text="I cannot say")] * 4)
    assert nonsense.solution.answer is None
    failure = nonsense.solution.candidates[0].failure
    assert failure is not None
    assert failure.kind == "no-answer"


async def test_used_up_decisions_end_with_an_answer_of_its_own(sandbox: Sandbox) -> None:
    alone = Reply(text="\\boxed{42}", contains=("1. budget",))
    solved = await solve(sandbox, [decide("budget"), decide("budget"), alone], steps=2)
    assert (solved.solution.answer, solved.solution.stopped) == ("42", "finished")


async def test_a_second_agent_of_the_same_part_is_another_sample(sandbox: Sandbox) -> None:
    """Else the cache would answer for it, and two agents would always agree."""
    other = decide("hire", name="checker", text="You multiply.")
    ask_other = decide("ask", name="checker", text="What is 6 times 7?")
    solved = await solve(sandbox, [HIRE, other, ASK, WORKER, ask_other, WORKER, ASK, WORKER, ANSWER])
    asked = [request.first_sample for request in solved.backend.requests if request.role == "worker"]
    assert asked == [0, 1, 2]


async def test_without_hiring_the_manager_is_told_of_no_agents(sandbox: Sandbox) -> None:
    solved = await solve(sandbox, [ANSWER], hiring="none")
    for word in ("Price list", "Agents:", "reasoning goes to agents"):
        assert word not in solved.prompt(0)


async def test_a_budget_leaves_what_an_agent_said(sandbox: Sandbox) -> None:
    said = Reply(text="It is \\boxed{42}.", role="worker")
    solved = await solve(sandbox, [HIRE, ASK, said], Budget(max_calls=3))
    assert (solved.solution.answer, solved.solution.stopped) == ("42", "budget")
    assert solved.decided[-1].decision == "release"
    solved = await solve(sandbox, [HIRE], Budget(max_calls=1))
    assert (solved.solution.answer, solved.solution.stopped) == (None, "budget")


async def test_a_dead_worker_is_told_and_a_dead_endpoint_is_an_error(sandbox: Sandbox) -> None:
    gone = Reply(error="gone", status=404)
    solved = await solve(sandbox, [HIRE, ASK, gone, ANSWER])
    assert solved.outcomes[1] == "solver gave no reply: gone"
    assert solved.solution.answer == "42"
    with pytest.raises(BackendError, match="gone"):
        await solve(sandbox, [gone])


async def test_price_lists_are_checked(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="a name of its own"):
        await solve(sandbox, [], models=[LOCAL, LOCAL])
    with pytest.raises(UsageError, match=r"models\.0\.create"):
        await solve(sandbox, [], models=[{"name": "x", "create": -1}])
