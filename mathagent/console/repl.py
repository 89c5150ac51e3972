"""The interactive session: problems and commands in, solutions out.

Nothing heavy is imported before the prompt appears: solver, strategies and with them LangGraph load in a thread while
the first problem is typed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from importlib import import_module
from typing import Any, Protocol

from prompt_toolkit import PromptSession
from rich.console import Console

from mathagent import __version__
from mathagent.budget import Budget
from mathagent.config import settings
from mathagent.console.clean_text import one_line
from mathagent.console.interrupts import Interruptible
from mathagent.console.page import Page
from mathagent.console.render import SolveView
from mathagent.console.repl_commands import CommandCompleter, parse_command
from mathagent.console.repl_input import open_history, open_prompt
from mathagent.console.repl_session import ReplOptions, Session
from mathagent.console.solution_view import show_solution
from mathagent.errors import MathagentError
from mathagent.events import Event
from mathagent.models.base import PullProgress
from mathagent.strategies import STRATEGIES
from mathagent.types import Solution

__all__ = ["OpenSolver", "ReplOptions", "SolverLike", "run_repl"]


class SolverLike(Protocol):
    """What the session needs of a Solver."""

    async def solve(
        self,
        problem: str,
        strategy: str,
        *,
        budget: Budget | None,
        config: Mapping[str, Any] | None,
        seed: int | None,
        on_event: Callable[[Event], None] | None,
        interrupt: asyncio.Event | None,
    ) -> Solution:
        """See Solver.solve."""
        ...

    async def aclose(self) -> None:
        """See Solver.aclose."""
        ...


OpenSolver = Callable[[ReplOptions, Callable[[PullProgress], None]], SolverLike]


def open_solver(options: ReplOptions, on_progress: Callable[[PullProgress], None]) -> SolverLike:
    """The Solver that ``options`` describe. Raises UsageError."""
    from mathagent.solver import Solver

    return Solver(
        options.model,
        base_url=options.base_url,
        sandbox=options.sandbox,
        cache=options.cache,
        on_progress=on_progress,
    )


def run_repl(
    options: ReplOptions, *, open_solver: OpenSolver = open_solver, console: Console | None = None
) -> int:
    """Runs the session on the terminal until the person leaves; returns the exit code.

    An error of ours is shown in one line and the session goes on. Raises UsageError, before anything is shown, where
    ``options`` name a strategy or a model that does not exist.
    """
    repl = _Repl(options, open_solver, Console() if console is None else console)
    return asyncio.run(repl.run())


class _Repl:
    def __init__(self, options: ReplOptions, open_solver: OpenSolver, console: Console) -> None:
        self._console, self._page = console, Page(console)
        self._session = Session(options, self._page)
        self._open_solver = open_solver
        self._solver: SolverLike | None = None
        self._view = SolveView(console)
        self._loaded: Future[None] | None = None

    async def run(self) -> int:
        """Reads and answers until Ctrl-D or /quit."""
        history, trouble = open_history(settings().home_dir / "history")
        prompt = open_prompt(history, CommandCompleter(self._session.setting_names))
        self._show_header(trouble)
        with Interruptible() as interruptible:
            try:
                while (text := await self._read(prompt)) is not None:
                    try:
                        if not await self._answer(text, interruptible):
                            break
                    except MathagentError as error:
                        self._page.line(f"error: {one_line(str(error))}", style="red")
            finally:
                await self._close_solver()
        return 0

    def _show_header(self, trouble: str) -> None:
        about = self._page.dot.join([__version__, one_line(self._session.model), self._session.options.strategy])
        self._page.parts(("mathagent ", "bold"), (about, ""))
        self._page.line("Type a problem, Enter solves it. /help lists the commands, Ctrl-D leaves.", style="dim")
        if trouble:
            self._page.line(trouble, style="magenta")

    async def _read(self, prompt: PromptSession[str]) -> str | None:
        """The next text; empty after Ctrl-C, None after Ctrl-D."""
        self._page.line()
        try:
            # Interruptible owns SIGINT; while the prompt is open, Ctrl-C is a key like any other.
            text = await prompt.prompt_async(handle_sigint=False, pre_run=self._load_in_background)
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None
        return text.encode("utf-8", "replace").decode("utf-8")  # bytes that are no UTF-8 came as lone surrogates

    def _load_in_background(self) -> None:
        if self._loaded is None:
            self._loaded = Future()
            threading.Thread(target=_load, args=(self._loaded,), name="mathagent-load", daemon=True).start()

    async def _until_loaded(self) -> None:
        if self._loaded is not None:
            await asyncio.wrap_future(self._loaded)

    async def _answer(self, text: str, interruptible: Interruptible) -> bool:
        """Runs a command or solves a problem; False: the person wants to leave."""
        command = parse_command(text)
        if command is not None and command.name == "/quit":
            return False
        if command is not None:
            await self._until_loaded()
            self._session.run(command)
        elif text.strip():
            await self._solve(text, interruptible)
        return True

    async def _solve(self, problem: str, interruptible: Interruptible) -> None:
        options = self._session.options

        async def solve(interrupt: asyncio.Event) -> Solution:
            await self._until_loaded()
            solver = await self._current_solver()
            return await solver.solve(
                problem,
                options.strategy,
                budget=options.budget,
                config=options.config,
                seed=options.seed,
                on_event=self._view.on_event,
                interrupt=interrupt,
            )

        self._page.line()
        with SolveView(self._console) as self._view:
            solution = await interruptible.run(solve, self._note_interrupt)
        if solution is None:
            self._page.line("given up", style="magenta")
            return
        self._page.line()
        show_solution(self._console, solution)

    def _note_interrupt(self) -> None:
        self._view.note("stopping with the best so far; Ctrl-C again gives up")

    async def _current_solver(self) -> SolverLike:
        """The open solver; opened anew after another model was chosen."""
        if self._session.solver_is_stale:
            await self._close_solver()
            self._session.solver_is_stale = False
        if self._solver is None:
            # Through self: a download is shown by the view of the solve that needs it.
            self._solver = self._open_solver(
                self._session.options, lambda progress: self._view.on_progress(progress)
            )
        return self._solver

    async def _close_solver(self) -> None:
        solver, self._solver = self._solver, None
        if solver is not None:
            await solver.aclose()


def _load(done: Future[None]) -> None:
    """Imports what the first problem will need; a failure is raised to who waits for ``done``."""
    try:
        import_module("mathagent.solver")
        for name in STRATEGIES.table:
            STRATEGIES.load(name)
    except BaseException as error:  # noqa: BLE001 - it is raised to who waits, in the thread of the session
        done.set_exception(error)
    else:
        done.set_result(None)
