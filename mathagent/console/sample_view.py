"""SampleView: what the samples of one solve wrote: their words, their programs, the answers they came to.

Of a single sample every reply and program is shown; of several the first words and the first program, every new
answer, and at the end a program that supports the answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mathagent.console.clean_text import one_line
from mathagent.console.execution_view import show_execution
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.events import CandidateProposed, CodeFinished, CodeStarted, ModelReplied
from mathagent.types import Candidate

FIRST_ANSWERS = 4  # of several samples: of so many each answer is told, later only a new one
REPAIRER = "refiner"


@dataclass(frozen=True)
class _Program:
    """A program as it is shown; ``before`` are the model's words that led to it."""

    code: str
    before: str = ""
    is_repair: bool = False


class SampleView:
    """Prints on ``page``; made for each solve anew, with the number of ``samples`` that it draws at most."""

    def __init__(self, page: Page, samples: int) -> None:
        self._page, self.count = page, samples
        self._pending: dict[int, ModelReplied] = {}  # complete, but not yet known to be a program or words
        self._candidates: dict[int, Candidate] = {}
        self._shown_program: int | None = None  # the sample whose program is on the screen
        self._program: _Program | None = None  # the latest of that sample
        self._shown_words: int | None = None
        self._cached: set[int] = set()

    @property
    def done(self) -> str:
        """How many samples have become candidates, in words."""
        return f"{len(self._candidates)} of {counted(self.count, 'sample')}"

    def answer_of(self, sample: int) -> str:
        """The answer that ``sample`` came to; empty where there is none (yet)."""
        candidate = self._candidates.get(sample)
        return candidate.answer.normal if candidate is not None and candidate.answer is not None else ""

    def numbered(self, sample: int) -> str:
        """What stands before a line about ``sample``; nothing where there is only one."""
        return f"sample {sample + 1}{self._page.dot}" if self.count > 1 else ""

    def replied(self, event: ModelReplied) -> None:
        """A reply is complete: it is shown once it is known what it is."""
        self._show_pending(event.sample)
        self._pending[event.sample] = event
        if event.cached:
            self._cached.add(event.sample)

    def code_started(self, event: CodeStarted) -> None:
        """The last reply was a program."""
        reply = self._pending.pop(event.sample, None)
        if self.count > 1 and self._shown_program not in (None, event.sample):
            return
        self._shown_program = event.sample
        before = "" if reply is None else reply.text.split("```")[0].strip()
        self._program = _Program(
            event.code,
            before="" if before in event.code else before,
            is_repair=reply is not None and reply.role == REPAIRER,
        )
        if self.count == 1:  # of several, others may come between a program and its output: see code_finished
            self._show_program(event.sample, self._program)

    def code_finished(self, event: CodeFinished) -> None:
        """The program has run."""
        if event.sample != self._shown_program or self._program is None:
            return
        if self.count > 1:
            self._show_program(event.sample, self._program)
        show_execution(self._page, event.execution)

    def proposed(self, event: CandidateProposed) -> None:
        """A sample has become a candidate."""
        self._candidates[event.sample] = event.candidate
        self._show_pending(event.sample)
        failure = event.candidate.failure
        if self.count > 1:
            self._tell_answer(event.sample, event.candidate)
        elif failure is not None and not failure.kind.startswith("code-"):
            self._page.line(f"{failure.kind}: {one_line(failure.message)}", style="red", indent=2)

    def finish(self, answer: str | None) -> None:
        """The solve has ended with ``answer``: shows what supports it, and what failed."""
        for sample in list(self._pending):
            self._show_pending(sample)
        if self.count > 1:
            self._show_supporting_program(answer)
            failed = Counter(one.failure.kind for one in self._candidates.values() if one.failure is not None)
            if failed:
                kinds = ", ".join(f"{kind} {count}" for kind, count in failed.most_common())
                total = counted(len(self._candidates), "sample")
                self._page.line(f"{sum(failed.values())} of {total} failed: {kinds}", style="dim")

    def _tell_answer(self, sample: int, candidate: Candidate) -> None:
        """One line for each of the first samples, and for each later one whose answer is new."""
        others = {one.answer.normal for key, one in self._candidates.items() if one.answer and key != sample}
        is_new = candidate.answer is not None and candidate.answer.normal not in others
        if len(self._candidates) > FIRST_ANSWERS and not is_new:
            return
        if candidate.answer is not None:
            shown = self._page.math(one_line(candidate.answer.normal, 200))
            self._page.parts((self.numbered(sample), "dim"), (shown, "bold"))
        elif candidate.failure is not None:
            reason = f"no answer: {candidate.failure.kind}"
            self._page.parts((self.numbered(sample), "dim"), (reason, "red"))

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
        is_shown = self.count == 1 or self._shown_words in (None, sample)
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
        number = [f"sample {sample + 1}"] if self.count > 1 else []
        cached = ["cached"] if sample in self._cached else []
        self._page.line(self._page.dot.join([what, *number, *cached]), style="dim")
