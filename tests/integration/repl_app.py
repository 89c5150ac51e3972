"""A program for tests: the interactive session with a solver that only plays. ``python repl_app.py [MODEL]``.

Problems are its script: ``slow`` waits to be interrupted, ``stuck`` ignores that, ``error`` fails, anything else is
answered by its number of characters and echoed with ``repr``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from mathagent.agents.follow_up import Understood
from mathagent.agents.solver_memory import SolverMemory
from mathagent.console.repl import ReplOptions, run_repl
from mathagent.errors import BackendError
from mathagent.events import (
    CandidateProposed,
    CodeFinished,
    CodeStarted,
    ModelReplied,
    SolveFinished,
    SolveStarted,
    TokenDelta,
    Voted,
)
from mathagent.sandbox.process import ProcessSandbox
from mathagent.types import Answer, Candidate, Check, Execution, Problem, Solution, Usage

CODE = '''def solution():
    """{problem}"""
    eggs_per_day = 16
    eaten, baked = 3, 4  # each day
    return {value}
'''


class PlayedSolver:
    """Plays one sample with a program, after a moment."""

    def __init__(self, options: ReplOptions) -> None:
        self.options = options
        self.sandbox = ProcessSandbox()
        self.memory = SolverMemory(None, "off")

    async def solve(
        self, problem: str, strategy: str, *, on_event: Any, interrupt: asyncio.Event, **_: Any
    ) -> Solution:
        model = self.options.model or "script:played"
        on_event(
            SolveStarted(
                problem_id="p", strategy=strategy, model=model, samples=4 if strategy == "self-consistency" else 1
            )
        )
        if problem == "error":
            raise BackendError("the endpoint [red]refused[/red] the key;\ngive another one", status=401)
        stopped = "finished"
        if problem.startswith("slow"):
            on_event(TokenDelta(role="coder", sample=0, text="thinking about it"))
            await interrupt.wait()
            stopped = "interrupted"
        if problem.startswith("stuck"):
            await asyncio.sleep(3600)
        value = str(len(problem))
        code = CODE.format(problem=problem.splitlines()[0], value=value)
        candidates = []
        for sample in range(4 if strategy == "self-consistency" else 1):
            for piece in code.split(" "):
                on_event(TokenDelta(role="coder", sample=sample, text=piece + " "))
                await asyncio.sleep(0.02)
            on_event(
                ModelReplied(role="coder", sample=sample, text=code, usage=Usage(calls=1), cached=sample == 0)
            )
            on_event(CodeStarted(sample=sample, code=code))
            execution = Execution(status="ok", value=value, stdout=f"asked {problem!r}\n", wall_s=0.02)
            on_event(CodeFinished(sample=sample, execution=execution))
            candidates.append(Candidate(answer=Answer(raw=value, normal=value)))
            on_event(CandidateProposed(sample=sample, candidate=candidates[-1]))
        if strategy == "self-consistency":
            on_event(
                Voted(
                    classes=((value, 4),),
                    samples=4,
                    stop=True,
                    reason="4 to 0 votes: leads with probability 0.969",
                )
            )
        solution = Solution(
            problem=Problem(text=problem),
            answer=value,
            confidence=0.6667,
            confidence_basis="1 sample; uncalibrated",
            certificate=(Check(kind="execution", program=code, expected=value, outcome="holds"),),
            candidates=tuple(candidates),
            usage=Usage(calls=len(candidates), prompt_tokens=210, completion_tokens=48, cached_calls=1),
            stopped=stopped,
            detail="interrupted; this is the best so far" if stopped == "interrupted" else "",
            strategy=strategy,
            model=model,
            seconds=1.2,
        )
        on_event(SolveFinished(solution=solution))
        return solution

    @property
    def beside(self) -> PlayedSolver:
        return self

    async def understand(self, text: str, *_: Any, **__: Any) -> Understood:
        return Understood(text=text)

    async def aclose(self) -> None:
        print(f"closed {self.options.model}")


if __name__ == "__main__":
    model = sys.argv[1] if len(sys.argv) > 1 else "script:played"
    options = ReplOptions(model=model, strategy="pal")
    sys.exit(run_repl(options, open_solver=lambda options, on_progress: PlayedSolver(options)))
