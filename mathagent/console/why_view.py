"""What a person sees of the evidence: for the answer, and against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mathagent.console.certificate_view import MARKS, mark
from mathagent.console.check_lines import check_words
from mathagent.console.clean_text import one_line
from mathagent.console.memory_lines import recollection_words, shown_to_model
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.events import Asked, Event, Judged, Warned
from mathagent.types import Solution

LONGEST_TITLE = 100  # characters of an experience


class AnswerVotes:
    """How the samples of ``solution`` voted. ``classes`` are the equivalence classes of its candidates, by index."""

    def __init__(self, solution: Solution, classes: Sequence[Sequence[int]]) -> None:
        self._solution = solution
        self.classes = sorted(classes, key=lambda members: -len(members))

    def answer_of(self, members: Sequence[int]) -> str:
        answer = self._solution.candidates[members[0]].answer
        assert answer is not None
        return answer.normal

    def supports(self, members: Sequence[int]) -> bool:
        """Whether this class gave the solution's answer."""
        answers = (self._solution.candidates[index].answer for index in members)
        return any(answer is not None and answer.normal == self._solution.answer for answer in answers)


def show_why(page: Page, solution: Solution, votes: AnswerVotes, events: Sequence[Event], *, asked: str) -> None:
    """Prints votes, checks, what memory the model was shown, and what speaks against the answer.

    ``asked`` is the question as it was typed.
    """
    if asked.strip() != solution.problem.text.strip():
        page.field("asked", one_line(asked))
        page.field("understood", one_line(solution.problem.text, 1000))
    page.field("answer", "none" if solution.answer is None else page.math(solution.answer), style="bold")
    _fields(page, "votes", [(_vote_words(solution, votes, members, page), "") for members in votes.classes])
    alike = Counter(
        (f"{mark(check, page)} {check_words(check, page)}", MARKS[check.outcome][2])
        for check in solution.certificate
    )
    checks = [
        (f"{words} ({times} times)" if times > 1 else words, style) for (words, style), times in alike.items()
    ]
    _fields(page, "checks", checks)
    _fields(page, "shown", [(words, "") for words in _shown(solution, events, page)])
    found = objections(solution, votes, events, asked=asked) or ["nothing that was tried"]
    _fields(page, "against it", [(text, "") for text in found])
    if solution.confidence is not None:
        page.field("confidence", f"{solution.confidence:.2f}{page.dot}{one_line(solution.confidence_basis)}")


def objections(solution: Solution, votes: AnswerVotes, events: Sequence[Event], *, asked: str) -> list[str]:
    """What speaks against the answer of ``solution``, the gravest first. Pure."""
    found = [
        f"{check.kind} fails: {one_line(check.reason)}"
        for check in solution.certificate
        if check.outcome == "fails"
    ]
    others = sum(len(members) for members in votes.classes if not votes.supports(members))
    if others:
        found.append(f"{counted(others, 'sample')} {'gives' if others == 1 else 'give'} another answer")
    holding = [check for check in solution.certificate if check.outcome == "holds"]
    if not holding:
        found.append("no check holds that anyone could run again")
    elif not any(check.strength == "strong" for check in holding):
        found.append("only weak checks hold, which a wrong answer may pass as well")
    undecided = sum(check.outcome == "undecided" for check in solution.certificate)
    if undecided:
        found.append(f"{counted(undecided, 'check')} could not be decided")
    failures = Counter(one.failure.kind for one in solution.candidates if one.failure is not None)
    if failures:
        kinds = ", ".join(f"{kind} {count}" for kind, count in failures.most_common())
        found.append(f"{counted(sum(failures.values()), 'sample')} gave no answer ({kinds})")
    strong = any(check.strength == "strong" for check in holding)
    if len(solution.candidates) == 1 and solution.answer is not None and not strong:
        found.append("it comes from one sample: nothing else agrees with it")
    refuted = {event.sample for event in events if isinstance(event, Judged) and event.judgement == "incorrect"}
    if refuted:
        found.append(
            f"{counted(len(refuted), 'candidate')} failed {'its' if len(refuted) == 1 else 'their'} checks"
        )
    if solution.abstained:
        found.append("its confidence is less than was asked for")
    if solution.stopped != "finished":
        found.append(f"the search ended early: {one_line(solution.detail) or solution.stopped}")
    fell_back = sum(isinstance(event, Asked) and event.fell_back for event in events)
    if fell_back:
        found.append(f"{counted(fell_back, 'question')} to a role got no readable reply")
    unchecked = sum(one.trust == "unchecked" for one in shown_to_model(events))
    if unchecked:
        found.append(f"the model was shown {counted(unchecked, 'note')} that nobody has checked")
    found += dict.fromkeys(one_line(event.message) for event in events if isinstance(event, Warned))
    if asked.strip() != solution.problem.text.strip():
        found.append("the question was rewritten by the model: see that it is yours")
    return found


def _shown(solution: Solution, events: Sequence[Event], page: Page) -> list[str]:
    """The experiences that a model was shown; of a solve that was resumed only the ids of those before."""
    told = {one.id: recollection_words(one, page, LONGEST_TITLE) for one in shown_to_model(events)}
    ids = dict.fromkeys([*told, *solution.recalled])
    return [f"{told[identity]} {identity[:12]}" if identity in told else identity for identity in ids]


def _fields(page: Page, label: str, values: Sequence[tuple[str, str]]) -> None:
    """Several (value, style) under one label."""
    for place, (value, style) in enumerate(values):
        page.field(label if place == 0 or not page.styled else "", value, style=style)


def _vote_words(solution: Solution, votes: AnswerVotes, members: Sequence[int], page: Page) -> str:
    verb = "gives" if len(members) == 1 else "give"
    says = "it" if votes.supports(members) else page.math(one_line(votes.answer_of(members), 60))
    return f"{len(members)} of {counted(len(solution.candidates), 'sample')} {verb} {says}"
