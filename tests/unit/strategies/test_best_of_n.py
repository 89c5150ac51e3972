"""best-of-n: samples, one score each, the best or the heaviest answer; and what happens where nothing is scored."""

from __future__ import annotations

import json

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UnknownName, UnsupportedOption
from mathagent.events import Event, Scored, Warned
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Solution

QUESTION = "What is 3 plus 4?"


def sample(answer: str) -> Reply:
    text = f"It is \\boxed{{{answer}}}" if answer else "I do not know"
    return Reply(text=text, role="reasoner", contains=(QUESTION,))


def judged(score: float, answer: str) -> Reply:
    return Reply(
        text=json.dumps({"reasoning": "", "score": score}), role="judge", contains=(f"\\boxed{{{answer}}}",)
    )


async def solve(
    backend: ScriptedBackend,
    *,
    budget: Budget | None = None,
    events: list[Event] | None = None,
    **config: object,
) -> Solution:
    async with Solver(backend, cache=False) as solver:
        return await solver.solve(
            QUESTION,
            "best-of-n",
            budget=budget,
            config={"over": "cot", "n": 3, **config},
            on_event=None if events is None else events.append,
        )


async def test_the_best_of_three_is_taken_and_all_are_kept() -> None:
    backend = ScriptedBackend(
        [sample("8"), sample("7"), sample("8"), judged(0.4, "8"), judged(0.9, "7"), judged(0.4, "8")]
    )
    events: list[Event] = []
    solution = await solve(backend, events=events)
    assert solution.answer == "7"
    assert backend.roles == ["reasoner", "judge", "judge", "judge"]
    assert (backend.requests[0].params.n, backend.requests[0].params.temperature) == (3, 0.7)
    assert [candidate.answer.normal for candidate in solution.candidates if candidate.answer] == ["8", "7", "8"]
    assert (solution.confidence, solution.winner) == (0.9, 1)
    assert solution.confidence_basis.startswith("score 0.9 by judge")
    assert solution.usage.calls == 6
    scored = [(event.sample, event.scorer, event.value) for event in events if isinstance(event, Scored)]
    assert scored == [(0, "judge", 0.4), (1, "judge", 0.9), (2, "judge", 0.4)]
    backend.assert_finished()


async def test_weighted_answers_add_their_scores_up() -> None:
    """The card of collaborative verification: 5 (.4), 5 (.4), 6 (.7): weighted gives 5, best-of gives 6."""
    script = [sample("5"), sample("5.0"), sample("6"), judged(0.4, "5"), judged(0.4, "5.0"), judged(0.7, "6")]
    assert (await solve(ScriptedBackend(script), select="weighted")).answer == "5"
    assert (await solve(ScriptedBackend(script))).answer == "6"


async def test_samples_without_an_answer_are_not_scored() -> None:
    backend = ScriptedBackend(
        [
            sample(""),
            sample("7"),
            sample(""),
            Reply(text="", role="extractor"),
            Reply(text="", role="extractor"),
            judged(0.1, "7"),
        ]
    )
    solution = await solve(backend)
    assert solution.answer == "7"
    backend.assert_finished()


async def test_a_free_scorer_costs_no_call() -> None:
    backend = ScriptedBackend([Reply(text="3 + 4 = 8, \\boxed{8}"), Reply(text="3 + 4 = 7, \\boxed{7}")])
    solution = await solve(backend, n=2, scorer="arithmetic")
    assert (solution.answer, solution.usage.calls) == ("7", 2)


async def test_an_ensemble_by_name() -> None:
    backend = ScriptedBackend(
        [
            Reply(text="3 + 4 = 8, \\boxed{8}"),
            Reply(text="3 + 4 = 7, \\boxed{7}"),
            judged(0.9, "8"),
            judged(0.5, "7"),
        ]
    )
    solution = await solve(backend, n=2, scorer="product:judge,arithmetic")
    assert solution.answer == "7"
    assert "by product:judge,arithmetic" in solution.confidence_basis


