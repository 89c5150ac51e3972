"""Steps of a solution, and what global and local refinement ask and return."""

from __future__ import annotations

import time

import pytest

from mathagent.agents.blocks.refine import MARK, continue_from, numbered, rewrite, split_steps
from mathagent.agents.role import REFINER
from mathagent.budget import Budget
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.types import Problem
from tests.unit.agents.scripted_context import scripted_context

PROBLEM = Problem(text="How many?", choices=("A)1", "B)2"))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Step 1: add.\nStep 2: sum\nup.\nStep 3: done.", ("Step 1: add.", "Step 2: sum\nup.", "Step 3: done.")),
        ("Let us see.\n\n**Step 1**: a\n\n### Step 2. b", ("Let us see.\n\n**Step 1**: a", "### Step 2. b")),
        ("1. a\n  1. a1\n  2. a2 of step 2\n3) c", ("1. a\n  1. a1", "2. a2 of step 2", "3) c")),
        ("Step 1: there are\n1. x\n2. y\nStep 2: so", ("Step 1: there are\n1. x\n2. y", "Step 2: so")),
        ("First a.\n\nThen\n$$\nx\n\ny\n$$\nb.\n\nLast c.", ("First a.", "Then\n$$\nx\n\ny\n$$\nb.", "Last c.")),
        ("```python\nx = 1\n\ny = 2\n```\n\nSo 2.", ("```python\nx = 1\n\ny = 2\n```", "So 2.")),
        (
            r"It is 3.5 m. Take \(a. b\) now! So $x. y$ holds?",
            ("It is 3.5 m.", r"Take \(a. b\) now!", "So $x. y$ holds?"),
        ),
        ("A pen is $5.\n\nSo $2 more is $7.", ("A pen is $5.", "So $2 more is $7.")),
        ("A pen is $5. So $2$ pens are $10. Done.", ("A pen is $5.", "So $2$ pens are $10.", "Done.")),
        ("先加。再减。", ("先加。", "再减。")),
        ("one thing", ("one thing",)),
        ("   ", ()),
    ],
)
def test_split_steps(text: str, steps: tuple[str, ...]) -> None:
    assert split_steps(text) == steps


def test_steps_hold_the_whole_text() -> None:
    text = "Intro.\nStep 1: a b.\n  c\nStep 2: d $e$ f."
    assert "".join("".join(split_steps(text)).split()) == "".join(text.split())
    assert numbered(("a", "b")) == "[1] a\n[2] b"


def test_formula_that_never_ends_does_not_hold_everything_together() -> None:
    started = time.perf_counter()
    steps = split_steps("We have $x + 5. " + "Then so. " * 4000)
    assert len(steps) > 1
    assert time.perf_counter() - started < 2


async def test_global_refinement_sees_draft_and_critique() -> None:
    script = [
        Reply(text="new \\boxed{B}", role="refiner", contains=("How many?", "(B) 2", "the draft", "it is wrong")),
        Reply(text="newer", role="refiner", contains=("the draft",), lacks=("Critique",)),
    ]
    backend = ScriptedBackend(script)
    context, _ = scripted_context(backend)
    drafts, limit = await rewrite(context, PROBLEM, "the draft", "it is wrong", sample=4)
    assert limit is None
    assert drafts[0].completion is not None
    assert drafts[0].completion.text == "new \\boxed{B}"
    assert drafts[0].sample == 4
    params = REFINER.params.model_copy(update={"temperature": 0.5})
    await rewrite(context, PROBLEM, "the draft", params=params)
    assert backend.requests[1].params.temperature == 0.5


async def test_local_refinement_keeps_what_is_before_the_mark() -> None:
    steps = ("Step 1: a", "Step 2: b", "Step 3: wrong", "Step 4: worse")
    marked = f"Step 1: a\n\nStep 2: b\n\n{MARK}\nStep 3: wrong\n\nStep 4: worse"
    backend = ScriptedBackend(
        [Reply(text="\nStep 3: right", role="refiner", contains=(marked, "beginning with step 3")), "all new"]
    )
    context, _ = scripted_context(backend)
    drafts, _ = await continue_from(context, PROBLEM, steps, 3)
    assert drafts[0].completion is not None
    assert drafts[0].completion.text == "Step 1: a\n\nStep 2: b\n\nStep 3: right"
    drafts, _ = await continue_from(context, PROBLEM, steps, 1)
    assert drafts[0].completion is not None
    assert drafts[0].completion.text == "all new"
    for wrong in (0, 5):
        with pytest.raises(ValueError, match=f"no step {wrong} among 4"):
            await continue_from(context, PROBLEM, steps, wrong)


async def test_budget_gives_no_draft_and_its_limit() -> None:
    context, _ = scripted_context(ScriptedBackend(["one"]), budget=Budget(max_calls=1))
    await rewrite(context, PROBLEM, "draft")
    drafts, limit = await continue_from(context, PROBLEM, ("a", "b"), 2)
    assert drafts == ()
    assert limit is not None
