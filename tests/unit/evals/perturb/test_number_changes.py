from __future__ import annotations

import random
from collections.abc import AsyncIterator
from fractions import Fraction

import pytest
import pytest_asyncio

from mathagent.errors import UsageError
from mathagent.evals.perturb import perturb
from mathagent.evals.perturb.mentions import mentions, most, written
from mathagent.evals.perturb.numbers import Slot, change_numbers, slots_of
from mathagent.evals.perturb.perturbed import Change, Refusal
from mathagent.evals.perturb.programs import constants, near, outcomes, with_constants
from mathagent.evals.perturb.run import number_of
from mathagent.evals.perturb.sources import programs_of_dataset
from mathagent.sandbox import SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.types import Problem

TEXT = (
    "Ann works 45 hours a week, of which 40 are paid $12 and the rest $18. She has two sons. What does she earn?"
)
PROGRAM = '''def solution():
    """45 hours, 40 paid 12"""
    regular = 40 * 12
    extra = (45 - 40_0 / 10) * 18
    return regular + extra
'''
PLAIN = "def solution():\n    hours = 45\n    regular = 40\n    return regular * 12 + (hours - regular) * 18\n"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    box: Sandbox = SANDBOXES.load("process")()
    yield box
    await box.aclose()


def test_mentions_in_digits_words_and_factors() -> None:
    found = mentions("He has 1,200 pens, 3.5 kg, 30% of twenty-five, half a dozen, 3/4, at 5:30 on the 2nd, x2.")
    assert [(one.text, one.value, one.form, one.percent) for one in found] == [
        ("1,200", 1200, "digits", False),
        ("3.5", Fraction(7, 2), "digits", False),
        ("30", 30, "digits", True),
        ("twenty-five", 25, "words", False),
        ("half", Fraction(1, 2), "factor", False),
        ("dozen", 12, "factor", False),
        ("3/4", Fraction(3, 4), "factor", False),
    ]


def test_a_number_is_written_as_it_was() -> None:
    digits, places, word = mentions("1,200 and 2.50 and Twelve")
    assert written(digits, Fraction(1500)) == "1,500"
    assert written(places, Fraction(13, 4)) == "3.25"
    assert written(word, Fraction(21)) == "Twenty-one"


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("5 days a week", 7),
        ("50 weeks a year", 52),
        ("6 hours each day", 24),
        ("5 pens a day", None),
        ("20% off", 99),
    ],
)
def test_parts_of_a_period_have_a_limit(text: str, limit: int | None) -> None:
    assert most(mentions(text)[0], text) == limit


def test_constants_are_found_and_replaced_exactly() -> None:
    found = constants("x = 0.30 * 7  # 7\ny = 'é' + str(1_000)")
    assert [one.value for one in found] == [Fraction(3, 10), 7, 1000]
    changed = with_constants(
        "x = 0.30 * 7  # 7\ny = 'é' + str(1_000)", [(found[0], Fraction(1, 4)), (found[2], Fraction(5))]
    )
    assert changed == "x = 0.25 * 7  # 7\ny = 'é' + str(5)"
    with pytest.raises(UsageError):
        constants("x = (")


def test_slots_stand_once_in_text_and_program() -> None:
    slots = slots_of(TEXT, PLAIN)
    assert not isinstance(slots, Refusal)
    assert [slot.mention.text for slot in slots] == ["45", "40", "18"]  # 12 is also how many months a year has


@pytest.mark.parametrize(
    ("text", "program", "reason"),
    [
        ("Add 15 and 26.", "answer = 41", "not in the text"),
        ("Add 15 and 15.", "answer = 15 + 15", "no number stands once"),
        ("Add 7 and 60.", "answer = 7 + 60", "no number stands once"),
        ("Add 15 and 26.", "answer = (", "no Python"),
    ],
)
def test_what_does_not_map_is_refused(text: str, program: str, reason: str) -> None:
    found = slots_of(text, program)
    assert isinstance(found, Refusal)
    assert reason in found.reason


