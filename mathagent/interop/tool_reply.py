"""The solver as a tool of somebody's agent: what a model is told of it, and what it hears of a Solution."""

from __future__ import annotations

from typing import Unpack

from mathagent.agents.solve_options import EachOptions
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES
from mathagent.types import Solution

NAME = "solve_math"
DESCRIPTION = (
    "Solves a mathematics problem (arithmetic, algebra, number theory, counting, calculus, word problems) with programs"
    " that are run and checked. Returns the final answer, how sure it is, and what evidence there is. Use it instead"
    " of calculating yourself."
)
PROBLEM = "The whole problem, complete in itself, in words or LaTeX; it sees nothing of the conversation."
WORTH_SAYING = 300
"""Characters of a confidence's basis, or of why a solve ended, that are told."""


class SolveTool:
    """One Solver with the strategy and options that every call of a tool gets. The solver stays its owner's to close.

    Raises UsageError, at once, for a strategy or settings that are wrong.
    """

    def __init__(self, solver: Solver, strategy: str, **options: Unpack[EachOptions]) -> None:
        STRATEGIES.load(strategy).configure(options.get("config") or {})
        self._solver, self._strategy, self._options = solver, strategy, options

    async def solve(self, problem: str) -> Solution:
        """See Solver.solve. Done on mathagent's own loop, unless the solver has one: agents may come with several."""
        self._solver.home.settle()
        return await self._solver.solve(problem, self._strategy, **self._options)

    def solve_sync(self, problem: str) -> Solution:
        """See Solver.solve_sync."""
        return self._solver.solve_sync(problem, self._strategy, **self._options)


def tool_reply(solution: Solution) -> str:
    """What the calling model hears, a few lines of plain text."""
    if solution.answer is None:
        lines = ["No answer was found."]
    elif solution.abstained:
        lines = [f"Unsure; the best candidate: {solution.answer}"]
    else:
        lines = [f"Answer: {solution.answer}"]
    if solution.answer is not None and solution.confidence is not None:
        lines.append(f"Confidence: {solution.confidence:.2f} ({_short(solution.confidence_basis)})")
    held = [check for check in solution.certificate if check.outcome == "holds"]
    if held:
        strong = sum(check.strength == "strong" for check in held)
        lines.append(f"Evidence: {len(held)} executed checks hold, {strong} of them strong")
    if solution.stopped != "finished":
        lines.append(f"It ended early ({solution.stopped}): {_short(solution.detail)}")
    return "\n".join(lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WORTH_SAYING else f"{line[: WORTH_SAYING - 1]}…"
