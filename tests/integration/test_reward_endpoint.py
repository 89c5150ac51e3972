"""Reward models behind a real HTTP server: all three forms, what fails, budgets, keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from mathagent.agents.context import RunContext
from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.errors import BackendError
from mathagent.models.scripted import ScriptedBackend
from mathagent.scorers.base import load_scorer
from mathagent.solver import Solver
from mathagent.types import Problem, Step
from tests.unit.agents.scripted_context import scripted_context

PROBLEM = Problem(text="What is 3 plus 4?")
Answer = Callable[[dict[str, Any]], web.StreamResponse]


class RewardServer:
    """Answers each path by a function of the body; ``bodies`` and ``headers`` are what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.delay_s = 0.0
        self.open = self.most_open = 0
        self.asked = asyncio.Event()

    async def start(self) -> RewardServer:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.asked.set()
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(self.delay_s)
            return self.answers[request.path](body)
        finally:
            self.open -= 1


@pytest.fixture
async def server() -> AsyncIterator[RewardServer]:
    running = await RewardServer().start()
    yield running
    await running.stop()


def steps(*texts: str) -> list[Step]:
    return [Step(kind="thought", text=text) for text in texts]


def context_with(budget: Budget | None = None) -> RunContext:
    context, _ = scripted_context(ScriptedBackend([]), budget=budget)
    return context


def solution_in(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


async def test_pooling_scores_steps_behind_their_tags(server: RewardServer) -> None:
    def answer(body: dict[str, Any]) -> web.Response:
        count = solution_in(body).count("<extra_0>")
        rows = [[0.1, 0.9]] * (count - 1) + [[0.7, 0.3]]
        return web.json_response({"object": "list", "data": [{"index": 0, "object": "pooling", "data": rows}]})

    server.answers["/pooling"] = answer
    scorer = load_scorer(f"pooling:{server.url}/pooling?model=prm&step_tag=<extra_0>")
    context = context_with()
    scores = await scorer.score(context, PROBLEM, [steps("3 + 4 = 8", "So 8."), steps("It is 7."), []])
    assert [score.steps for score in scores] == [(0.9, 0.3), (0.3,), ()]
    assert [score.value for score in scores] == [0.3, 0.3, None]
    assert {body["model"] for body in server.bodies} == {"prm"}
    assert server.bodies[0]["messages"][0] == {"role": "user", "content": "What is 3 plus 4?"}
    assert context.meter.usage.calls == 2  # the empty one was not asked about


async def test_classify_of_vllm_and_of_sglang(server: RewardServer) -> None:
    server.answers["/classify"] = lambda body: web.json_response(
        {"data": [{"index": 0, "label": "right", "probs": [0.2, 0.8], "num_classes": 2}]}
        if "messages" in body
        else [{"embedding": [0.0], "meta_info": {"id": "x"}}]
    )
    vllm = load_scorer(f"classify:{server.url}/classify")
    assert [score.value for score in await vllm.score(context_with(), PROBLEM, [steps("It is 7.")])] == [0.8]
    assert "model" not in server.bodies[0]
    sglang = load_scorer(f"classify:{server.url}/classify?send=text&model=rm")
    assert [score.value for score in await sglang.score(context_with(), PROBLEM, [steps("It is 7.")])] == [0.5]
    assert server.bodies[1] == {"model": "rm", "text": ["What is 3 plus 4?\n\nIt is 7."]}


async def test_a_chat_that_answers_with_a_number(server: RewardServer) -> None:
    server.answers["/v1/chat/completions"] = lambda body: web.json_response(
        {"choices": [{"message": {"role": "assistant", "content": "reward:-5.0"}}]}
    )
    scorer = load_scorer(f"reward:{server.url}/v1?model=rm&scale=-10..10")
    assert [score.value for score in await scorer.score(context_with(), PROBLEM, [steps("It is 8.")])] == [0.25]
    assert server.bodies[0]["messages"][-1] == {"role": "assistant", "content": "It is 8."}


async def test_the_key_is_its_own(server: RewardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers["/classify"] = lambda body: web.json_response({"data": [{"probs": [0.5, 0.5]}]})
    monkeypatch.setenv("OPENAI_API_KEY", "for-openai-alone")
    monkeypatch.setenv("OPENAI_ORG_ID", "mine")
    monkeypatch.setenv("MATHAGENT_REWARD_API_KEY", "for-rewards")
    settings.cache_clear()
    try:
        scorer = load_scorer(f"classify:{server.url}/classify")
        await scorer.score(context_with(), PROBLEM, [steps("It is 7.")])
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert server.headers[0]["authorization"] == "Bearer for-rewards"
    assert "openai-organization" not in server.headers[0]


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (lambda body: web.json_response({"error": {"message": "no such model"}}, status=404), "no such model"),
        (lambda body: web.json_response({"detail": "busy"}, status=503), "HTTP 503"),
        (lambda body: web.Response(text="<html><title>Hi</title></html>", content_type="text/html"), "a web page"),
    ],
)
async def test_what_fails_is_one_line(server: RewardServer, response: Answer, words: str) -> None:
    server.answers["/pooling"] = response
    scorer = load_scorer(f"pooling:{server.url}/pooling")
    with pytest.raises(BackendError, match=words):
        await scorer.score(context_with(), PROBLEM, [steps("a"), steps("b")])


