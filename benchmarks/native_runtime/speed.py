"""How fast the installed runtime reads and writes with the default model: tokens a second, alone and side by side.

usage: python benchmarks/native_runtime/speed.py [--streams 1,4,16] [--threads N]

Run it on a quiet machine, once with the registry's wheel and once with what build.py made. Prompts differ in their
first token, so that nothing is read from a cache; replies are cut at 150 tokens, and none ends before.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import xllamacpp

from mathagent.config import settings

MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
WRITTEN = 150
CONTEXT = 2048  # tokens of one slot


def server(slots: int, threads: int) -> Any:
    """llama.cpp's server with the default model, in this process."""
    params = xllamacpp.CommonParams()
    params.model.path = str(settings().models_dir / MODEL)
    params.n_parallel, params.n_ctx = slots, slots * CONTEXT
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_ram_mib = 0
    return xllamacpp.Server(params)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """How long ``work`` took, and what it returned."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def asked(text: str, tokens: int) -> dict[str, Any]:
    """A chat request for exactly ``tokens`` tokens."""
    return {
        "messages": [{"role": "user", "content": text}],
        "max_tokens": tokens,
        "temperature": 0.7,
        "ignore_eos": True,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", default="1,4,16")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    streams = [int(part) for part in given.streams.split(",")]
    running = server(max(streams), given.threads)
    text = " ".join(f"item {7 * k} costs {k} dollars" for k in range(90))
    took, reply = seconds(lambda: running.handle_chat_completions(asked(text, 1)))
    print(f"prompt: {reply['usage']['prompt_tokens'] / took:.0f} tokens/s")
    for count in streams:
        texts = [f"{n} friends share {n + 7} apples. What could they do? Be long." for n in range(count)]

        def write(text: str) -> Any:
            return running.handle_chat_completions(asked(text, WRITTEN))

        with ThreadPoolExecutor(count) as pool:
            took, _ = seconds(lambda pool=pool, texts=texts, write=write: list(pool.map(write, texts)))
        print(f"{count} streams: {WRITTEN * count / took:.1f} tokens/s together")


if __name__ == "__main__":
    main()
