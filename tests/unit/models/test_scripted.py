"""The scripted model: order, assertions, and the file form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mathagent.errors import BackendError, UnsupportedOption, UsageError
from mathagent.models.base import Capabilities, ChatRequest, ConnectOptions
from mathagent.models.scripted import Reply, ScriptedBackend, ScriptMismatch, connect
from mathagent.types import Message, SamplingParams


def ask(text: str = "two words", n: int = 1, role: str = "solver", first: int = 0) -> ChatRequest:
    messages = (Message(role="user", content=text),)
    return ChatRequest(messages=messages, params=SamplingParams(n=n), role=role, first_sample=first)


async def test_replies_come_in_order_and_count_words() -> None:
    backend = ScriptedBackend(
        ["one reply", "two", Reply(text="three", completion_tokens=9, finish_reason="length")]
    )
    heard: list[tuple[int, str]] = []
    first = await backend.complete(ask(n=2), lambda index, text: heard.append((index, text)))
    (last,) = await backend.complete(ask(role="judge"))
    assert [c.text for c in first] == ["one reply", "two"]
    assert heard == [(0, "one reply"), (1, "two")]
    assert [c.usage.prompt_tokens for c in first] == [2, 0]
    assert [c.usage.completion_tokens for c in first] == [2, 1]
    assert (last.finish_reason, last.usage.completion_tokens) == ("length", 9)
    assert backend.roles == ["solver", "judge"]
    backend.assert_finished()


async def test_a_responder_sees_the_sample_index() -> None:
    backend = ScriptedBackend(lambda request, index: f"{request.role} {index}")
    assert [c.text for c in await backend.complete(ask(n=2, first=5))] == ["solver 5", "solver 6"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(role="judge"), "came from role 'solver', expected 'judge'"),
        (Reply(contains=("absent",)), "lacks 'absent'"),
        (Reply(lacks=("words",)), "holds 'words'"),
    ],
)
async def test_a_wrong_request_is_a_mismatch(reply: Reply, message: str) -> None:
    with pytest.raises(ScriptMismatch, match=message) as caught:
        await ScriptedBackend([reply]).complete(ask("two\nwords"))
    assert "\n" not in str(caught.value)


async def test_too_many_and_too_few_calls() -> None:
    backend = ScriptedBackend(["only"])
    with pytest.raises(ScriptMismatch, match="1 scripted replies were never asked for"):
        backend.assert_finished()
    await backend.complete(ask())
    with pytest.raises(ScriptMismatch, match="no reply left"):
        await backend.complete(ask())


async def test_scripted_error_and_missing_capability() -> None:
    with pytest.raises(BackendError, match="down"):
        await ScriptedBackend([Reply(error="down")]).complete(ask())
    backend = ScriptedBackend(["x"], capabilities=Capabilities())
    with pytest.raises(UnsupportedOption, match="logprobs"):
        await backend.complete(ask().model_copy(update={"logprobs": 1}))


async def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(["a", {"text": "b", "role": "solver"}]), encoding="utf-8")
    backend = connect(str(path), ConnectOptions())
    assert [c.text for c in await backend.complete(ask(n=2))] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not json", "not a JSON list"),
        (b'{"text": "x"}', "the whole: Input should be a valid list"),
        (b'["a", {"txt": "x"}]', "1.*Extra inputs|1.*valid"),
        (b'[{"finish_reason": "because"}]', "finish_reason"),
        (b"\xff\xfe", "not a JSON list"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "script.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        connect(str(path), ConnectOptions())
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_useless_option(tmp_path: Path) -> None:
    for name in (str(tmp_path / "absent.json"), str(tmp_path), ""):
        with pytest.raises(UsageError, match="cannot read"):
            connect(name, ConnectOptions())
    with pytest.raises(UsageError, match="--base-url"):
        connect("x", ConnectOptions(base_url="http://h/v1"))
