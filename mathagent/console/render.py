"""SolveView: the events of a solve, as a person watches them.

On a terminal a small live region shows what is being written now; what is complete is printed above it and stays. In
a pipe the same facts come as plain lines. Of a single sample every reply and program is shown; of several samples the
first program, then a running tally, and at the end a program that supports the answer.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from mathagent.console.clean_text import clip_lines, one_line
from mathagent.console.page import Page
from mathagent.console.pull_view import PullView
from mathagent.console.solution_view import counted
from mathagent.events import (
    BudgetReached,
    CandidateProposed,
    CodeFinished,
    CodeStarted,
    Event,
    ModelReplied,
    Retried,
    SolveFinished,
    SolveStarted,
    TokenDelta,
    Voted,
    Warned,
)
from mathagent.models.base import PullProgress
from mathagent.types import Candidate, Execution

OUTPUT_LINES = 20  # of a program's output; the whole of it is in the Solution
TAIL_CHARACTERS = 4000  # of a growing reply: more than any screen of it needs


class SolveView:
    """Shows the events of one solve after the other on ``console``; ``quiet`` shows none but a model's download.

    ``on_event`` is made for ``Solver.solve(on_event=…)``, ``on_progress`` for ``Solver(on_progress=…)``. As a context
    manager it leaves the terminal in order whatever happens.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._page = Page(console)
        self._quiet = quiet
        self._pull = PullView(console, draw=quiet)
        self._live: Live | None = None
        self._spinner = Spinner("dots" if self._page.unicode else "line")
        self._show: dict[type, Callable[..., None]] = {
            SolveStarted: self._started,
            TokenDelta: self._delta,
            ModelReplied: self._replied,
            CodeStarted: self._code_started,
            CodeFinished: self._code_finished,
            CandidateProposed: self._proposed,
            Voted: self._voted,
            BudgetReached: self._budget_reached,
            Retried: self._retried,
            Warned: self._warned,
            SolveFinished: self._finished,
        }
        self._reset(samples=1)

    def _reset(self, samples: int) -> None:
        self._samples = samples
        self._start = time.monotonic()
        self._growing: dict[int, str] = {}  # replies that are being written, by sample
        self._pending: dict[int, ModelReplied] = {}  # complete, but not yet known to be a program or words
        self._candidates: dict[int, Candidate] = {}
        self._shown_program: int | None = None  # the sample whose program is on the screen
        self._cached: set[int] = set()
        self._votes = ""
        self._doing = "waiting for the model"
        self._said: set[str] = set()

    def __enter__(self) -> SolveView:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the live region; safe to call twice."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        self._pull.__exit__()

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
        self._page.line(f"{event.strategy} on {one_line(event.model)}", style="dim")
        if self._page.styled and self._live is None:
            self._live = Live(
                self,
                console=self._page.console,
                transient=True,
                refresh_per_second=10,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _delta(self, event: TokenDelta) -> None:
        self._growing[event.sample] = (self._growing.get(event.sample, "") + event.text)[-TAIL_CHARACTERS:]
        self._doing = "writing"

    def _replied(self, event: ModelReplied) -> None:
        self._growing.pop(event.sample, None)
        self._show_pending(event.sample)
        self._pending[event.sample] = event
        if event.cached:
            self._cached.add(event.sample)

    def _code_started(self, event: CodeStarted) -> None:
        reply = self._pending.pop(event.sample, None)
        self._doing = "running the program"
        if not self._is_shown(event.sample):
            return
        if reply is not None:
            before = reply.text.split("```")[0].strip()
            if before and before not in event.code:
                self._page.prose(before)
        self._shown_program = event.sample
        self._show_program(event.sample, event.code)

    def _code_finished(self, event: CodeFinished) -> None:
        self._doing = "waiting for the model"
        if event.sample == self._shown_program:
            self._show_execution(event.execution)

    def _proposed(self, event: CandidateProposed) -> None:
        self._candidates[event.sample] = event.candidate
        self._show_pending(event.sample)
        failure = event.candidate.failure
        if self._samples == 1 and failure is not None and not failure.kind.startswith("code-"):
            self._page.line(f"{failure.kind}: {one_line(failure.message)}", style="red", indent=2)

    def _voted(self, event: Voted) -> None:
        tally = [f"{self._page.math(one_line(answer, 24))}:{votes}" for answer, votes in event.classes[:4]]
        more = [f"+{len(event.classes) - 4} more"] if len(event.classes) > 4 else []
        self._votes = "votes " + (" ".join([*tally, *more]) or "none")
        if event.stop or not self._page.styled:
            self._page.line(self._page.dot.join([*self._tally(), one_line(event.reason)]))

    def _budget_reached(self, event: BudgetReached) -> None:
        self._say_once(one_line(event.message))

    def _retried(self, event: Retried) -> None:
        again = f"trying again in {event.wait_s:.2g} s (try {event.attempt + 1})"
        self._doing = "waiting for a busy endpoint"
        # Parallel requests fail together: one line an attempt is enough.
        self._say_once(f"{one_line(event.error)}; {again}", key=f"attempt {event.attempt}")

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
                self._show_program(sample, codes[-1])
                for execution in runs[-1:]:
                    self._show_execution(execution)
                return

    def _show_pending(self, sample: int) -> None:
        """Prints a complete reply that turned out to be words."""
        reply = self._pending.pop(sample, None)
        if reply is not None and self._samples == 1 and reply.text.strip():
            self._head(one_line(reply.role), sample)
            self._page.prose(reply.text)

    def _show_program(self, sample: int, code: str) -> None:
        self._head("program", sample)
        self._page.code(code)

    def _head(self, what: str, sample: int) -> None:
        number = [f"sample {sample + 1}"] if self._samples > 1 else []
        cached = ["cached"] if sample in self._cached else []
        self._page.line(self._page.dot.join([what, *number, *cached]), style="dim")

    def _show_execution(self, execution: Execution) -> None:
        if execution.stdout.strip():
            self._page.line("output", style="dim")
            self._page.line(clip_lines(execution.stdout, most=OUTPUT_LINES), indent=2)
        if not execution.ok:
            reason = one_line(execution.error or "no message")
            self._page.parts((execution.status, "bold red"), (f": {reason}", "red"), indent=2)
        elif execution.value is not None:
            value = clip_lines(execution.value, most=OUTPUT_LINES)
            self._page.parts(("value ", "dim"), (value, "bold"), (f"  {execution.wall_s:.2f} s", "dim"), indent=2)

    def _is_shown(self, sample: int) -> bool:
        return self._samples == 1 or self._shown_program is None or self._shown_program == sample

    def _say_once(self, text: str, key: str | None = None) -> None:
        if (key or text) not in self._said:
            self._said.add(key or text)
            self._page.line(text, style="magenta")

    def _tally(self) -> list[str]:
        done = f"{len(self._candidates)} of {counted(self._samples, 'sample')}"
        return [done, *([self._votes] if self._votes else [])]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The live region: the end of the reply that is being written, a download, and one line of status."""
        growing = sorted(self._growing.items())
        if growing and self._is_shown(growing[0][0]):
            text = Text(self._page.fit(growing[0][1]).rstrip(), overflow="fold")
            lines = text.wrap(console, max(8, self._page.width - 2))
            for line in lines[-max(3, min(12, console.height - 6)) :]:
                yield Text("  ") + line
        bars = self._pull.renderable
        if bars is not None:
            yield bars
        seconds = f"{time.monotonic() - self._start:.0f} s"
        several = self._tally() if self._samples > 1 else []
        words = self._page.dot.join([*several, self._doing, seconds])
        self._spinner.update(text=Text(words, style="dim", overflow="ellipsis", no_wrap=True))
        yield self._spinner
