"""rcot against the deterministic test of its card: calls, what each sees, what the feedback names."""

from __future__ import annotations

import json

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError
from mathagent.events import Event, Warned
from mathagent.models.base import Capabilities
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Problem, Solution

PLAIN = Capabilities(json_schema=True, seed=True)

CONDITIONS = ("Ann has 3 pears.", "She buys 4 pears.", "She eats 2 pears.")
ASKED = "How many pears has she?"
QUESTION = f"{' '.join(CONDITIONS)} {ASKED}"
REBUILT = ("Ann has 3 pears.", "She buys 4 pears.", "Pears cost 5 each.")
REBUILT_TEXT = f"{' '.join(REBUILT)} {ASKED}"
FIRST = "3 + 4 = 7, so \\boxed{7}"


def typed(role: str, contains: tuple[str, ...] = (), **fields: object) -> Reply:
    return Reply(text=json.dumps({"reasoning": "compared", **fields}), role=role, contains=contains)


SOLVE = Reply(text=FIRST, role="reasoner", contains=(QUESTION,))
REBUILD = Reply(text=REBUILT_TEXT, role="rebuilder", contains=(FIRST,), lacks=("Ann", "eats"))
DECOMPOSE = [
    typed("decomposer", (QUESTION,), conditions=CONDITIONS, question=ASKED),
    typed("decomposer", (REBUILT_TEXT,), conditions=REBUILT, question=ASKED),
]
REVISED = "3 + 4 - 2 = 5, so \\boxed{5}"
REVISE = Reply(
    text=REVISED,
    role="refiner",
    contains=(
        QUESTION,
        FIRST,
        "overlooks what the problem states:\n- She eats 2 pears.\n",
        "does not state:\n- Pears cost 5 each.\n",
        "1. Ann has 3 pears.\n2. She buys 4 pears.\n3. She eats 2 pears.",
    ),
    lacks=("another question",),
)


def inferences(overlooked: int | None = 2, invented: int | None = 2) -> list[Reply]:
    """The six comparisons, the condition (by place) of either problem that does not follow from the other's."""
    pairs = [(CONDITIONS, REBUILT, overlooked), (REBUILT, CONDITIONS, invented)]
    return [
        typed(
            "inferrer",
            (f"Statement: {one}", "\n".join(f"{k}. {c}" for k, c in enumerate(known, 1))),
            follows=place != wrong,
        )
        for ours, known, wrong in pairs
        for place, one in enumerate(ours)
    ]


def same(answer: bool = True) -> Reply:
    return typed("questioner", (f"First question: {ASKED}",), same=answer)


def batch(not_in_b: list[int], not_in_a: list[int], same_question: bool) -> Reply:
    shown = ("Problem A:\n1. Ann has 3 pears.", "Problem B:\n1. Ann has 3 pears.", "3. Pears cost 5 each.")
    return typed("comparer", shown, not_in_b=not_in_b, not_in_a=not_in_a, same_question=same_question)


BEFORE = [SOLVE, REBUILD, *DECOMPOSE]


async def solve(
    backend: ScriptedBackend,
    *,
    problem: str | Problem = QUESTION,
    budget: Budget | None = None,
    events: list[Event] | None = None,
    **config: object,
) -> Solution:
    async with Solver(backend, cache=False) as solver:
        on_event = None if events is None else events.append
        return await solver.solve(problem, "rcot", budget=budget, config=config, on_event=on_event)


async def test_twelve_calls_and_feedback_that_names_what_differs() -> None:
    backend = ScriptedBackend([*BEFORE, *inferences(), same(), REVISE], capabilities=PLAIN, max_parallel=1)
    solution = await solve(backend)
    backend.assert_finished()
    assert len(backend.requests) == 12
    assert backend.roles == [
        *("reasoner", "rebuilder", "decomposer", "decomposer"),
        *["inferrer"] * 6,
        *("questioner", "refiner"),
    ]
    assert solution.answer == "5"
    assert "1 overlooked and 1 invented" in solution.confidence_basis
    assert [message.role for message in backend.requests[-1].messages] == ["system", "user", "assistant", "user"]
    assert [step.kind for step in solution.candidates[1].steps] == ["critique", "thought"]


async def test_six_calls_where_all_is_compared_at_once() -> None:
    compared = batch(not_in_b=[3], not_in_a=[3, 9], same_question=True)
    backend = ScriptedBackend([*BEFORE, compared, REVISE], capabilities=PLAIN, max_parallel=1)
    assert (await solve(backend, batch=True)).answer == "5"
    backend.assert_finished()
    assert len(backend.requests) == 6


@pytest.mark.parametrize(("at_once", "calls"), [(False, 11), (True, 5)])
async def test_nothing_found_leaves_the_first_answer(at_once: bool, calls: int) -> None:
    nothing = batch(not_in_b=[], not_in_a=[], same_question=True)
    comparisons = [nothing] if at_once else [*inferences(None, None), same()]
    backend = ScriptedBackend([*BEFORE, *comparisons], capabilities=PLAIN, max_parallel=1)
    solution = await solve(backend, batch=at_once)
    backend.assert_finished()
    assert len(backend.requests) == calls
    assert solution.answer == "7"
    assert "the rebuilt problem is the same" in solution.confidence_basis


async def test_another_question_is_a_finding() -> None:
    revise = Reply(
        text=REVISED,
        contains=(f'another question, "{ASKED}"', f"asks: {ASKED}"),
        lacks=("overlooks", "does not state"),
    )
    script = [*BEFORE, *inferences(None, None), same(False), revise]
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    solution = await solve(backend)
    backend.assert_finished()
    assert solution.answer == "5"
    assert "another question" in solution.confidence_basis


