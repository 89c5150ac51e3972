"""A probe of a real model (SmolLM2, 98 MB), and of endpoints over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fake_endpoint import FakeEndpoint
from probed_model import NUMBERS, PlayedSandbox

from mathagent.config import read_settings
from mathagent.errors import ModelFileError
from mathagent.evals.probe import run
from mathagent.evals.probe.asking import ProbeLimits
from mathagent.evals.probe.run import TESTS, probe
from mathagent.models.base import ConnectOptions
from mathagent.models.capability_record import CapabilityRecord
from mathagent.models.catalog import entry
from mathagent.models.embedded import connect as connect_embedded
from mathagent.models.openai_compat import connect as connect_openai
from mathagent.models.pull import pull
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES

pytestmark = pytest.mark.timeout(900)
MODEL = "smollm2-135m"


def states(record: CapabilityRecord) -> dict[str, str]:
    return {one.test: one.state for one in record.findings}


@pytest.mark.model
async def test_the_embedded_model_can_do_what_its_backend_says(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xllamacpp")
    try:
        pull(entry(MODEL), read_settings().models_dir)
    except ModelFileError as error:
        pytest.skip(str(error))
    # What measures a model takes minutes on a small processor; the unit tests have it.
    wire = {name: test for name, test in TESTS.items() if name not in ("arithmetic", "code", "parsing ladder")}
    monkeypatch.setattr(run, "TESTS", wire)
    backend = connect_embedded(f"{MODEL}?slots=2&context=768&embeddings=last", ConnectOptions())
    thought = backend.capabilities
    sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    try:
        record = await probe(backend, sandbox, limits=ProbeLimits(reply_tokens=64, test_seconds=600))
    finally:
        await sandbox.aclose()
        await backend.aclose()
    found = states(record)
    assert not {name: record.finding(name) for name, state in found.items() if state == "failed"}
    for name in ("samples", "seed", "log-probs", "grammar", "regex", "embeddings", "streaming", "continuation"):
        assert found[name] == "yes", record.finding(name)
    assert {name: can for name, can in record.can.items() if can != getattr(thought, name)} == {}
    context = record.finding("context")
    assert context is not None
    assert 300 < context.numbers["accepted_tokens"] <= context.numbers["told_tokens"] == 768


@pytest.fixture
async def server() -> AsyncIterator[FakeEndpoint]:
    started = await FakeEndpoint().start()
    yield started
    await started.stop()


def reply(body: dict[str, Any], index: int) -> str:
    """A plain model behind a server that knows nothing but text."""
    asked, stop = body["messages"][0]["content"], body.get("stop")
    if "whole numbers" in asked:
        return NUMBERS[: NUMBERS.index(stop[0])] if stop else NUMBERS
    return "KIWI-7391" if "password is" in asked else "It is 42."


async def test_a_server_that_refuses_and_ignores_is_seen_through(server: FakeEndpoint) -> None:
    server.will(text=reply, n="ignore", refuse=("tools", "response_format", "logprobs", "stream", "seed"))
    server.models = {"data": [{"id": "m", "max_model_len": 700, "owned_by": "somebody"}]}
    backend = connect_openai("m", ConnectOptions(base_url=server.url))
    thought = backend.capabilities
    try:
        record = await probe(backend, PlayedSandbox(), limits=ProbeLimits(context_tokens=2048))
    finally:
        await backend.aclose()
    assert thought.n
    assert thought.tool_calls
    refused = dict.fromkeys(("n", "tool_calls", "json_schema", "logprobs"), False)
    assert record.can.items() >= (refused | {"streaming": False, "seed": False}).items()
    assert states(record)["stop strings"] == "yes"
    assert states(record)["continuation"] == "no"
    assert states(record)["speed"] == "measured"
    context = record.finding("context")
    assert context is not None
    assert context.numbers["told_tokens"] == 700
    assert backend.capabilities == thought.model_copy(update=record.can)
    json.dumps(record.model_dump(mode="json"))


async def test_a_server_that_breaks_off_in_the_middle_of_the_probe_ends_no_probe(
    server: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mathagent.evals.probe.asking.ATTEMPTS", 1)
    server.will(text=reply)
    backend = connect_openai("m", ConnectOptions(base_url=server.url))
    heard: list[str] = []

    def told(finding: Any) -> None:
        heard.append(finding.state)
        if len(heard) == 1:
            server.will(cut="drop")

    try:
        record = await probe(backend, PlayedSandbox(), on_finding=told)
    finally:
        await backend.aclose()
    assert heard[0] == "yes"
    assert set(heard[1:]) <= {"failed", "no"}
    assert heard.count("failed") > 10
    assert record.can == {}
