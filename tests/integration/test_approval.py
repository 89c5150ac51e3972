"""``mathagent solve --approve`` on a real pseudo-terminal."""

from __future__ import annotations

import json
from pathlib import Path

from test_repl import ALT_ENTER, CTRL_C, ENTER, Terminal

from mathagent.agents.checkpoints import Checkpoints

PROGRAM = "```python\ndef solution():\n    return 6 * 7\n```"
QUESTION = "run this program? [y]es, [n]o, [e]dit:"


class Command(Terminal):
    """A command that ends by itself."""

    def __enter__(self) -> Command:
        return self


def script(folder: Path) -> str:
    path = folder / "script.json"
    path.write_text(json.dumps([PROGRAM]), encoding="utf-8")
    return f"script:{path}"


def solve(home: Path, *arguments: str) -> Command:
    return Command(home, "-m", "mathagent", "solve", *arguments)


def test_yes_no_and_edit(own_home: Path, tmp_path: Path) -> None:
    given = ("6*7?", "-s", "pal", "-m", script(tmp_path), "--no-cache", "--approve")
    with solve(own_home, *given) as terminal:
        shown = terminal.expect(QUESTION)
        assert "return 6 * 7" in shown
        terminal.press(ENTER)  # nothing is assumed
        terminal.expect(QUESTION)
        terminal.press("y", ENTER)
        terminal.expect("answer")
        terminal.expect("42")
    with solve(own_home, *given) as terminal:
        terminal.expect(QUESTION)
        terminal.press("n", ENTER)
        terminal.expect("why not")
        terminal.press("slow", ENTER)
        terminal.expect("did not allow this program to run: slow")
    with solve(own_home, *given) as terminal:
        terminal.expect(QUESTION)
        terminal.press("e", ENTER)
        terminal.expect("when done")
        terminal.press(*"solution() + 1", ALT_ENTER)
        terminal.expect("answer")
        terminal.expect("43")


def test_ctrl_c_at_the_question_keeps_the_solve_for_later(own_home: Path, tmp_path: Path) -> None:
    with solve(own_home, "6*7?", "-s", "pal", "-m", script(tmp_path), "--approve") as terminal:
        terminal.expect(QUESTION)
        terminal.press(CTRL_C)
        terminal.expect("go on with: mathagent solve --resume")
    (stored,) = Checkpoints(own_home / "solves").resumable()
    with solve(own_home, "--resume") as terminal:
        terminal.expect(stored.spec.solve_id)
        terminal.expect("6*7?")
    with solve(own_home, "--resume", stored.spec.solve_id) as terminal:
        terminal.expect(QUESTION)  # it still asks
        terminal.press("y", ENTER)
        terminal.expect("42")
