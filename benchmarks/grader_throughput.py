"""How many comparisons a second: our grader beside Math-Verify called directly, in one run.

usage: python benchmarks/grader_throughput.py FILE.jsonl[.gz] … [--items N] [--seed N] [--rounds N] [--at-once N]
Pairs are the files' references against themselves, respelled and changed (as grader_gold.py makes them). Math-Verify
runs as its readme says, parse and verify in this process with its own time limits; ours as the benchmark runner uses
it, with what needs computer algebra in sandboxed processes. Both are warmed up; rounds alternate, each round of ours
has a comparer without memory. Prints pairs a second (the median round), the ratio, and how often the verdicts differ.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from pathlib import Path

from grader_gold import changed, respelled

from mathagent.answers.compare import AnswerComparer
from mathagent.evals.dataset import read_dataset
from mathagent.evals.grader import Grader
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.types import Problem

Pair = tuple[str, str]


def pairs_of(paths: list[Path], items: int, seed: int) -> list[Pair]:
    """(reference, answer) pairs of a sample of the files' references; about half of them are the same answer."""
    golds = sorted({problem.reference or "" for path in paths for problem in read_dataset(path).problems})
    chosen = random.Random(seed).sample(golds, min(items, len(golds)))
    return [(gold, answer) for gold in chosen for answer in (gold, respelled(gold), *changed(gold).values())]


def math_verify_verdicts(pairs: list[Pair]) -> list[bool]:
    from math_verify import parse, verify

    return [
        verify(parse(f"${gold}$"), parse(answer if "$" in answer else f"${answer}$")) for gold, answer in pairs
    ]


async def our_verdicts(pairs: list[Pair], calls: ConfinedCalls, at_once: int) -> list[str]:
    grader, slots = Grader(AnswerComparer(calls.call)), asyncio.Semaphore(at_once)

    async def one(gold: str, answer: str) -> str:
        async with slots:
            return (await grader.grade(answer, Problem(text="?", reference=gold))).outcome

    return await asyncio.gather(*(one(*pair) for pair in pairs))


def timed_ours(
    pairs: list[Pair], runner: asyncio.Runner, calls: ConfinedCalls, at_once: int
) -> tuple[float, list[str]]:
    _forget()
    started = time.perf_counter()
    found = runner.run(our_verdicts(pairs, calls, at_once))
    return time.perf_counter() - started, found


def _forget() -> None:
    """Empties the memories of our text work, so that no round profits from the one before."""
    from mathagent.answers import forms, latex, normal, rational

    for function in (forms.parse_form, latex.tidy, normal.normalize, rational.exact_value, rational.beyond_reach):
        function.cache_clear()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=4)
    given = parser.parse_args()
    pairs = pairs_of(given.files, given.items, given.seed)
    calls, ours, theirs = ConfinedCalls(), [], []
    with asyncio.Runner() as runner:
        math_verify_verdicts(pairs[:3])
        runner.run(our_verdicts([("(x+1)^2", "x^2+2x+1")], calls, 1))
        for _ in range(given.rounds):
            started = time.perf_counter()
            their_verdicts = math_verify_verdicts(pairs)
            theirs.append(time.perf_counter() - started)
            seconds, verdicts = timed_ours(pairs, runner, calls, given.at_once)
            ours.append(seconds)
        runner.run(calls.aclose())
    rates = [len(pairs) / statistics.median(times) for times in (ours, theirs)]
    differing = sum((a == "correct") != b for a, b in zip(verdicts, their_verdicts, strict=True))
    sys.stdout.write(f"{len(pairs)} pairs; ours {rates[0]:.0f}/s, Math-Verify {rates[1]:.0f}/s")
    sys.stdout.write(f", ratio {rates[0] / rates[1]:.1f}; {differing} verdicts differ\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
