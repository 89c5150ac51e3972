"""supercorrect against the deterministic test of its card: tags, inspection, local rewriting, what memory keeps."""

from __future__ import annotations

import json

import pytest

from mathagent.agents.blocks.refine import MARK
from mathagent.agents.blocks.thought_template import parse_template
from mathagent.agents.correction_pair import correction_pair
from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.events import Recalled
from mathagent.memory.distil import experiences_of
from mathagent.memory.experience import Exemplar, Experience, Lesson, Provenance, Template
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies.supercorrect import STRATEGY, Inspection, confirmed, learn
from mathagent.types import Problem, Solution
from tests.unit.agents.fake_store import FakeStore
from tests.unit.agents.graph_solve import final_state, graph_solve

PROBLEM = Problem(text="What is 3 plus 4, doubled?", id="p1")
PLAIN = Capabilities(json_schema=True)
RIGHT = (
    "<Step1>Take 3.</Step1>\n<Step2>Three squared is 9.<Key>Not 6.</Key></Step2>\n<Step3>So 9.</Step3>\n"
    "<Generalized>squares: multiply the number by itself</Generalized>\n<Answer>9</Answer>"
)
WRONG = "<Step1>3+4=7</Step1><Step2>7*2=15</Step2><Generalized>sums: add</Generalized><Answer>15</Answer>"
FIXED = "<Step2>7*2=14</Step2><Generalized>doubling: add twice</Generalized><Answer>14</Answer>"


def drawn(text: str, *contains: str, lacks: tuple[str, ...] = ()) -> Reply:
    return Reply(text=text, role="solver", contains=(PROBLEM.text, *contains), lacks=lacks)


def inspects(step: int | None, quote: str = "", *contains: str) -> Reply:
    said = {"first_wrong_step": step, "quote": quote, "cause": "seven twos are 14", "correction": "7*2 = 14"}
    text = json.dumps({"reasoning": "hm", **said})
    return Reply(text=text, role="inspector", contains=(PROBLEM.text, *contains))


def corrects(text: str, *contains: str) -> Reply:
    return Reply(text=text, role="corrector", contains=(PROBLEM.text, *contains))


def script(*replies: Reply) -> ScriptedBackend:
    return ScriptedBackend(replies, capabilities=PLAIN)


async def test_a_draft_without_an_error_is_two_calls() -> None:
    backend = script(
        drawn(RIGHT), inspects(None, "", "<Step2>Three squared", "<Key>Not 6.</Key>", "Final answer: 9")
    )
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert backend.roles == ["solver", "inspector"]
    assert state.answer == "9"
    assert "no wrong step" in state.confidence_basis
    read = parse_template(state.candidates[0].steps[0].text)
    assert (len(read.steps), sum(len(step.keys) for step in read.steps), read.answer) == (3, 1, "9")
    assert backend.requests[0].params.temperature == 0


async def test_a_wrong_step_is_rewritten_and_inspected_again() -> None:
    fix = corrects(
        FIXED, f"<Step1>3+4=7</Step1>\n\n{MARK}\n<Step2>7*2=15</Step2>", "seven twos are 14", "7*2 = 14"
    )
    backend = script(
        drawn(WRONG),
        inspects(2, "7 * 2 = 15"),
        fix,
        inspects(None, "", "<Step1>3+4=7</Step1>\n<Step2>7*2=14</Step2>", "Final answer: 14"),
    )
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert backend.roles == ["solver", "inspector", "corrector", "inspector"]
    assert state.answer == "14"
    assert [step.kind for step in state.candidates[1].steps] == ["critique", "thought"]
    assert state.candidates[1].steps[1].text == f"<Step1>3+4=7</Step1>\n\n{FIXED}"
    assert [request.first_sample for request in backend.requests] == [0, 0, 1, 1]


