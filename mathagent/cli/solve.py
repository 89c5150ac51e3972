"""mathagent solve: one problem from an argument, a file or stdin; without any, on a terminal, the REPL."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mathagent.budget import Budget
from mathagent.console.interrupts import Interruptible
from mathagent.console.render import SolveView
from mathagent.console.solution_view import show_solution
from mathagent.errors import UsageError
from mathagent.types import Problem, Value

if TYPE_CHECKING:
    from mathagent.types import Solution

MAX_INPUT_BYTES = 4 * 1024 * 1024


class SolveArguments(Value):
    """The parsed arguments."""

    problem: str | None
    file: Path | None
    strategy: str | None
    model: str | None
    base_url: str | None
    budget: Budget
    config: dict[str, Any]
    seed: int | None
    sandbox: str
    cache: bool
    as_json: bool
    quiet: bool


def solve_command(arguments: SolveArguments) -> int:
    """Solves, shows, and returns the exit code: 0 answered, 1 no answer, 3 the best of an ended search."""
    text = _problem_text(arguments)
    if text is None:
        from mathagent.console.repl import ReplOptions, run_repl

        given = {name: getattr(arguments, name) for name in ReplOptions.model_fields}
        return run_repl(ReplOptions(**{name: value for name, value in given.items() if value is not None}))
    solution = asyncio.run(_solve(arguments, Problem(text=text)))
    if arguments.as_json:
        sys.stdout.write(solution.model_dump_json(indent=2) + "\n")
    elif arguments.quiet:
        sys.stdout.write(f"{solution.answer or ''}\n")
    else:
        show_solution(Console(), solution)
    return exit_code(solution)


def exit_code(solution: Solution) -> int:
    """The exit code that tells a script how the solve ended."""
    if solution.stopped == "interrupted":
        return 130
    if solution.answer is None:
        return 1
    return 0 if solution.stopped == "finished" else 3


async def _solve(arguments: SolveArguments, problem: Problem) -> Solution:
    from mathagent.solver import Solver
    from mathagent.strategies import DEFAULT_STRATEGY

    silent = arguments.as_json or arguments.quiet
    with SolveView(Console(stderr=True), quiet=silent) as view, Interruptible() as interruptible:
        async with Solver(
            arguments.model,
            base_url=arguments.base_url,
            sandbox=arguments.sandbox,
            cache=arguments.cache,
            on_progress=view.on_progress,
        ) as solver:

            async def solving(interrupt: asyncio.Event) -> Solution:
                return await solver.solve(
                    problem,
                    arguments.strategy or DEFAULT_STRATEGY,
                    budget=arguments.budget,
                    config=arguments.config,
                    seed=arguments.seed,
                    on_event=None if silent else view.on_event,
                    interrupt=interrupt,
                )

            solution = await interruptible.run(solving, lambda: view.note("stopping; once more gives up"))
            if solution is None:
                raise KeyboardInterrupt
            return solution


def _problem_text(arguments: SolveArguments) -> str | None:
    """The problem's text; None where the REPL is wanted. Raises UsageError."""
    if arguments.file is not None:
        if arguments.problem is not None:
            raise UsageError("give a problem or --file, not both")
        try:
            data = arguments.file.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {arguments.file}: {error.strerror}") from error
        return _decoded(data, str(arguments.file))
    if arguments.problem not in (None, "-"):
        return arguments.problem
    if arguments.problem is None and sys.stdin.isatty():
        if arguments.as_json or arguments.quiet:
            raise UsageError("no problem was given; name one, or leave out --json and --quiet for the REPL")
        return None
    return _decoded(sys.stdin.buffer.read(MAX_INPUT_BYTES + 1), "standard input")


def _decoded(data: bytes, source: str) -> str:
    if len(data) > MAX_INPUT_BYTES:
        raise UsageError(f"{source} holds more than {MAX_INPUT_BYTES // 2**20} MB; give one problem only")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{source} is not UTF-8 text (byte {error.start}); give the problem as plain text"
        ) from error
    if not text.strip():
        raise UsageError(f"{source} is empty; give the problem's text")
    return text
