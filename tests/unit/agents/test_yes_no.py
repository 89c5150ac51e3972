"""Yes or no: probabilities from log-probs, and words where there are none."""

from __future__ import annotations

from math import log

import pytest

from mathagent.agents.blocks.yes_no import Leaning, leaning, probability_of_yes, said_yes
from mathagent.errors import UnsupportedOption
from mathagent.models.base import Capabilities
from mathagent.models.scripted import ScriptedBackend
from mathagent.types import Message, TokenLogprob
from tests.unit.agents.scripted_context import scripted_context

ASKED = (Message(role="user", content="Yes or no?"),)


def first(token: str, chance: float, **others: float) -> list[TokenLogprob]:
    top = tuple((name.replace("_", " "), log(value)) for name, value in others.items())
    return [TokenLogprob(token=token, logprob=log(chance), top=top)]


def test_all_ways_to_begin_either_word_are_summed() -> None:
    assert probability_of_yes(first("Yes", 0.4, Yes=0.4, _yes=0.2, Y=0.1, NO=0.2, _No=0.1)) == pytest.approx(0.7)
    assert probability_of_yes(first("No", 0.9)) == 0.0
    assert probability_of_yes(first("Yesterday", 0.5, None_=0.5)) is None
    assert probability_of_yes([]) is None


@pytest.mark.parametrize(
    ("text", "value"), [("**Yes**", 1.0), ("\nno.", 0.0), ("yes and no", 1.0), ("nothing", None), ("42", None)]
)
def test_words(text: str, value: float | None) -> None:
    assert said_yes(text) == value


async def test_words_count_only_where_that_is_allowed() -> None:
    backend = ScriptedBackend(["No, I would not."], capabilities=Capabilities())
    context, _ = scripted_context(backend)
    with pytest.raises(UnsupportedOption, match="log-probs"):
        await leaning(context, ASKED, role="asker")
    assert await leaning(context, ASKED, role="asker", words_count=True) == Leaning(yes=0.0)
    assert backend.requests[0].logprobs is None
