"""Tactics: what a reply's action says, what a program may import, and what models nothing."""

from __future__ import annotations

import pytest

from mathagent.agents.blocks.tactics import (
    TACTICS,
    Act,
    forbidden_imports,
    is_bad,
    is_shortcut,
    kind_of,
    read_act,
)

PLAIN = "Thought: I plan.\nAction:\nName: Plan\nInput: the story\nOutput: Add the numbers."


@pytest.mark.parametrize(
    ("reply", "name", "output"),
    [
        (PLAIN, "Plan", "Add the numbers."),
        ("**Thought:** x\n**Action:** Plan\n**Input:** y\n**Output:** z", "Plan", "z"),
        ("Action:\nAction Name: `Reason`\nAction Input: a\nAction Output: b\nc", "Reason", "b\nc"),
        (PLAIN + "\nObservation: 5\nThought: more", "Plan", "Add the numbers."),
        (PLAIN + "\nThought: next\nAction:\nName: Reason\nOutput: x", "Plan", "Add the numbers."),
        ("Name: Plan\nOutput:", "Plan", ""),
    ],
)
def test_an_action_is_read(reply: str, name: str, output: str) -> None:
    act = read_act(reply)
    assert act is not None
    assert (act.name, act.output) == (name, output)


@pytest.mark.parametrize("reply", ["", "I cannot say", "Thought: x\nAction:\nName: Plan", "Output: 5", "Action:"])
def test_what_is_no_action(reply: str) -> None:
    assert read_act(reply) is None


def test_a_program_stays_whole() -> None:
    code = "```python\nname = 'x'\nprint(name)\n```"
    act = read_act(f"Thought: t\nAction:\nName: Write program\nInput: i\nOutput:\n{code}")
    assert act == Act(thought="t", name="Write program", output=code)


def test_kinds_of_actions() -> None:
    math, text = TACTICS["sympy"], TACTICS["text"]
    names = ["Plan", "Build math model", "Revise code", "Reason", "Aggregate and answer", "Tactic check", "Guess"]
    assert [kind_of(name, math) for name in names] == [
        *("plan", "program", "program", "reason", "answer", "check"),
        None,
    ]
    assert kind_of("Write program", text) is None
    assert is_bad("Tactic Bad")
    assert not is_bad("Tactic Good")


def test_imports_are_bounded() -> None:
    code = "import math, os\nfrom sympy.abc import x\nimport numpy as np\n    import re"
    assert forbidden_imports(code, TACTICS["python"]) == ["os", "sympy", "numpy"]
    assert forbidden_imports("from sympy import *", TACTICS["sympy"]) == []


@pytest.mark.parametrize(
    ("code", "shortcut"),
    [
        ("print(18)", True),
        ("answer = 18  # the sum\nprint(answer)", True),
        ("from math import pi\nprint('yes')", True),
        ("print(3 * 6)", False),
        ("x = 3\ny = 6\nprint(x * y)", False),
        ("", False),
    ],
)
def test_a_program_that_only_prints_models_nothing(code: str, shortcut: bool) -> None:
    assert is_shortcut(code) is shortcut


def test_comments_of_a_program_end_no_action() -> None:
    program = "```python\nx = 3\n# Observation: the total\n# Thought: so\nprint(x)\n```"
    act = read_act(f"Thought: a\nAction:\nName: Write program\nInput: x\nOutput:\n{program}\nThought: b")
    assert act is not None
    assert act.output == program
