"""Keys are taken out of text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from mathagent.config import Settings
from mathagent.tools.redaction import HIDDEN, Redactor, secrets_in


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef123456",
        "http://user:hunter22@host/v1",
        "GET /v1?api_key=abcdef123456&x=1",
        '{"api_key": "abcdef123456"}',
        "sk-proj-abcdef123456",
        "the known one: 00secret00",
        "hf_abcdef123456",
    ],
)
def test_what_looks_like_a_key_is_hidden(text: str) -> None:
    shown = Redactor(["00secret00"])(text)
    assert HIDDEN in shown
    for secret in ("abcdef123456", "hunter22", "00secret00"):
        assert secret not in shown


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=6, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_known_secret_never_stays(secret: str, before: str, after: str) -> None:
    if secret not in HIDDEN:
        assert secret not in Redactor([secret])(f"{before}{secret}{after}").replace(HIDDEN, "")


def test_plain_talk_stays() -> None:
    text = "solve ended (solve=0ab1 key=alice stopped=finished tokens=1234)"
    assert Redactor()(text) == text


def test_secrets_of_the_settings_are_known() -> None:
    values = Settings(openai_api_key=SecretStr("abcdef-1"), server_key=SecretStr("abcdef-2"))
    assert {"abcdef-1", "abcdef-2"} <= set(secrets_in(values))