async def test_a_revision_without_an_answer_leaves_the_first() -> None:
    script = [*BEFORE, *inferences(), same(), Reply(text="It stands as it is.", role="refiner")]
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    solution = await solve(backend)
    assert solution.answer == "7"
    assert "1 overlooked and 1 invented conditions states no answer" in solution.confidence_basis
    backend.assert_finished()


@pytest.mark.parametrize("of", [0, 1])
@pytest.mark.parametrize("at_once", [False, True])
async def test_a_question_that_was_not_found_is_no_other_question(of: int, at_once: bool) -> None:
    """An empty line is never the same question: it would be a false alarm, and the revision would be asked nothing."""
    apart = [*DECOMPOSE]
    apart[of] = typed("decomposer", conditions=(CONDITIONS, REBUILT)[of], question="")
    comparisons = [batch([], [], same_question=False)] if at_once else inferences(None, None)
    backend = ScriptedBackend([SOLVE, REBUILD, *apart, *comparisons], capabilities=PLAIN, max_parallel=1)
    solution = await solve(backend, batch=at_once)
    backend.assert_finished()
    assert solution.answer == "7"
    assert "the rebuilt problem is the same" in solution.confidence_basis


async def test_half_a_character_in_a_typed_reply_is_replaced() -> None:
    """JSON can spell it; neither a prompt nor the state of a solve can hold it."""
    half = Reply(
        text='{"reasoning": "", "conditions": ["Ann \\ud83d has 3 pears."], "question": "How many?"}',
        role="decomposer",
    )
    known = typed("inferrer", ("Statement: Ann \N{REPLACEMENT CHARACTER} has 3 pears.",), follows=True)
    script = [SOLVE, REBUILD, half, half, known, known, typed("questioner", same=True)]
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    assert (await solve(backend)).answer == "7"
    backend.assert_finished()


async def test_comparisons_that_cannot_be_read_are_no_findings() -> None:
    blub = [Reply(text="blub", role="inferrer")] * 2
    script = [*BEFORE, *blub, *inferences(None, None)[1:], same()]
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    assert (await solve(backend)).answer == "7"
    backend.assert_finished()


async def test_a_problem_that_cannot_be_taken_apart_is_not_compared() -> None:
    blub = [Reply(text="blub", role="decomposer")] * 4
    backend = ScriptedBackend([SOLVE, REBUILD, *blub], capabilities=PLAIN, max_parallel=1)
    solution = await solve(backend)
    backend.assert_finished()
    assert solution.answer == "7"
    assert "nothing could be compared" in solution.confidence_basis


async def test_rounds_take_the_problem_apart_once() -> None:
    again = [
        Reply(text=QUESTION, role="rebuilder", contains=(REVISED,), lacks=("eats",)),
        typed("decomposer", (QUESTION,), conditions=CONDITIONS, question=ASKED),
        typed("comparer", not_in_b=[], not_in_a=[], same_question=True),
    ]
    script = [*BEFORE, batch(not_in_b=[3], not_in_a=[3], same_question=True), REVISE, *again]
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    solution = await solve(backend, batch=True, rounds=3)
    backend.assert_finished()
    assert solution.answer == "5"
    assert "the rebuilt problem is the same" in solution.confidence_basis


async def test_choices() -> None:
    problem = Problem(text=QUESTION, choices=("7", "5"))
    script = [
        Reply(text="The answer is (A).", contains=("(B) 5",)),
        REBUILD.model_copy(update={"contains": ("(A)",)}),
        *DECOMPOSE,
        batch(not_in_b=[3], not_in_a=[], same_question=True),
        Reply(text="The answer is (B).", contains=("letter of the right choice within",)),
    ]
    script[2] = script[2].model_copy(update={"contains": ("(B) 5",)})
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    assert (await solve(backend, problem=problem, batch=True)).answer == "B"


@pytest.mark.parametrize(("calls", "answer"), [(1, "7"), (3, "7"), (7, "7"), (11, "7"), (12, "5")])
async def test_a_budget_that_ends_keeps_the_best_so_far(calls: int, answer: str) -> None:
    script = [*BEFORE, *inferences(), same(), REVISE][:calls]
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    solution = await solve(backend, budget=Budget(max_calls=calls))
    backend.assert_finished()
    assert solution.answer == answer
    assert solution.stopped == ("finished" if calls == 12 else "budget")


async def test_a_tiny_token_budget() -> None:
    backend = ScriptedBackend(lambda request, sample: FIRST if request.role == "reasoner" else "so many words")
    solution = await solve(backend, budget=Budget(max_tokens=8))
    assert (solution.answer, solution.stopped) == ("7", "budget")


async def test_nonsense_ends_without_an_answer_and_says_why() -> None:
    solution = await solve(ScriptedBackend(lambda request, sample: "Blub.", capabilities=PLAIN))
    assert solution.answer is None
    assert solution.confidence_basis == "no solution states an answer"


async def test_an_endpoint_that_is_dead_or_dies() -> None:
    with pytest.raises(BackendError, match="down"):
        await solve(ScriptedBackend([Reply(error="down")], capabilities=PLAIN))
    dying = ScriptedBackend([SOLVE, Reply(error="down")], capabilities=PLAIN)
    solution = await solve(dying)
    assert (solution.answer, solution.stopped, solution.detail) == ("7", "error", "down")


async def test_one_failed_comparison_is_data() -> None:
    script = [*BEFORE, Reply(error="down"), *inferences()[1:], same(), REVISE]
    backend = ScriptedBackend(script, capabilities=PLAIN, max_parallel=1)
    events: list[Event] = []
    assert (await solve(backend, events=events)).answer == "5"
    assert [event.message for event in events if isinstance(event, Warned)] == ["1 of 7 comparisons failed: down"]
