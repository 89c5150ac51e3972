"""mathagent solve: one problem from an argument, a file or stdin; without any, on a terminal, the REPL."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mathagent.agents.solver_memory import MemoryMode
from mathagent.budget import Budget
from mathagent.cli.solve_outputs import SolveOutputs
from mathagent.console.clean_text import clean
from mathagent.console.interrupts import Interruptible
from mathagent.console.page import Page
from mathagent.console.render import SolveView
from mathagent.console.solution_view import show_solution
from mathagent.errors import UsageError
from mathagent.scorers.confidence import checked_share
from mathagent.strategies import DEFAULT_STRATEGY
from mathagent.types import Problem, Value

if TYPE_CHECKING:
    from mathagent.types import Solution

MAX_INPUT_BYTES = 4 * 1024 * 1024
DEFAULT_MEMORY_MODE: MemoryMode = "learn"


class SolveArguments(Value):
    """The parsed arguments."""

    problem: str | None
    file: Path | None
    image: Path | None = None
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
    resume: bool = False
    approve: bool = False
    min_confidence: float | None = None
    events: bool = False
    events_all: bool = False
    trace: Path | None = None
    memory: Path | None = None
    memory_mode: MemoryMode | None = None


def solve_command(arguments: SolveArguments) -> int:
    """Solves, shows, and returns the exit code: 0 answered, 1 no answer, 3 the best of an ended search, 4 unsure."""
    checked_share(arguments.min_confidence)
    beside = arguments.problem is not None or arguments.file is not None or arguments.resume
    if arguments.image is not None and beside:
        raise UsageError("--image is the problem; leave out the problem, --file and --resume")
    if arguments.resume:
        from mathagent.cli.resume import list_resumable, resumed_arguments

        if arguments.problem is None:
            return list_resumable(as_json=arguments.as_json)
        arguments = resumed_arguments(arguments)
    arguments = arguments.model_copy(update={"memory_mode": arguments.memory_mode or DEFAULT_MEMORY_MODE})
    if arguments.approve and not sys.stdin.isatty():
        raise UsageError("--approve asks at a terminal; run it in one, with the problem as an argument or a file")
    outputs = _outputs(arguments)
    text = _given_text(arguments, outputs)
    if text is None:
        from mathagent.console.repl import ReplOptions, run_repl

        given = {name: getattr(arguments, name) for name in ReplOptions.model_fields}
        return run_repl(ReplOptions(**{name: value for name, value in given.items() if value is not None}))
    with outputs.tracing(text, arguments.strategy, arguments.config):
        solution = asyncio.run(_solve(arguments, text, outputs))
        if outputs.lines is None:  # else the last event has told it
            _show(arguments, solution)
    return exit_code(solution)


def _show(arguments: SolveArguments, solution: Solution) -> None:
    if arguments.as_json:
        sys.stdout.write(solution.model_dump_json(indent=2) + "\n")
    elif arguments.quiet:
        sys.stdout.write(f"{'' if solution.abstained else clean(solution.answer or '')}\n")
        if solution.abstained:
            Page(Console(stderr=True)).line(f"unsure: {' '.join((solution.answer or '').split())}")
    else:
        show_solution(Console(), solution)


def exit_code(solution: Solution) -> int:
    """The exit code that tells a script how the solve ended."""
    if solution.stopped == "interrupted":
        return 130
    if solution.answer is None:
        return 1
    if solution.abstained:
        return 4
    return 0 if solution.stopped == "finished" else 3


def _outputs(arguments: SolveArguments) -> SolveOutputs:
    """What else is to be given out. Raises UsageError, before anything is read or started."""
    if (arguments.events or arguments.events_all) and (arguments.as_json or arguments.quiet):
        raise UsageError("--events prints events only, the last with the solution; leave out --json and --quiet")
    return SolveOutputs(events=arguments.events, pieces=arguments.events_all, trace=arguments.trace)


async def _solve(arguments: SolveArguments, text: str, outputs: SolveOutputs) -> Solution:
    from mathagent.agents.human import Human
    from mathagent.console.approval import Approver
    from mathagent.solver import Solver

    silent = _is_silent(arguments, outputs)
    approve = arguments.approve
    with SolveView(Console(stderr=True), quiet=silent) as view, Interruptible() as interruptible:
        async with Solver(
            arguments.model,
            base_url=arguments.base_url,
            sandbox=arguments.sandbox,
            cache=arguments.cache,
            memory=arguments.memory,
            memory_mode=arguments.memory_mode or DEFAULT_MEMORY_MODE,
            on_progress=view.on_progress,
        ) as solver:

            async def solving(interrupt: asyncio.Event) -> Solution:
                on_event = outputs.listener(None if silent else view.on_event, give_up=interruptible.give_up)
                ask = approve or (
                    not silent and sys.stdin.isatty()
                )  # of tools from outside people are always asked
                approver = Approver(Console(stderr=True), interrupt) if ask else None
                human = Human(approver, approve_code=approve, review_plans=approve)
                if arguments.resume:
                    return await solver.solve(
                        resume=text,
                        on_event=on_event,
                        interrupt=interrupt,
                        human=human,
                        min_confidence=arguments.min_confidence,
                    )
                return await solver.solve(
                    Problem(text=text),
                    arguments.strategy or DEFAULT_STRATEGY,
                    budget=arguments.budget,
                    config=arguments.config,
                    seed=arguments.seed,
                    on_event=on_event,
                    interrupt=interrupt,
                    human=human,
                    min_confidence=arguments.min_confidence,
                )

            solution = await interruptible.run(solving, lambda: view.note("stopping; once more gives up"))
            if solution is None:
                raise BrokenPipeError if outputs.reader_gone else KeyboardInterrupt
            if solution.resumable and not silent:
                view.note(f"go on with: mathagent solve --resume {solution.solve_id}")
            return solution


def _given_text(arguments: SolveArguments, outputs: SolveOutputs) -> str | None:
    """The problem's text, or the id of the solve to resume; None where the REPL is wanted. Raises UsageError."""
    if arguments.image is not None:
        from mathagent.cli.solve_image import photographed

        return photographed(arguments, arguments.image, silent=_is_silent(arguments, outputs))
    return arguments.problem if arguments.resume else _problem_text(arguments)


def _is_silent(arguments: SolveArguments, outputs: SolveOutputs) -> bool:
    return arguments.as_json or arguments.quiet or outputs.lines is not None


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
        for_scripts = ("as_json", "quiet", "events", "events_all", "trace")
        if any(getattr(arguments, name) for name in for_scripts):
            raise UsageError(
                "no problem was given; name one, or leave out --json, --quiet, --events and --trace for the REPL"
            )
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
