"""Pictures in messages: what is taken for one, what it is on the wire, and who is not shown any."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import UnsupportedOption, UsageError
from mathagent.models.base import Capabilities, ChatRequest, ConnectOptions
from mathagent.models.capability_record import CapabilityRecord, store_record
from mathagent.models.images import MOST_IMAGE_BYTES, image_of, read_image
from mathagent.models.known_capabilities import KnownCapabilities
from mathagent.models.openai_compat import connect
from mathagent.models.openai_wire import request_arguments
from mathagent.models.scripted import ScriptedBackend
from mathagent.models.vision_models import is_known_to_see
from mathagent.types import Image, Message

PNG = b"\x89PNG\r\n\x1a\n rest"
PICTURE = Image(media_type="image/png", data=PNG)
ASKED = ChatRequest(messages=(Message(role="user", content="Which number?", images=(PICTURE,)),))


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 rest", "image/jpeg"),
        (b"GIF87a rest", "image/gif"),
        (b"GIF89a rest", "image/gif"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(data: bytes, media_type: str) -> None:
    assert image_of(data) == Image(media_type=media_type, data=data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7", "is no picture; PNG, JPEG, WebP and GIF are taken"),
        (b"RIFF\x01\x02\x03\x04WAVE", "is no picture"),
        (b"\0\0\0\x18ftypheic rest", "is HEIC, as phones make it"),
        (PNG.ljust(MOST_IMAGE_BYTES + 1, b"\0"), "more than 10 MB"),
    ],
)
def test_what_is_none_is_refused_with_what_to_do(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        image_of(data, "photo.png")


def test_a_file_is_named_in_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    with pytest.raises(UsageError, match=r"cannot read .*photo\.png"):
        read_image(path)
    path.write_bytes(b"text")
    with pytest.raises(UsageError, match=r"photo\.png is no picture"):
        read_image(path)
    path.write_bytes(PNG)
    assert read_image(path) == PICTURE


@given(st.binary(max_size=64))
def test_a_message_with_a_picture_survives_json(data: bytes) -> None:
    message = Message(role="user", content="x", images=(Image(media_type="image/gif", data=data),))
    assert Message.model_validate_json(message.model_dump_json()) == message


def test_on_the_wire_it_stands_behind_the_text_as_a_data_url() -> None:
    before = Message(role="system", content="You copy.")
    body = request_arguments(ChatRequest(messages=(before, *ASKED.messages)), "m", tokens_field="max_tokens")
    data = base64.b64encode(PNG).decode()
    assert body["messages"] == [
        {"role": "system", "content": "You copy."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Which number?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
            ],
        },
    ]


async def test_a_backend_that_sees_none_refuses_them_by_name() -> None:
    blind = ScriptedBackend(["7"], capabilities=Capabilities())
    with pytest.raises(
        UnsupportedOption, match=r"script:test does not support images; .* images = true"
    ) as refused:
        await blind.complete(ASKED)
    assert refused.value.option == "images"
    seeing = ScriptedBackend(["7"], capabilities=Capabilities(images=True))
    assert [one.text for one in await seeing.complete(ASKED)] == ["7"]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "gpt-4o",
            "gpt-4o-mini-2024-07-18",
            "openai/gpt-4.1-nano",
            "gpt-5-mini",
            "o3",
            "o4-mini",
            "ft:gpt-4o-mini:x",
        ),
        *("claude-3-5-sonnet-latest", "claude-sonnet-4-20250514", "google/gemini-2.5-flash", "gemini-1.5-pro"),
        *("Qwen/Qwen2.5-VL-7B-Instruct", "qwen-vl-max", "qwen3-vl:8b", "llava:13b", "mistralai/Pixtral-12B-2409"),
        *(
            "OpenGVLab/InternVL3-8B",
            "meta-llama/Llama-3.2-11B-Vision-Instruct",
            "gemma3:4b",
            "google/gemma-3-12b-it",
        ),
    ],
)
def test_models_that_see_are_known_by_their_names(name: str) -> None:
    assert is_known_to_see(name)


@pytest.mark.parametrize(
    "name",
    [
        *("m", "gpt-3.5-turbo", "gpt-4", "gpt-4-turbo-preview", "o1-mini", "o3-mini", "gpt-4o-audio-preview"),
        *("claude-2.1", "gemini-1.0-pro", "text-embedding-3-small", "gpt-oss-20b", "deepseek-chat"),
        *("Qwen/Qwen2.5-Coder-7B-Instruct", "Qwen/Qwen3-8B", "gemma3:1b", "google/gemma-3-1b-it", "my-gpt-4o"),
    ],
)
def test_of_others_it_is_not_said(name: str) -> None:
    assert not is_known_to_see(name)


def opened(name: str, **options: Any) -> Any:
    return connect(name, ConnectOptions(base_url="http://127.0.0.1:9/v1", **options))


def test_an_endpoint_goes_by_the_name_then_the_record_then_the_users_word(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    settle = KnownCapabilities(tmp_path / "records", config).settle
    for name, guessed in (("m", False), ("gpt-4o", True)):
        model = opened(name)
        assert model.capabilities.images is guessed
        record = CapabilityRecord(
            model=model.name,
            identity=model.identity,
            probed_at="2026-11-30",
            mathagent="0",
            findings=(),
            can={"images": not guessed},
        )
        store_record(record, tmp_path / "records")
        settle(model)
        assert model.capabilities.images is not guessed
        config.write_text(f'[capabilities."openai:{name}"]\nimages = {str(guessed).lower()}\n')
        model = opened(name)
        KnownCapabilities(tmp_path / "records", config).settle(model)
        assert model.capabilities.images is guessed
