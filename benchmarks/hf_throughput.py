"""Tokens a second of the hf: backend beside what else runs the same model here.

usage: python benchmarks/hf_throughput.py NAME [--tokens N] [--prompt-words N] [--at-once 1,8,64] [--also LIST]
NAME is what stands behind hf: (a GGUF file or a model of the catalog is run by llama.cpp too). --also is a comma list
of generate (one request after another), padded (one padded batch), manager (transformers' generate_batch), serve
(`transformers serve --continuous-batching`, where its extra is installed) and llamacpp; default: all but serve.

Greedy; ours, generate, padded and manager draw the same number of tokens for each request, the servers may stop
earlier: what is counted is what came. "outside" is the share of our wall time outside the model's forward pass.
Prints one JSON line for each measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import torch
from transformers import ContinuousBatchingConfig, GenerationConfig

from mathagent.models.base import Backend, ChatRequest, ConnectOptions
from mathagent.models.connect import connect_backend
from mathagent.models.hf.batched import BatchedEngine
from mathagent.models.hf.engines import engine_for
from mathagent.models.hf.loading import Loaded, load
from mathagent.models.hf.machine import release_memory
from mathagent.models.hf.prompts import render
from mathagent.models.hf.settings import HfSettings, read_settings
from mathagent.models.hf.source import source_of
from mathagent.models.transformers_local import TransformersBackend
from mathagent.types import Message, SamplingParams

NEVER = -1  # no token ends a reply, so that all draw the same number
START_S = 600.0


def requests(count: int, words: int, tokens: int) -> list[ChatRequest]:
    """Prompts of the same length that begin differently, so that none can be reused."""
    return [
        ChatRequest(
            messages=(Message(role="user", content=f"{number} " + "one and two make three " * (words // 5)),),
            params=SamplingParams(max_tokens=tokens),
        )
        for number in range(count)
    ]


def tell(what: str, at_once: int, tokens: int, seconds: float, **more: Any) -> None:
    rate = round(tokens / seconds, 1)
    print(
        json.dumps(
            {
                "what": what,
                "at once": at_once,
                "tokens": tokens,
                "seconds": round(seconds, 2),
                "tokens/s": rate,
                **more,
            }
        ),
        flush=True,
    )


async def drawn(backend: Backend, asked: list[ChatRequest]) -> int:
    done = await asyncio.gather(*(backend.complete(request) for request in asked))
    return sum(one.usage.completion_tokens for completions in done for one in completions)


class Timed:
    """Adds up the time of an engine's forward passes."""

    def __init__(self, engine: BatchedEngine) -> None:
        self.seconds = 0.0
        self._whole = engine._forward._pass
        engine._forward._pass = self._pass  # type: ignore[method-assign]

    def _pass(self, *arguments: Any) -> torch.Tensor:
        start = time.perf_counter()
        logits = self._whole(*arguments)
        if logits.device.type == "cuda":
            torch.cuda.synchronize()
        self.seconds += time.perf_counter() - start
        return logits


async def ours(name: str, loaded: Loaded, settings: HfSettings, args: argparse.Namespace) -> None:
    endless = dataclasses.replace(loaded, stop_ids=frozenset())
    for count in args.at_once:
        engine = engine_for(endless, settings.model_copy(update={"parallel": max(1, count)}))
        assert isinstance(engine, BatchedEngine), f"{name} is not batched; leave out the settings that prevent it"
        timed = Timed(engine)
        engine.start()
        backend = TransformersBackend(name, source_of(name.partition("?")[0]), settings)
        backend._engine = engine
        await drawn(backend, requests(1, args.prompt_words, 4))
        timed.seconds, start = 0.0, time.perf_counter()
        tokens = await drawn(backend, requests(count, args.prompt_words, args.tokens))
        seconds = time.perf_counter() - start
        tell("hf", count, tokens, seconds, outside=round(1 - timed.seconds / seconds, 3))
        await asyncio.to_thread(engine.close)
        release_memory()


def prompts(loaded: Loaded, settings: HfSettings, count: int, args: argparse.Namespace) -> list[list[int]]:
    asked = requests(count, args.prompt_words, args.tokens)
    return [list(render(loaded.tokenizer, request, settings).ids) for request in asked]


