"""A photo becomes a problem's text: what the model is asked, what is made of its reply, what is told of failures."""

from __future__ import annotations

from typing import Any

import pytest

from mathagent.agents.transcribe import TRANSCRIBER, transcribe
from mathagent.budget import Budget, Meter
from mathagent.errors import BackendError, LimitReached, UnsupportedOption, UsageError
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.router import Router
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.types import Image

PHOTO = Image(media_type="image/jpeg", data=b"\xff\xd8\xff photo")
SEES = Capabilities(images=True)


def seeing(*replies: Any, name: str = "script:seeing") -> ScriptedBackend:
    return ScriptedBackend(list(replies), capabilities=SEES, name=name)


async def test_the_model_is_shown_the_picture_with_the_question() -> None:
    asked: list[ChatRequest] = []

    def reply(request: ChatRequest, sample: int) -> str:
        asked.append(request)
        return "Find $x$ with $x^2 = 2$.\n"

    backend = ScriptedBackend(reply, capabilities=SEES)
    async with Solver(backend, cache=False) as solver:
        found = await solver.beside.transcribe(PHOTO)
    assert (found.text, found.complete, found.usage.calls) == ("Find $x$ with $x^2 = 2$.", True, 1)
    (request,) = asked
    assert [message.images for message in request.messages] == [(), (PHOTO,)]
    assert request.role == TRANSCRIBER.name
    assert request.params.max_tokens == TRANSCRIBER.params.max_tokens


@pytest.mark.parametrize("reply", ["```latex\nWhat is $1+1$?\n```", "  What is $1+1$?\n\n"])
async def test_the_text_is_the_problem_alone(reply: str) -> None:
    async with Solver(seeing(reply), cache=False) as solver:
        assert (await solver.beside.transcribe(PHOTO)).text == "What is $1+1$?"


@pytest.mark.parametrize("reply", ["", "NONE", "None.", "```\nNONE\n```"])
async def test_a_picture_without_a_problem_is_told(reply: str) -> None:
    async with Solver(seeing(reply), cache=False) as solver:
        with pytest.raises(UsageError, match="reads no problem in the picture"):
            await solver.beside.transcribe(PHOTO)


async def test_a_reply_that_is_cut_says_so() -> None:
    async with Solver(seeing(Reply(text="Let $a", finish_reason="length")), cache=False) as solver:
        assert not (await solver.beside.transcribe(PHOTO)).complete


async def test_a_model_that_sees_no_pictures_refuses_and_is_not_asked() -> None:
    backend = ScriptedBackend([], capabilities=Capabilities())
    async with Solver(backend, cache=False) as solver:
        assert not await solver.beside.sees_images()
        with pytest.raises(UnsupportedOption, match="does not support images"):
            await solver.beside.transcribe(PHOTO)


async def test_the_role_may_have_a_model_of_its_own() -> None:
    blind = ScriptedBackend([], capabilities=Capabilities(), name="script:blind")
    router = Router([blind], {"transcriber": seeing("What is 6*7?")})
    async with Solver(router, cache=False) as solver:
        assert await solver.beside.sees_images()
        assert (await solver.beside.transcribe(PHOTO)).text == "What is 6*7?"


async def test_a_photo_that_was_read_before_comes_from_the_cache(own_home: Any) -> None:
    async with Solver(seeing("What is 6*7?")) as solver:  # a second reply is not there
        first, again = [await solver.beside.transcribe(PHOTO) for _ in range(2)]
    assert first.text == again.text
    assert (first.usage.cached_calls, again.usage.cached_calls) == (0, 1)


async def test_a_budget_that_is_used_up_ends_it() -> None:
    async with Solver(seeing("x"), cache=False) as solver:
        meter = Meter(Budget(max_calls=1))
        context = solver.beside.context(meter)
        await transcribe(context, PHOTO)
        with pytest.raises(LimitReached, match="1 calls"):
            await transcribe(context, PHOTO)


async def test_a_model_that_fails_is_told() -> None:
    def fails(request: ChatRequest, sample: int) -> str:
        raise BackendError("gone", status=400)

    async with Solver(ScriptedBackend(fails, capabilities=SEES), cache=False) as solver:
        with pytest.raises(BackendError, match="gone"):
            await solver.beside.transcribe(PHOTO)
