"""The command that serves a model with vLLM or SGLang, in a process of its own. Pure but for looking whether they are
installed.

They pin versions of transformers and torch that our own extras cannot share, so that they live in an environment of
their own, and are asked over HTTP.
"""

from __future__ import annotations

import shlex
import shutil
from typing import Literal

from pydantic import Field

from mathagent.errors import UsageError
from mathagent.types import Value

Engine = Literal["vllm", "sglang"]
Task = Literal["chat", "reward"]
ENGINES: tuple[Engine, ...] = ("vllm", "sglang")
_PORTS = {"vllm": 8000, "sglang": 30000}
_PROGRAMS = {"vllm": "vllm", "sglang": "sglang"}


class ServeOptions(Value):
    """How a model is served. ``model`` is a name of the hub or a folder; what is None is left to the engine."""

    model: str = Field(min_length=1)
    engine: Engine = "vllm"
    task: Task = "chat"
    host: str = "127.0.0.1"
    port: int | None = Field(default=None, ge=1, le=65535)
    context: int | None = Field(default=None, ge=256)
    gpus: int = Field(default=1, ge=1, le=1024)
    gpu_memory: float | None = Field(default=None, gt=0, le=1)
    tool_parser: str = ""
    reasoning_parser: str = ""
    speculative: bool = False
    kv_cache: Literal["auto", "fp8"] = "auto"

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port or _PORTS[self.engine]}"

    @property
    def used_by(self) -> str:
        """What mathagent is told to use it."""
        if self.task == "reward":
            return f"--set 'scorer={'pooling' if self.engine == 'vllm' else 'classify'}:{self._scored_at}'"
        return f"--model 'openai:{self.model}@{self.url}/v1'"

    @property
    def _scored_at(self) -> str:
        return f"{self.url}/{'pooling' if self.engine == 'vllm' else 'classify'}?model={self.model}"


def serving_command(options: ServeOptions) -> list[str]:
    """The program and its arguments. Raises UsageError for what the engine has no words for."""
    return _vllm(options) if options.engine == "vllm" else _sglang(options)


def _vllm(options: ServeOptions) -> list[str]:
    given: list[tuple[str, object]] = [
        ("--host", options.host),
        ("--port", options.port or _PORTS["vllm"]),
        ("--max-model-len", options.context),
        ("--tensor-parallel-size", options.gpus if options.gpus > 1 else None),
        ("--gpu-memory-utilization", options.gpu_memory),
        ("--kv-cache-dtype", None if options.kv_cache == "auto" else options.kv_cache),
        ("--reasoning-parser", options.reasoning_parser or None),
        ("--tool-call-parser", options.tool_parser or None),
    ]
    command = ["vllm", "serve", options.model]
    if options.task == "reward":
        command += ["--runner", "pooling"]
    else:
        # Else the sampling of the model's own files wins over what is not said, such as a repetition penalty.
        command += ["--generation-config", "vllm"]
    if options.tool_parser:
        command.append("--enable-auto-tool-choice")
    if options.speculative:
        # What is quoted from the prompt or from earlier is proposed again, as CopySpec does (arXiv 2502.08923).
        command += [
            "--speculative-config",
            '{"method": "ngram", "num_speculative_tokens": 5, "prompt_lookup_max": 5}',
        ]
    return command + _flags(given)


def _sglang(options: ServeOptions) -> list[str]:
    kv_cache = None if options.kv_cache == "auto" else "fp8_e5m2"
    given: list[tuple[str, object]] = [
        ("--model-path", options.model),
        ("--host", options.host),
        ("--port", options.port or _PORTS["sglang"]),
        ("--context-length", options.context),
        ("--tp-size", options.gpus if options.gpus > 1 else None),
        ("--mem-fraction-static", options.gpu_memory),
        ("--kv-cache-dtype", kv_cache),
        ("--reasoning-parser", options.reasoning_parser or None),
        ("--tool-call-parser", options.tool_parser or None),
        ("--speculative-algorithm", "NGRAM" if options.speculative else None),
    ]
    return ["sglang", "serve", *_flags(given), *(["--is-embedding"] if options.task == "reward" else [])]


def _flags(given: list[tuple[str, object]]) -> list[str]:
    return [word for flag, value in given if value is not None for word in (flag, str(value))]


def shown(command: list[str]) -> str:
    """``command`` as one types it."""
    return shlex.join(command)


def installed(engine: Engine) -> str | None:
    """The path of the engine's program, None where there is none."""
    return shutil.which(_PROGRAMS[engine])


def require_installed(engine: Engine) -> str:
    """The path of the engine's program. Raises UsageError with how to get it."""
    found = installed(engine)
    if found is None:
        raise UsageError(
            f"{engine} is not installed here (no program '{_PROGRAMS[engine]}' on PATH); install it into an"
            f" environment of its own, since its pins conflict with mathagent[gpu]: python -m venv {engine}-env &&"
            f" {engine}-env/bin/pip install {engine}, and add {engine}-env/bin to PATH"
        )
    return found
