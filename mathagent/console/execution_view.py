"""What a person sees of a program that ran: what it printed, and its value or its error."""

from __future__ import annotations

from mathagent.console.clean_text import clip_lines, one_line
from mathagent.console.page import Page
from mathagent.types import Execution


def show_execution(page: Page, execution: Execution, *, most: int = 20) -> None:
    """Prints ``execution``; of output and value ``most`` lines each."""
    if execution.stdout.strip():
        page.line("output", style="dim")
        page.line(clip_lines(execution.stdout, most=most), indent=2)
    if not execution.ok:
        reason = one_line(execution.error or "no message")
        page.parts((execution.status, "bold red"), (f": {reason}", "red"), indent=2)
    elif execution.value is not None:
        value = clip_lines(execution.value, most=most)
        page.parts(("value ", "dim"), (value, "bold"), (f"  {execution.wall_s:.2f} s", "dim"), indent=2)
