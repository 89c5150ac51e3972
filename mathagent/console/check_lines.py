"""What a person sees of one check, and of what a candidate's checks say together: a line each."""

from __future__ import annotations

from mathagent.console.certificate_view import MARKS, mark, shows
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.events import Judged, Scored
from mathagent.types import Check

_JUDGED = {"correct": "green", "incorrect": "red", "unsure": "yellow"}


def check_words(check: Check, page: Page) -> str:
    """``substitution: …``; a weak one is called that."""
    weak = " (weak)" if check.strength == "weak" else ""
    return f"{check.kind}{weak}: {one_line(shows(check, page))}"


def show_check(page: Page, check: Check, number: str = "") -> None:
    """Prints the mark, which sample's it is (``number``), and what it shows."""
    sign = (f"{mark(check, page)} ", MARKS[check.outcome][2])
    page.parts(sign, (number, "dim"), (check_words(check, page), ""), hang=2)


def show_judged(page: Page, event: Judged, number: str = "") -> None:
    """Prints the judgement and its reason."""
    said = (f"judged {event.judgement}", _JUDGED[event.judgement])
    page.parts((number, "dim"), said, (f": {one_line(event.reason)}", ""), hang=2)


def show_scored(page: Page, event: Scored, number: str = "") -> None:
    """Prints the score, who gave it, and its note."""
    value = "not scored" if event.value is None else f"scored {event.value:.2f}"
    note = f": {one_line(event.note, 160)}" if event.note else ""
    page.parts((number, "dim"), (f"{value} by {one_line(event.scorer, 60)}", "dim"), (note, "dim"), hang=2)
