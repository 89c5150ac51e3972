"""The interactive session: problems, follow-up questions and commands in, solutions out.

Nothing heavy is imported before the prompt appears: solver, strategies and with them LangGraph load in a thread while
the first problem is typed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from importlib import import_module
from typing import Any

from prompt_toolkit import PromptSession
from rich.console import Console

from mathagent import __version__
from mathagent.config import settings
from mathagent.console.clean_text import one_line
from mathagent.console.conversation import Conversation
from mathagent.console.interrupts import Interruptible
from mathagent.console.live_python import LivePython, python_code
from mathagent.console.page import Page
from mathagent.console.repl_actions import Actions
from mathagent.console.repl_commands import Command, CommandCompleter, parse_command
from mathagent.console.repl_input import open_history, open_prompt
from mathagent.console.repl_memory import MemoryCommands
from mathagent.console.repl_session import ReplOptions, Session
from mathagent.console.repl_solve import Ask, Solves, ask_again
from mathagent.console.repl_solver import OpenSolver, SolverLike, open_solver
from mathagent.errors import MathagentError
from mathagent.strategies import STRATEGIES

__all__ = ["OpenSolver", "ReplOptions", "SolverLike", "run_repl"]


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
        self._page = Page(console)
        self._session = Session(options, self._page)
        self._conversation, self._python = Conversation(), LivePython()
        self._loaded: Future[None] | None = None
        self._interruptible = Interruptible()
        self._solves = Solves(
            console,
            self._session,
            self._conversation,
            self._python,
            open_solver=open_solver,
            until_loaded=self._until_loaded,
            interruptible=self._interruptible,
        )
        memory = MemoryCommands(self._page, self._conversation, self._solves.solver, options.memory)
        self._actions = Actions(self._page, self._conversation, self._python, self._solves.solver, memory)
        self._leaving = False  # Ctrl-C was the last key, at an empty prompt

    async def run(self) -> int:
        """Reads and answers until Ctrl-D, /quit, or Ctrl-C twice."""
        history, trouble = open_history(settings().home_dir / "history")
        prompt = open_prompt(history, CommandCompleter(self._session.setting_names))
        self._show_header(trouble)
        with self._interruptible:
            try:
                while (text := await self._read(prompt)) is not None:
                    try:
                        if not await self._answer(text):
                            break
                    except MathagentError as error:
                        self._page.line(f"error: {one_line(str(error))}", style="red")
            finally:
                await self._python.aclose()
                await self._solves.aclose()
        return 0

    def _show_header(self, trouble: str) -> None:
        about = self._page.dot.join([__version__, one_line(self._session.model), self._session.options.strategy])
        self._page.parts(("mathagent ", "bold"), (about, ""))
        self._page.line("Type a problem, Enter solves it. /help lists the commands, Ctrl-D leaves.", style="dim")
        if trouble:
            self._page.line(trouble, style="magenta")

    async def _read(self, prompt: PromptSession[str]) -> str | None:
        """The next text; empty after Ctrl-C, None after Ctrl-D and the second Ctrl-C at an empty prompt."""
        self._page.line()
        draft, self._solves.draft = self._solves.draft, ""
        try:
            # Interruptible owns SIGINT; while the prompt is open, Ctrl-C is a key like any other.
            text = await prompt.prompt_async(handle_sigint=False, pre_run=self._load_in_background, default=draft)
        except KeyboardInterrupt:
            if prompt.default_buffer.text:
                self._leaving = False
                return ""
            if self._leaving:
                return None
            self._leaving = True
            self._page.line("Ctrl-C again leaves", style="dim")
            return ""
        except EOFError:
            return None
        self._leaving = False
        return text.encode("utf-8", "replace").decode("utf-8")  # bytes that are no UTF-8 came as lone surrogates

    def _load_in_background(self) -> None:
        if self._loaded is None:
            self._loaded = Future()
            threading.Thread(target=_load, args=(self._loaded,), name="mathagent-load", daemon=True).start()

    async def _until_loaded(self) -> None:
        if self._loaded is not None:
            await asyncio.wrap_future(self._loaded)

    async def _answer(self, text: str) -> bool:
        """Runs a command or Python, or solves a problem; False: the person wants to leave."""
        command, code = parse_command(text), python_code(text)
        if command is not None and command.name == "/quit":
            return False
        if command is not None:
            await self._until_loaded()
            await self._command(command)
        elif code is not None:
            await self._stoppable(self._actions.run_python(code))
        elif text.strip():
            await self._solves.solve(Ask(text))
        return True

    async def _command(self, command: Command) -> None:
        if command.name == "/retry":
            await self._solves.solve(ask_again(self._conversation, self._session, command))
        elif not self._session.run(command):
            await self._stoppable(self._actions.run(command))

    async def _stoppable(self, work: Coroutine[Any, Any, None]) -> None:
        """Does ``work``, which a Ctrl-C ends: there is no best so far to keep."""
        done = False

        async def working(interrupt: asyncio.Event) -> None:
            nonlocal done
            await self._until_loaded()
            await work
            done = True

        try:
            await self._interruptible.run(working, self._interruptible.give_up)
        finally:
            work.close()
        if not done:
            self._page.line("stopped", style="magenta")


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
