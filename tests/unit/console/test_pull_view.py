import io
import re
from threading import Thread

from rich.console import Console

from mathagent.console.pull_view import progress_for_pull
from mathagent.models.base import PullProgress

TOTAL = 1_000_000_000


def report(done: int, message: str = "", total: int = TOTAL) -> PullProgress:
    return PullProgress(model="qwen", done_bytes=done, total_bytes=total, message=message)


def test_a_pipe_gets_the_message_once_and_a_line_every_tenth() -> None:
    out = io.StringIO()
    with progress_for_pull(Console(file=out)) as on_progress:
        on_progress(report(0, "fetching qwen (1.0 GB): no model is configured", total=0))
        for percent in range(101):
            on_progress(report(TOTAL // 100 * percent, "fetching qwen (1.0 GB): no model is configured"))
    lines = out.getvalue().splitlines()
    assert lines[0] == "fetching qwen (1.0 GB): no model is configured"
    assert lines[1] == "qwen: 100 of 1,000 MB (10%)"
    assert lines[-1] == "qwen: 1,000 of 1,000 MB (100%)"
    assert len(lines) == 11


def test_a_terminal_gets_a_bar_that_goes_away() -> None:
    out = io.StringIO()
    with progress_for_pull(Console(file=out, force_terminal=True, width=100)) as on_progress:
        on_progress(report(0, "fetching"))
        worker = Thread(target=on_progress, args=(report(TOTAL // 2),))  # downloads report from threads
        worker.start()
        worker.join()
        on_progress(report(TOTAL // 2))
    text = out.getvalue()
    assert "fetching" in text
    assert "0.5/1.0 GB" in re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


def test_the_cursor_comes_back_when_a_download_fails() -> None:
    out = io.StringIO()
    try:
        with progress_for_pull(Console(file=out, force_terminal=True)) as on_progress:
            on_progress(report(5))
            raise OSError
    except OSError:
        pass
    assert out.getvalue().count("\x1b[?25l") == out.getvalue().count("\x1b[?25h") == 1


def test_nothing_is_printed_where_nothing_is_fetched() -> None:
    out = io.StringIO()
    with progress_for_pull(Console(file=out, force_terminal=True)):
        pass
    assert out.getvalue() == ""
