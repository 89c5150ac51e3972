"""SolveView: the events of a solve, as a person watches them.

On a terminal a small live region (live_region.py) shows what is being written now; what is complete is printed above
it and stays. In a pipe the same facts come as plain lines. Of a single sample every reply and program is shown; of
several the first words and the first program, every new answer, a running tally, and at the end a program that
supports the answer. Replies to typed questions are data: what came of them is shown (a plan, checks, verdicts).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from mathagent.console.check_lines import show_check, show_judged
from mathagent.console.clean_text import one_line
from mathagent.console.execution_view import show_execution
from mathagent.console.live_region import LiveRegion
from mathagent.console.page import Page
from mathagent.console.pull_view import PullView
from mathagent.console.solution_view import counted
from mathagent.events import (
    Asked,
    BudgetReached,
    CandidateProposed,
    CheckFinished,
    CodeFinished,
    CodeStarted,
    Event,
    HintGiven,
    Judged,
    ModelReplied,
    PersonAnswered,
    PersonAsked,
    PlanMade,
    Retried,
    SolveFinished,
    SolveStarted,
    TokenDelta,
    Voted,
    Warned,
)
from mathagent.models.base import PullProgress
from mathagent.types import Candidate

FIRST_ANSWERS = 4  # of several samples: of so many each answer is told, later only a new one
REPAIRER = "refiner"


@dataclass(frozen=True)
class _Program:
    """A program as it is shown; ``before`` are the model's words that led to it."""

    code: str
    before: str = ""
    is_repair: bool = False


