"""The commands that act on the last solution, and Python beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from mathagent.answers.compare import AnswerComparer
from mathagent.config import settings
from mathagent.console.candidates_view import show_candidate, show_candidates
from mathagent.console.certificate_view import conclude, show_certificate
from mathagent.console.clean_text import one_line
from mathagent.console.conversation import Conversation, Turn
from mathagent.console.execution_view import show_execution
from mathagent.console.live_python import LivePython
from mathagent.console.page import Page
from mathagent.console.repl_commands import Command
from mathagent.console.repl_files import SolutionFiles, open_page
from mathagent.console.repl_memory import MemoryCommands
from mathagent.console.solution_view import counted
from mathagent.console.why_view import AnswerVotes, show_why
from mathagent.errors import UsageError
from mathagent.sandbox.base import Limits, Sandbox

CHECK_LIMITS = Limits(timeout_s=10.0, cpu_s=10.0)
OUTPUT_LINES = 60


class Machines(Protocol):
    """What the commands need of a Solver."""

    sandbox: Sandbox
    comparer: AnswerComparer


class Actions:
    """What ``/why``, ``/check``, ``/candidates``, ``/hint``, ``/save``, ``/open``, ``/new`` and Python do.

    ``memory`` does its own commands. ``machines`` gives the open solver; ``browse`` opens a page and says whether
    there was something to open it with.
    """

    def __init__(
        self,
        page: Page,
        conversation: Conversation,
        python: LivePython,
        machines: Callable[[], Awaitable[Machines]],
        memory: MemoryCommands,
        browse: Callable[[Path], bool] = open_page,
    ) -> None:
        self._page, self._conversation, self._python = page, conversation, python
        self._machines, self._memory, self._browse = machines, memory, browse
        self._files = SolutionFiles()

    async def run(self, command: Command) -> None:
        """Does what ``command`` says. Raises UsageError, SandboxError, StorageError."""
        await {
            "/why": self._why,
            "/check": self._check,
            "/candidates": self._candidates,
            "/right": self._memory.right,
            "/wrong": self._memory.wrong,
            "/memory": self._memory.memory,
            "/hint": self._hint,
            "/save": self._save,
            "/open": self._open,
            "/new": self._new,
        }[command.name](command)

    async def run_python(self, code: str) -> None:
        """Runs ``code`` in the conversation's session and shows what came of it."""
        if not code.strip():
            raise UsageError("write Python behind it, for example !2**10")
        machines = await self._machines()
        execution = await self._python.run(machines.sandbox, code)
        show_execution(self._page, execution, most=OUTPUT_LINES)

    async def _why(self, command: Command) -> None:
        turn = self._conversation.last
        votes = await self._votes(turn)
        events = [timed.event for timed in turn.log.events]
        show_why(self._page, turn.solution, votes, events, asked=turn.typed)
        self._page.line("/check runs the certificate again; /candidates shows how each came about", style="dim")

    async def _check(self, command: Command) -> None:
        from mathagent.scorers.checks import run_certificate

        solution = self._conversation.last.solution
        if solution.certificate:
            machines = await self._machines()
            self._page.line(f"running {counted(len(solution.certificate), 'check')}", style="dim")
            checks = await run_certificate(machines.sandbox, machines.comparer, solution, CHECK_LIMITS)
        else:
            checks = []
        show_certificate(self._page.console, checks, conclude(checks))

    async def _candidates(self, command: Command) -> None:
        turn = self._conversation.last
        if not command.words:
            show_candidates(self._page.console, turn.solution, await self._votes(turn))
            return
        if len(command.words) > 1 or not command.words[0].isdecimal():
            raise UsageError(f"/candidates takes the number of one candidate, not '{one_line(command.text, 40)}'")
        show_candidate(self._page.console, turn.solution, int(command.words[0][:9]))

    async def _hint(self, command: Command) -> None:
        hints = self._conversation.hints
        if command.text:
            hints.append(command.text)
        if not hints:
            self._page.line("no hint waits; /hint TEXT gives one for the next solve")
        for hint in hints:
            self._page.line(f"for the next solve: {one_line(hint)}")

    async def _save(self, command: Command) -> None:
        if not command.text:
            raise UsageError("/save wants a file: /save solution.md (or .json, .html)")
        path = self._files.save(self._conversation.last, command.text)
        self._page.line(f"written: {path}")

    async def _open(self, command: Command) -> None:
        turn = self._conversation.last
        if command.text and Path(command.text).suffix.lower() != ".html":
            raise UsageError(f"/open {one_line(command.text, 60)}: the name must end in .html")
        if command.text:
            path = self._files.save(turn, command.text, wanted_by="/open")
        else:
            path = self._files.save_page(turn, settings().home_dir / "traces")
        opened = await asyncio.to_thread(self._browse, path)
        self._page.line(f"{'opened' if opened else 'written; no browser here to open it'}: {path}")

    async def _new(self, command: Command) -> None:
        self._conversation.forget()
        await self._python.forget()
        self._page.line("the earlier questions are forgotten")

    async def _votes(self, turn: Turn) -> AnswerVotes:
        answers = [candidate.answer for candidate in turn.solution.candidates]
        answered = sum(answer is not None for answer in answers)
        if answered < 2:  # nothing to compare, nothing to open
            alone = [[index] for index, answer in enumerate(answers) if answer is not None]
            return AnswerVotes(turn.solution, alone)
        machines = await self._machines()
        return AnswerVotes(turn.solution, await machines.comparer.equivalence_classes(answers))
