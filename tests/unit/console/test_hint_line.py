from prompt_toolkit.keys import Keys

from mathagent.console.hint_line import HintLine


class Typed:
    """A hint line that is not attached to any terminal, and what it told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.changes = self.interrupts = 0
        self.line = HintLine(
            by_key=True, on_line=self.lines.append, on_interrupt=self.interrupted, on_change=self.changed
        )

    def interrupted(self) -> None:
        self.interrupts += 1

    def changed(self) -> None:
        self.changes += 1

    def press(self, *keys: Keys | str) -> str:
        for key in keys:
            self.line.press(key, "")
        return self.line.text


def test_letters_gather_and_enter_sends_them() -> None:
    typed = Typed()
    assert typed.press(*"use x") == "use x"
    assert typed.press(Keys.ControlM) == ""
    assert typed.press(*"  ", Keys.ControlJ) == ""
    assert typed.lines == ["use x"]
    assert typed.changes == 9


def test_a_draft_can_be_corrected() -> None:
    typed = Typed()
    assert typed.press(*"two words", Keys.ControlH, Keys.ControlW) == "two"
    assert typed.press(Keys.Up, Keys.Escape, "\x07") == "two"
    assert typed.press(Keys.ControlU) == ""


def test_a_paste_stays_one_hint_whatever_its_lines() -> None:
    typed = Typed()
    typed.line.press(Keys.BracketedPaste, "one\r\ntwo\rthree")
    typed.press(Keys.ControlM)
    assert typed.lines == ["one\ntwo\nthree"]


def test_ctrl_c_interrupts_and_keeps_the_draft() -> None:
    typed = Typed()
    assert typed.press(*"draft", Keys.ControlC) == "draft"
    assert typed.interrupts == 1


def test_without_a_terminal_it_does_nothing() -> None:
    with Typed().line as line:
        assert line.text == ""
