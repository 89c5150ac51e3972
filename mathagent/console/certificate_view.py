"""What a person sees of a certificate that was run again: a line for each check, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.types import Check, CheckOutcome

NARROWEST = 72  # columns: below, the table's last column would be a ribbon
MARKS: dict[CheckOutcome, tuple[str, str, str]] = {
    "holds": ("✓", "+", "green"),
    "fails": ("✗", "x", "bold red"),
    "undecided": ("?", "?", "yellow"),
}


def show_certificate(console: Console, checks: Sequence[Check], conclusion: str) -> None:
    """Prints one row a check (outcome, kind, strength, seconds, what it shows and why not) and the conclusion.

    On a wide terminal as a table, else as one line each, which is not wrapped in a pipe.
    """
    page = Page(console)
    if page.styled and checks and page.width >= NARROWEST:
        console.print(_table(page, checks))
    else:
        for check in checks:
            about = f"{check.kind} ({check.strength}, {check.seconds:.2f} s): {shows(check, page)}"
            style = MARKS[check.outcome][2]
            page.parts((f"{mark(check, page)} ", style), (" ".join(about.split()), ""), hang=2)
    page.line(conclusion)


def _table(page: Page, checks: Sequence[Check]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "check", "strength", "seconds", "shows"):
        right = name == "seconds"
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "shows", overflow="fold")
    for check in checks:
        table.add_row(
            Text(mark(check, page), style=MARKS[check.outcome][2]),
            check.kind,
            check.strength,
            f"{check.seconds:.2f}",
            Text(page.fit(shows(check, page))),
        )
    return table


def mark(check: Check, page: Page) -> str:
    """✓, ✗ or ?, or what stands for it where these cannot be shown; its style is in MARKS."""
    return MARKS[check.outcome][0 if page.unicode else 1]


def shows(check: Check, page: Page) -> str:
    """What ``check`` shows, in words: the claim and the reason.

    Older solutions hold no claim for the program that gave the answer.
    """
    own = f"the candidate's program gives {check.expected}" if check.kind == "execution" else ""
    claim = check.claim or own
    parts = [part for part in (claim, check.reason) if part]
    return (" – " if page.unicode else " - ").join(parts)


def conclude(checks: Sequence[Check]) -> str:
    """What the checks come to, in one line."""
    if not checks:
        return "the solution has no certificate: nothing can be run again"
    counts = {outcome: sum(check.outcome == outcome for check in checks) for outcome in MARKS}
    said = [
        f"{counted(counts['holds'], 'check')} {'holds' if counts['holds'] == 1 else 'hold'}",
        *([f"{counts['fails']} {'fails' if counts['fails'] == 1 else 'fail'}"] if counts["fails"] else []),
        *([f"{counts['undecided']} undecided"] if counts["undecided"] else []),
    ]
    weak = any(check.outcome == "holds" for check in checks) and not any(
        check.outcome == "holds" and check.strength == "strong" for check in checks
    )
    return ", ".join(said) + ("; only weak ones hold, which a wrong answer may pass as well" if weak else "")
