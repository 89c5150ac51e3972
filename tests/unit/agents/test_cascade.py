"""Solves by several models: who is asked, in which order, what is counted, and models of single roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.agents.checkpoints import Checkpoints
from mathagent.errors import BackendError, UsageError
from mathagent.events import Event, Warned
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.router import Router
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.solver import Solver
from mathagent.strategies import DEFAULT_STRATEGY
from mathagent.types import Solution


def saying(name: str, *answers: str, **capabilities: bool) -> ScriptedBackend:
    """A model that answers its samples in turn by ``answers``, the last of them for ever."""

    def respond(request: ChatRequest, index: int) -> str | Reply:
        answer = answers[min(index, len(answers) - 1)]
        cut = Reply(text="Let me see", finish_reason="length")
        return f"So the answer is \\boxed{{{answer}}}." if answer else cut

    given = Capabilities(**capabilities) if capabilities else None
    return ScriptedBackend(respond, name=f"script:{name}", capabilities=given)


async def solved(*models: ScriptedBackend, n: int = 5, tmp: Path | None = None, **options: object) -> Solution:
    async with Solver(list(models), cache=False, checkpoints=tmp or False) as solver:
        config = {"n": n, "over": "cot", "stop": "none"}
        return await solver.solve("What is 6·7?", "self-consistency", config=config, **options)  # type: ignore[arg-type]


async def test_a_sure_first_model_is_enough() -> None:
    small, large = saying("small", "42"), saying("large", "41")
    solution = await solved(small, large)
    assert solution.answer == "42"
    assert not large.requests
    assert [(one.strategy, one.accepted) for one in solution.trials] == [
        ("self-consistency on script:small", True)
    ]
    assert solution.strategy == "self-consistency"
    assert solution.model == "script:small,script:large"


@pytest.mark.parametrize("durable", [False, True])
async def test_an_unsure_one_is_followed_by_the_next_and_each_is_counted(tmp_path: Path, durable: bool) -> None:
    small, large = saying("small", "1", "2", "3", "4", "42"), saying("large", "42")
    solution = await solved(small, large, tmp=tmp_path if durable else None)
    assert solution.answer == "42"
    assert solution.confidence is not None
    assert solution.confidence > 0.8
    assert [one.accepted for one in solution.trials] == [False, True]
    assert len(solution.candidates) > 5
    used = {one.model: one for one in solution.by_model}
    assert set(used) == {"script:small", "script:large"}
    assert used["script:small"].usage.calls == 5
    assert sum(one.usage.completion_tokens for one in solution.by_model) == solution.usage.completion_tokens
    assert [one.dollars for one in solution.by_model] == [0.0, 0.0]


async def test_a_model_without_an_answer_is_unsure() -> None:
    solution = await solved(saying("small", ""), saying("large", "7"))
    assert solution.answer == "7"


async def test_where_the_last_has_no_answer_that_of_an_earlier_one_stands() -> None:
    solution = await solved(saying("small", "5", "5", "6", "8", "9"), saying("large", ""))
    assert solution.answer == "5"
    assert "none of" in solution.confidence_basis


def failing(name: str) -> ScriptedBackend:
    return ScriptedBackend(lambda *_: Reply(error=f"{name} is down", status=503), name=f"script:{name}")


@pytest.mark.parametrize("durable", [False, True])
async def test_a_model_that_fails_is_followed_by_the_next(tmp_path: Path, durable: bool) -> None:
    events: list[Event] = []
    solution = await solved(
        failing("small"), saying("large", "42"), tmp=tmp_path if durable else None, on_event=events.append
    )
    assert solution.answer == "42"
    assert solution.stopped == "finished"
    assert [(one.strategy, one.accepted) for one in solution.trials] == [
        ("self-consistency on script:small", False),
        ("self-consistency on script:large", True),
    ]
    warnings = [one.message for one in events if isinstance(one, Warned)]
    assert warnings == ["self-consistency on script:small: small is down; going on with the next"]
    assert [one.failure.kind for one in solution.candidates if one.failure] == ["model-error"]


async def test_where_the_last_fails_the_answer_of_an_earlier_one_stands() -> None:
    events: list[Event] = []
    small = saying("small", "5", "5", "6", "8", "9")
    solution = await solved(small, failing("large"), on_event=events.append)
    assert solution.answer == "5"
    assert solution.stopped == "finished"
    assert "none of" in solution.confidence_basis
    (warned,) = [one.message for one in events if isinstance(one, Warned)]
    assert warned.endswith("large is down; an earlier answer stands")


async def test_where_all_fail_the_last_error_is_told() -> None:
    with pytest.raises(BackendError, match="large is down"):
        await solved(failing("small"), failing("large"))


async def test_the_threshold_is_the_users() -> None:
    small, large = saying("small", "1", "1", "1", "2", "3"), saying("large", "9")
    for below, asked in ((0.3, False), (0.99, True)):
        async with Solver(Router([small, large], below=below), cache=False, checkpoints=False) as solver:
            config = {"n": 5, "over": "cot", "stop": "none"}
            await solver.solve("What?", "self-consistency", config=config)
        assert bool(large.requests) == asked


async def test_the_default_strategy_in_a_cascade() -> None:
    small, large = saying("small", "3"), saying("large", "4")
    async with Solver([small, large], cache=False, checkpoints=False) as solver:
        solution = await solver.solve("Name a prime.")
    assert solution.strategy == DEFAULT_STRATEGY
    assert solution.trials[0].strategy == f"{DEFAULT_STRATEGY} on script:small"


async def test_a_role_is_asked_of_its_own_model_with_what_that_can_do() -> None:
    main = saying("main", "1")
    verifier = ScriptedBackend(
        [Reply(text="labels", role="extractor")], name="script:other", capabilities=Capabilities()
    )
    silent = ScriptedBackend(
        lambda request, index: "It is forty-two, I think." if request.role != "extractor" else "\\boxed{1}",
        name="script:main",
    )
    async with Solver(silent, roles={"extractor": verifier}, cache=False, checkpoints=False) as solver:
        solution = await solver.solve("What is 6·7?", "cot")
    assert [request.role for request in verifier.requests] == ["extractor"]
    assert not verifier.requests[0].continue_assistant  # which that model cannot
    assert {one.model for one in solution.by_model} == {"script:main", "script:other"}
    assert solution.model == "script:main,extractor=script:other"
    assert not main.requests


async def test_roles_hold_in_every_stage() -> None:
    wordy = [ScriptedBackend(lambda *_: "No idea at all.", name=f"script:{name}") for name in ("small", "large")]
    extractor = saying("extractor", "7")
    async with Solver(wordy, roles={"extractor": extractor}, cache=False, checkpoints=False) as solver:
        await solver.solve("What is 6·7?", "cot")
    assert {request.role for request in extractor.requests} == {"extractor"}
    assert all(request.role != "extractor" for one in wordy for request in one.requests)
    assert len(extractor.requests) == 2


async def test_a_mistyped_role_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no role is named 'verifer'; did you mean verifier"):
        Solver(saying("a", "1"), roles={"verifer": saying("b", "1")})
    Solver(saying("a", "1"), roles={"somebody-elses": saying("b", "1")})


async def test_a_solve_that_was_cut_off_goes_on_in_its_stage_and_counts_each_model_once(tmp_path: Path) -> None:
    small = saying("small", "1", "2", "3")
    config = {"n": 3, "over": "cot", "stop": "none"}

    def cut(request: ChatRequest, index: int) -> str:
        raise RuntimeError("the power is cut")

    async with Solver(
        [small, ScriptedBackend(cut, name="script:large")], cache=False, checkpoints=tmp_path
    ) as solver:
        with pytest.raises(RuntimeError, match="power"):
            await solver.solve("What is 6·7?", "self-consistency", config=config)
    (stored,) = Checkpoints(tmp_path).resumable()
    asked_before, large = len(small.requests), saying("large", "42")
    async with Solver([small, large], cache=False, checkpoints=tmp_path) as solver:
        solution = await solver.solve(resume=stored.spec.solve_id)
    assert solution.answer == "42"
    assert len(small.requests) == asked_before
    assert {one.model: one.usage.calls for one in solution.by_model} == {"script:small": 3, "script:large": 3}
    assert solution.usage.calls == 6
    async with Solver([large, small], cache=False, checkpoints=tmp_path) as solver:
        assert solver.backend.name == "script:large,script:small"  # equally cheap: as given
