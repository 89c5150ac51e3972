"""Lists of steps: what a reply says, however it is written; and what is too much for the head."""

from __future__ import annotations

import pytest

from mathagent.agents.blocks.step_list import ListedStep, is_exact_arithmetic, read_steps, shown


def test_steps_are_read_leniently() -> None:
    read = read_steps("**Step 1: Plan (General Reasoning)**\nA.\n### Step 2: Run (Tool: code)\nprint(1)")
    assert [(step.title, step.tool, step.text) for step in read.steps] == [
        ("Plan", "", "A."),
        ("Run", "code", "print(1)"),
    ]
    assert read_steps("Final Answer: 3").final == "3"
    assert read_steps("").steps == ()
    assert shown([ListedStep(title="T", text="x", output="")]) == "- Step 1: T (general reasoning)\nx\n- Output: "


@pytest.mark.parametrize("comment", ["# Final answer:", "# Output: the total", '- Output: = """'])
def test_comments_of_a_program_are_no_marks_of_the_list(comment: str) -> None:
    program = f"```python\nx = 3 * 4\n{comment}\nprint(x)\n```"
    [step] = read_steps(f"- Step 1: Count (tool: Code)\n{program}\n- Output: 99\n### Final Response\n99").steps
    assert step.text == program
    assert read_steps(f"Thus:\n{program}\nFinal answer: 12", until="last").final == "12"


@pytest.mark.parametrize("fence", ["```", "```python", "```markdown"])
def test_a_fence_around_words_hides_no_mark(fence: str) -> None:
    listed = f"{fence}\nStep 1: Count (general)\nsome words\nFinal answer: 12"
    assert read_steps(listed).final == "12"
    if fence != "```python":
        assert read_steps(f"{listed}\n```").final == "12\n```"


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("3 + 4", False),
        ("12345 + 1", True),
        ("12,345 people", True),
        ("1 + 2 * 3 - 4 / 5", True),
        ("2024 was the year", False),
    ],
)
def test_exact_arithmetic(text: str, exact: bool) -> None:
    assert is_exact_arithmetic(text) is exact