class SolveView:
    """Shows the events of one solve after the other on ``console``; ``quiet`` shows none but a model's download.

    ``debug`` also shows how typed questions were answered.

    ``on_event`` is made for ``Solver.solve(on_event=…)``, ``on_progress`` for ``Solver(on_progress=…)``. As a context
    manager it leaves the terminal in order whatever happens.
    """

    def __init__(self, console: Console, *, quiet: bool = False, debug: bool = False) -> None:
        self._page = Page(console)
        self._quiet, self._debug = quiet, debug
        self._pull = PullView(console, draw=quiet)
        self.region = LiveRegion(self._page, self._pull)
        self._show: dict[type, Callable[..., None]] = {
            SolveStarted: self._started,
            TokenDelta: self._delta,
            ModelReplied: self._replied,
            Asked: self._asked,
            PlanMade: self._plan_made,
            CodeStarted: self._code_started,
            CodeFinished: self._code_finished,
            CheckFinished: self._check_finished,
            Judged: self._judged,
            CandidateProposed: self._proposed,
            Voted: self._voted,
            BudgetReached: self._budget_reached,
            Retried: self._retried,
            PersonAsked: self._person_asked,
            PersonAnswered: self._person_answered,
            HintGiven: self._hint_given,
            Warned: self._warned,
            SolveFinished: self._finished,
        }
        self._reset(samples=1)

    def _reset(self, samples: int) -> None:
        self._samples = samples
        self._pending: dict[int, ModelReplied] = {}  # complete, but not yet known to be a program or words
        self._candidates: dict[int, Candidate] = {}
        self._shown_program: int | None = None  # the sample whose program is on the screen
        self._program: _Program | None = None  # the latest of that sample
        self._shown_words: int | None = None
        self._cached: set[int] = set()
        self._votes = ""
        self._said: set[str] = set()

    def __enter__(self) -> SolveView:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the live region; safe to call twice."""
        self.region.close()
        self._pull.__exit__()

    @property
    def draws(self) -> bool:
        """Whether there is a live region."""
        return self._page.styled

    def on_event(self, event: Event) -> None:
        """Shows one event; kinds it does not know are passed over."""
        show = self._show.get(type(event))
        if show is not None and not self._quiet:
            show(event)

    def on_progress(self, progress: PullProgress) -> None:
        """Shows how far a model's download is, beside what else is on the screen."""
        self._pull(progress)

    def note(self, text: str) -> None:
        """Prints a remark of the program's own, such as that it is stopping."""
        self._page.line(text, style="magenta")

    def _started(self, event: SolveStarted) -> None:
        self._reset(event.samples)
        self.region.begin()
        again = f", resumed ({event.solve_id})" if event.resumed else ""
        self._page.line(f"{event.strategy} on {one_line(event.model)}{again}", style="dim")

    def _delta(self, event: TokenDelta) -> None:
        if event.typed:
            self.region.doing = f"asking the {one_line(event.role, 24)}"
            return
        self.region.grow(event.sample, event.text)
        self.region.doing = "writing"

    def _replied(self, event: ModelReplied) -> None:
        self.region.meter.add(event)
        if event.typed:
            if self._debug:
                self._page.line(f"{one_line(event.role)} replied: {one_line(event.text, 2000)}", style="dim")
            return
        self.region.complete(event.sample)
        self._show_pending(event.sample)
        self._pending[event.sample] = event
        if event.cached:
            self._cached.add(event.sample)

    def _asked(self, event: Asked) -> None:
        """Typed questions are machinery: of no interest but to who looks into it."""
        if self._debug:
            how = "fell back" if event.fell_back else f"by {event.rung}"
            dropped = [f"{event.dropped} elements dropped"] if event.dropped else []
            parts = [f"{one_line(event.role)} was asked", how, counted(event.attempts, "attempt"), *dropped]
            self._page.line(self._page.dot.join(parts), style="dim")

    def _plan_made(self, event: PlanMade) -> None:
        self._page.line("plan", style="dim")
        self._page.prose(event.text)

    def _check_finished(self, event: CheckFinished) -> None:
        self.region.doing = "checking"
        check = event.check
        if self._is_told(event.sample, check.kind, check.outcome, check.claim):
            return
        show_check(self._page, check, self._numbered(event.sample))

    def _judged(self, event: Judged) -> None:
        self.region.doing = "waiting for the model"
        if self._is_told(event.sample, event.judgement, event.reason):
            return
        show_judged(self._page, event, self._numbered(event.sample))

    def _is_told(self, sample: int, *what: str) -> bool:
        """Of several samples with one answer, the same is told once."""
        candidate = self._candidates.get(sample)
        answer = candidate.answer.normal if candidate is not None and candidate.answer is not None else ""
        key = "\0".join((answer, *what))
        is_told = self._samples > 1 and key in self._said
        self._said.add(key)
        return is_told

    def _code_started(self, event: CodeStarted) -> None:
        reply = self._pending.pop(event.sample, None)
        self.region.doing = "running a program"
        if self._samples > 1 and self._shown_program not in (None, event.sample):
            return
        self._shown_program = event.sample
        before = "" if reply is None else reply.text.split("```")[0].strip()
        self._program = _Program(
            event.code,
            before="" if before in event.code else before,
            is_repair=reply is not None and reply.role == REPAIRER,
        )
        if self._samples == 1:  # of several, others may come between a program and its output: see _code_finished
            self._show_program(event.sample, self._program)

    def _code_finished(self, event: CodeFinished) -> None:
        self.region.doing = "waiting for the model"
        if event.sample != self._shown_program or self._program is None:
            return
        if self._samples > 1:
            self._show_program(event.sample, self._program)
        show_execution(self._page, event.execution)

    def _proposed(self, event: CandidateProposed) -> None:
        self._candidates[event.sample] = event.candidate
        self._show_pending(event.sample)
        failure = event.candidate.failure
        if self._samples > 1:
            self._tell_answer(event.sample, event.candidate)
        elif failure is not None and not failure.kind.startswith("code-"):
            self._page.line(f"{failure.kind}: {one_line(failure.message)}", style="red", indent=2)
        self.region.tally = self._tally() if self._samples > 1 else []

    def _tell_answer(self, sample: int, candidate: Candidate) -> None:
        """One line for each of the first samples, and for each later one whose answer is new."""
        others = {one.answer.normal for key, one in self._candidates.items() if one.answer and key != sample}
        is_new = candidate.answer is not None and candidate.answer.normal not in others
        if len(self._candidates) > FIRST_ANSWERS and not is_new:
            return
        if candidate.answer is not None:
            shown = self._page.math(one_line(candidate.answer.normal, 200))
            self._page.parts((self._numbered(sample), "dim"), (shown, "bold"))
        elif candidate.failure is not None:
            reason = f"no answer: {candidate.failure.kind}"
            self._page.parts((self._numbered(sample), "dim"), (reason, "red"))

    def _voted(self, event: Voted) -> None:
        tally = [f"{self._page.math(one_line(answer, 24))}:{votes}" for answer, votes in event.classes[:4]]
        more = [f"+{len(event.classes) - 4} more"] if len(event.classes) > 4 else []
        self._votes = "votes " + (" ".join([*tally, *more]) or "none")
        self.region.tally = self._tally()
        if event.stop or not self._page.styled:
            self._page.line(self._page.dot.join([*self._tally(), one_line(event.reason)]))

    def _budget_reached(self, event: BudgetReached) -> None:
        if event.limit == "interrupted":  # who did that knows
            return
        self._say_once(one_line(event.message))

    def _retried(self, event: Retried) -> None:
        again = f"trying again in {event.wait_s:.2g} s (try {event.attempt + 1})"
        self.region.doing = "waiting for a busy endpoint"
        # Parallel requests fail together: one line an attempt is enough.
        self._say_once(f"{one_line(event.error)}; {again}", key=f"attempt {event.attempt}")

    def _person_asked(self, event: PersonAsked) -> None:
        """The terminal is the person's until they have answered."""
        self.region.close()

    def _person_answered(self, event: PersonAnswered) -> None:
        self.region.draw()

    def _hint_given(self, event: HintGiven) -> None:
        self._page.line(f"hint: {one_line(event.text)}", style="magenta")

    def _warned(self, event: Warned) -> None:
        self._say_once(f"warning: {one_line(event.message)}")

    def _finished(self, event: SolveFinished) -> None:
        for sample in list(self._pending):
            self._show_pending(sample)
        if self._samples > 1:
            self._show_supporting_program(event.solution.answer)
            failed = Counter(one.failure.kind for one in self._candidates.values() if one.failure is not None)
            if failed:
                kinds = ", ".join(f"{kind} {count}" for kind, count in failed.most_common())
                total = counted(len(self._candidates), "sample")
                self._page.line(f"{sum(failed.values())} of {total} failed: {kinds}", style="dim")
        self.close()

    def _show_supporting_program(self, answer: str | None) -> None:
        """Prints a program whose value is ``answer``, unless such a one is on the screen."""

        def supports(candidate: Candidate | None) -> bool:
            return candidate is not None and candidate.answer is not None and candidate.answer.normal == answer

        shown = self._candidates.get(-1 if self._shown_program is None else self._shown_program)
        if answer is None or supports(shown):
            return
        for sample, candidate in sorted(self._candidates.items()):
            codes = [step.text for step in candidate.steps if step.kind == "code"]
            runs = [step.execution for step in candidate.steps if step.execution is not None]
            if supports(candidate) and codes:
                self._show_program(sample, _Program(codes[-1]))
                for execution in runs[-1:]:
                    show_execution(self._page, execution)
                return

    def _show_pending(self, sample: int) -> None:
        """Prints a complete reply that turned out to be words."""
        reply = self._pending.pop(sample, None)
        is_shown = self._samples == 1 or self._shown_words in (None, sample)
        if reply is not None and is_shown and reply.text.strip():
            self._shown_words = sample
            self._head(one_line(reply.role), sample)
            self._page.prose(reply.text)

    def _show_program(self, sample: int, program: _Program) -> None:
        self._head("repaired program" if program.is_repair else "program", sample)
        if program.before:
            self._page.prose(program.before)
        self._page.code(program.code)

    def _head(self, what: str, sample: int) -> None:
        number = [f"sample {sample + 1}"] if self._samples > 1 else []
        cached = ["cached"] if sample in self._cached else []
        self._page.line(self._page.dot.join([what, *number, *cached]), style="dim")

    def _numbered(self, sample: int) -> str:
        return f"sample {sample + 1}{self._page.dot}" if self._samples > 1 else ""

    def _say_once(self, text: str, key: str | None = None) -> None:
        if (key or text) not in self._said:
            self._said.add(key or text)
            self._page.line(text, style="magenta")

    def _tally(self) -> list[str]:
        done = f"{len(self._candidates)} of {counted(self._samples, 'sample')}"
        return [done, *([self._votes] if self._votes else [])]
