"""What a person sees of a model's download: one line that says what and why, and how far it is."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.models.base import PullProgress

PLAIN_STEP = 10  # percent between two lines where there is no bar


def progress_for_pull(console: Console) -> PullView:
    """A callable for ``on_progress`` that draws on ``console``; use it as a context manager, which ends the bar."""
    return PullView(console)


class PullView:
    """Shows PullProgress reports. ``draw=False``: another live display draws ``bar`` (see ``renderable``)."""

    def __init__(self, console: Console, *, draw: bool = True) -> None:
        self._page = Page(console)
        self._draw = draw and self._page.styled
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None if console.width < 60 else 30),
            DownloadColumn(),
            *(() if console.width < 70 else (TransferSpeedColumn(), TimeRemainingColumn(compact=True))),
        )
        self._bar = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, int] = {}
        self._said: set[str] = set()
        self._step: dict[str, int] = {}

    def __enter__(self) -> PullView:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    @property
    def renderable(self) -> RenderableType | None:
        """The bars while something is being fetched, else None."""
        return None if self._bar.finished else self._bar.get_renderable()

    def __call__(self, progress: PullProgress) -> None:
        """Shows one report; may be called from any thread."""
        message = one_line(progress.message)
        if message and message not in self._said:
            self._said.add(message)
            self._page.line(message)
        if self._page.styled:
            self._update_bar(progress)
        else:
            self._say_step(progress)

    def _update_bar(self, progress: PullProgress) -> None:
        total = progress.total_bytes or None
        if progress.model not in self._tasks:
            if not progress.done_bytes and total is None:
                return  # only a message so far
            self._tasks[progress.model] = self._bar.add_task(one_line(progress.model, 40), total=total)
        task = self._tasks[progress.model]
        self._bar.update(task, completed=progress.done_bytes, total=total)  # type: ignore[arg-type]
        if self._draw and not self._bar.finished:
            self._bar.start()
        elif self._draw:
            self._stop()

    def _stop(self) -> None:
        if self._bar.live.is_started:  # rich prints an empty line for a bar that never ran
            self._bar.stop()

    def _say_step(self, progress: PullProgress) -> None:
        if not progress.total_bytes:
            return
        percent = 100 * progress.done_bytes // progress.total_bytes
        step = percent // PLAIN_STEP
        if step > self._step.get(progress.model, 0):
            self._step[progress.model] = step
            done, total = progress.done_bytes / 1e6, progress.total_bytes / 1e6
            self._page.line(f"{one_line(progress.model, 60)}: {done:,.0f} of {total:,.0f} MB ({percent}%)")