def test_a_share_that_was_computed_beforehand_keeps_its_percentage() -> None:
    slots = slots_of("A $80 coat is 30% off. How much?", "answer = 80 * 0.7")
    assert not isinstance(slots, Refusal)
    assert [slot.mention.text for slot in slots] == ["80"]
    scaled = slots_of("A $80 coat is 30% off. How much?", "answer = 80 * (1 - 0.3)")
    assert [type(slot) for slot in scaled] == [Slot, Slot]
    assert scaled[1].scale == Fraction(1, 100)


async def test_programs_run_in_the_sandbox_each_alone(sandbox: Sandbox) -> None:
    found = await outcomes(
        sandbox,
        [
            PLAIN,
            "x = 3\nx * 2",
            "answer = 0.1 + 0.2",
            "print('cost: $1,250')",
            "1/0",
            "import sys; sys.exit(3)",
            "answer = 'text'",
            "from sympy import Rational\nanswer = Rational(1, 3)",
        ],
    )
    assert [one.answer for one in found] == [
        570, 6, Fraction(3, 10), 1250, None, None, None, Fraction(1, 3),
    ]  # fmt: skip
    assert found[0].variables == {"hours": 45, "regular": 40}
    assert "ZeroDivisionError" in found[4].error


def test_noise_of_floats_is_taken_away() -> None:
    assert near(Fraction(3244047.0999999996)) == Fraction("3244047.1")
    assert near(Fraction(1 / 3)) == Fraction(1 / 3)


async def test_new_numbers_keep_order_digits_sign_and_wholeness(sandbox: Sandbox) -> None:
    problem = Problem(text=TEXT, id="ann", reference="570")
    made = await change_numbers(problem, PLAIN, Fraction(570), 5, random.Random(0), sandbox)
    assert not isinstance(made, Refusal)
    assert len({one.text for one in made}) == 5
    for one in made:
        hours, regular, overtime = (int(one.assignment[name]) for name in ("45", "40", "18"))
        assert hours > regular > overtime > 12  # as in the original
        assert one.answer == str(regular * 12 + (hours - regular) * overtime)
        assert f"{hours} hours a week, of which {regular} are paid $12 and the rest ${overtime}" in one.text
        assert "two sons" in one.text


@pytest.mark.parametrize(
    ("program", "gold", "reason"),
    [
        (PLAIN, 571, "does not give the right answer"),
        ("hours = 45\nregular = 40\nrate = 18\nanswer = 'a lot'", 570, "gives no number"),
        ("def solution():\n    hours = 45\n    return 12 * 7", 84, "no number of the text changes"),
    ],
)
async def test_a_program_that_does_not_solve_it_is_refused(
    sandbox: Sandbox, program: str, gold: int, reason: str
) -> None:
    found = await change_numbers(Problem(text=TEXT), program, Fraction(gold), 1, random.Random(0), sandbox)
    assert isinstance(found, Refusal)
    assert reason in found.reason


async def test_whole_answers_stay_whole(sandbox: Sandbox) -> None:
    problem = Problem(
        text="A rope of 48 meters is cut into 16 pieces. How long is each?", id="rope", reference="3"
    )
    made = await change_numbers(problem, "answer = 48 / 16", Fraction(3), 9, random.Random(1), sandbox)
    assert not isinstance(made, Refusal)
    for one in made:
        assert int(one.assignment["48"]) == int(one.answer) * int(one.assignment["16"])


@pytest.mark.parametrize("program", ["answer = 48 // 16", "answer = round(48 / 16)", "answer = 48\nanswer //= 16"])
async def test_nothing_is_rounded_away_where_nothing_was(sandbox: Sandbox, program: str) -> None:
    problem = Problem(text="A rope of 48 meters is cut into 16 pieces. How long is each?", id="r", reference="3")
    made = await change_numbers(problem, program, Fraction(3), 9, random.Random(1), sandbox)
    assert not isinstance(made, Refusal)
    for one in made:
        length, pieces = int(one.assignment.get("48", 48)), int(one.assignment.get("16", 16))
        assert length == int(one.answer) * pieces
        assert one.answer != "3"  # whoever knows the original by heart would be right


