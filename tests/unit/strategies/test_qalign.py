"""qalign: chains that are cut at tokens or lines, rewards by a scorer, a vote over all states. The chain itself:
tests/unit/agents/test_chain.py."""

from __future__ import annotations

import json

import pytest

from mathagent.budget import Budget
from mathagent.errors import BackendError, UnsupportedOption
from mathagent.events import CandidateProposed, Event, Warned
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Solution, TokenLogprob

QUESTION = "What is 3 plus 4?"
ANSWER = {"7": 1.0, "8": 0.0}
LINES = Capabilities(n=True, continue_assistant=True)
CHAT = Capabilities(n=True)


def written(answer: str) -> Reply:
    tokens = ("It", " is", f" \\boxed{{{answer}}}")
    return Reply(text="".join(tokens), logprobs=tuple(TokenLogprob(token=token, logprob=-1.0) for token in tokens))


def judge(request: ChatRequest) -> Reply:
    """Finds 7 right and 8 wrong."""
    last = request.messages[-1].content
    right = "\\boxed{7}" in last and "\\boxed{8}" not in last
    return Reply(text=json.dumps({"reasoning": "", "score": 1.0 if right else 0.0}))


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
            "qalign",
            budget=budget,
            config={"n": 6, **config},
            on_event=None if events is None else events.append,
        )


def alternating(request: ChatRequest, number: int) -> Reply:
    """Solutions end in 8, 7, 8, 7, … by the number of the draw."""
    return judge(request) if request.role == "judge" else written("78"[(number + 1) % 2])


async def test_a_chain_moves_to_what_is_rewarded_and_stays_there() -> None:
    backend = ScriptedBackend(alternating)
    events: list[Event] = []
    solution = await solve(backend, events=events, beta=0.05)
    assert backend.roles == ["reasoner", "judge"] * 6
    drawn = [request for request in backend.requests if request.role == "reasoner"]
    assert [request.first_sample for request in drawn] == [0, 1, 2, 3, 4, 5]
    assert {(request.params.temperature, request.logprobs) for request in drawn} == {(1.0, 0)}
    assert not drawn[0].continue_assistant
    for request in drawn[1:]:  # cut at a token: the kept ones begin the reply, and take their share of its length
        begun = [message.content for message in request.messages if message.role == "assistant"]
        kept = {(): 0, ("It",): 1, ("It is",): 2}.get(tuple(begun))
        assert kept is not None or begun[0].startswith("It")
        assert request.continue_assistant == bool(begun)
        assert kept is None or request.params.max_tokens == 1024 - kept
    answers = [candidate.answer.normal for candidate in solution.candidates if candidate.answer]
    assert answers[0] == "8"
    assert len(solution.candidates) == 6
    first = answers.index("7")
    assert set(answers[first:]) == {"7"}  # what would lower the reward by 20 β is refused; the state counts again
    assert solution.answer == "7"
    assert [event.sample for event in events if isinstance(event, CandidateProposed)] == [0, 1, 2, 3, 4, 5]
    backend.assert_finished()


async def test_the_same_seed_gives_the_same_chain() -> None:
    one, other = await solve(ScriptedBackend(alternating)), await solve(ScriptedBackend(alternating))
    assert one.candidates == other.candidates


async def test_lines_are_continued_in_words_where_a_reply_cannot_be() -> None:
    def respond(request: ChatRequest, number: int) -> Reply:
        if request.role == "judge":
            return judge(request)
        return Reply(text="3 + 4\n= 7\n\\boxed{7}")

    for capabilities in (LINES, CHAT):
        backend = ScriptedBackend(respond, capabilities=capabilities)
        assert (await solve(backend, unit="line", n=8)).answer == "7"
        cut = [
            request
            for request in backend.requests
            if request.role == "reasoner" and any(message.role == "assistant" for message in request.messages)
        ]
        assert cut
        for request in cut:
            assert request.logprobs is None
            assert request.continue_assistant == capabilities.continue_assistant
            last = request.messages[-1]
            assert last.role == ("assistant" if capabilities.continue_assistant else "user")
            assert capabilities.continue_assistant or "Go on exactly where it ends" in last.content


@pytest.mark.parametrize(
    ("capabilities", "words"),
    [
        (Capabilities(n=True, logprobs=True), "continue_assistant; qalign cuts at tokens; set unit=line"),
        (Capabilities(n=True, continue_assistant=True), "log-probs; qalign cuts at tokens; set unit=line"),
    ],
)
async def test_a_backend_that_cannot_be_cut_at_tokens_is_refused(capabilities: Capabilities, words: str) -> None:
    backend = ScriptedBackend([], capabilities=capabilities)
    with pytest.raises(UnsupportedOption, match=words):
        await solve(backend)
    assert backend.requests == []


async def test_several_chains_are_pooled_and_burn_in_and_thinning_thin_the_vote() -> None:
    def respond(request: ChatRequest, number: int) -> Reply:
        if request.role == "judge":
            return judge(request)
        return written("8" if number < 4 else "7")

    pooled = await solve(ScriptedBackend(respond), chains=4, n=10)
    assert [candidate.answer.normal for candidate in pooled.candidates if candidate.answer] == ["8"] * 4 + [
        "7"
    ] * 6
    kept = await solve(ScriptedBackend(respond), chains=4, n=10, burn_in=1, thin=2)
    assert "4 of 10 samples agree" in kept.confidence_basis  # the second state of each chain
    assert kept.answer == "7"


async def test_ends_of_all_kinds() -> None:
    tiny = await solve(ScriptedBackend(alternating), budget=Budget(max_calls=4))
    assert (tiny.answer, tiny.stopped, len(tiny.candidates)) == (tiny.answer, "budget", 2)
    assert tiny.answer in ANSWER
    one = await solve(ScriptedBackend(alternating), budget=Budget(max_calls=1))
    assert (one.answer, one.stopped) == ("8", "budget")
    nonsense = await solve(ScriptedBackend(lambda request, number: "Bananas!"))
    assert nonsense.answer is None
    assert len(nonsense.candidates) == 6
    with pytest.raises(BackendError, match="it is down"):
        await solve(ScriptedBackend(lambda request, number: Reply(error="it is down")))


async def test_a_scorer_or_an_endpoint_that_dies_leaves_what_there_is() -> None:
    def judge_dies(request: ChatRequest, number: int) -> Reply:
        return Reply(error="the judge is down") if request.role == "judge" else written("7")

    def model_dies(request: ChatRequest, number: int) -> Reply:
        if request.role == "judge":
            return judge(request)
        return written("7") if number < 2 else Reply(error="it is down")

    for respond, states in ((judge_dies, 1), (model_dies, 2)):
        events: list[Event] = []
        solution = await solve(ScriptedBackend(respond), events=events)
        assert (solution.answer, len(solution.candidates)) == ("7", states)
        assert any(isinstance(event, Warned) and "end early" in event.message for event in events)
