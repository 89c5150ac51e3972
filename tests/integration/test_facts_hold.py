"""Every example of the bundled facts, run in the real sandbox: as cells of one process, since a process costs more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from mathagent.memory.bundled_facts import bundled_facts
from mathagent.memory.experience import Fact
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Limits, Sandbox

LIMITS = Limits(timeout_s=60, cpu_s=20)
"""Of one example: the slowest takes 0.2 s of CPU; what else the machine does must not fail it."""

FORGET_NAMES = "for _name in [name for name in globals() if not name.startswith('__')]: del globals()[_name]\n"
"""Before each cell, so that an example stands alone: an import of an earlier one must not help it."""

EXAMPLES = [item.content for item in bundled_facts() if isinstance(item.content, Fact) and item.content.example]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox: Sandbox = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield sandbox
    await sandbox.aclose()


async def broken(facts: Sequence[Fact], sandbox: Sandbox) -> dict[str, str]:
    """The titles of those facts whose example does not give what they expect, with what it gave."""
    session = await sandbox.session(LIMITS)
    found = {}
    for fact in facts:
        execution = await session.run(FORGET_NAMES + fact.example)
        if (execution.status, execution.value) != ("ok", fact.expected):
            found[fact.title] = f"{execution.status}: {execution.value or execution.error}"
    await session.aclose()
    return found


async def test_every_example_holds(sandbox: Sandbox) -> None:
    assert await broken(EXAMPLES, sandbox) == {}


async def test_an_example_alone_is_a_program_with_that_value(sandbox: Sandbox) -> None:
    for fact in EXAMPLES[::100]:
        execution = await sandbox.run(fact.example, LIMITS)
        assert (execution.status, execution.value) == ("ok", fact.expected), fact.title


async def test_a_changed_fact_does_not_hold(sandbox: Sandbox) -> None:
    changed = [fact.model_copy(update={"expected": f"({fact.expected}, 0)"}) for fact in EXAMPLES[:10]]
    wrong = Fact(
        title="wrong formula", statement="", example="(sum(range(11)), 10 * 10 // 2)", expected="(55, 55)"
    )
    raising = Fact(title="raises", statement="", example="1 / 0", expected="True")
    leaning = Fact(title="needs an earlier import", statement="", example="Fraction(1) == 1", expected="True")
    importing = Fact(
        title="imports", statement="", example="from fractions import Fraction\nTrue", expected="True"
    )
    found = await broken([*changed, wrong, raising, importing, leaning], sandbox)
    assert found.keys() == {fact.title for fact in [*changed, wrong, raising, leaning]}
    assert found["wrong formula"] == "ok: (55, 50)"
    assert "ZeroDivisionError" in found["raises"]
    assert "NameError" in found["needs an earlier import"]
