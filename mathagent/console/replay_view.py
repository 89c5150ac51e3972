"""What a person sees of a replay: how far it is, then every record that is not the same, and what is different."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from pydantic import JsonValue
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mathagent.console.page import Page
from mathagent.evals.replay import Replayed

MOST_RECORDS = 20
MOST_DIFFERENCES = 6
WIDEST_VALUE = 60


class ReplayProgress:
    """The progress bar; a context manager. Nothing is drawn where there is no terminal."""

    def __init__(self, console: Console, total: int) -> None:
        columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("replay", total=total)

    def __enter__(self) -> ReplayProgress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def on_replayed(self, one: Replayed) -> None:
        """Counts one record."""
        self._bar.advance(self._task)


def show_replayed(console: Console, run: str, found: Sequence[Replayed]) -> None:
    """Prints what is not the same, then the counts."""
    page = Page(console)
    others = [one for one in found if one.status in ("different", "missing")]
    for one in others[:MOST_RECORDS]:
        _show_record(page, one)
    if len(others) > MOST_RECORDS:
        page.line(f"… and {len(others) - MOST_RECORDS} more; --json lists all")
    counts = Counter(one.status for one in found)
    parts = [f"{counts['same']} of {len(found)} records are the same, bit for bit"]
    if counts["different"]:
        parts.append(f"{counts['different']} differ")
    if counts["missing"]:
        parts.append(f"{counts['missing']} lack completions in the cache")
    if counts["skipped"]:
        parts.append(f"{counts['skipped']} are of failed solves, which have nothing to replay")
    page.line(f"run {run}: {'; '.join(parts)}", style="red" if others else "green")
    if counts["missing"]:
        page.line(
            "the cache has lost them, the run was made with --no-cache, or prompts or code have changed since",
            style="dim",
        )


def _show_record(page: Page, one: Replayed) -> None:
    attempt = f", attempt {one.attempt}" if one.attempt else ""
    page.line(f"{one.problem_id} ({one.dataset}, {one.strategy}{attempt}): {one.status}", style="bold")
    for text in one.missing[:MOST_DIFFERENCES]:
        page.line(text, indent=2)
    if one.status == "missing":
        return
    for difference in one.differences[:MOST_DIFFERENCES]:
        page.line(f"{difference.place}: {_shown(difference.before)} → {_shown(difference.now)}", indent=2)
    left = len(one.differences) - MOST_DIFFERENCES
    if left > 0:
        page.line(f"… and {left} more places", indent=2)


def _shown(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDEST_VALUE else f"{text[: WIDEST_VALUE - 1]}…"
