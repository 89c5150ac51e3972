from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from probed_model import PlayedModel, PlayedSandbox

from mathagent.cli import run
from mathagent.models.base import ConnectOptions
from mathagent.models.capability_record import CapabilityRecord, find_record
from mathagent.models.scripted import Reply, ScriptedBackend

IDENTITY = "script:played"
command = import_module("mathagent.cli.probe")  # the package has a function of that name


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model that is named "played" is the played one, and programs run in the played sandbox."""

    def connect(model: str | None, options: ConnectOptions) -> ScriptedBackend:
        if model == "dead":
            return ScriptedBackend(lambda request, index: Reply(error="connection refused"), name="script:dead")
        return PlayedModel("tools").backend()

    monkeypatch.setattr(command, "connect_backend", connect)
    monkeypatch.setattr("mathagent.sandbox.SANDBOXES.load", lambda name: PlayedSandbox)


def test_the_record_is_shown_kept_and_shown_again(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe", "played", "--context", "512"]) == 0
    shown = capsys.readouterr()
    assert "tool calls" in shown.out
    assert "it wrote text instead" in " ".join(shown.out.split())
    assert "arithmetic: measured (12 of 12 right" in shown.err
    kept = find_record(IDENTITY, own_home / "capabilities")
    assert kept is not None
    assert kept.can["tool_calls"] is False
    assert run(["probe", "played", "--show", "--json"]) == 0
    assert CapabilityRecord.model_validate_json(capsys.readouterr().out) == kept


def test_what_is_not_to_be_kept_is_not_and_json_stands_alone(
    own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", "played", "--context", "512", "--no-store", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["identity"] == IDENTITY
    assert printed.err == ""
    assert not (own_home / "capabilities").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["played", "--show"], "script:played has not been probed; run: mathagent probe script:played"),
        (["dead"], "script:dead cannot be reached: connection refused"),
        (["http://127.0.0.1:9/v1"], "http://127.0.0.1:9/v1 cannot be reached"),
        (["http://127.0.0.1:9/v1", "--base-url", "http://127.0.0.1:8/v1"], "leave out --base-url"),
        (["played", "--context", "10"], "--context"),
    ],
)
def test_what_cannot_be_is_said_with_exit_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["probe", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_several_models_are_probed_one_by_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mathagent.models.connect import connect_backend

    monkeypatch.setattr(command, "connect_backend", connect_backend)
    assert run(["probe", "smollm2-135m,qwen2.5-coder-0.5b"]) == 2
    assert "is several models; probe each by itself" in capsys.readouterr().err
