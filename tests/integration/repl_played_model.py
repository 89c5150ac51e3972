"""A program for tests: the interactive session with the real solver and sandbox, and a model that only plays.

``python repl_played_model.py STRATEGY [approve] [learn]``; with "learn" it has a memory, in its home folder.

It answers by role and by words of the problem: ``first N odd`` is summed, ``half`` and ``matrix`` have answers of two
dimensions, ``wrong`` is repaired, ``slow`` takes long, ``vote`` is answered in different ways.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

from mathagent.console.repl import ReplOptions, run_repl
from mathagent.models.base import Capabilities, ChatRequest, OnDelta
from mathagent.solver import Solver
from mathagent.types import Completion, Usage

PIECE_S = 0.01
SLOW_S = 600.0


class PlayedModel:
    """Replies by role, word by word."""

    def __init__(self, name: str) -> None:
        self.name = self.identity = name
        self.default_seed = 0
        self.capabilities = Capabilities(json_schema=True, seed=True, streaming=True)
        self.max_parallel = 4

    async def complete(self, request: ChatRequest, on_delta: OnDelta | None = None) -> list[Completion]:
        asked = request.messages[-1].content
        if "slow" in asked and request.role in ("coder", "rewriter"):
            if on_delta is not None:
                on_delta(0, "this will take long")
            await asyncio.sleep(SLOW_S)
        text = _REPLIES[request.role](asked, request.first_sample)
        for piece in re.findall(r"\S*\s*", text):
            if on_delta is not None:
                on_delta(0, piece)
                await asyncio.sleep(PIECE_S)
        words = len(text.split())
        usage = Usage(calls=1, prompt_tokens=len(asked.split()), completion_tokens=words)
        return [Completion(text=text, usage=usage)]

    async def aclose(self) -> None:
        return


def _rewriter(asked: str, sample: int) -> str:
    new = asked.split("New input:\n", 1)[1].split("\n\n", 1)[0]
    number = re.search(r"\d+", new)
    problem = f"What is the sum of the first {number[0]} odd numbers?" if number else new
    return json.dumps({"reasoning": "it refers back", "refers_back": bool(number), "problem": problem})


def _planner(asked: str, sample: int) -> str:
    steps = ["Write out the odd numbers.", "Add them: $\\sum_{k=1}^{n} (2k-1)$."]
    return json.dumps({"reasoning": "short", "steps": steps, "needs_program": True})


def _coder(asked: str, sample: int) -> str:
    odd = re.search(r"first (\d+) odd", asked)
    body = f"    n = {odd[1]}\n    return sum(range(1, 2 * n, 2))" if odd else "    return 42"
    if "wrong" in asked:
        body = "    return -3"
    if "half" in asked:
        body = "    from sympy import sqrt\n    return (1 + sqrt(5)) / 2"
    if "matrix" in asked:
        body = "    from sympy import Matrix\n    return Matrix([[1, 2], [3, 4]])"
    if "vote" in asked and sample % 3 == 1:
        body = "    return 41"
    return f"We add them up.\n```python\ndef solution():\n{body}\n```"


def _verifier(asked: str, sample: int) -> str:
    odd = re.search(r"first (\d+) odd", asked)
    check = (
        {"kind": "recomputation", "program": f"n = {odd[1]}\nn**2"}
        if odd
        else {"kind": "domain", "integer": True, "minimum": 0}
    )
    return json.dumps({"reasoning": "check it", "checks": [check]})


def _reasoner(asked: str, sample: int) -> str:
    return "Half of one is $\\frac{1}{2}$, so the answer is \\boxed{\\frac{1}{2}}."


def _refiner(asked: str, sample: int) -> str:
    return "```python\ndef solution():\n    return 42\n```"


_REPLIES = {
    "rewriter": _rewriter,
    "planner": _planner,
    "coder": _coder,
    "verifier": _verifier,
    "reasoner": _reasoner,
    "refiner": _refiner,
}


if __name__ == "__main__":
    options = ReplOptions(
        model="script:played",
        strategy=sys.argv[1],
        approve="approve" in sys.argv,
        memory_mode="learn" if "learn" in sys.argv else "off",
    )
    sys.exit(
        run_repl(
            options,
            open_solver=lambda options, on_progress: Solver(
                PlayedModel(options.model or ""),
                sandbox=options.sandbox,
                cache=False,
                memory_mode=options.memory_mode,
                on_progress=on_progress,
            ),
        )
    )
