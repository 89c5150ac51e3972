"""LiveRegion: the bottom of the terminal while a solve runs: what is being written, a download, a line of status.

All of it changes and nothing of it stays: what is complete is printed above it, by SolveView.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.console.pull_view import PullView
from mathagent.console.solution_view import counted
from mathagent.events import ModelReplied
from mathagent.types import Usage

TAIL_CHARACTERS = 4000  # of a growing reply: more than any screen of it needs
MOST_ROWS = 12


class CostMeter:
    """What the replies of one solve have cost so far, in words."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._usage = Usage()
        self._cached = 0

    def add(self, event: ModelReplied) -> None:
        """Counts one reply."""
        self._usage += event.usage
        self._cached += event.cached

    def words(self) -> list[str]:
        """Calls, completion tokens, the share from the cache where there is one, seconds."""
        calls = self._usage.calls
        share = [f"{100 * self._cached // calls}% cached"] if self._cached and calls else []
        spent = [counted(calls, "call"), counted(self._usage.completion_tokens, "token"), *share] if calls else []
        return [*spent, f"{time.monotonic() - self._start:.0f} s"]


class LiveRegion:
    """Draws itself on a terminal that can do it, elsewhere not at all.

    ``typed`` tells what the person is typing meanwhile.
    """

    def __init__(self, page: Page, pull: PullView) -> None:
        self.doing, self.tally = "", list[str]()  # what goes on; what several samples have come to
        self.meter = CostMeter()
        self.typed: Callable[[], str] = lambda: ""
        self._page, self._pull = page, pull
        self._live: Live | None = None
        self._spinner = Spinner("dots" if page.unicode else "line")
        self._growing: dict[int, str] = {}  # the ends of the replies that are being written, by sample

    def begin(self, doing: str = "waiting for the model") -> None:
        """A solve, or what precedes it, begins: everything at zero."""
        self._growing.clear()
        self.meter, self.tally, self.doing = CostMeter(), [], doing
        self.draw()

    def grow(self, sample: int, text: str) -> None:
        """A piece of sample ``sample``'s reply."""
        self._growing[sample] = (self._growing.get(sample, "") + text)[-TAIL_CHARACTERS:]

    def complete(self, sample: int) -> None:
        """The reply of sample ``sample`` is whole."""
        self._growing.pop(sample, None)

    def draw(self) -> None:
        """Opens the region; it redraws itself from now on."""
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

    def refresh(self) -> None:
        """Redraws it at once."""
        if self._live is not None:
            self._live.refresh()

    def close(self) -> None:
        """Takes it off the screen; safe to call twice."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Growing replies, bars, status, and what is being typed."""
        yield from self._replies(console)
        bars = self._pull.renderable
        if bars is not None:
            yield bars
        first, *others = self._status()
        self._spinner.update(text=Text(first, style="dim", overflow="ellipsis", no_wrap=True))
        yield self._spinner
        for line in others:
            yield Text(f"  {line}", style="dim", overflow="ellipsis", no_wrap=True)
        typed = self.typed()
        if typed:
            yield Text.assemble(("hint> ", "bold"), self._page.fit(typed), overflow="fold")

    def _replies(self, console: Console) -> RenderResult:
        """The end of the one reply that grows; of several side by side a line of each."""
        growing = sorted(self._growing.items())
        most = max(3, min(MOST_ROWS, console.height - 8))
        if len(growing) == 1:
            text = Text(self._page.fit(growing[0][1]).rstrip(), overflow="fold")
            for line in text.wrap(console, max(8, self._page.width - 2))[-most:]:
                yield Text("  ") + line
            return
        for sample, end in growing[:most]:
            tail = one_line(end[-2 * self._page.width :], 4 * self._page.width)
            number = Text(f"{sample + 1:>3} ", style="dim")
            yield number + Text(self._page.fit(tail)[-max(8, self._page.width - 5) :])
        if len(growing) > most:
            yield Text(f"    and {len(growing) - most} more", style="dim")

    def _status(self) -> Sequence[str]:
        """What goes on and what it has cost: on one line where that fits, else on two."""
        dot = self._page.dot
        goes_on, cost = dot.join([*self.tally, self.doing]), dot.join(self.meter.words())
        whole = f"{goes_on}{dot}{cost}"
        return (whole,) if len(whole) + 2 <= self._page.width else (goes_on, cost)