async def test_there_are_two_rounds_at_most() -> None:
    again = "<Step2>7*2=16</Step2><Answer>16</Answer>"
    backend = script(
        *(drawn(WRONG), inspects(2, "7*2=15"), corrects(again), inspects(2, "7*2=16"), corrects(FIXED)),
    )
    state = await final_state(STRATEGY, backend, PROBLEM)
    assert state.answer == "14"
    assert "not inspected to the end" in state.confidence_basis
    assert (await final_state(STRATEGY, script(drawn(WRONG)), PROBLEM, rounds=0)).answer == "15"


async def test_a_missing_closing_tag() -> None:
    backend = script(drawn("<Step1>3+4=7<Step2>7*2=14<Generalized>g<Answer>14"), inspects(None))
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "14"


@pytest.mark.parametrize(("step", "quote"), [(2, "7*2=99"), (2, ""), (3, "7*2=15"), (1, "7*2=15")])
async def test_an_error_that_cannot_be_quoted_is_an_invention(step: int, quote: str) -> None:
    backend = script(drawn(WRONG), inspects(step, quote))
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "15"


def test_quotations_are_compared_without_spaces_and_dollars() -> None:
    inspection = Inspection(first_wrong_step=1, quote="$x = 2$ ", cause="no")
    found = confirmed(inspection, ["<Step1>So x=2 holds</Step1>"])
    assert found is not None
    assert found.critique == "“$x = 2$” is wrong: no"


async def test_an_inspector_that_says_nothing_readable_changes_nothing() -> None:
    backend = script(drawn(WRONG), *[Reply(text="?", role="inspector")] * 3)
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "15"


async def test_words_without_tags_are_inspected_by_paragraphs() -> None:
    backend = script(
        drawn("3+4=7\n\n7*2=15, so \\boxed{15}"),
        inspects(2, "7*2=15", "<Step1>3+4=7</Step1>\n<Step2>7*2=15"),
        corrects("<Step2>7*2=14</Step2><Answer>14</Answer>", f"<Step1>3+4=7</Step1>\n\n{MARK}"),
        inspects(None, "", "<Step1>3+4=7</Step1>\n<Step2>7*2=14</Step2>"),
    )
    assert (await final_state(STRATEGY, backend, PROBLEM)).answer == "14"


async def test_a_correction_without_an_answer_leaves_the_draft_s() -> None:
    cut = Reply(text="<Step2>7*2=", role="corrector", finish_reason="length")
    state = await final_state(STRATEGY, script(drawn(WRONG), inspects(2, "7*2=15"), cut, inspects(None)), PROBLEM)
    assert state.answer == "15"
    assert "not inspected to the end" in state.confidence_basis
    nothing = await final_state(STRATEGY, script(drawn("who knows"), inspects(None)), PROBLEM)
    assert nothing.answer is None


async def test_choices() -> None:
    problem = Problem(text=PROBLEM.text, choices=("A)14", "B)15"))
    backend = script(drawn("<Step1>x</Step1><Answer>A</Answer>", "letter"), inspects(None, "", "(A) 14"))
    assert (await final_state(STRATEGY, backend, problem)).answer == "A"


TEMPLATE = Experience(
    content=Template(
        problem_type="doubling", plan="add the number to itself", problem="What is 5 plus 1, doubled?"
    ),
    trust="graded",
)


async def test_methods_of_similar_problems_are_shown_before_the_question() -> None:
    lesson = Experience(content=Lesson(problem=PROBLEM.text, mistake="m", fix="SECRET"), trust="graded")
    store = FakeStore([TEMPLATE, lesson])
    backend = script(drawn(RIGHT, "doubling: add the number to itself", lacks=("SECRET",)), inspects(None))
    run, events = await graph_solve(STRATEGY, backend, PROBLEM, store=store)
    shown = backend.requests[0].messages[-1].content
    assert shown.index("add the number to itself") < shown.index(PROBLEM.text)
    assert [one.id for one in run.state.recalled] == [TEMPLATE.id]
    assert [len(event.found) for event in events if isinstance(event, Recalled)] == [1]
    plain = script(drawn(RIGHT, lacks=("doubling:",)), inspects(None))
    assert (await final_state(STRATEGY, plain, PROBLEM, store=store, templates=0)).recalled == []


