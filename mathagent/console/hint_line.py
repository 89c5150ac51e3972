"""HintLine: what the person types while a solve runs. A finished line goes to the solve, the rest to the next prompt.

On a terminal that shows a live region the keys are taken one by one and shown there. Elsewhere the terminal itself
shows them, and whole lines come. prompt_toolkit reads the keys.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack

from prompt_toolkit.input import Input, create_input
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import create_output

_END = (Keys.ControlM, Keys.ControlJ)
LONGEST = 4000


class HintLine:
    """Listens while it is entered, from a running event loop; does nothing where stdin is no terminal.

    ``on_line`` gets each finished line that is not blank, ``on_change`` hears of every change of ``text``, and
    ``on_interrupt`` of Ctrl-C where it comes as a key (``by_key``).
    """

    def __init__(
        self,
        *,
        by_key: bool,
        on_line: Callable[[str], None],
        on_interrupt: Callable[[], None],
        on_change: Callable[[], None],
    ) -> None:
        self.text = ""
        self._by_key = by_key
        self._on_line, self._on_interrupt, self._on_change = on_line, on_interrupt, on_change
        self._input: Input | None = None
        self._open = ExitStack()

    def __enter__(self) -> HintLine:
        if sys.stdin is None or not sys.stdin.isatty():
            return self
        self._input = create_input()
        if self._by_key:
            self._open.enter_context(self._input.raw_mode())
            output = create_output()
            output.enable_bracketed_paste()
            output.flush()
            self._open.callback(output.flush)
            self._open.callback(output.disable_bracketed_paste)
        self._open.enter_context(self._input.attach(self._keys_ready))
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def _keys_ready(self) -> None:
        assert self._input is not None
        for press in self._input.read_keys():
            self.press(press.key, press.data)

    def press(self, key: Keys | str, data: str) -> None:
        """Takes one key; keys that mean nothing here are passed over."""
        if key == Keys.ControlC:
            self._on_interrupt()
            return
        if key in _END:
            line, self.text = self.text.strip(), ""
            if line:
                self._on_line(line)
        elif key == Keys.BracketedPaste:
            self.text += data.replace("\r\n", "\n").replace("\r", "\n")
        elif key in (Keys.ControlH, Keys.Backspace):
            self.text = self.text[:-1]
        elif key == Keys.ControlU:
            self.text = ""
        elif key == Keys.ControlW:
            self.text = self.text.rstrip().rpartition(" ")[0]
        elif not isinstance(key, Keys) and key.isprintable():
            self.text += key
        self.text = self.text[:LONGEST]
        self._on_change()
