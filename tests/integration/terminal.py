"""A real terminal for tests: a child process on a pseudo-terminal, key by key, and what its screen shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import preforked
import pyte

PROMPT = "\n>"  # its space is drawn by moving the cursor
ENTER, CTRL_C, CTRL_D, ALT_ENTER, TAB, UP = "\r", "\x03", "\x04", "\x1b\r", "\t", "\x1b[A"
PATIENCE_S = 60.0  # a loaded machine may take long; a healthy one needs a second
SETTLED_S = 0.2
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[=>78]")


class Terminal:
    """A Python child on a pseudo-terminal of ``columns`` × 40; ``variables`` are set in its environment.

    ``new`` is for one that has imported nothing; the others are forked (preforked.py).

    ``seen`` is all that it wrote, without escape sequences; ``lines`` what a person sees now and saw before, as a
    terminal shows it.
    """

    def __init__(
        self,
        home: Path,
        *arguments: str,
        columns: int = 100,
        variables: Mapping[str, str] | None = None,
        new: bool = False,
    ) -> None:
        environment = os.environ | {
            "MATHAGENT_HOME": str(home),
            "TERM": "xterm-256color",
            "PROMPT_TOOLKIT_NO_CPR": "1",
            "PYTHONUTF8": "1",
            "BROWSER": "",
        }
        for name in ("NO_COLOR", "LINES", "COLUMNS", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
            environment.pop(name, None)
        environment |= variables or {}
        self.columns = columns
        self._screen = pyte.HistoryScreen(columns, 40, history=5000)
        self._stream = pyte.ByteStream(self._screen)
        self._fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._process = preforked.Popen(
            [sys.executable, *arguments],
            **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
            env=environment,
            terminal=True,
            new=new,
        )
        os.close(theirs)
        self.pid: int = self._process.pid
        self._raw, self.seen = b"", ""
        self._read_until = 0
        self.status: int | None = None

    def __enter__(self) -> Terminal:
        self.expect(PROMPT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status is None:
            self._process.kill()
            self._process.wait()
        os.close(self._fd)

    @property
    def raw(self) -> bytes:
        """Every byte so far."""
        return self._raw

    @property
    def lines(self) -> list[str]:
        """The lines on the screen and those that scrolled off it, without trailing spaces."""
        above = ["".join(row[x].data for x in range(self._screen.columns)) for row in self._screen.history.top]
        return [line.rstrip() for line in (*above, *self._screen.display)]

    def press(self, *keys: str) -> None:
        """Types ``keys``, one after the other."""
        for key in keys:
            os.write(self._fd, key.encode())
            time.sleep(0.05)  # Escape followed at once by a key would be another key

    def enter(self, line: str, expected: str) -> str:
        """Types ``line`` and Enter, waits for ``expected`` and the next prompt; returns what is seen between."""
        self.press(line, ENTER)
        self.expect(expected)
        self.expect(PROMPT)
        lines = self.lines
        prompts = [index for index, line in enumerate(lines) if line.startswith(">")]
        return "\n".join(lines[prompts[-2] + 1 : prompts[-1]])

    def expect(self, text: str) -> str:
        """Waits for ``text`` behind all that was waited for before; returns what came up to its end."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.seen.find(text, self._read_until)) < 0:
            if not self._read(deadline):
                seen = "\n".join(self.lines).rstrip()
                raise AssertionError(f"{text!r} did not appear; the screen:\n{seen}")
        start, self._read_until = self._read_until, found + len(text)
        if text == PROMPT:
            time.sleep(SETTLED_S)  # it is drawn before keys are read: one pressed in between is lost
        return self.seen[start : self._read_until]

    def leave(self) -> int:
        """Waits for the end of the child; returns its exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            if time.monotonic() > deadline:
                break
        if time.monotonic() > deadline:
            seen = "\n".join(self.lines).rstrip()
            raise AssertionError(f"it did not end; the screen:\n{seen}")
        self.status = code = int(self._process.wait())
        return code

    def _read(self, deadline: float) -> bool:
        """Reads what is there; False at the child's end or the deadline."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # Linux says so when the child has closed the terminal
            return False
        self._raw += data
        self._stream.feed(data)
        self.seen = _SEQUENCE.sub("", self._raw.decode("utf-8", "replace")).replace("\r", "")
        return bool(data)


def descendants(pid: int) -> set[int]:
    """The processes below ``pid``, by /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it has ended meanwhile
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, new = set[int](), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found
