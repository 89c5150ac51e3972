"""What ``/save`` and ``/open`` write: a solution as JSON, Markdown or the page of its trace."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from mathagent.console.conversation import Turn
from mathagent.console.solution_markdown import solution_markdown
from mathagent.console.trace_file import TraceFile
from mathagent.errors import UsageError

SUFFIXES = (".json", ".md", ".html")


class SolutionFiles:
    """Writes files for one session. It replaces only what it has written itself: nobody loses a file by a name."""

    def __init__(self) -> None:
        self._written: set[Path] = set()

    def save(self, turn: Turn, name: str, *, wanted_by: str = "/save") -> Path:
        """Writes ``turn`` to file ``name`` in the form that its suffix says; returns its path.

        Raises UsageError where that cannot be, StorageError where writing fails.
        """
        path = Path(name)
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(
                f"{wanted_by} {name}: the name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
            )
        file = TraceFile(path, wanted_by=wanted_by, what="the solution")
        if file.path.exists() and file.path not in self._written:
            raise UsageError(f"{wanted_by} {name}: there is such a file already; name another one")
        file.write(_text(turn, path.suffix.lower()))
        self._written.add(file.path)
        return file.path

    def save_page(self, turn: Turn, folder: Path) -> Path:
        """Writes the trace of ``turn`` into ``folder``, which is made for its owner alone; returns its path."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            reason = f"cannot make {folder} ({error.strerror})"
            raise UsageError(f"/open: {reason}; name a file, as in /open x.html") from error
        path = folder / f"{turn.solution.solve_id or 'trace'}.html"
        self._written.add(path.resolve())
        return self.save(turn, str(path), wanted_by="/open")


def open_page(path: Path) -> bool:
    """Shows ``path`` in the person's browser; False where there is none but such as would take over the terminal."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    if type(browser) is webbrowser.GenericBrowser:  # lynx and w3m; those with a window are another class
        return False
    return bool(browser.open(path.as_uri()))


def _text(turn: Turn, suffix: str) -> str:
    if suffix == ".json":
        return turn.solution.model_dump_json(indent=2) + "\n"
    if suffix == ".md":
        return solution_markdown(turn.solution)
    from mathagent.console.graph_view import graph_of
    from mathagent.console.trace_page import trace_page
    from mathagent.strategies import STRATEGIES

    strategy = STRATEGIES.load(turn.strategy)
    graph = graph_of(strategy, strategy.configure(turn.solution.config))
    return trace_page(turn.solution, turn.log.events, graph)
