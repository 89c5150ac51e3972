"""ReasoningText: the trace of a solve as one text that grows, for readers of ``reasoning_content``. Pure."""

from __future__ import annotations

from mathagent.events import (
    BudgetReached,
    CandidateProposed,
    CheckFinished,
    CodeFinished,
    CodeStarted,
    Decided,
    Event,
    Judged,
    ModelReplied,
    PersonAsked,
    PlanMade,
    Recalled,
    Retried,
    TokenDelta,
    ToolFinished,
    ToolStarted,
    Voted,
)

MOST_OUTPUT = 600
"""Characters of a program's output that are shown."""
_Place = tuple[str, int]


class ReasoningText:
    """``add`` says what an event adds to the text.

    Replies that are written at the same time do not mix: one is shown as it is written, the others behind it, whole.
    Replies to typed questions are data and are left out; what came of them is told by other events.
    """

    def __init__(self) -> None:
        self._live: _Place | None = None
        self._behind: dict[_Place, str] = {}
        self._whole: list[str] = []
        self._fresh = True

    def add(self, event: Event) -> str:
        """The new text; often ""."""
        match event:
            case TokenDelta():
                return "" if event.typed else self._piece((event.role, event.sample), event.text)
            case ModelReplied():
                return "" if event.typed else self._reply((event.role, event.sample), event.text)
            case CandidateProposed() if self._live is not None and self._live[1] == event.sample:
                ended = self._reply(self._live, "")  # its request has failed
                return ended + self._paragraph(_line(event))
        line = _line(event)
        return self._paragraph(line) if line else ""

    def end(self) -> str:
        """What was still held back."""
        texts = [*self._whole, *self._behind.values()]
        self._live = None
        self._whole, self._behind = [], {}
        return "".join(map(self._paragraph, texts))

    def _piece(self, place: _Place, text: str) -> str:
        if self._live is None:
            self._live = place
        if place == self._live:
            return self._text(text)
        self._behind[place] = self._behind.get(place, "") + text
        return ""

    def _reply(self, place: _Place, text: str) -> str:
        if self._live is None:  # nothing of it came in pieces
            return self._paragraph(text)
        if place != self._live:
            self._behind.pop(place, None)
            self._whole.append(text)
            return ""
        self._live = None
        parts = [self._end_of_paragraph(), *map(self._paragraph, self._whole)]
        self._whole = []
        if self._behind:
            self._live = next(iter(self._behind))
            parts.append(self._text(self._behind.pop(self._live)))
        return "".join(parts)

    def _paragraph(self, text: str) -> str:
        return self._end_of_paragraph() + self._text(text.strip("\n")) + self._end_of_paragraph()

    def _text(self, text: str) -> str:
        self._fresh = self._fresh and not text
        return text

    def _end_of_paragraph(self) -> str:
        fresh, self._fresh = self._fresh, True
        return "" if fresh else "\n\n"


def _line(event: Event) -> str:
    match event:
        case PlanMade():
            return f"Plan:\n{event.text}"
        case Recalled() if event.found:
            return "Recalled: " + "; ".join(one.title for one in event.found)
        case CodeStarted():
            return f"```python\n{event.code.rstrip()}\n```"
        case CodeFinished():
            execution = event.execution
            if execution.ok:
                shown = [execution.stdout.strip(), f"= {execution.value}" if execution.value is not None else ""]
                return _clipped("\n".join(part for part in shown if part) or "(no output)")
            return _clipped(f"The program failed ({execution.status}): {execution.error or ''}".rstrip(": "))
        case ToolStarted():
            return f"Calls {event.tool}."
        case ToolFinished():
            return _clipped(event.text)
        case CheckFinished():
            check = event.check
            return f"Check ({check.kind}): {check.outcome}. {check.claim or check.reason}".rstrip()
        case Judged():
            return f"Judged {event.judgement}: {event.reason}"
        case Decided():
            return f"{event.role}: {event.decision} {event.subject}".rstrip()
        case CandidateProposed():
            answer, failure = event.candidate.answer, event.candidate.failure
            told = answer.normal if answer is not None else f"none ({failure.kind if failure else 'no answer'})"
            return f"Candidate {event.sample + 1}: {told}"
        case Voted():
            return "Votes: " + ", ".join(f"{answer} × {votes}" for answer, votes in event.classes)
        case BudgetReached():
            return f"The budget ended the search: {event.message}"
        case Retried():
            return "The model's endpoint failed; the request is sent again."
        case PersonAsked():
            return f"Waits for a person ({event.request.kind})."
    return ""


def _clipped(text: str) -> str:
    return text if len(text) <= MOST_OUTPUT else f"{text[:MOST_OUTPUT]} …"
