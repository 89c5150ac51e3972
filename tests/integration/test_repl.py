"""The interactive session as a person has it: on a real pseudo-terminal, key by key."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mathagent.strategies import DEFAULT_STRATEGY
from tests.integration.terminal import ALT_ENTER, CTRL_C, CTRL_D, ENTER, PROMPT, TAB, UP, Terminal

APP = Path(__file__).with_name("repl_app.py")


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, str(APP))


def test_a_problem_is_solved_and_ctrl_d_leaves(terminal: Terminal) -> None:
    with terminal:
        assert "script:played · pal" in terminal.seen
        terminal.press("How many eggs?", ENTER)
        terminal.expect("asked 'How many eggs?'")
        assert "14" in terminal.expect("evidence")
        terminal.expect(PROMPT)
        terminal.press(CTRL_D)
        assert terminal.leave() == 0
        assert "closed script:played" in terminal.seen


def test_the_first_ctrl_c_keeps_the_best_so_far(terminal: Terminal) -> None:
    with terminal:
        terminal.press("slow", ENTER)
        terminal.expect("thinking about it")
        terminal.press(CTRL_C)
        terminal.expect("stopping with the best so far")
        terminal.expect("this is the best so far")
        terminal.expect(PROMPT)
        terminal.press("/quit", ENTER)
        assert terminal.leave() == 0


def test_the_second_ctrl_c_gives_up_and_the_session_goes_on(terminal: Terminal) -> None:
    with terminal:
        terminal.press("stuck", ENTER)
        terminal.expect("waiting for the model")
        terminal.press(CTRL_C)
        terminal.expect("again gives up")
        terminal.press(CTRL_C)
        terminal.expect("given up")
        terminal.expect(PROMPT)
        terminal.press("next", ENTER)
        terminal.expect("asked 'next'")


def test_ctrl_c_at_the_prompt_clears_the_line(terminal: Terminal) -> None:
    with terminal:
        terminal.press("not this", CTRL_C)
        terminal.expect(PROMPT)
        terminal.press("but that", ENTER)
        terminal.expect("asked 'but that'")


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (("one", ALT_ENTER, "two", ENTER), "one\\ntwo"),
        (("one\\", ENTER, "two", ENTER), "one\\ntwo"),
        (("$$x", ENTER, "=1$$", ENTER), "$$x\\n=1$$"),
        (("\\[x", ENTER, ENTER), "\\\\[x\\n"),
        (("\x1b[200~pasted\rlines\x1b[201~", ENTER), "pasted\\nlines"),
    ],
    ids=["alt-enter", "backslash", "dollars", "empty line ends it", "paste"],
)
def test_several_lines_are_one_problem(terminal: Terminal, keys: tuple[str, ...], asked: str) -> None:
    with terminal:
        terminal.press(*keys)
        terminal.expect(f"asked '{asked}'")


def test_errors_are_one_line_and_the_session_goes_on(terminal: Terminal) -> None:
    with terminal:
        terminal.press("error", ENTER)
        terminal.expect("error: the endpoint [red]refused[/red] the key; give another one\n")
        terminal.press("/stratgy", ENTER)
        terminal.expect("did you mean /strategy")
        terminal.press("/strategy pall", ENTER)
        terminal.expect("did you mean pal")
        terminal.press("still here", ENTER)
        terminal.expect("asked 'still here'")
        assert "Traceback" not in terminal.seen


def test_another_model_reopens_the_solver_at_the_next_problem(terminal: Terminal) -> None:
    with terminal:
        terminal.press("first", ENTER)
        terminal.expect(PROMPT)
        terminal.press("/model script:other", ENTER)
        assert "closed" not in terminal.expect("model script:other")
        terminal.press("second", ENTER)
        terminal.expect("closed script:played")
        terminal.expect("pal on script:other")


def test_completion_and_history(tmp_path: Path) -> None:
    with Terminal(tmp_path, str(APP)) as first:
        first.press("remember me", ENTER)
        first.expect("asked 'remember me'")
        first.expect(PROMPT)
        first.press("/stra", TAB, "self", TAB, ENTER)
        first.expect("strategy self-consistency\n")
    with Terminal(tmp_path, str(APP)) as second:
        second.press(UP, UP, ENTER)
        second.expect("asked 'remember me'")


def test_with_the_real_solver_and_a_scripted_model(tmp_path: Path) -> None:
    script = tmp_path / "replies.json"  # the model goes on where the prompt has begun the program
    script.write_text(json.dumps(["    return 6 * 7"]))
    with Terminal(
        tmp_path / "home", "-m", "mathagent", "solve", "--model", f"script:{script}", "--strategy", "pal"
    ) as terminal:
        terminal.press("What is 6 * 7?", ENTER)
        terminal.expect("return 6 * 7")
        terminal.expect("answer      42")
        terminal.expect("1 check holds")
        terminal.press("What is 1 + 1?", ENTER)
        terminal.expect("error: the script has no reply left")
        terminal.expect(PROMPT)
        terminal.press(CTRL_D)
        assert terminal.leave() == 0


def test_the_command_without_a_problem_opens_a_session_with_the_defaults(tmp_path: Path) -> None:
    with Terminal(tmp_path / "home", "-m", "mathagent", "solve", new=True) as terminal:
        terminal.press("/strategy", ENTER)
        terminal.expect(f"* {DEFAULT_STRATEGY}")
        terminal.expect(PROMPT)  # a key pressed between two prompts is lost
        terminal.press(CTRL_D)
        assert terminal.leave() == 0


def test_nothing_heavy_is_imported_before_the_prompt() -> None:
    import subprocess

    heavy = "{'langgraph', 'openai', 'sympy', 'math_verify', 'torch', 'transformers', 'docker', 'numpy'}"
    code = f"import sys, mathagent.console.repl; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
