from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from probed_model import PlayedModel, PlayedSandbox

from mathagent.errors import BackendError, SandboxError
from mathagent.evals.probe import run
from mathagent.evals.probe.asking import Asking, Outcome, ProbeLimits
from mathagent.evals.probe.image_tests import number_png
from mathagent.evals.probe.run import DECIDES, TESTS, probe
from mathagent.models.base import Capabilities, ChatRequest, OnDelta
from mathagent.models.capability_record import CapabilityRecord, Finding
from mathagent.models.images import image_of
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.types import Completion, Execution


class InPieces(ScriptedBackend):
    """Streams each reply in pieces of three characters, as a server does."""

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        done = await super().complete(request)
        for index, one in enumerate(done):
            for at in range(0, len(one.text), 3):
                if on_delta is not None:
                    on_delta(index, one.text[at : at + 3])
        return done


async def probed(model: Callable[[ChatRequest, int], Reply | str], **options: Any) -> CapabilityRecord:
    backend = InPieces(model, capabilities=Capabilities(), name="script:played")
    return await probe(backend, PlayedSandbox(), limits=ProbeLimits(context_tokens=1024), **options)


def states(record: CapabilityRecord) -> dict[str, str]:
    return {one.test: one.state for one in record.findings}


async def test_what_a_model_can_do_is_found_though_its_backend_thinks_it_cannot() -> None:
    record = await probed(PlayedModel())
    assert record.can == dict.fromkeys(DECIDES.values(), True)
    assert list(states(record)) == list(TESTS)
    measured = {"speed", "arithmetic", "code", "parsing ladder"}
    assert {name for name, state in states(record).items() if state == "measured"} == measured
    assert {name for name, state in states(record).items() if state == "no"} == {"embeddings"}
    assert record.usage.calls > 40
    assert record.identity == "script:played"


async def test_the_figures_are_those_of_the_replies() -> None:
    record = await probed(PlayedModel())

    def numbers(test: str) -> dict[str, float]:
        found = record.finding(test)
        assert found is not None
        return found.numbers

    assert numbers("arithmetic") == {"accuracy": 1.0}
    assert numbers("code") == {"ran": 1.0, "right": 1.0}
    assert numbers("log-probs") == {"alternatives": 10}
    rungs = {"tool-call": 1.0, "schema": 1.0, "block": 1.0, "labels": 1.0}
    assert numbers("parsing ladder") == {**rungs, "replies_a_question": 1.0, "fell_back": 0.0}
    assert numbers("context")["accepted_tokens"] > 200
    assert numbers("context")["accepted_tokens"] == numbers("context")["recalled_tokens"]


@pytest.mark.parametrize(
    ("cannot", "test", "capability"),
    [
        ("seeds", "seed", "seed"),
        ("stop", "stop strings", None),
        ("continuation", "continuation", "continue_assistant"),
        ("log-probs", "log-probs", "logprobs"),
        ("schema", "JSON schema", "json_schema"),
        ("grammar", "grammar", "grammar"),
        ("regex", "regex", "regex"),
        ("tools", "tool calls", "tool_calls"),
        ("images", "images", "images"),
    ],
)
async def test_what_it_does_wrong_is_found(cannot: str, test: str, capability: str | None) -> None:
    record = await probed(PlayedModel(cannot))
    assert states(record)[test] == "no"
    assert {name for name, can in record.can.items() if not can} == ({capability} if capability else set())


async def test_a_refusal_is_an_answer_and_a_failure_is_none() -> None:
    record = await probed(PlayedModel(refuses=["tools"], breaks=["grammar"]))
    assert states(record)["tool calls"] == "no"
    assert record.can["tool_calls"] is False
    failed = record.finding("grammar")
    assert failed is not None
    assert (failed.state, failed.detail) == ("failed", "grammar is not known")
    assert "grammar" not in record.can
    assert record.can["regex"]


async def test_a_server_that_says_what_it_does_not_support_with_status_500_is_understood() -> None:
    def blind(request: ChatRequest, index: int) -> Reply | str:
        if request.images:
            raise BackendError("image input is not supported - hint: provide the mmproj", status=500)
        return PlayedModel()(request, index)

    record = await probed(blind)
    assert states(record)["images"] == "no"
    assert record.can["images"] is False


async def test_a_refused_number_of_alternatives_leaves_the_smaller_ones() -> None:
    def sparing(request: ChatRequest, index: int) -> Reply | str:
        if (request.logprobs or 0) > 5:
            raise BackendError("top_logprobs must be at most 5", status=400)
        return PlayedModel()(request, index)

    found = (await probed(sparing)).finding("log-probs")
    assert found is not None
    assert (found.state, found.numbers) == ("yes", {"alternatives": 5})
    assert "up to 5 alternatives a token; then refused: top_logprobs" in found.detail


async def test_a_server_that_refuses_seeds_gives_several_samples_all_the_same() -> None:
    def seedless(request: ChatRequest, index: int) -> Reply | str:
        if request.params.seed is not None:
            raise BackendError("extra field: seed", status=422)
        return PlayedModel()(request, index)

    record = await probed(seedless)
    assert (record.can["n"], record.can["seed"]) == (True, False)


