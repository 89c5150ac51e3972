"""The commands that serve a model, word by word, and what is said where the engine is missing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mathagent.cli import run
from mathagent.models.connect import split_model
from mathagent.models.serving_command import ServeOptions, serving_command, shown


def options(**given: object) -> ServeOptions:
    return ServeOptions.model_validate({"model": "org/Model-7B", **given})


def test_vllm() -> None:
    assert serving_command(options()) == [
        *("vllm", "serve", "org/Model-7B", "--generation-config", "vllm"),
        *("--host", "127.0.0.1", "--port", "8000"),
    ]
    everything = serving_command(
        options(
            context=8192,
            gpus=2,
            gpu_memory=0.8,
            kv_cache="fp8",
            reasoning_parser="qwen3",
            tool_parser="hermes",
            port=9,
        )
    )
    for flag, value in (
        ("--max-model-len", "8192"),
        ("--tensor-parallel-size", "2"),
        ("--gpu-memory-utilization", "0.8"),
        ("--kv-cache-dtype", "fp8"),
        ("--reasoning-parser", "qwen3"),
        ("--tool-call-parser", "hermes"),
        ("--port", "9"),
    ):
        assert everything[everything.index(flag) + 1] == value
    assert "--enable-auto-tool-choice" in everything
    assert '\'{"method": "ngram"' in shown(serving_command(options(speculative=True)))


def test_sglang() -> None:
    assert serving_command(options(engine="sglang", context=4096, gpus=4)) == [
        *("sglang", "serve", "--model-path", "org/Model-7B", "--host", "127.0.0.1", "--port", "30000"),
        *("--context-length", "4096", "--tp-size", "4"),
    ]


def test_a_reward_model_is_used_by_a_scorer_and_a_chat_model_by_its_name() -> None:
    vllm, sglang = options(task="reward"), options(task="reward", engine="sglang")
    assert "--runner" in serving_command(vllm)
    assert "--is-embedding" in serving_command(sglang)
    assert vllm.used_by == "--set 'scorer=pooling:http://127.0.0.1:8000/pooling?model=org/Model-7B'"
    assert sglang.used_by == "--set 'scorer=classify:http://127.0.0.1:30000/classify?model=org/Model-7B'"
    name = options().used_by.split("'")[1]
    assert split_model(name, has_endpoint=False) == ("openai", "org/Model-7B@http://127.0.0.1:8000/v1")


def test_the_command_line_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve-model", "org/M", "--port", "8123"]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == "vllm serve org/M --generation-config vllm --host 127.0.0.1 --port 8123"
    assert "--model 'openai:org/M@http://127.0.0.1:8123/v1'" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "ollama"], "engine = 'ollama' is wrong"),
        (["--gpu-memory", "7"], "gpu-memory = 7.0 is wrong"),
        (["--run", "--json"], "leave one out"),
    ],
)
def test_wrong_options(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve-model", "m", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_run_says_how_to_get_an_engine_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["serve-model", "m", "--run"]) == 2
    assert "vllm is not installed here" in capsys.readouterr().err


def test_run_runs_the_engine_and_returns_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "vllm"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint('served', *sys.argv[1:3])\nsys.exit(7)\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert run(["serve-model", "m", "--run"]) == 7
    assert "served serve m" in capfd.readouterr().out
