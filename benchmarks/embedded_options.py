"""What the embedded runtime's options cost and bring: tokens a second and peak memory of the server's process.

usage: python benchmarks/embedded_options.py [--model NAME] [--draft NAME] [--only LABEL…] [--tokens N] [--rounds N]
                                             [--out FILE.json]

Each setting runs in a server of its own, alone, on two texts: "fresh" (a story) and "again" (a program that is to be
repeated with one change, as in self-correction, of which prompt lookup and drafts have most). Greedy, one reply at a
time and then as many as there are slots; the best of the rounds counts. Speeds are those that the caller sees. Peak
memory is VmHWM (it holds the mapped weights; Linux only). Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from pathlib import Path

from mathagent.models.base import ChatRequest, ConnectOptions
from mathagent.models.embedded import EmbeddedBackend, connect
from mathagent.types import Completion, Message, SamplingParams, Value

PROGRAM = "\n".join(
    [
        "def primes_below(limit):",
        "    sieve = [True] * limit",
        "    sieve[0:2] = [False, False]",
        "    for number in range(2, int(limit ** 0.5) + 1):",
        "        if sieve[number]:",
        "            for multiple in range(number * number, limit, number):",
        "                sieve[multiple] = False",
        "    return [number for number in range(limit) if sieve[number]]",
        "",
        "print(sum(primes_below(1000)))",
    ]
)
TEXTS = {
    "fresh": "Tell a long story about a lighthouse keeper, with many details.",
    "again": f"Here is a program:\n```python\n{PROGRAM}\n```\nWrite the whole program again, with 2000 for 1000.",
}
SLOTS = 4


def settings(draft: str) -> dict[str, str]:
    """Label → the options of the model."""
    lookup = "lookup=ngram-simple&lookup_ngram=3&lookup_tokens=10"
    return {
        "threads 1": "threads=1",
        "threads 2": "threads=2",
        "kv q8_0": "threads=2&kv_k=q8_0&kv_v=q8_0",
        "kv q4_0": "threads=2&kv_k=q4_0&kv_v=q4_0",
        "kv f32": "threads=2&kv_k=f32&kv_v=f32",
        "lookup ngram-simple": f"threads=2&{lookup}",
        "lookup ngram-map-k": f"threads=2&{lookup.replace('simple', 'map-k')}",
        "lookup ngram-mod": "threads=2&lookup=ngram-mod",
        "lookup ngram-cache": "threads=2&lookup=ngram-cache",
        "draft 3": f"threads=2&draft={draft}&draft_tokens=3",
        "draft 8": f"threads=2&draft={draft}&draft_tokens=8&draft_p_min=0.5",
        "embeddings last": "threads=2&embeddings=last",
    }


class Speed(Value):
    """Of one setting on one text: tokens a second of the prompt, of one reply, and of all replies together."""

    prompt: float
    alone: float
    together: float


class Measured(Value):
    """One setting: its speeds by text, the greedy replies (to see what changed them), and its memory."""

    label: str
    query: str
    speeds: dict[str, Speed]
    replies: dict[str, str]
    peak_mb: float | None


def server_peak_mb() -> float | None:
    """The peak resident memory of our only child process; None where the system does not tell."""
    children = [
        int(pid)
        for listed in Path("/proc/self/task").glob("*/children")
        for pid in listed.read_text(encoding="ascii").split()
    ]
    if len(children) != 1:
        return None
    status = Path(f"/proc/{children[0]}/status").read_text(encoding="ascii")
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return None if line is None else int(line.split()[1]) / 1024


async def timed(backend: EmbeddedBackend, text: str, number: int, tokens: int) -> tuple[Completion, float, float]:
    """One reply, seconds to its first piece, and seconds to its end. The number keeps the prompt from being known."""
    began = time.perf_counter()
    first: list[float] = []

    def heard(_: int, __: str) -> None:
        if not first:
            first.append(time.perf_counter())

    request = ChatRequest(
        messages=(Message(role="user", content=f"Request {number}. {text}"),),
        params=SamplingParams(max_tokens=tokens),
    )
    done = (await backend.complete(request, heard))[0]
    ended = time.perf_counter()
    return done, (first[0] if first else ended) - began, ended - began


async def speed_of(backend: EmbeddedBackend, text: str, tokens: int, rounds: int) -> tuple[Speed, str]:
    prompt = alone = together = 0.0
    reply = ""
    for number in range(rounds):
        done, first_s, whole_s = await timed(backend, text, number, tokens)
        reply = reply or done.text
        prompt = max(prompt, done.usage.prompt_tokens / first_s)
        if done.usage.completion_tokens > 1:
            alone = max(alone, (done.usage.completion_tokens - 1) / (whole_s - first_s))
        began = time.perf_counter()
        numbers = range(100 * (number + 1), 100 * (number + 1) + SLOTS)
        several = await asyncio.gather(*(timed(backend, text, one, tokens) for one in numbers))
        made = sum(one.usage.completion_tokens for one, _, _ in several)
        together = max(together, made / (time.perf_counter() - began))
    return Speed(prompt=round(prompt, 1), alone=round(alone, 1), together=round(together, 1)), reply


async def measure(model: str, label: str, query: str, tokens: int, rounds: int) -> Measured:
    backend = connect(f"{model}?slots={SLOTS}&{query}", ConnectOptions())
    try:
        await backend.start()
        found = {name: await speed_of(backend, text, tokens, rounds) for name, text in TEXTS.items()}
        peak = server_peak_mb()
    finally:
        await backend.aclose()
    return Measured(
        label=label,
        query=query,
        speeds={name: speed for name, (speed, _) in found.items()},
        replies={name: reply for name, (_, reply) in found.items()},
        peak_mb=None if peak is None else round(peak, 1),
    )


def row(one: Measured, plain: Measured) -> str:
    speeds = "  ".join(
        f"{speed.prompt:6.1f} {speed.alone:6.1f} {speed.together:6.1f}" for speed in one.speeds.values()
    )
    same = "same" if one.replies == plain.replies else "other"
    peak = "      –" if one.peak_mb is None else f"{one.peak_mb:7.0f}"
    return f"{one.label:20} {speeds}  {peak}  {same}"


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-1.5b")
    parser.add_argument("--draft", default="qwen2.5-coder-0.5b")
    parser.add_argument("--only", nargs="*", help="labels to measure, beside 'threads 2'")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    wanted = settings(given.draft)
    unknown = [label for label in given.only or [] if label not in wanted]
    if unknown:
        parser.error(f"no setting is named '{unknown[0]}'; known: {', '.join(wanted)}")
    labels = [label for label in wanted if not given.only or label in given.only or label == "threads 2"]
    print(
        f"{given.model}, {os.cpu_count()} processors, {platform.machine()}; tokens/s: prompt, 1 reply, {SLOTS} at once"
    )
    print(f"{'':20} {'fresh':^20}  {'again':^20}  peak MB  reply")
    measured: dict[str, Measured] = {}
    labels.sort(key=lambda label: label != "threads 2")  # what the others are compared with is first
    for label in labels:
        measured[label] = await measure(given.model, label, wanted[label], given.tokens, given.rounds)
        print(row(measured[label], measured["threads 2"]), flush=True)
    if given.out is not None:
        given.out.write_text(json.dumps([one.model_dump() for one in measured.values()], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
