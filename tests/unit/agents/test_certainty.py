"""Is the model sure of itself: by guesses that agree, by the margin of its tokens."""

from __future__ import annotations

from math import log

import pytest

from mathagent.agents.blocks.certainty import guess, guesses_agree, mean_margin, opening_margin
from mathagent.agents.state import Draft
from mathagent.budget import Budget
from mathagent.errors import UnsupportedOption
from mathagent.models.base import Capabilities
from mathagent.models.scripted import ScriptedBackend
from mathagent.types import Completion, Failure, Message, Problem, TokenLogprob
from tests.unit.agents.scripted_context import scripted_context

PROBLEM = Problem(text="What is 6 times 7?")
MESSAGES = (Message(role="user", content=PROBLEM.text),)


def token(*probabilities: float) -> TokenLogprob:
    top = tuple((str(place), log(one)) for place, one in enumerate(probabilities))
    return TokenLogprob(token="0", logprob=log(probabilities[0]), top=top)


def test_the_margin_is_the_mean_gap_in_percent() -> None:
    assert mean_margin([token(0.9, 0.1), token(0.5, 0.3)]) == pytest.approx(50)
    assert mean_margin([token(0.1, 0.9)]) == pytest.approx(80)  # sampled was the less likely one
    assert mean_margin([token(0.7)]) == pytest.approx(70)
    assert mean_margin([TokenLogprob(token="a", logprob=-1.0)]) is None
    assert mean_margin([]) is None


@pytest.mark.parametrize(
    ("replies", "agree"),
    [
        (["42", "The answer is 42.", "42.0"], True),
        (["42", "42", "41"], False),
        (["42", "42", "no idea"], False),
        (["", "", ""], False),
    ],
)
async def test_guesses(replies: list[str], agree: bool) -> None:
    backend = ScriptedBackend(replies)
    context, _ = scripted_context(backend)
    assert await guesses_agree(context, PROBLEM, MESSAGES) == (agree, None)
    (request,) = backend.requests
    assert (request.params.n, request.params.temperature, request.params.max_tokens) == (3, 0.6, 24)


async def test_guesses_that_the_budget_cut_do_not_agree() -> None:
    context, _ = scripted_context(ScriptedBackend(["42", "42"]), budget=Budget(max_calls=2))
    agree, limit = await guesses_agree(context, PROBLEM, MESSAGES)
    assert not agree
    assert limit is not None


async def test_log_probs_are_asked_for_where_there_are_any() -> None:
    backend = ScriptedBackend(["It is"])
    context, _ = scripted_context(backend)
    assert await opening_margin(context, MESSAGES) == (None, None)  # the scripted model gives none
    assert (backend.requests[0].logprobs, backend.requests[0].params.max_tokens) == (2, 16)
    context, _ = scripted_context(ScriptedBackend(["It is"], capabilities=Capabilities()))
    with pytest.raises(UnsupportedOption, match="logprobs"):
        await opening_margin(context, MESSAGES)


def test_a_guess_that_failed_keeps_its_reason() -> None:
    failure = Failure(kind="model-error", message="down")
    assert guess(Draft(sample=0, messages=(), failure=failure)).failure == failure
    said = Draft(sample=0, messages=(), completion=Completion(text="B"))
    answer = guess(said, ("A)6", "B)7")).answer
    assert answer is not None
    assert answer.normal == "B"