async def test_without_scores_the_majority_answers() -> None:
    def respond(request: ChatRequest, number: int) -> Reply:
        if request.role == "judge":
            return Reply(error="the judge is down")
        return Reply(text=f"\\boxed{{{[7, 8, 7][number]}}}")

    events: list[Event] = []
    solution = await solve(ScriptedBackend(respond), events=events)
    assert solution.answer == "7"
    assert solution.confidence_basis.startswith("no score above 0; 2 of 3 samples agree")
    assert any(isinstance(event, Warned) and "the judge is down" in event.message for event in events)
    nonsense = await solve(
        ScriptedBackend(lambda request, number: "\\boxed{7}" if request.role != "judge" else "?")
    )
    assert nonsense.answer == "7"
    assert nonsense.confidence_basis.startswith("no score")


async def test_a_budget_that_ends_before_the_scores_keeps_the_majority() -> None:
    backend = ScriptedBackend([sample("8"), sample("7"), sample("7")], capabilities=Capabilities())
    solution = await solve(backend, budget=Budget(max_calls=3))
    assert (solution.answer, solution.stopped) == ("7", "budget")
    backend.assert_finished()


async def test_a_budget_that_ends_within_the_scores_keeps_those_there_are() -> None:
    backend = ScriptedBackend(
        [sample("8"), sample("8"), sample("7"), judged(0.1, "8"), judged(0.2, "8")], max_parallel=1
    )
    solution = await solve(backend, budget=Budget(max_calls=5))
    assert (solution.answer, solution.stopped) == ("8", "budget")
    tiny = await solve(ScriptedBackend([sample("8")], capabilities=Capabilities()), budget=Budget(max_calls=1))
    assert (tiny.answer, tiny.stopped) == ("8", "budget")


async def test_a_dead_endpoint_and_nonsense() -> None:
    with pytest.raises(BackendError, match="it is down"):
        await solve(ScriptedBackend(lambda request, number: Reply(error="it is down")))
    solution = await solve(
        ScriptedBackend(lambda request, number: "" if request.role == "extractor" else "Bananas!")
    )
    assert solution.answer is None
    assert {candidate.failure.kind for candidate in solution.candidates if candidate.failure} == {"no-answer"}


async def test_wrong_scorers_are_refused_before_anything_is_asked() -> None:
    backend = ScriptedBackend([])
    with pytest.raises(UnknownName, match="did you mean judge"):
        await solve(backend, scorer="judg")
    assert backend.requests == []
    with pytest.raises(UnsupportedOption, match="log-probs"):
        await solve(ScriptedBackend([], capabilities=Capabilities(n=True)), scorer="mean:token-value,judge")


async def test_each_window_is_scored_before_the_next_is_drawn() -> None:
    """So that a budget which ends in between leaves scores, not samples alone."""
    script = [
        *(sample("8"), sample("7"), judged(0.2, "8"), judged(0.9, "7")),
        *(sample("8"), sample("8"), judged(0.2, "8"), judged(0.2, "8")),
    ]
    backend = ScriptedBackend(script)
    assert (await solve(backend, n=4, window=2)).answer == "7"
    assert [request.first_sample for request in backend.requests if request.role == "reasoner"] == [0, 2]
    backend.assert_finished()
    some = await solve(ScriptedBackend(script[:6]), n=4, window=2, budget=Budget(max_calls=6))
    assert (some.answer, some.stopped, len(some.candidates)) == ("7", "budget", 4)


async def test_what_asks_no_model_scores_even_after_the_budget() -> None:
    texts = ["3 + 4 = 8, \\boxed{8}", "3 + 4 = 8, so \\boxed{8}", "3 + 4 = 7, \\boxed{7}"]
    for scorer in ("arithmetic", "min:arithmetic"):
        backend = ScriptedBackend(texts, capabilities=Capabilities())
        solution = await solve(backend, n=4, budget=Budget(max_calls=3), scorer=scorer)
        assert (solution.answer, solution.stopped) == ("7", "budget")
