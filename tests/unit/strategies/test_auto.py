"""auto: what is called, in which order, and when it stops."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from mathagent.budget import Budget
from mathagent.events import BudgetReached, CandidateProposed, Event, Recalled, Voted
from mathagent.memory.experience import Exemplar, Experience, Fact
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver
from mathagent.strategies.auto import computes
from mathagent.types import Problem, Solution
from tests.unit.agents.fake_store import FakeStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "The sum of a number x and 4 is 10. What is x?"
PLAIN = Capabilities(json_schema=True, seed=True)


async def solve(
    sandbox: Sandbox,
    backend: ScriptedBackend,
    problem: str = QUESTION,
    budget: Budget | None = None,
    events: list[Event] | None = None,
    **config: object,
) -> Solution:
    """By one program a sample, unless told otherwise: the scripts are shorter."""
    settings = {"by": "program"} | config
    async with Solver(backend, sandbox=sandbox, cache=False) as solver:
        on_event = events.append if events is not None else None
        solution = await solver.solve(problem, "auto", budget=budget, config=settings, on_event=on_event)
    backend.assert_finished()
    return solution


def words(answer: object) -> Reply:
    return Reply(text=f"So it is \\boxed{{{answer}}}.", role="reasoner")


def program(value: int, comment: str = "") -> Reply:
    body = f"total = {value} + 4 + 1\n    return total - 4 - 1  # {comment}"
    return Reply(text=f"```python\ndef solution():\n    {body}\n```", role="coder")


def proposal(*checks: Mapping[str, object]) -> Reply:
    return Reply(text=json.dumps({"reasoning": "put it in", "checks": list(checks)}), role="verifier")


SUBSTITUTION = {"kind": "substitution", "equations": ["x + 4 = 10"], "asked": "x"}


async def test_views_that_agree_are_enough(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([words(6), program(6)], capabilities=PLAIN)
    solution = await solve(sandbox, backend)
    assert solution.answer == "6"
    assert backend.roles == ["reasoner", "coder"]
    assert all(request.params.temperature == 0 for request in backend.requests)
    assert "2 of 2 samples agree" in solution.confidence_basis
    assert any(check.kind == "execution" and check.outcome == "holds" for check in solution.certificate)


async def test_views_that_differ_are_followed_by_windows_until_the_lead_is_clear(sandbox: Sandbox) -> None:
    window = [program(6, "a"), program(6, "b"), program(6, "c"), words(6)]
    backend = ScriptedBackend([words(7), program(6), *window, *window], capabilities=PLAIN)
    events: list[Event] = []
    solution = await solve(sandbox, backend, events=events, n=10)
    assert solution.answer == "6"
    assert backend.roles == ["reasoner", "coder", *["coder", "coder", "coder", "reasoner"] * 2]
    assert [request.params.temperature for request in backend.requests] == [0, 0, *[0.7] * 8]
    voted = [event for event in events if isinstance(event, Voted)]
    assert [event.classes for event in voted] == [(("6", 5), ("7", 1)), (("6", 9), ("7", 1))]
    assert [event.stop for event in voted] == [False, True]


async def test_by_turns_the_model_sees_what_its_program_gives(sandbox: Sandbox) -> None:
    def turns(answer: int) -> list[Reply]:
        wrote = Reply(text=f"```python\nprint({answer} + 4 - 4)\n```", role="coder")
        return [wrote, Reply(text=f"So it is \\boxed{{{answer}}}.", role="coder", contains=(str(answer),))]

    backend = ScriptedBackend([words(6), *turns(6)], capabilities=PLAIN)
    solution = await solve(sandbox, backend, by="turns")
    assert solution.answer == "6"
    assert backend.roles == ["reasoner", "coder", "coder"]
    assert any(check.kind == "execution" and check.outcome == "holds" for check in solution.certificate)


async def test_by_turns_samples_are_numbered_from_those_before(sandbox: Sandbox) -> None:
    def reply(request: ChatRequest, sample: int) -> str:
        value = 7 if request.role == "reasoner" and request.params.temperature == 0 else 6
        return f"So it is \\boxed{{{value}}}."

    backend = ScriptedBackend(reply, capabilities=PLAIN)
    events: list[Event] = []
    solution = await solve(sandbox, backend, events=events, by="turns", n=10)
    assert solution.answer == "6"
    proposed = [event.sample for event in events if isinstance(event, CandidateProposed)]
    assert sorted(proposed) == list(range(10))
    drawn = [request.first_sample for request in backend.requests if request.role == "coder"]
    assert drawn == [1, 2, 3, 4, 6, 7, 8]


async def test_where_no_lead_is_clear_executed_checks_decide(sandbox: Sandbox) -> None:
    replies = [words(77), program(6), program(77, "a"), words(77), proposal(SUBSTITUTION)]
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    solution = await solve(sandbox, backend, n=4, programs=1, words=1)
    assert backend.roles[-1] == "verifier"
    assert all("77" not in message.content for message in backend.requests[-1].messages)
    assert solution.answer == "6"  # one vote against three, but it alone fulfils the equation
    assert "judged correct" in solution.confidence_basis
    assert any(check.kind == "substitution" and check.outcome == "holds" for check in solution.certificate)


async def test_an_answer_that_fails_its_checks_is_repaired(sandbox: Sandbox) -> None:
    fixed = Reply(text=program(6).text, role="refiner", contains=("does not hold",))
    replies = [words(8), program(7), program(7, "a"), words(8), proposal(SUBSTITUTION), fixed]
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    solution = await solve(sandbox, backend, n=4, programs=1, words=1)
    assert solution.answer == "6"
    assert len(solution.candidates) == 5


async def test_what_has_no_numbers_is_reasoned_in_words_alone(sandbox: Sandbox) -> None:
    question = "Which is the only regular polyhedron whose faces are pentagons?"
    replies = [words("dodecahedron"), *[words("dodecahedron")] * 4]
    backend = ScriptedBackend(replies, capabilities=PLAIN)
    solution = await solve(sandbox, backend, question)
    assert set(backend.roles) == {"reasoner"}
    assert solution.answer == "dodecahedron"


async def test_a_budget_ends_it_with_the_best_so_far(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([words(7), program(6)], capabilities=PLAIN)
    solution = await solve(sandbox, backend, budget=Budget(max_calls=2))
    assert solution.stopped == "budget"
    assert solution.answer in ("6", "7")


async def test_once_the_budget_has_ended_nothing_more_is_drawn(sandbox: Sandbox) -> None:
    backend, events = ScriptedBackend([words(7)], capabilities=PLAIN), list[Event]()
    solution = await solve(sandbox, backend, budget=Budget(max_calls=1), events=events, by="turns")
    assert len(solution.candidates) == 2
    assert sum(isinstance(event, BudgetReached) for event in events) == 1
    assert not any(isinstance(event, Voted) for event in events)


async def test_failed_views_are_data(sandbox: Sandbox) -> None:
    broken = Reply(text="```python\ndef solution():\n    return 1 / 0\n```", role="coder")
    replies = [words(6), broken, program(6, "a"), program(6, "b"), program(6, "c"), words(6)]
    solution = await solve(sandbox, ScriptedBackend(replies, capabilities=PLAIN))
    assert solution.answer == "6"
    assert solution.candidates[1].failure is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is 2 + 2?", True),
        ("How many legs have two cats?", True),
        ("Find \\int x dx.", True),
        ("Name the curve of a hanging chain.", False),
    ],
)
async def test_whether_a_program_could_help(text: str, expected: bool) -> None:
    assert computes(Problem(text=text)) is expected


# Memory


def solved(number: int, *, program: str = "", reasoning: str = "") -> Experience:
    problem = f"The sum of a number y and {number} is 30; mark-{number}. What is y?"
    content = Exemplar(problem=problem, program=program, reasoning=reasoning, answer=str(30 - number))
    return Experience(content=content, trust="graded")


BY_PROGRAM = solved(11, program="print('by program')")
IN_WORDS = solved(12, reasoning="Take away 12.")
BOTH = solved(13, program="print('both')", reasoning="Take away 13.")
NOTE = Experience(
    content=Fact(title="sum and number", statement="A sum less one part is the other."), trust="graded"
)
UNCHECKED = BOTH.model_copy(
    update={"content": solved(14, program="p", reasoning="r").content, "trust": "unchecked"}
)


async def test_programs_see_programs_and_words_see_words(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([words(6), program(6)], capabilities=PLAIN)
    store = FakeStore([BY_PROGRAM, IN_WORDS, BOTH, NOTE, UNCHECKED])
    async with Solver(backend, sandbox=sandbox, cache=False, memory=store, memory_mode="read") as solver:
        solution = await solver.solve(QUESTION, "auto", config={"recall": 5, "by": "program"})
    shown = {
        request.role: "\n".join(message.content for message in request.messages) for request in backend.requests
    }
    assert ("mark-12" in shown["reasoner"], "Take away 12." in shown["reasoner"]) == (True, True)
    assert "Take away 13." in shown["reasoner"]
    assert "print(" not in shown["reasoner"]
    assert "print('by program')" in shown["coder"]
    assert "print('both')" in shown["coder"]
    assert "Take away" not in shown["coder"]
    for prompt in shown.values():
        assert "A sum less one part is the other." in prompt
        assert "mark-14" not in prompt
    wanted = {one.id for one in (BY_PROGRAM, IN_WORDS, BOTH, NOTE)}
    assert set(solution.recalled) == wanted
    assert len(solution.recalled) == len(wanted)


async def test_a_program_that_nobody_could_be_shown_is_not_recalled(sandbox: Sandbox) -> None:
    """Nothing to compute: no coder is asked."""
    backend = ScriptedBackend(lambda request, sample: "It is \\boxed{dodecahedron}.", capabilities=PLAIN)
    events: list[Event] = []
    question = "Which is the only regular polyhedron whose faces are pentagons?"
    facts = [
        one.model_copy(
            update={
                "content": one.content.model_copy(
                    update={"problem": f"Which faces of the regular polyhedron {n}?"}
                )
            }
        )
        for n, one in enumerate((BY_PROGRAM, IN_WORDS))
    ]
    store = FakeStore(facts)
    async with Solver(backend, sandbox=sandbox, cache=False, memory=store, memory_mode="read") as solver:
        solution = await solver.solve(question, "auto", on_event=events.append)
    assert solution.recalled == (facts[1].id,)
    (told,) = (event for event in events if isinstance(event, Recalled))
    assert [one.id for one in told.found] == [facts[1].id]
    assert all("polyhedron 0" not in request.model_dump_json() for request in backend.requests)


async def test_further_samples_see_the_same_and_name_it_once(sandbox: Sandbox) -> None:
    window = [program(6, "a"), program(6, "b"), program(6, "c"), words(6)]
    backend = ScriptedBackend([words(7), program(6), *window, *window], capabilities=PLAIN)
    store = FakeStore([BY_PROGRAM, IN_WORDS])
    async with Solver(backend, sandbox=sandbox, cache=False, memory=store, memory_mode="read") as solver:
        solution = await solver.solve(QUESTION, "auto")
    for request in backend.requests:
        text = "\n".join(message.content for message in request.messages)
        assert ("mark-11" in text, "mark-12" in text) == (request.role == "coder", request.role == "reasoner")
    assert sorted(solution.recalled) == sorted([BY_PROGRAM.id, IN_WORDS.id])
    assert len(store.queries) == 2  # solved problems, notes: once for the whole solve


async def test_a_view_that_the_budget_forbids_is_shown_nothing(sandbox: Sandbox) -> None:
    backend = ScriptedBackend(lambda request, sample: "So \\boxed{6}.", capabilities=PLAIN)
    store = FakeStore([BY_PROGRAM, IN_WORDS])
    async with Solver(backend, sandbox=sandbox, cache=False, memory=store, memory_mode="read") as solver:
        solution = await solver.solve(QUESTION, "auto", budget=Budget(max_calls=1))
    (asked,) = backend.requests
    text = asked.model_dump_json()
    assert solution.recalled == tuple(one.id for one in (BY_PROGRAM, IN_WORDS) if one.key_text in text)
    assert len(solution.recalled) == 1
