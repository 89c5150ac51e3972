"""syzygy against the deterministic test of its card: the form, how its answer is found, and the three stages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.events import Warned
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.syzygy import STRATEGY, StagedSolution, final_answer, inner_solutions, unused_conditions
from mathagent.types import Problem
from tests.unit.agents.graph_solve import final_state, graph_solve

PROBLEM = Problem(text="A farmer has 6 rows of 7 trees. How many trees are there?", id="p1")
CHOICES = Problem(text="6 rows of 7 trees are how many?", choices=("40", "42"), id="p2")
SCHEMA = Capabilities(json_schema=True)


def form(answer: object, *solutions: str, optimal: str = "") -> str:
    written = {f"solution{number}": text for number, text in enumerate(solutions, start=1)}
    filled: dict[str, Any] = {"mapping": {"explanation": "", **written}, "final_answer": answer}
    return json.dumps(filled | {"minimality": {"optimal_solution": optimal}})


@pytest.mark.parametrize(
    ("settings", "conditions", "solutions"), [({}, 10, 5), ({"conditions": 3, "solutions": 2}, 3, 2)]
)
async def test_one_call_with_as_many_slots_as_set(
    settings: dict[str, int], conditions: int, solutions: int
) -> None:
    backend = ScriptedBackend([Reply(text=form("[42]"), role="syzygy")])
    state = await final_state(STRATEGY, backend, PROBLEM, **settings)
    assert state.answer == "42"
    (request,) = backend.requests
    prompt = request.messages[-1].content
    assert len(re.findall(r'"condition\d+":', prompt)) == conditions
    assert len(re.findall(r'"solution\d+":', prompt)) == solutions
    assert f'"betti_numbers": {conditions},' in prompt
    assert prompt.count(PROBLEM.text) == 1
    assert (request.params.temperature, request.params.max_tokens) == (0, 2048)


async def test_exactness_is_the_paper_s_and_can_be_left_out_as_in_the_repository() -> None:
    with_field = ScriptedBackend([Reply(text=form("42"), contains=('"exactness"',))])
    await final_state(STRATEGY, with_field, PROBLEM)
    without = ScriptedBackend([Reply(text=form("42"), lacks=("exactness",))])
    await final_state(STRATEGY, without, PROBLEM, exactness=False)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"module": "\\q bad \\escape", "final_answer": "42"}', "42"),
        ('```json\n{"final_answer": 42}\n```', "42"),
        ('{"final_answer": "<the final answer alone>"}', None),
        ('{"final_answer": null}', None),
        ('{"final_answer": "\\\\frac{1}{2}"}', "1/2"),
        ('{"final_answer": "\\frac{1}{2}"}', "1/2"),
        ("{'final_answer': '7'}", "7"),
        ('{"final_answer": "(1, 2)"}', "(1, 2)"),
        ('{"final_answer": 1,234}', "1234"),
        ('{"final_answer": 12, "note": 345}', "12"),
        ("final_answer: 12,345.5\n", "12345.5"),
        ("no form at all", None),
        ('{"final_answer": [42]}', "42"),
        ('{"final_answer": [\n "42"\n]}', "42"),
        ('{"final_answer": [1, 2]}', "1,2"),
        ('{"final_answer": [1, 2', None),
        ('{"final_answer": (1, 2), "note": 3}', "(1,2)"),
        ('{"final_answer": (3 + 1)/3}', "(3+1)/3"),
        ('{"final_answer": "12}', "12"),
        ('{"final_answer": "12\n}', "12"),
        ('{"final_answer": {"value": 42}}', None),
    ],
)
def test_the_final_answer_is_found_by_its_pattern(text: str, answer: str | None) -> None:
    found = final_answer(text)
    assert (found.normal.replace(" ", "") if found else None) == (answer.replace(" ", "") if answer else None)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"final_answer": "12', None),
        ('{"final_answer": 12', None),
        ('{"final_answer": "7", "x": 1, "final_answer": "12', "7"),
        ('{"final_answer": "12"', "12"),
        ('{"final_answer": 12, "module": "tre', "12"),
    ],
)
def test_of_a_form_that_was_cut_half_an_answer_is_none(text: str, answer: str | None) -> None:
    found = final_answer(text, cut=True)
    assert (found.normal if found else None) == answer


async def test_a_form_with_a_bad_escape_needs_no_second_call() -> None:
    backend = ScriptedBackend(['{"module": "\\(x\\)", "final_answer": "42"'])
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "42"


async def test_without_a_final_answer_one_more_question_then_none() -> None:
    asked = Reply(text='{"reasoning": "it says 42", "answer": "42"}', role="extractor", contains=("42 trees",))
    backend = ScriptedBackend([Reply(text="There are 42 trees", role="syzygy"), asked], capabilities=SCHEMA)
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer == "42"
    assert state.candidates[0].extraction_stage == 2
    backend = ScriptedBackend(["well", Reply(text="what?", role="extractor")], capabilities=SCHEMA)
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer is None
    assert state.candidates[0].failure is not None
    assert state.candidates[0].failure.kind == "no-answer"


async def test_a_form_that_was_cut_says_so() -> None:
    cut = Reply(text='{"module": "trees', finish_reason="length")
    state = await final_state(
        STRATEGY, ScriptedBackend([cut, '{"reasoning": "", "answer": null}'], capabilities=SCHEMA), PROBLEM
    )
    assert state.candidates[0].failure is not None
    assert state.candidates[0].failure.kind == "truncated"


async def test_the_solutions_within_may_vote() -> None:
    text = form("41", "so \\boxed{42}", "thus \\boxed{42.0}", "hence \\boxed{41}")
    assert (await final_state(STRATEGY, ScriptedBackend([text]), PROBLEM)).answer == "41"
    assert (await final_state(STRATEGY, ScriptedBackend([text]), PROBLEM, inner_vote=True)).answer == "42"
    silent = form("41", "no idea")
    assert (await final_state(STRATEGY, ScriptedBackend([silent]), PROBLEM, inner_vote=True)).answer == "41"
    assert inner_solutions("nothing") == ([], "")


async def test_an_answer_that_is_not_the_chosen_solution_s_is_flagged() -> None:
    text = form("41", optimal="so \\boxed{42}")
    run, events = await graph_solve(STRATEGY, ScriptedBackend([text]), PROBLEM)
    assert run.state.answer == "41"
    assert any("says 42" in event.message for event in events if isinstance(event, Warned))


async def test_choices_are_answered_by_letter() -> None:
    backend = ScriptedBackend([Reply(text=form("B"), contains=("the letter of the right choice", "(B) 42"))])
    assert (await final_state(STRATEGY, backend, CHOICES)).answer == "B"


async def test_several_forms_vote() -> None:
    backend = ScriptedBackend([form("42"), form("41"), form("42.0")])
    state = await final_state(STRATEGY, backend, PROBLEM, n=3)
    assert state.answer == "42"
    assert sorted(request.first_sample for request in backend.requests) == [0, 1, 2]


CONDITIONS = {"reasoning": "", "conditions": ["rows are alike", "trees are whole", "7 + 7 = 14"]}
SOLUTIONS = {
    "reasoning": "",
    "solutions": [
        {"uses": [1], "text": "six sevens", "answer": "41"},
        {"uses": [3], "text": "three fourteens", "answer": "42"},
    ],
}


async def test_three_stages_and_the_selector_is_told_what_is_not_used() -> None:
    choice = {"reasoning": "", "gaps": ["in [1]"], "best": 2, "answer": "42"}
    script = [
        Reply(text=json.dumps(CONDITIONS), role="conditioner", contains=("Find 3 auxiliary", PROBLEM.text)),
        Reply(text=json.dumps(SOLUTIONS), role="solver", contains=("2. trees are whole", "Write 2 complete")),
        Reply(
            text=json.dumps(choice),
            role="selector",
            contains=("Conditions that no solution uses: 2.", "[2] three fourteens"),
        ),
    ]
    backend = ScriptedBackend(script, capabilities=SCHEMA)
    state = await final_state(STRATEGY, backend, PROBLEM, staged=True, conditions=3, solutions=2)
    assert state.answer == "42"
    assert len(backend.requests) == 3


async def test_a_choice_without_an_answer_takes_that_of_the_chosen_solution() -> None:
    choice = {"reasoning": "", "gaps": [], "best": 2, "answer": ""}
    script = [json.dumps(one) for one in (CONDITIONS, SOLUTIONS, choice)]
    state = await final_state(STRATEGY, ScriptedBackend(script, capabilities=SCHEMA), PROBLEM, staged=True)
    assert state.answer == "42"
    script[-1] = json.dumps(choice | {"best": 9})
    state = await final_state(STRATEGY, ScriptedBackend(script, capabilities=SCHEMA), PROBLEM, staged=True)
    assert state.answer is None


def test_unused_conditions_are_counted() -> None:
    solutions = [
        StagedSolution(uses=(1, 3), text="a", answer="1"),
        StagedSolution(uses=(3, 9), text="b", answer="1"),
    ]
    assert unused_conditions(["x", "y", "z"], solutions) == [2]


@pytest.mark.parametrize("calls", [1, 2])
async def test_a_budget_that_ends_between_the_stages(calls: int) -> None:
    backend = ScriptedBackend([json.dumps(CONDITIONS), json.dumps(SOLUTIONS)], capabilities=SCHEMA)
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, staged=True, budget=Budget(max_calls=calls))
    assert run.state.limit is not None
    assert run.state.answer == (None if calls == 1 else "41")  # the first solution stands


async def test_nonsense_in_every_stage_is_a_named_failure() -> None:
    backend = ScriptedBackend(lambda request, index: "la la la")
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, staged=True)
    assert run.state.answer is None
    assert run.state.candidates[0].failure is not None
    assert "no solution could be read" in run.state.candidates[0].failure.message


@pytest.mark.parametrize("staged", [False, True])
async def test_a_dead_endpoint(staged: bool) -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([Reply(error="gone")]), PROBLEM, staged=staged)
    assert isinstance(run.error, BackendError)


async def test_a_budget_of_one_call_without_an_answer() -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend(["well"]), PROBLEM, budget=Budget(max_calls=1))
    assert run.state.answer is None
    assert run.state.limit is not None
