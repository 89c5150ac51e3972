"""From a model's name to a backend: who gets which name, and what is refused before anything is sent."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from mathagent.config import settings
from mathagent.errors import UnknownName, UsageError
from mathagent.models.base import ConnectOptions
from mathagent.models.endpoint_url import is_loopback, is_openai, without_password
from mathagent.models.openai_compat import connect

URL = "http://127.0.0.1:8000/v1"


def options(base_url: str | None = None, key: str | None = None) -> ConnectOptions:
    return ConnectOptions(base_url=base_url, api_key=None if key is None else SecretStr(key))


def test_a_local_endpoint_needs_no_key_and_shows_no_password() -> None:
    backend = connect("m", options("http://user:secret@127.0.0.1:8000/v1/"))
    assert backend.name == "openai:m"
    assert backend.identity == "openai:m@http://127.0.0.1:8000/v1"


def test_the_environment_gives_url_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    settings.cache_clear()
    assert connect("m", options()).identity == "openai:m@http://127.0.0.1:9/v1"
    assert connect("m", options(URL)).identity == f"openai:m@{URL}"


@pytest.mark.parametrize("key", [None, "", " \n"])
def test_openai_itself_needs_a_key(key: str | None) -> None:
    with pytest.raises(UsageError, match="no OPENAI_API_KEY is set"):
        connect("m", options(key=key))


@pytest.mark.parametrize("key", ["sk-ключ", "sk-a\nb"])
def test_a_key_that_cannot_be_one(key: str) -> None:
    with pytest.raises(UsageError, match="holds characters") as caught:
        connect("m", options(URL, key))
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://h/v1",
        "http://",
        "http:///v1",
        "http://[::1/v1",
        "http://h:99999/v1",
        "http://h:x/",
        "http://a b/v1",
        "http://a\nb/v1",
        "file:///etc/passwd",
        "x" * 10_000,
    ],
)
def test_a_url_that_cannot_be_one(url: str) -> None:
    with pytest.raises(UsageError, match="URL") as caught:
        connect("m", options(url))
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_no_model_name() -> None:
    with pytest.raises(UsageError, match="needs a model name"):
        connect("", options(URL))


def test_where_urls_lead() -> None:
    assert is_openai("https://api.openai.com/v1")
    assert is_openai("https://x.openai.azure.com/v1")
    assert not is_openai("https://evil-openai.com/v1")
    assert not is_openai("https://h/?x=.openai.com")
    assert is_loopback("http://[::1]:8/v1")
    assert is_loopback("http://localhost/v1")
    assert is_loopback("http://127.3.2.1/v1")
    assert not is_loopback("http://10.0.0.1/v1")
    assert without_password("https://u:p@h:8/v1/") == "https://h:8/v1"


def test_split_model() -> None:
    pytest.importorskip("mathagent.models.catalog")
    from mathagent.models.connect import split_model

    assert split_model("openai:gpt-4o", has_endpoint=False) == ("openai", "gpt-4o")
    assert split_model("script:a:b.json", has_endpoint=True) == ("script", "a:b.json")
    assert split_model("llama3:8b", has_endpoint=True) == ("openai", "llama3:8b")
    assert split_model("org/Model-7B", has_endpoint=True) == ("openai", "org/Model-7B")
    assert split_model("qwen2.5-coder-1.5b", has_endpoint=False) == ("embedded", "qwen2.5-coder-1.5b")
    assert split_model("my.pkg:connect:m", has_endpoint=False) == ("my.pkg:connect", "m")
    with pytest.raises(UnknownName, match=r"qwen2\.5-coder-1\.5b"):
        split_model("qwen-coder-1.5b", has_endpoint=False)


def test_default_model_and_endpoint_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mathagent.models.catalog")
    from mathagent.models.connect import connect_backend

    monkeypatch.setenv("OPENAI_BASE_URL", URL)
    monkeypatch.setenv("MATHAGENT_MODEL", "my-model")
    settings.cache_clear()
    assert connect_backend(None, options()).identity == f"openai:my-model@{URL}"
    assert connect_backend("other", options()).identity == f"openai:other@{URL}"


@pytest.mark.parametrize("model", ["minilm", "embedded:minilm"])
def test_a_model_for_embeddings_does_not_chat(model: str) -> None:
    from mathagent.models.connect import connect_backend

    with pytest.raises(UsageError, match=r"cannot chat.*--model embedded:qwen"):
        connect_backend(model, options())