@pytest.mark.parametrize(("calls", "answer"), [(1, "15"), (2, "15"), (3, "14")])
async def test_a_budget_that_ends_keeps_the_best_so_far(calls: int, answer: str) -> None:
    backend = script(drawn(WRONG), inspects(2, "7*2=15"), corrects(FIXED), inspects(None))
    run, _ = await graph_solve(STRATEGY, backend, PROBLEM, budget=Budget(max_calls=calls))
    assert run.state.answer == answer
    assert run.state.limit is not None
    assert len(backend.requests) == calls


async def test_an_endpoint_that_is_down() -> None:
    run, _ = await graph_solve(STRATEGY, ScriptedBackend([Reply(error="down")]), PROBLEM)
    assert isinstance(run.error, BackendError)


async def solved(*replies: Reply) -> Solution:
    state = await final_state(STRATEGY, script(*replies), PROBLEM)
    return Solution(
        problem=PROBLEM,
        answer=state.answer,
        confidence=None,
        confidence_basis="",
        candidates=tuple(state.candidates),
        strategy=STRATEGY.name,
        model="m",
        solve_id="s1",
    )


async def test_the_method_is_kept_where_the_answer_holds() -> None:
    solution = await solved(drawn(RIGHT), inspects(None))
    exemplar = Experience(
        content=Exemplar(problem=PROBLEM.text, reasoning=RIGHT, answer="9"),
        trust="verified",
        subject="algebra",
        score=1.0,
    )
    solved_one, kept = learn(solution, [exemplar])
    assert kept.content == Template(
        problem_type="squares", plan="multiply the number by itself", problem=PROBLEM.text
    )
    assert (kept.trust, kept.subject, kept.score) == ("verified", "algebra", None)
    assert isinstance(solved_one.content, Exemplar)
    assert solved_one.content.reasoning == ("Take 3.\nThree squared is 9.\nNot 6.\nSo 9.\nThe answer is 9.")
    assert learn(solution, []) == []


async def test_the_method_is_kept_of_a_solution_that_is_too_long_to_be_shown() -> None:
    long = RIGHT.replace("Take 3.", "Take 3. " + "It is odd. " * 200)
    solution = await solved(drawn(long), inspects(None))
    for right, kinds in ((True, ["statistics", "template"]), (False, ["lesson", "statistics"])):
        found = experiences_of(solution, reference_grade=right, person=None, provenance=Provenance(run="s1"))
        kept = learn(solution, found)
        assert [one.kind for one in kept] == kinds
        assert kept[-1].trust == "graded"


async def test_a_solver_that_learns_keeps_the_method_and_shows_it_next_time() -> None:
    store = FakeStore()
    backend = script(drawn(RIGHT), inspects(None))
    async with Solver(backend, cache=False, memory=store, memory_mode="learn") as solver:
        solution = await solver.solve(PROBLEM, "supercorrect", measured=True)
        await solver.memory.remember(solution, STRATEGY, right=True)
    assert [one.trust for one in store.kept.values() if one.kind == "template"] == ["graded"]
    backend = script(drawn(RIGHT, "squares: multiply the number by itself"), inspects(None))
    async with Solver(backend, cache=False, memory=store, memory_mode="read") as solver:
        again = await solver.solve(PROBLEM, "supercorrect")
    backend.assert_finished()
    assert len(again.recalled) == 1


async def test_corrections_of_teacher_and_student_are_a_training_pair() -> None:
    begun = (drawn(WRONG), inspects(2, "7*2=15"))
    teacher = await solved(*begun, corrects(FIXED), inspects(None))
    student = await solved(*begun, corrects("<Step2>7*2=16</Step2><Answer>16</Answer>"), inspects(None))
    pair = correction_pair(PROBLEM, teacher.candidates[0], teacher.candidates[1], student.candidates[1])
    assert PROBLEM.text in pair.prompt[-1].content
    assert pair.prefix == "<Step1>3+4=7</Step1>"
    assert "seven twos are 14" in pair.chosen
    assert "<Answer>14</Answer>" in pair.chosen
    assert "<Answer>16</Answer>" in pair.rejected