async def test_a_program_that_rounds_the_original_may_round(sandbox: Sandbox) -> None:
    problem = Problem(text="50 children ride in buses of 16. How many buses?", id="b", reference="4")
    program = "import math\nanswer = math.ceil(50 / 16)"
    made = await change_numbers(problem, program, Fraction(4), 9, random.Random(1), sandbox)
    assert not isinstance(made, Refusal)
    for one in made:
        assert int(one.answer) == -(-int(one.assignment.get("50", 50)) // int(one.assignment.get("16", 16)))


async def test_perturb_counts_refusals_and_is_repeatable(sandbox: Sandbox) -> None:
    problems = [
        Problem(text=TEXT, id="ann", reference="570", metadata={"subject": "wages"}),
        Problem(text="¿Cuántos?", id="es", language="es", reference="3"),
        Problem(text="Let $x^2 = 49$. What is $x$?", id="tex", reference="7"),
        Problem(text="Pick 15 or 26.", id="mc", choices=("15", "26"), reference="A"),
    ]
    programs = programs_of_dataset([(problems[0], {"code": PLAIN})])
    runs = [
        await perturb(problems, ["numbers", "names", "noop"], n=2, seed=5, programs=programs, sandbox=sandbox)
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    result = runs[0]
    assert result.refused["numbers"] == {
        "not in English": 1, "the text holds formulas": 1, "the choices would have to change, too": 1,
    }  # fmt: skip
    assert result.refused["names"]["not in English"] == 1
    items = [one.item() for one in result.made if one.original.id == "ann"]
    assert {item["family"] for item in items} == {"ann"}
    assert [item["id"] for item in items if item["perturbation"] == "numbers"] == [
        "ann/numbers/5-0",
        "ann/numbers/5-1",
    ]
    assert items[0]["subject"] == "wages"
    assert items[0]["seed_hash"] == problems[0].content_hash()


async def test_what_the_text_names_is_not_changed_under_its_answer() -> None:
    problems = [
        Problem(text="Tom has 3 apples and Ann 5. Who has more?", id="who", reference="Ann"),
        Problem(text="Tom has 3 apples. What does Tom have?", id="what", reference="3 apples"),
        Problem(text="Tom has 3 pens and Ann 5. Who has more?", id="mc", choices=("Tom", "Ann"), reference="B"),
        Problem(text="Tom has 3 pens. How many are left of 5?", id="other", choices=("2", "3"), reference="A"),
        Problem(text="If $x^2 = 49$ and Tom has $x$ apples, what is $x$?", id="tex", reference="7"),
    ]
    result = await perturb(problems, ["names", "culture"])
    made = {(one.kind, one.original.id): one.change for one in result.made}
    assert set(made) == {
        ("names", "who"), ("culture", "who"), ("names", "what"), ("culture", "what"),
        ("names", "other"), ("culture", "other"), ("names", "tex"),
    }  # fmt: skip
    for kind in ("names", "culture"):
        who = made[kind, "who"]
        assert who.answer == who.assignment["Ann"]
        assert who.answer in who.text
    fruit = made["culture", "what"]
    assert fruit.answer == f"3 {fruit.assignment['apples']}"
    refused = {"the choices would have to change, too": 1}
    assert result.refused == {"names": refused, "culture": {**refused, "the text holds formulas": 1}}


async def test_what_is_missing_is_said() -> None:
    problem = Problem(text=TEXT, reference="570")
    with pytest.raises(UsageError, match="need programs"):
        await perturb([problem], ["numbers"])
    with pytest.raises(UsageError, match="known: numbers"):
        await perturb([problem], ["colours"])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="no reference"):
        await perturb([Problem(text=TEXT)], ["names"])


@pytest.mark.parametrize(
    ("reference", "number"),
    [("1,234", 1234), ("$5.50", Fraction(11, 2)), ("3/4", Fraction(3, 4)), ("x", None), ("20%", 20)],
)
def test_number_of_a_reference(reference: str, number: object) -> None:
    assert number_of(reference) == number


def test_changes_are_values() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Change(text="a", answer="1", assignment={}).text = "b"  # type: ignore[misc]