def fixed(args: argparse.Namespace, **more: Any) -> GenerationConfig:
    return GenerationConfig(
        max_new_tokens=args.tokens,
        do_sample=False,
        eos_token_id=NEVER,
        pad_token_id=0,
        repetition_penalty=1.0,
        **more,
    )


@torch.inference_mode()
def generate(loaded: Loaded, ids: list[list[int]], args: argparse.Namespace) -> int:
    tokens = 0
    for one in ids:
        tensor = torch.tensor([one], device=loaded.device)
        out = loaded.model.generate(tensor, attention_mask=torch.ones_like(tensor), generation_config=fixed(args))
        tokens += out.shape[1] - len(one)
    return tokens


@torch.inference_mode()
def padded(loaded: Loaded, ids: list[list[int]], args: argparse.Namespace) -> int:
    longest = max(map(len, ids))
    tensor = torch.tensor([[0] * (longest - len(one)) + one for one in ids], device=loaded.device)
    mask = torch.tensor([[0] * (longest - len(one)) + [1] * len(one) for one in ids], device=loaded.device)
    out = loaded.model.generate(tensor, attention_mask=mask, generation_config=fixed(args))
    return int((out.shape[1] - longest) * len(ids))


def manager(loaded: Loaded, ids: list[list[int]], args: argparse.Namespace) -> int:
    # On a CPU it would take nearly all memory, and fill it with zeros, for each measurement.
    pages = sum(-(-(len(one) + args.tokens) // 256) + 1 for one in ids)
    sizes = {"num_blocks": pages, "max_batch_tokens": 1024} if loaded.device.type == "cpu" else {}
    config = ContinuousBatchingConfig(allow_block_sharing=False, **sizes)
    done = loaded.model.generate_batch(ids, generation_config=fixed(args), continuous_batching_config=config)
    return sum(len(one.generated_tokens) for one in done.values())


async def through(what: str, model: str, args: argparse.Namespace, **options: Any) -> None:
    """A backend of ours over somebody else's engine."""
    for count in args.at_once:
        backend = connect_backend(model.format(count=count), ConnectOptions(**options))
        try:
            await drawn(backend, requests(1, args.prompt_words, 4))
            start = time.perf_counter()
            tokens = await drawn(backend, requests(count, args.prompt_words, args.tokens))
            tell(what, count, tokens, time.perf_counter() - start)
        finally:
            await backend.aclose()


@contextmanager
def served(name: str) -> Iterator[str]:
    """transformers' own server of the model, on loopback."""
    program = shutil.which("transformers")
    if program is None:
        raise SystemExit("there is no program 'transformers'; pip install 'transformers[serving]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "serve", name, "--continuous-batching", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=sys.stderr)
    try:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=5.0)
                break
            except httpx.TransportError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--prompt-words", type=int, default=100)
    parser.add_argument("--at-once", type=lambda text: [int(one) for one in text.split(",")], default=[1, 8, 64])
    parser.add_argument(
        "--also", type=lambda text: text.split(","), default=["generate", "padded", "manager", "llamacpp"]
    )
    args = parser.parse_args()
    model, settings = read_settings(args.name)
    loaded = load(source_of(model), settings, None, lambda: False)
    print(json.dumps({"model": model, "loaded": loaded.summary, "torch": torch.__version__}), flush=True)
    asyncio.run(ours(args.name, loaded, settings, args))
    ways: dict[str, Callable[..., int]] = {"generate": generate, "padded": padded, "manager": manager}
    for what in [one for one in ways if one in args.also]:
        for count in args.at_once:
            ids = prompts(loaded, settings, count, args)
            start = time.perf_counter()
            tokens = ways[what](loaded, ids, args)
            tell(what, count, tokens, time.perf_counter() - start)
    del loaded
    release_memory()
    if "llamacpp" in args.also and source_of(model).gguf is not None:
        asyncio.run(through("llama.cpp", f"embedded:{model}?slots={{count}}", args))
    if "serve" in args.also:
        with served(model) as url:
            asyncio.run(through("transformers serve", f"openai:{model}", args, base_url=url))


if __name__ == "__main__":
    main()
