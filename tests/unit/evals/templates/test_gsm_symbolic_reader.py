from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import UsageError
from mathagent.evals.templates import instances, read_gsm_symbolic
from mathagent.evals.templates.expressions import expression
from mathagent.evals.templates.gsm_symbolic import final_expression
from mathagent.evals.templates.originals import number_in_words

OWN = {
    "id": "own/0",
    "origin_id": "seed/9",
    "question_annotated": (
        "{name,Ana} has {cur,$}{p,1.50} and {mult,twice} as many pens as {other,Bo}, who has {n,4} pens of {k,two}"
        " {color,red} kinds.\n\n#init:\n- name, other = sample(names, 2)\n- cur = sample(currencies_sym)\n"
        "- $p = fix_floats(list(np.arange(0.25, 3, 0.25)))\n- $mult = sample(multi_times + multiple_ice)\n"
        '- $n = range(3, 9)\n- $k = sample([("two", 2), ("three", 3)])\n- color = sample(colors)\n\n'
        "#conditions:\n- is_int(n * mult)\n- not divides(n, 5)\n\n#answer: n*mult + k\n"
    ),
    "answer_annotated": "{name} has {n}*{mult}=<<{n}*{mult}={n*mult}>>{n*mult} pens.\n#### {n*mult + k}",
}


def test_reads_defaults_words_and_pairs() -> None:
    template = read_gsm_symbolic(OWN)
    [original] = instances(template, 1, variant="original")
    assert original.text == "Ana has $1.50 and twice as many pens as Bo, who has 4 pens of two red kinds."
    assert original.answer == "10"
    assert original.family == "seed/9"
    for one in instances(template, 30):
        n, mult = one.assignment["n"], number_in_words(str(one.assignment["mult"]))
        assert isinstance(n, int)
        assert mult is not None
        assert n % 5
        assert one.answer == str(n * mult + (2 if one.assignment["k"] == "two" else 3))
        assert one.assignment["name"] != one.assignment["other"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12), ("1,200", 1200), ("1.50", Fraction(3, 2)), ("1/4", Fraction(1, 4)), ("half", Fraction(1, 2)),
        ("two-thirds", Fraction(2, 3)), ("three quarters", Fraction(3, 4)), ("one-fifth", Fraction(1, 5)),
        ("three times", 3), ("twice", 2), ("forty-two", 42), ("triplets", 3), ("Alice", None), ("1/0", None),
    ],
)  # fmt: skip
def test_numbers_in_words(text: str, number: Any) -> None:
    assert number_in_words(text) == number


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question_annotated": "no variables"}, "#init"),
        ({"question_annotated": None}, "question_annotated"),
        ({"question_annotated": "{a,1}\n#init:\n- $a range(3)\n#answer: a"}, "is no line"),
        ({"question_annotated": "{a,1}\n#init:\n- $a = range(3)\n#answer: a.b"}, "Attribute"),
        ({"question_annotated": "{a,1}\n#init:\n- $a = range(3)\n#answer: q"}, "which nothing sets"),
        ({"question_annotated": "{a,1}\n#init:\n- $a = sample([1, 2], 3)\n#answer: a"}, "1 variables"),
        ({"question_annotated": "{a,1}\n#init:\n- $a = range(3)", "answer_annotated": "x"}, "#answer"),
    ],
)
def test_what_cannot_be_read_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_gsm_symbolic({**OWN, **changes})


def test_a_variable_of_an_unknown_list_or_function_keeps_the_originals_value() -> None:
    """The published lists of words were never published themselves: unseen templates may name any."""
    item = {
        **OWN,
        "question_annotated": (
            "{name,Ana} walks {n,4} {unit,inch} {k,half} of {m,7} times, {far,1,200} more, past {a,an elm} and {b,12}."
            "\n\n"
            "#init:\n- name = sample(names)\n- unit = sample(length_sm)\n- $k = sample(fraction_words)\n"
            "- $n = range(3, 90)\n- $m = surprise(3, 9)\n- $far = np.linspace(1, 2)\n- a, b = sample(landmarks, 2)\n\n"
            "#answer: n*k*m + far\n"
        ),
    }
    for one in instances(read_gsm_symbolic({**item, "id": "own/1"}), 5):
        assert " inch half of 7 times, 1,200 more, past an elm and 12." in one.text
        n = one.assignment["n"]
        assert isinstance(n, int)
        assert one.answer == str(Fraction(n * 7, 2) + 1200)
    lost = item["question_annotated"].replace("{unit,inch}", "inch {unit}")
    with pytest.raises(UsageError, match="length_sm, which nothing sets"):
        read_gsm_symbolic({**item, "question_annotated": lost})


def published(shared_data: Path) -> list[dict[str, Any]]:
    lines = (shared_data / "gsm_symbolic.templates.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_every_published_template_is_read_and_its_original_gives_the_original_answer(shared_data: Path) -> None:
    items = published(shared_data)
    templates = [read_gsm_symbolic(item) for item in items]
    assert len(templates) == 115
    for item, template in zip(items, templates, strict=True):
        if item["subject"] == "symbolic":  # the longer forms keep the answer of the shorter one
            [original] = instances(template, 1, variant="original")
            assert original.answer == item["answer"].replace(",", ""), item["id"]


def test_instances_of_published_templates_satisfy_them(shared_data: Path) -> None:
    """The answer is stated twice in the data: by #answer and after ####."""
    for item in published(shared_data)[::9]:
        template, second = read_gsm_symbolic(item), final_expression(item)
        assert second is not None
        for one in instances(template, 3):
            assert "{" not in one.text
            assert one.answer.isdigit()
        assert expression(second).names >= set()
