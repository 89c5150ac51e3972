"""Solving in the interactive session: the solver, the follow-up question, the view, the person beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mathagent.budget import Budget
from mathagent.console.approval import Approver
from mathagent.console.clean_text import one_line
from mathagent.console.conversation import Conversation, Turn
from mathagent.console.event_log import EventLog
from mathagent.console.hint_line import HintLine
from mathagent.console.interrupts import Interruptible
from mathagent.console.live_python import LivePython
from mathagent.console.page import Page
from mathagent.console.render import SolveView
from mathagent.console.repl_commands import Command, changed_settings
from mathagent.console.repl_session import Session
from mathagent.console.repl_solver import OpenSolver, SolverLike
from mathagent.console.solution_view import counted, show_solution
from mathagent.errors import WorkerError
from mathagent.events import Event
from mathagent.types import Solution, Usage

if TYPE_CHECKING:
    from mathagent.agents.human import Human

REWRITING = Budget(max_tokens=1024, max_calls=2, max_seconds=120)
"""What understanding a follow-up question may cost at most."""
STACKED_S = 3.0


@dataclass(frozen=True)
class Ask:
    """What is to be solved: ``typed`` by the person, or, ``again``, a ``problem`` that is understood already."""

    typed: str
    problem: str | None = None
    config: Mapping[str, Any] | None = None
    seed: int | None = None
    hints: tuple[str, ...] = ()


def ask_again(conversation: Conversation, session: Session, command: Command) -> Ask:
    """``/retry``: the last problem with the next seed and, for this once, the settings of ``command``."""
    turn = conversation.last
    seed = session.options.seed if turn.seed is None else turn.seed
    return Ask(
        typed=turn.typed,
        problem=turn.solution.problem.text,
        config=changed_settings(session.options.config, command.words),
        seed=1 if seed is None else seed + 1,
        hints=turn.hints,
    )


class Solves:
    """Solves one problem after the other; ``draft`` is what was typed meanwhile and not sent."""

    def __init__(
        self,
        console: Console,
        session: Session,
        conversation: Conversation,
        python: LivePython,
        *,
        open_solver: OpenSolver,
        until_loaded: Callable[[], Awaitable[None]],
        interruptible: Interruptible,
    ) -> None:
        self.draft = ""
        self._console, self._page = console, Page(console)
        self._session, self._conversation, self._python = session, conversation, python
        self._open_solver, self._until_loaded = open_solver, until_loaded
        self._interruptible = interruptible
        self._solver: SolverLike | None = None
        self._view = SolveView(console)
        self._begun = False  # solving, as opposed to getting ready for it

    async def solver(self) -> SolverLike:
        """The open solver; opened anew after another model was chosen."""
        if self._session.solver_is_stale:
            await self._python.aclose()
            await self.aclose()
            self._session.solver_is_stale = False
        if self._solver is None:
            # Through self: a download is shown by the view of the solve that needs it.
            self._solver = self._open_solver(
                self._session.options, lambda progress: self._view.on_progress(progress)
            )
        return self._solver

    async def aclose(self) -> None:
        """Closes the solver; safe to call twice."""
        solver, self._solver = self._solver, None
        if solver is not None:
            await solver.aclose()

    async def solve(self, ask: Ask) -> None:
        """Solves, shows and remembers. Raises MathagentError where there is not even a best so far."""
        log = EventLog()

        async def solving(interrupt: asyncio.Event) -> tuple[Turn, str]:
            await self._until_loaded()
            human = self._person(ask, interrupt)
            with _Typing(self, human):
                solver = await self.solver()
                problem, budget = await self._understood(solver, ask, interrupt)
                self._begun = True
                solution = await self._solution(solver, ask, problem, budget, log, interrupt, human)
                strategy, hints = self._session.options.strategy, tuple(human.hints)
                turn = Turn(ask.typed, solution, log, strategy, ask.seed, hints)
                return turn, await self._stacked(solver, solution)

        self._begun = False
        self._page.line()
        with SolveView(self._console, debug=self._session.debug) as self._view:
            done = await self._interruptible.run(solving, self._note_interrupt)
        if done is None:
            self._page.line("given up" if self._begun else "stopped", style="magenta")
            return
        turn, stacked = done
        self._conversation.hints.clear()
        self._conversation.turns.append(turn)
        self._python.take(turn.solution)
        self._page.line()
        show_solution(self._console, turn.solution, stacked=stacked)
        if turn.solution.resumable:
            self._page.line(f"go on later with: mathagent solve --resume {turn.solution.solve_id}", style="dim")

    async def _solution(
        self,
        solver: SolverLike,
        ask: Ask,
        problem: str,
        budget: Budget,
        log: EventLog,
        interrupt: asyncio.Event,
        human: Human,
    ) -> Solution:
        options = self._session.options

        def on_event(event: Event) -> None:
            log.on_event(event)
            self._view.on_event(event)

        return await solver.solve(
            problem,
            options.strategy,
            budget=budget,
            config=options.config if ask.config is None else ask.config,
            seed=options.seed if ask.seed is None else ask.seed,
            on_event=on_event,
            interrupt=interrupt,
            human=human,
            min_confidence=options.min_confidence,
        )

    async def _understood(self, solver: SolverLike, ask: Ask, interrupt: asyncio.Event) -> tuple[str, Budget]:
        """What is to be solved, and what is left of the budget for it."""
        from mathagent.agents.follow_up import stands_alone

        budget, earlier = self._session.options.budget, self._conversation.earlier()
        if ask.problem is not None or not earlier or stands_alone(ask.typed):
            return ask.problem or ask.typed, budget
        if budget.max_calls == 1:
            self._view.note(
                "not looked up in the earlier questions: the budget allows one call, which is for solving"
            )
            return ask.typed, budget
        names = await self._python.names(solver.sandbox)
        self._view.region.begin("reading the earlier questions")
        began = time.monotonic()
        understood = await solver.beside.understand(
            ask.typed,
            earlier,
            names,
            budget=for_rewriting(budget),
            on_event=self._view.on_event,
            interrupt=interrupt,
        )
        if understood.rewritten:
            cost = f" ({counted(understood.usage.calls, 'call')})"
            shown = self._page.prose_line(understood.text)
            self._page.parts(("understood as: ", "dim"), (shown, ""), (cost, "dim"))
        elif understood.trouble:
            self._view.note(f"solved as typed, for it could not be rewritten: {one_line(understood.trouble)}")
        return understood.text, less(budget, understood.usage, time.monotonic() - began)

    def _person(self, ask: Ask, interrupt: asyncio.Event) -> Human:
        from mathagent.agents.human import Human

        approve = self._session.options.approve
        approver = Approver(self._console, interrupt)
        hints = (*ask.hints, *self._conversation.hints)
        return Human(approver, approve_code=approve, review_plans=approve, hints=hints)

    async def _stacked(self, solver: SolverLike, solution: Solution) -> str:
        """The answer over several lines, where it is more than a line; untrusted text is read in the sandbox."""
        from mathagent.answers.stacked import may_stack

        if solution.answer is None or not may_stack(solution.answer):
            return ""
        columns = max(20, self._page.width - 16)
        try:
            drawn = await solver.calls.call(
                "mathagent.answers.stacked:stacked",
                solution.answer,
                columns,
                self._page.unicode,
                timeout_s=STACKED_S,
            )
        except WorkerError:  # an answer that cannot be drawn is shown on one line
            return ""
        return str(drawn)

    def _note_interrupt(self) -> None:
        if self._begun:
            self._view.note("stopping with the best so far; Ctrl-C again gives up")
        else:
            self._interruptible.give_up()

    def interrupted_by_key(self) -> None:
        """Ctrl-C came as a key."""
        self._interruptible.received()

    @property
    def view(self) -> SolveView:
        """What shows the running solve."""
        return self._view


class _Typing:
    """The person's keys while a solve runs: hints go to it, what is not sent becomes the next prompt's draft."""

    def __init__(self, solves: Solves, human: Human) -> None:
        self._solves, self._human = solves, human
        self._waiting = ""  # a command: it is for the prompt
        view = solves.view
        self._line = HintLine(
            by_key=view.draws,
            on_line=self._said,
            on_interrupt=solves.interrupted_by_key,
            on_change=view.region.refresh,
        )
        view.region.typed = lambda: self._line.text

    def __enter__(self) -> None:
        self._line.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._line.__exit__()
        self._solves.draft = self._line.text or self._waiting

    def _said(self, line: str) -> None:
        if line.lower().startswith("/hint "):
            line = line[len("/hint ") :].strip()
        if line.startswith("/"):
            self._waiting = line
            self._solves.view.note(f"{one_line(line, 60)} waits for the next prompt; only hints are taken now")
            return
        self._human.hint(line)


def for_rewriting(budget: Budget) -> Budget:
    """What rewriting may use of ``budget``: little, and never the last call."""
    calls = None if budget.max_calls is None else budget.max_calls - 1
    least = {
        "max_calls": (REWRITING.max_calls, calls),
        "max_tokens": (REWRITING.max_tokens, budget.max_tokens),
        "max_seconds": (REWRITING.max_seconds, budget.max_seconds),
    }
    return Budget.model_validate(
        {name: min(one for one in both if one is not None) for name, both in least.items()}
    )


def less(budget: Budget, usage: Usage, seconds: float) -> Budget:
    """What is left of ``budget`` after ``usage`` and ``seconds``; at least one call, one token and a second."""
    return budget.model_copy(
        update={
            "max_calls": budget.max_calls and max(1, budget.max_calls - usage.calls),
            "max_tokens": budget.max_tokens and max(1, budget.max_tokens - usage.completion_tokens),
            "max_seconds": budget.max_seconds and max(1.0, budget.max_seconds - seconds),
        }
    )
