"""SolveView: the events of a solve, as a person watches them.

On a terminal a small live region (live_region.py) shows what is being written now; what is complete is printed above
it and stays. In a pipe the same facts come as plain lines. What samples wrote is shown by SampleView, and of several a
running tally. Replies to typed questions are data: what came of them is shown (a plan, checks, verdicts).
"""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from mathagent.console.check_lines import show_check, show_judged, show_scored
from mathagent.console.clean_text import one_line
from mathagent.console.live_region import LiveRegion
from mathagent.console.memory_lines import remembered_words, show_recalled
from mathagent.console.page import Page
from mathagent.console.pull_view import PullView
from mathagent.console.sample_view import SampleView
from mathagent.console.solution_view import counted
from mathagent.events import (
    Asked,
    BudgetReached,
    CandidateProposed,
    CheckFinished,
    CodeFinished,
    CodeStarted,
    Decided,
    Event,
    HintGiven,
    Judged,
    ModelReplied,
    PersonAnswered,
    PersonAsked,
    PlanMade,
    Recalled,
    Remembered,
    Retried,
    Scored,
    SolveFinished,
    SolveStarted,
    TokenDelta,
    ToolFinished,
    ToolStarted,
    Voted,
    Warned,
)
from mathagent.models.base import PullProgress


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
            Decided: self._decided,
            PlanMade: self._plan_made,
            Recalled: self._recalled,
            Remembered: self._remembered,
            CodeStarted: self._code_started,
            CodeFinished: self._code_finished,
            ToolStarted: self._tool_started,
            ToolFinished: self._tool_finished,
            CheckFinished: self._check_finished,
            Judged: self._judged,
            Scored: self._scored,
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
        self._samples = SampleView(self._page, samples)
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
        self._samples.replied(event)

    def _asked(self, event: Asked) -> None:
        """Typed questions are machinery: of no interest but to who looks into it."""
        if self._debug:
            how = "fell back" if event.fell_back else f"by {event.rung}"
            dropped = [f"{event.dropped} elements dropped"] if event.dropped else []
            parts = [f"{one_line(event.role)} was asked", how, counted(event.attempts, "attempt"), *dropped]
            self._page.line(self._page.dot.join(parts), style="dim")

    def _decided(self, event: Decided) -> None:
        """A decision by its words: who, what, on whom, and what came of it."""
        what = " ".join(part for part in (event.decision, event.subject) if part)
        left = ", ".join(f"{amount:g} {name}" for name, amount in event.left.items())
        parts = [f"{one_line(event.role, 24)}: {one_line(what, 80)}", one_line(event.reason, 160)]
        parts += [one_line(event.outcome, 160), f"left: {left}" if left else ""]
        self._page.line(self._page.dot.join(part for part in parts if part), style="dim")

    def _plan_made(self, event: PlanMade) -> None:
        self._page.line("plan", style="dim")
        self._page.prose(event.text)

    def _recalled(self, event: Recalled) -> None:
        # A strategy within a strategy looks up the same again.
        if not self._is_said("\0".join(one.id for one in event.found)):
            show_recalled(self._page, event)

    def _remembered(self, event: Remembered) -> None:
        self._page.line(f"remembered: {remembered_words(event)}", style="dim")

    def _check_finished(self, event: CheckFinished) -> None:
        self.region.doing = "checking"
        check = event.check
        if self._is_told(event.sample, check.kind, check.outcome, check.claim):
            return
        show_check(self._page, check, self._samples.numbered(event.sample))

    def _judged(self, event: Judged) -> None:
        self.region.doing = "waiting for the model"
        if self._is_told(event.sample, event.judgement, event.reason):
            return
        show_judged(self._page, event, self._samples.numbered(event.sample))

    def _scored(self, event: Scored) -> None:
        show_scored(self._page, event, self._samples.numbered(event.sample))

    def _is_told(self, sample: int, *what: str) -> bool:
        """Of several samples with one answer, the same is told once."""
        is_said = self._is_said("\0".join((self._samples.answer_of(sample), *what)))
        return is_said and self._samples.count > 1

    def _code_started(self, event: CodeStarted) -> None:
        self.region.doing = "running a program"
        self._samples.code_started(event)

    def _code_finished(self, event: CodeFinished) -> None:
        self.region.doing = "waiting for the model"
        self._samples.code_finished(event)

    def _tool_started(self, event: ToolStarted) -> None:
        self.region.doing = f"calling {one_line(event.tool, 40)}"
        self._page.line(f"{one_line(event.tool, 80)} {one_line(event.arguments, 160)}", style="dim")

    def _tool_finished(self, event: ToolFinished) -> None:
        self.region.doing = "waiting for the model"
        outcome = "gave" if event.ok else "failed:"
        self._page.line(f"{one_line(event.tool, 80)} {outcome} {one_line(event.text, 240)}", style="dim")

    def _proposed(self, event: CandidateProposed) -> None:
        self._samples.proposed(event)
        self.region.tally = self._tally() if self._samples.count > 1 else []

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
        self._samples.finish(event.solution.answer)
        self.close()

    def _is_said(self, key: str) -> bool:
        """Whether that was said in this solve; from now on it was."""
        is_said = key in self._said
        self._said.add(key)
        return is_said

    def _say_once(self, text: str, key: str | None = None) -> None:
        if not self._is_said(key or text):
            self._page.line(text, style="magenta")

    def _tally(self) -> list[str]:
        return [self._samples.done, *([self._votes] if self._votes else [])]
