"""``mathagent serve``: what it refuses before it listens."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mathagent import cli
from mathagent.config import settings


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("options", "key", "said"),
    [
        (("--host", "0.0.0.0"), "", "MATHAGENT_SERVER_KEY"),
        (("--host", "::"), "", "MATHAGENT_SERVER_KEY"),
        (("--host", ""), "", "MATHAGENT_SERVER_KEY"),
        (("--host", "127.0.0.1.example.org"), "", "MATHAGENT_SERVER_KEY"),
        ((), "short", "fewer than 16 characters"),
        (("--keys", "no-such-file.toml"), "", "cannot read no-such-file.toml"),
        (("--log-format", "xml"), "", "neither text nor json"),
        (("--log-level", "loud"), "", "--log-level"),
        (("--max-seconds", "0"), "", "--max-seconds"),
        (("--max-solves", "0"), "", "--max-solves"),
        (("--strategy", "os.path:join"), "", "by its name"),
        (("--strategy", "no-such"), "", "no-such"),
        (("--allow-origin", "example.org"), "", "no origin"),
        (("--allow-origin", "https://example.org/"), "", "no origin"),
        (("--host", "no such host"), "k" * 20, "no address"),
        (("--sandbox", "subprocess"), "", "--unsafe-local"),
    ],
)
def test_wrong_use(
    options: tuple[str, ...],
    key: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if key:
        monkeypatch.setenv("MATHAGENT_SERVER_KEY", key)
    monkeypatch.setenv("OPENAI_API_KEY", "x" * 20)
    settings.cache_clear()
    assert cli.run(["serve", "--port", "0", "-m", "openai:m", *options]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_a_wrong_model_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["serve", "--port", "0", "-m", "embedded:no-such-model"]) == 2
    assert "no-such-model" in capsys.readouterr().err


def test_without_its_packages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mathagent.cli.serve.find_spec", lambda name: None)
    assert cli.run(["serve"]) == 2
    assert "pip install 'mathagent[serve]'" in capsys.readouterr().err