async def test_a_test_that_fails_half_way_keeps_what_it_has() -> None:
    def breaks_on_long_ones(request: ChatRequest, index: int) -> Reply | str:
        if len(request.messages[0].content.split()) > 300:
            raise BackendError("out of memory", status=500)
        return PlayedModel()(request, index)

    found = (await probed(breaks_on_long_ones)).finding("context")
    assert found is not None
    assert found.state == "yes"
    assert found.numbers["accepted_tokens"] > 100
    assert found.detail.endswith("; then out of memory")


async def test_the_speed_of_a_model_that_does_not_stream_is_measured_without_its_first_token() -> None:
    record = await probe(PlayedModel().backend(), PlayedSandbox(), limits=ProbeLimits(context_tokens=512))
    found = record.finding("speed")
    assert record.can["streaming"] is False
    assert found is not None
    assert (found.state, set(found.numbers)) == ("measured", {"tokens_per_s", "streams", "tokens_per_s_together"})


async def test_a_rung_that_is_not_there_is_not_asked() -> None:
    record = await probed(PlayedModel("schema", "grammar", "tools"))
    found = record.finding("parsing ladder")
    assert found is not None
    assert set(found.numbers) == {"block", "labels", "replies_a_question", "fell_back"}


async def test_prompts_that_are_too_long_end_the_context_test() -> None:
    record = await probed(PlayedModel("recall", context=300))
    found = record.finding("context")
    assert found is not None
    assert "longer ones are refused: the prompt is too long" in found.detail
    assert found.numbers["recalled_tokens"] == 0 < found.numbers["accepted_tokens"] < 300


async def test_one_test_that_fails_ends_nothing_but_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def bursts(asking: Asking) -> Outcome:
        raise RuntimeError("a bug\nin a plugin")

    async def late(asking: Asking) -> Outcome:
        asking.so_far = Outcome(state="measured", detail="half", numbers={"x": 1.0})
        raise TimeoutError

    async def late_with_nothing(asking: Asking) -> Outcome:
        raise TimeoutError

    tests = {"reply": TESTS["reply"], "a": bursts, "b": late, "c": late_with_nothing, "seed": TESTS["seed"]}
    monkeypatch.setattr(run, "TESTS", tests)
    heard: list[Finding] = []
    record = await probe(PlayedModel().backend(), PlayedSandbox(), on_finding=heard.append)
    assert [one.state for one in record.findings] == ["yes", "failed", "measured", "failed", "yes"]
    assert [one.detail for one in heard[1:4]] == [
        "RuntimeError: a bug in a plugin",
        "half; then 180 s were up",
        "it took longer than 180 s",
    ]


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_model_that_is_not_reached_is_an_error(hangs: bool) -> None:
    reply = Reply(delay_s=3600) if hangs else Reply(error="connection refused")
    backend = ScriptedBackend(lambda request, index: reply)
    limits = ProbeLimits(test_seconds=0.3 if hangs else 600)
    with pytest.raises(BackendError, match="did not reply within" if hangs else "connection refused"):
        await probe(backend, PlayedSandbox(), limits=limits)


async def test_afterwards_the_backend_takes_itself_for_what_was_found() -> None:
    backend = InPieces(PlayedModel("tools"), capabilities=Capabilities(embeddings=True, tool_calls=True))
    await probe(backend, PlayedSandbox(), limits=ProbeLimits(context_tokens=512))
    assert backend.capabilities == Capabilities(
        **(dict.fromkeys(DECIDES.values(), True) | {"tool_calls": False, "embeddings": True})
    )


async def test_without_a_sandbox_that_runs_programs_the_test_of_code_is_left_out() -> None:
    class Broken(PlayedSandbox):
        async def run(self, code: str, *_: object, **__: object) -> Execution:
            raise SandboxError("no user namespaces")

    record = await probe(PlayedModel().backend(), Broken(), limits=ProbeLimits(context_tokens=512))
    found = record.finding("code")
    assert found is not None
    assert (found.state, found.detail) == ("skipped", "no program can run here: no user namespaces")


def test_the_expected_results_of_the_tasks_are_right() -> None:
    from mathagent.evals.probe.task_tests import arithmetic_items, code_tasks

    assert {prompt: expected for prompt, (_, expected) in code_tasks().items()} == {
        "code_squares": "166650",
        "code_primes": "62",
        "code_digits": "76",
    }
    signs: dict[str, Callable[[int, int], int]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "×": lambda a, b: a * b,
    }
    items = arithmetic_items()
    assert len(items) == 12
    for question, result in items.items():
        a, sign, b = question.split()
        assert signs[sign](int(a), int(b)) == result


def test_the_picture_of_the_number_is_a_png_that_shows_it() -> None:
    data = number_png("42")
    width, height, bits, kind = struct.unpack(">IIBB", data[16:26])
    assert image_of(data).media_type == "image/png"
    assert (width, height, bits, kind) == (13 * 16, 9 * 16, 8, 0)
    start = data.index(b"IDAT")
    (length,) = struct.unpack(">I", data[start - 4 : start])
    lines = zlib.decompress(data[start + 4 : start + 4 + length])
    assert len(lines) == height * (width + 1)
    drawn = [
        "".join("#" if lines[row * 16 * (width + 1) + 1 + column * 16] == 0 else "." for column in range(13))
        for row in range(9)
    ]
    assert drawn == [
        ".............",
        "....#...###..",
        "...##..#...#.",
        "..#.#......#.",
        ".#..#....##..",
        ".#####..#....",
        "....#..#.....",
        "....#..#####.",
        ".............",
    ]
