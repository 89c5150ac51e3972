"""reason-in-the-wild against the deterministic tests of its card: actions, corrections, switches, mixed problems."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from mathagent.agents.blocks.tactics import TACTICS
from mathagent.budget import Budget
from mathagent.errors import BackendError, UsageError
from mathagent.events import CodeFinished, Decided, Event
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "Three shelves hold six books each. How many books are there?"
BLOCKS = Capabilities(n=True, seed=True)
"""Typed questions are answered in blocks of JSON."""


def act(name: str, output: str) -> Reply:
    text = f"Thought: so.\nAction:\nName: {name}\nInput: the books\nOutput: {output}"
    return Reply(text=text, role="tactician")


def route(**fields: str) -> Reply:
    return Reply(text=f"```json\n{json.dumps({'reasoning': 'r', **fields})}\n```", role="router")


PLAN = act("Plan", "Multiply.")
PROGRAM = act("Build math model", "\n```python\nprint(3 * 6)\n```")
ANSWER = act("Aggregate and answer", "18")
ODD = act("Guess", "18")


async def solve(
    sandbox: Sandbox,
    replies: list[Reply],
    budget: Budget | None = None,
    problem: Problem | str = QUESTION,
    **config: object,
) -> tuple[Solution, ScriptedBackend, list[Event]]:
    events: list[Event] = []
    backend = ScriptedBackend(replies, capabilities=BLOCKS)
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        solution = await solver.solve(
            problem, "reason-in-the-wild", budget=budget, config=config, on_event=events.append
        )
    backend.assert_finished()
    return solution, backend, events


def executions(events: list[Event]) -> int:
    return sum(isinstance(event, CodeFinished) for event in events)


def decided(events: list[Event], decision: str = "tactic") -> list[str]:
    return [event.subject for event in events if isinstance(event, Decided) and event.decision == decision]


async def test_plan_model_answer(sandbox: Sandbox) -> None:
    solution, backend, events = await solve(sandbox, [PLAN, PROGRAM, ANSWER], tactics=["sympy"])
    assert solution.answer == "18"
    assert (backend.roles, executions(events)) == (["tactician"] * 3, 1)
    assert backend.requests[2].messages[-1].content == "Observation: 18"
    system = [request.messages[0].content for request in backend.requests]
    assert ["An example" in text for text in system] == [True, True, False]  # two rounds, as the repository does
    [check] = solution.certificate
    assert check.kind == "execution"


async def test_a_wrong_action_is_corrected(sandbox: Sandbox) -> None:
    solution, backend, _ = await solve(sandbox, [PLAN, ODD, PROGRAM, ANSWER], tactics=["sympy"])
    assert (solution.answer, len(backend.requests)) == ("18", 4)
    said = backend.requests[2].messages[-1].content
    assert said.startswith("Observation: There is no action 'Guess'. The actions are: Plan, Build math model")


async def test_three_wrong_actions_in_a_row_end_it(sandbox: Sandbox) -> None:
    others = [ODD, Reply(text="I cannot say"), act("Guess", "19")]
    solution, backend, _ = await solve(sandbox, [PLAN, *others], tactics=["python"])
    assert (solution.answer, len(backend.requests)) == (None, 4)
    failure = solution.candidates[0].failure
    assert failure is not None
    assert "3 wrong actions in a row" in failure.message


async def test_seven_rounds_and_a_reply_that_repeats_another(sandbox: Sandbox) -> None:
    replies = [act("Reason", f"{number}") for number in range(7)]
    solution, backend, _ = await solve(sandbox, replies, tactics=["text"])
    assert (solution.answer, len(backend.requests)) == (None, 7)
    _, backend, _ = await solve(sandbox, [PLAN, PLAN, ANSWER], tactics=["text"])
    assert "exactly that before" in backend.requests[2].messages[-1].content


async def test_the_router_chooses_and_is_asked_again_without_a_bad_tactic(sandbox: Sandbox) -> None:
    replies = [
        route(tactic="sympy"),
        act("Tactic check", "Tactic Bad"),
        route(tactic="text"),
        act("Tactic check", "Tactic Good"),
        ANSWER,
    ]
    solution, backend, events = await solve(sandbox, replies, tactics=["python", "sympy", "text"])
    assert solution.answer == "18"
    assert decided(events) == ["sympy", "text"]
    again = "\n".join(message.content for message in backend.requests[2].messages)
    assert "- sympy:" not in again
    assert "turned out not to fit: sympy" in again


async def test_only_so_many_switches(sandbox: Sandbox) -> None:
    bad = act("Tactic check", "Tactic Bad")
    replies = [route(tactic="python"), bad, route(tactic="text"), bad]
    solution, _, _ = await solve(sandbox, replies, tactics=["python", "sympy", "text"], switches=1)
    assert solution.answer is None
    failure = solution.candidates[0].failure
    assert failure is not None
    assert failure.message == "the tactic text was given up"


async def test_forbidden_imports_and_missing_programs_are_told(sandbox: Sandbox) -> None:
    replies = [act("Write program", "```python\nimport os\nprint(18)\n```"), act("Write program", ""), ANSWER]
    solution, backend, events = await solve(sandbox, replies, tactics=["python"])
    assert (solution.answer, executions(events)) == ("18", 0)
    assert "not allow to import os" in backend.requests[1].messages[-1].content
    assert "holds no program" in backend.requests[2].messages[-1].content


async def test_shortcuts_are_told_to_the_trace_and_may_be_refused(sandbox: Sandbox) -> None:
    short = act("Write program", "print(18)")
    _, _, events = await solve(sandbox, [short, ANSWER], tactics=["python"])
    assert (decided(events, "shortcut"), executions(events)) == (["python"], 1)
    _, backend, events = await solve(sandbox, [short, ANSWER], tactics=["python"], shortcuts="refuse")
    assert executions(events) == 0
    assert "Model the problem" in backend.requests[1].messages[-1].content


@pytest.mark.skipif(find_spec("z3") is None, reason="z3 is not installed")
async def test_logic_needs_no_model(sandbox: Sandbox) -> None:
    program = (
        "p, q, r = Bools('p q r')\nfacts = [p, Implies(p, q)]\n"
        "print(judge(facts, q), judge(facts, Not(q)), judge(facts, r))"
    )
    execution = await sandbox.run(f"{TACTICS['z3'].skeleton}\n\n{program}")
    assert execution.stdout.split() == ["Agree", "Contradict", "Uncertain"]


@pytest.mark.skipif(find_spec("z3") is None, reason="z3 is not installed")
async def test_a_program_of_the_z3_tactic_has_the_skeleton(sandbox: Sandbox) -> None:
    code = "```python\np = Bool('p')\nprint(judge([p], p))\n```"
    replies = [act("Build constraint model", code), act("Aggregate and answer", "A")]
    problem = Problem(text="p holds. Does p hold?", choices=("Agree", "Contradict"))
    solution, backend, _ = await solve(sandbox, replies, tactics=["z3"], problem=problem)
    assert solution.answer == "A"
    assert backend.requests[1].messages[-1].content == "Observation: Agree"
    assert "letter of the right choice" in backend.requests[0].messages[0].content


async def test_a_mixed_problem_is_solved_part_by_part(sandbox: Sandbox) -> None:
    mixed = Problem(text="Two stories in one: which number is 18?", choices=("shelves", "boxes"))
    replies = [
        route(action="solve", option="A", subproblem="Three shelves of six.", tactic="sympy"),
        PROGRAM,
        ANSWER,
        route(action="solve", option="B", subproblem="Two boxes of five.", tactic="text"),
        act("Aggregate and answer", "10"),
        route(action="answer", answer="A"),
    ]
    solution, backend, events = await solve(sandbox, replies, problem=mixed, mode="hybrid")
    assert solution.answer == "A"
    assert backend.roles == ["router", "tactician", "tactician", "router", "tactician", "router"]
    assert decided(events) == ["sympy", "text"]
    last = "\n".join(message.content for message in backend.requests[-1].messages)
    assert "(option A, sympy) 18" in last
    assert "(option B, text) 10" in last
    assert "Two boxes of five." not in backend.requests[1].messages[1].content


async def test_a_router_that_goes_round_in_circles_is_told_and_ends(sandbox: Sandbox) -> None:
    again = route(action="solve", subproblem="Three shelves of six.", tactic="text")
    replies = [again, act("Aggregate and answer", "18"), again, route(action="solve", tactic="text")]
    solution, backend, _ = await solve(sandbox, replies, mode="hybrid", parts=3)
    assert solution.answer is None
    assert "solved by this tactic already" in "\n".join(one.content for one in backend.requests[-1].messages)
    failure = solution.candidates[0].failure
    assert failure is not None
    assert failure.message == "the router gave no answer within 3 moves"


async def test_budget_nonsense_and_a_dead_endpoint(sandbox: Sandbox) -> None:
    solution, _, _ = await solve(sandbox, [PLAN, PROGRAM], Budget(max_calls=2), tactics=["sympy"])
    assert (solution.answer, solution.stopped) == ("18", "budget")
    solution, _, _ = await solve(sandbox, [PLAN], Budget(max_calls=1), tactics=["sympy"])
    assert (solution.answer, solution.stopped) == (None, "budget")
    nonsense = Reply(text="I cannot say")
    solution, _, _ = await solve(sandbox, [nonsense] * 6)  # three of the router, three wrong actions
    assert solution.answer is None
    gone = Reply(error="gone", status=404)
    for config in ({}, {"mode": "hybrid"}, {"tactics": ["text"]}):
        with pytest.raises(BackendError, match="gone"):
            await solve(sandbox, [gone] * 2, **config)


async def test_a_model_that_dies_on_the_way_leaves_what_its_programs_found(sandbox: Sandbox) -> None:
    gone = Reply(error="gone", status=404)
    solution, _, _ = await solve(sandbox, [PLAN, PROGRAM, gone], tactics=["sympy"])
    assert (solution.answer, solution.stopped) == ("18", "finished")


async def test_several_runs_vote_and_a_box_alone_is_an_answer(sandbox: Sandbox) -> None:
    replies = [Reply(text="It is \\boxed{18}."), Reply(text="It is \\boxed{17}."), Reply(text="\\boxed{18}")]
    solution, _, _ = await solve(sandbox, replies, tactics=["text"], n=3)
    assert solution.answer == "18"


async def test_unknown_tactics_are_named(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="each of python, sympy, z3, text may be named once"):
        await solve(sandbox, [], tactics=["prolog"])
