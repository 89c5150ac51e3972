"""Twenty and more interactions on real terminals, wide and narrow, without colour and without UTF-8: what is seen."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from zygote_park import none_lent

from tests.integration.terminal import CTRL_C, CTRL_D, ENTER, PROMPT, TAB, Terminal, descendants

APP = str(Path(__file__).with_name("repl_played_model.py"))
ODD = "What is the sum of the first 5 odd numbers?"


@pytest.fixture(params=[100, 50], ids=["wide", "narrow"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path / "home", APP, "plan-verify-refine", columns=request.param) as terminal:
        yield terminal


def plain(text: str) -> str:
    """``text`` without the breaks of a narrow terminal."""
    return re.sub(r"\s+", " ", text)


def test_a_session_from_a_question_to_its_file(terminal: Terminal, tmp_path: Path) -> None:
    came = plain(terminal.enter(ODD, "cost"))
    assert "plan 1. Write out the odd numbers. 2. Add them: ∑ₖ₌₁ⁿ (2k-1)." in came
    assert "program We add them up. def solution():" in came
    assert "✓ recomputation: a program written without seeing the answer gives 25" in came
    assert "judged correct" in came
    assert '"reasoning"' not in came, "replies to typed questions are data"

    came = plain(terminal.enter("now for n = 7", "cost"))
    assert "understood as: What is the sum of the first 7 odd numbers? (1 call)" in came
    assert "answer 49" in came

    came = plain(terminal.enter("/why", "came about"))
    assert "understood What is the sum of the first 7 odd numbers?" in came
    assert "the question was rewritten by the model: see that it is yours" in came
    assert "2 checks hold" in plain(terminal.enter("/check", "2 checks hold"))
    assert "* 1 49" in plain(terminal.enter("/candidates", "program"))
    assert "def solution():" in terminal.enter("/candidates 1", "execution (weak)")

    assert "value 50" in plain(terminal.enter("!answer + 1", "value"))
    assert "value 14" in plain(terminal.enter(">>> 2 * 7", "value"))
    assert "NameError" in terminal.enter("!nowhere", "nowhere")

    for name in ("s.json", "s.md", "s.html"):
        terminal.enter(f"/save {tmp_path}/{name}", "written")
    assert "must end in" in plain(terminal.enter("/save x.txt", "error"))
    assert json.loads((tmp_path / "s.json").read_text())["answer"] == "49"
    assert "**49**" in (tmp_path / "s.md").read_text()
    assert "<html" in (tmp_path / "s.html").read_text()
    terminal.enter("/open", "no browser here to open it")
    assert list((tmp_path / "home" / "traces").glob("*.html"))

    terminal.enter("/new", "forgotten")
    came = plain(terminal.enter("now for n = 6", "cost"))
    assert "understood as" not in came
    assert max(len(line) for line in terminal.lines) <= int(terminal.columns)
    assert "Traceback" not in terminal.seen


def test_choices_and_mistakes(terminal: Terminal) -> None:
    assert "did you mean /why" in plain(terminal.enter("/whi", "error"))
    assert "nothing has been solved yet" in plain(terminal.enter("/why", "error"))
    assert "did you mean pal" in plain(terminal.enter("/strategy pall", "error"))
    assert "has no setting" in plain(terminal.enter("/strategy pal depth=3", "error"))
    assert "calls=x" in plain(terminal.enter("/budget calls=x", "error"))
    assert "calls=3" in terminal.enter("/budget calls=3", "budget of each solve")
    assert "no limit" in terminal.enter("/budget none", "budget of each solve")
    assert "sandbox" in terminal.enter("/tools", "sandbox")
    assert "memory is off in this session" in plain(terminal.enter("/memory", "learn"))
    assert "verify" in terminal.enter("/strategy show plan-verify-refine", "taken only")
    assert "* n=3" in terminal.enter("/strategy self-consistency n=3", "threshold")
    came = plain(terminal.enter("vote: how many of the 42 votes count?", "cost"))
    assert "sample 2 · 41" in came
    assert "42:2 41:1" in came
    came = plain(terminal.enter("/why", "/check runs"))
    assert "1 sample gives another answer" in came
    assert "[key=value" in terminal.enter("/help", "Enter sends it")
    terminal.press("/strat", TAB, "sho", TAB, "tir", CTRL_C)
    assert "Traceback" not in terminal.seen


def test_mathematics_in_two_dimensions_and_another_seed(tmp_path: Path) -> None:
    with Terminal(tmp_path, APP, "pal") as terminal:
        terminal.enter("What is half of 1 plus the root of 5?", "cost")
        shown = "\n".join(terminal.lines)
        assert re.search(r" 1 +√5\n +─ \+ ──\n +2 +2", shown)
        terminal.enter("Which matrix has the rows 1 2 and 3 4?", "cost")
        assert "⎡1  2⎤" in "\n".join(terminal.lines)
        terminal.enter("/hint think of squares", "for the next solve")
        came = terminal.enter("/retry n=2", "cost")
        assert "sample 2" in came
        assert "hint" not in terminal.enter("/hint", "no hint waits").replace("no hint waits; /hint TEXT", "")


def test_what_is_typed_while_it_solves_is_a_hint_and_ctrl_c_keeps_the_rest(terminal: Terminal) -> None:
    terminal.press("slow: what is 6 times 7?", ENTER)
    terminal.expect("take long")
    terminal.press("try squares", ENTER)
    terminal.expect("hint: try squares")
    terminal.press("/why", ENTER)
    terminal.expect("waits for the next prompt")
    terminal.press(CTRL_C)
    terminal.expect("stopping with the best so far")
    terminal.expect("> /why")
    terminal.press(ENTER)
    terminal.expect("the search ended early")
    terminal.expect(PROMPT)
    terminal.press(CTRL_C)
    terminal.expect("Ctrl-C again leaves")
    terminal.expect(PROMPT)
    terminal.press(CTRL_C)
    assert terminal.leave() == 0


def test_ctrl_c_stops_a_rewriting_a_program_and_leaves_no_process(tmp_path: Path) -> None:
    with none_lent(), Terminal(tmp_path, APP, "pal") as terminal:
        terminal.enter(ODD, "cost")
        terminal.press("and slow for it?", ENTER)
        terminal.expect("asking the rewriter")
        terminal.press(CTRL_C)
        terminal.expect("stopped")
        terminal.expect(PROMPT)
        terminal.press("!import time; time.sleep(600)", ENTER)
        time.sleep(0.5)
        terminal.press(CTRL_C)
        terminal.expect("stopped")
        terminal.expect(PROMPT)
        assert "value 26" in plain(terminal.enter("!answer + 1", "value"))
        started = descendants(terminal.pid)
        assert started
        terminal.press(CTRL_D)
        assert terminal.leave() == 0
    assert not [pid for pid in started if _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


@pytest.mark.parametrize(
    "variables",
    [{"NO_COLOR": "1"}, {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}, {"TERM": "dumb"}],
    ids=["NO_COLOR", "ascii", "dumb"],
)
def test_plain_terminals(variables: dict[str, str], tmp_path: Path) -> None:
    with Terminal(tmp_path, APP, "plan-verify-refine", variables=variables) as terminal:
        before = len(terminal.raw)
        came = terminal.enter(ODD, "judged correct")
        assert "25" in came
        terminal.enter("/why", "against it")
        terminal.enter("/check", "2 checks hold")
        if "NO_COLOR" in variables:
            assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", terminal.raw[before:])
        if "PYTHONIOENCODING" in variables:
            assert "+ recomputation" in came
        terminal.press("slow: what is 6 times 7?", ENTER)
        terminal.expect("plan")
        terminal.press("try squares", ENTER)
        terminal.expect("hint: try squares")
        terminal.press(CTRL_C)
        terminal.expect("stopping with the best so far")
        terminal.expect(PROMPT)
        terminal.press(CTRL_D)
        assert terminal.leave() == 0


def test_programs_and_plans_are_approved_beside_the_line_for_hints(tmp_path: Path) -> None:
    with Terminal(tmp_path, APP, "plan-verify-refine", "approve") as terminal:
        terminal.press(ODD, ENTER)
        terminal.expect("follow this plan?")
        terminal.press("y", ENTER)
        terminal.expect("run this program?")
        terminal.press("n", ENTER)
        terminal.expect("why not")
        terminal.press("not so", ENTER)
        terminal.expect("run this program?")
        terminal.press(CTRL_C)
        terminal.expect("this is the best so far")
        terminal.expect(PROMPT)
        terminal.press(CTRL_D)
        assert terminal.leave() == 0


def test_another_model_sees_the_earlier_questions_and_names(tmp_path: Path) -> None:
    with Terminal(tmp_path, APP, "pal") as terminal:
        terminal.enter(ODD, "cost")
        terminal.enter("/model script:other", "model script:other")
        came = terminal.enter("and for 4?", "cost")
        assert "understood as: What is the sum of the first 4 odd numbers?" in came
        assert "pal on script:other" in came
        assert "value 16" in terminal.enter("!answer", "value")


def test_lines_of_python_and_pastes(tmp_path: Path) -> None:
    with Terminal(tmp_path, APP, "pal") as terminal:
        terminal.press(">>> def f(x):", ENTER, "    return x + 1", ENTER, ENTER)
        terminal.expect(PROMPT)
        time.sleep(0.1)
        assert "value 42" in terminal.enter("!f(41)", "value")
        terminal.press("\x1b[200~>>> for n in range(2):\r...     print('n is', n)\r\x1b[201~", ENTER)
        terminal.expect("n is 1")


def test_the_last_call_of_a_budget_is_for_solving(tmp_path: Path) -> None:
    with Terminal(tmp_path, APP, "pal") as terminal:
        terminal.enter(ODD, "cost")
        terminal.enter("/budget calls=1", "budget of each solve")
        came = terminal.enter("and for 4?", "cost")
        assert "which is for solving" in plain(came)
        assert "1 call" in came
        terminal.enter("/budget calls=2", "budget of each solve")
        assert "understood as" in terminal.enter("and for 4?", "cost")


@pytest.mark.parametrize(
    ("columns", "variables"), [(100, {}), (50, {}), (100, {"NO_COLOR": "1"})], ids=["wide", "narrow", "NO_COLOR"]
)
def test_memory_and_a_persons_word(columns: int, variables: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Terminal(home, APP, "pal", "learn", columns=columns, variables=variables) as terminal:
        assert "nothing yet" in terminal.enter("/memory", "size")
        assert "nothing has been solved yet" in plain(terminal.enter("/right", "error"))
        terminal.enter(ODD, "cost")
        assert "remembered that 25 is right: 2 new experiences" in plain(terminal.enter("/right", "remembered"))
        assert "2 known already" in plain(terminal.enter("/right", "remembered"))

        came = plain(terminal.enter("What is the sum of the first 6 odd numbers?", "cost"))
        assert "recalled 1: What is the sum of the first 5 odd numbers? (exemplar, " in came
        assert "1 experience shown to the model" in came
        why = plain(terminal.enter("/why", "came about"))
        assert "What is the sum of the first 5 odd numbers? (exemplar" in why
        came = plain(terminal.enter("/memory", "learned"))
        assert "1 exemplar, 1 statistics" in came
        assert "shown" in came

        assert "remembered that 36 is wrong" in plain(terminal.enter("/wrong", "remembered"))
        assert "1 lesson" in plain(terminal.enter("/memory", "learned"))
        assert "the first 5 odd" in plain(terminal.enter("/memory the first odd numbers", "whole: mathagent"))
        assert "takes nothing" in plain(terminal.enter("/right 36", "error"))
        assert max(len(line) for line in terminal.lines) <= columns
        if "NO_COLOR" in variables:
            assert not re.search(rb"\x1b\[[0-9;]*3[0-7]m", terminal.raw)
        terminal.press(CTRL_D)
        assert terminal.leave() == 0
        assert "Traceback" not in terminal.seen
    with Terminal(home, APP, "pal", "learn") as terminal:
        assert "1 lesson" in plain(terminal.enter("/memory", "size"))