async def test_a_dead_server_and_a_reply_of_another_form(server: RewardServer) -> None:
    with pytest.raises(BackendError, match="cannot reach"):
        await load_scorer("pooling:http://127.0.0.1:9/pooling").score(context_with(), PROBLEM, [steps("a")])
    server.answers["/pooling"] = lambda body: web.json_response({"data": [{"data": [[0.5, 0.5]]}]})
    scorer = load_scorer(f"pooling:{server.url}/pooling?step_tag=%3Cx%3E")
    (score,) = await scorer.score(context_with(), PROBLEM, [steps("a", "b")])
    assert score.value is None
    assert "1 rows for 2 steps" in score.note


async def test_an_interrupt_ends_the_asking(server: RewardServer) -> None:
    server.answers["/classify"] = lambda body: web.json_response({"data": [{"probs": [0.1, 0.9]}]})
    server.delay_s = 60.0
    context = context_with()
    scorer = load_scorer(f"classify:{server.url}/classify")
    asked = asyncio.ensure_future(scorer.score(context, PROBLEM, [steps("It is 7.")]))
    await asyncio.wait_for(server.asked.wait(), 10)
    context.meter.interrupt()
    (score,) = await asyncio.wait_for(asked, 10)
    assert score.value is None
    assert score.limit is not None
    assert "interrupted" in score.limit


async def test_one_failure_among_others_is_that_solution_s(server: RewardServer) -> None:
    server.answers["/classify"] = lambda body: (
        web.json_response({"error": "too long"}, status=400)
        if "long" in solution_in(body)
        else web.json_response({"data": [{"probs": [0.1, 0.9]}]})
    )
    scorer = load_scorer(f"classify:{server.url}/classify?parallel=2")
    server.delay_s = 0.02
    scores = await scorer.score(context_with(), PROBLEM, [steps("long"), *([steps("It is 7.")] * 5)])
    assert [score.value for score in scores] == [None, 0.9, 0.9, 0.9, 0.9, 0.9]
    assert "too long" in scores[0].note
    assert server.most_open == 2


async def test_budgets_bound_the_asking(server: RewardServer) -> None:
    server.answers["/classify"] = lambda body: web.json_response({"data": [{"probs": [0.1, 0.9]}]})
    scorer = load_scorer(f"classify:{server.url}/classify?parallel=1")
    solutions = [steps("a"), steps("b"), steps("c")]
    scores = await scorer.score(context_with(Budget(max_calls=2)), PROBLEM, solutions)
    assert [score.value for score in scores] == [0.9, 0.9, None]
    assert scores[2].limit == "the budget of 2 calls is used up"
    server.delay_s = 30
    scores = await scorer.score(context_with(Budget(max_seconds=0.3)), PROBLEM, solutions[:1])
    assert scores[0].value is None
    assert scores[0].limit is not None
    assert "seconds" in scores[0].limit


async def test_best_of_n_by_a_reward_model(server: RewardServer) -> None:
    server.answers["/classify"] = lambda body: web.json_response(
        {"data": [{"probs": [0.1, 0.9] if "7" in solution_in(body) else [0.9, 0.1]}]}
    )
    backend = ScriptedBackend(["\\boxed{8}", "\\boxed{7}", "\\boxed{8}"])
    config = {"over": "cot", "n": 3, "scorer": f"classify:{server.url}/classify"}
    async with Solver(backend, cache=False) as solver:
        solution = await solver.solve(PROBLEM, "best-of-n", config=config)
    assert (solution.answer, solution.confidence, solution.usage.calls) == ("7", 0.9, 6)
