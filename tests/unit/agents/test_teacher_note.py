"""What a teacher writes about a failed problem: it sees the right answer, and only failures cost a call."""

from __future__ import annotations

import json

from mathagent.agents.blocks.teacher_note import MAX_ATTEMPT_CHARACTERS, UNNAMED_MISTAKE, attempt_text, write_note
from mathagent.agents.context import RunContext
from mathagent.memory.experience import Experience, Lesson
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.strategies.cot import STRATEGY as STUDENT
from mathagent.types import Answer, Candidate, Failure, Problem, Step
from tests.unit.agents.fake_store import FakeStore
from tests.unit.agents.graph_solve import graph_solve
from tests.unit.agents.scripted_context import scripted_context

PROBLEM = Problem(text="A tap fills a tank in 2 hours, another in 3. How long do both take?", id="p2")
RIGHT_ANSWER = "1.2 hours"
PLAIN = Capabilities(json_schema=True)
WRONG = Candidate(steps=(Step(kind="thought", text="2 + 3 = 5"),), answer=Answer(raw="5 hours", normal="5"))


def note(lessons: list[str], facts: list[str], mistake: str = "adding the times.") -> Reply:
    text = json.dumps({"reasoning": "hm", "mistake": mistake, "lessons": lessons, "facts": facts})
    return Reply(text=text, role="teacher", contains=(PROBLEM.text, RIGHT_ANSWER, "5 hours"))


def teacher(*replies: Reply | str) -> tuple[RunContext, ScriptedBackend]:
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    return scripted_context(backend)[0], backend


async def test_a_note_is_a_lesson() -> None:
    context, backend = teacher(note(["Add the rates.", " ", "Then invert."], ["A rate is one over a time."]))
    assert await write_note(context, PROBLEM, RIGHT_ANSWER, WRONG) == Lesson(
        problem=PROBLEM.text,
        mistake="adding the times",
        fix="Add the rates. Then invert.",
        knowledge=("A rate is one over a time.",),
    )
    backend.assert_finished()


async def test_a_teacher_that_says_nothing_of_use_leaves_no_note() -> None:
    context, _ = teacher(note([" "], []))
    assert await write_note(context, PROBLEM, RIGHT_ANSWER, WRONG) is None
    context, _ = teacher(*["?"] * 3)
    assert await write_note(context, PROBLEM, RIGHT_ANSWER, WRONG) is None


async def test_a_mistake_without_a_name() -> None:
    context, _ = teacher(note(["Add the rates."], [], mistake=""))
    written = await write_note(context, PROBLEM, RIGHT_ANSWER, WRONG)
    assert written is not None
    assert written.mistake == UNNAMED_MISTAKE


def test_an_attempt_is_shown_with_its_end() -> None:
    failed = Candidate(failure=Failure(kind="no-answer", message="it ended without an answer"))
    assert attempt_text(failed) == "Its answer: it ended without an answer"
    long = WRONG.model_copy(
        update={"steps": (Step(kind="thought", text=f"BEGIN{'x' * MAX_ATTEMPT_CHARACTERS}END"),)}
    )
    assert attempt_text(long).startswith("… x")
    assert attempt_text(long).endswith("END\n\nIts answer: 5 hours")


async def test_building_a_base_asks_the_teacher_about_failures_only() -> None:
    """The card's build test: two problems, the student solves one of them."""
    problems = [(Problem(text="What is 6 times 7?", id="p1"), "42"), (PROBLEM, RIGHT_ANSWER)]
    student = ScriptedBackend(["It is \\boxed{42}", "2 + 3 = \\boxed{5 hours}"])
    context, asked = teacher(note(["Add the rates."], []))
    store = FakeStore()
    for problem, reference in problems:
        run, _ = await graph_solve(STUDENT, student, problem)
        if run.state.answer != reference:
            written = await write_note(context, problem, reference, run.state.candidates[0])
            assert written is not None
            await store.add([Experience(content=written, trust="graded")])
    student.assert_finished()
    assert student.roles == ["reasoner"] * 2
    assert asked.roles == ["teacher"]
    assert RIGHT_ANSWER in asked.requests[0].messages[-1].content
    assert [one.key_text for one in store.kept.values()] == [PROBLEM.text]
