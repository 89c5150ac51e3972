from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from mathagent.errors import UsageError
from mathagent.evals.templates import Clause, Draw, Template, instances, to_jsonl
from mathagent.evals.templates.shelf import read_templates

GOLDEN = Path(__file__).with_name("golden_instances.jsonl")

SHARING = Template(
    id="sharing",
    body="{name} shares {count(n, 'apple')} among {k} friends.",
    question="How many does each get?",
    draws=(
        Draw(names=("name",), source="sample(names)"),
        Draw(names=("n",), source="range(10, 60)"),
        Draw(names=("k",), source="range(2, 9)"),
    ),
    conditions=("divides(n, k)",),
    answer="n/k",
    subject="sharing",
    level=1,
    p1=Clause(
        text="{name} eats {count(m, 'apple')} first.",
        draws=(Draw(names=("m",), source="range(2, 9)"),),
        conditions=("divides(n - m, k)", "m < n"),
        answer="(n - m)/k",
    ),
    noop=Clause(text="The basket weighs {w} grams.", draws=(Draw(names=("w",), source="range(200, 900, 50)"),)),
)


def small(**changes: object) -> Template:
    base = {
        "id": "small",
        "body": "Two numbers are {a} and {b}.",
        "question": "What is their sum?",
        "draws": (Draw(names=("a",), source="range(1, 4)"), Draw(names=("b",), source="range(1, 4)")),
        "answer": "a + b",
    }
    return Template(**{**base, **changes})  # type: ignore[arg-type]


def test_one_seed_gives_the_same_bytes_for_ever() -> None:
    made = [
        *instances(SHARING, 4, seed=7),
        *instances(SHARING, 2, seed=7, variant="p1"),
        *instances(SHARING, 2, seed=7, variant="noop"),
        *instances(SHARING, 2, seed=7, variant="names"),
        *instances(SHARING, 2, seed=7, variant="numbers"),
        *instances(SHARING, 1, variant="original"),
    ]
    assert to_jsonl(made) == GOLDEN.read_text(encoding="utf-8")


def test_fewer_are_the_first_of_more_and_seeds_differ() -> None:
    many = instances(SHARING, 20, seed=3)
    assert instances(SHARING, 5, seed=3) == many[:5]
    assert instances(SHARING, 5, seed=4) != many[:5]
    assert len({one.text for one in many}) == 20
    assert len({one.hash for one in many}) == 20


def test_conditions_hold_and_the_answer_is_computed() -> None:
    for one in instances(SHARING, 50):
        n, k = one.assignment["n"], one.assignment["k"]
        assert isinstance(n, int)
        assert isinstance(k, int)
        assert n % k == 0
        assert one.answer == str(n // k)
        assert f"{n} apples among {k} friends" in one.text


def test_the_original_is_no_instance() -> None:
    [original] = instances(SHARING, 1, variant="original")
    numbers = (original.assignment["n"], original.assignment["k"])
    assert numbers not in [(one.assignment["n"], one.assignment["k"]) for one in instances(SHARING, 80)]


def test_variants_change_only_what_they_say() -> None:
    [original] = instances(SHARING, 1, variant="original")
    for one in instances(SHARING, 10, variant="names"):
        assert one.answer == original.answer
        assert one.assignment["name"] != original.assignment["name"]
        assert one.assignment["n"] == original.assignment["n"]
    for one in instances(SHARING, 10, variant="numbers"):
        assert one.assignment["name"] == original.assignment["name"]
        assert (one.assignment["n"], one.assignment["k"]) != (original.assignment["n"], original.assignment["k"])


def test_noop_is_the_symbolic_instance_with_a_sentence_before_the_question() -> None:
    for plain, noop in zip(instances(SHARING, 10), instances(SHARING, 10, variant="noop"), strict=True):
        weight = noop.assignment["w"]
        assert noop.answer == plain.answer
        assert noop.distractors == (str(weight),)
        assert noop.text == plain.text.replace("How many", f"The basket weighs {weight} grams. How many")


def test_p1_has_one_clause_more_and_another_answer() -> None:
    for one in instances(SHARING, 10, variant="p1"):
        n, k, m = (one.assignment[name] for name in "nkm")
        assert one.answer == str((n - m) // k)  # type: ignore[operator]
        assert "eats" in one.text


def test_enumeration_finds_what_rejection_does_not() -> None:
    # One in 30,000 pairs fits: 10,000 draws will mostly miss it.
    rare = small(
        draws=(Draw(names=("a",), source="range(1, 501)"), Draw(names=("b",), source="range(1, 501)")),
        conditions=("a*b == 499*491",),
    )
    found = instances(rare, 1)
    assert {found[0].assignment["a"], found[0].assignment["b"]} == {499, 491}


def test_every_assignment_can_be_had_and_no_more() -> None:
    everything = instances(small(), 8)  # nine pairs, one of them the original
    pairs = {(one.assignment["a"], one.assignment["b"]) for one in everything}
    [original] = instances(small(), 1, variant="original")
    assert pairs == set(product(range(1, 4), repeat=2)) - {(original.assignment["a"], original.assignment["b"])}
    with pytest.raises(UsageError, match="only 8 different instances"):
        instances(small(), 9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"conditions": ("a > b + 5",)},
            r"no values of a, b satisfy its conditions \(a > b \+ 5.*every combination",
        ),
        ({"answer": "a/(b - b)"}, "no values of"),
        ({"answer": "(2*a + 1)/2"}, "no values of"),
        ({"answer": "a - b - 3"}, "no values of"),
        ({"answer": "'x'"}, "stands where a number belongs"),
    ],
)
def test_what_cannot_be_satisfied_is_a_clear_error(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        instances(small(**changes), 1)


def test_a_condition_that_divides_by_zero_only_rejects() -> None:
    drawn = small(conditions=("6/(a - b) > 0",))
    assert all(one.assignment["a"] > one.assignment["b"] for one in instances(drawn, 2))  # type: ignore[operator]


def test_domains_may_depend_on_variables_before_and_steps_are_exact() -> None:
    nested = small(
        draws=(Draw(names=("a",), source="range(2, 5)"), Draw(names=("b",), source="range(a, 3*a, a)")),
        answer="b/a",
    )
    assert {one.answer for one in instances(nested, 5)} <= {"1", "2"}
    decimal = small(
        draws=(Draw(names=("a",), source="arange(0.1, 0.9, 0.1)"), Draw(names=("b",), source="sample(fractions)")),
        answer="a + b",
        answer_type="decimal",
    )
    assert all("/" not in one.answer for one in instances(decimal, 10))


def test_several_names_of_one_draw_differ_and_nested_names_are_no_trouble() -> None:
    people = small(
        body="{x}, {y} and {xy} meet. {a} {b}",
        draws=(
            Draw(names=("x", "y", "xy"), source="sample(names, 3)"),
            Draw(names=("a",), source="range(1, 9)"),
            Draw(names=("b",), source="range(1, 9)"),
        ),
    )
    for one in instances(people, 30):
        assert len({one.assignment["x"], one.assignment["y"], one.assignment["xy"]}) == 3


def test_draws_are_spread_over_the_domain() -> None:
    counts = Counter(
        one.assignment["a"]
        for one in instances(small(draws=(Draw(names=("a", "b"), source="sample(list(range(1, 31)), 2)"),)), 600)
    )
    # 600 draws of 30 values: each is expected 20 times; 4 standard deviations of a binomial are 18.
    assert set(counts) == set(range(1, 31))
    assert max(counts.values()) < 38


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[[template]]\nid = 'x'", "body, draw, level, question is missing|missing"),
        ("[[template]]\nid='x'\nlevel=1\nbody='{a}'\nquestion='?'\ndraw={a='range(3)'}\nanswer='a+q'", "reads q"),
        ("[[template]]\nid='x'\nlevel=1\nbody='{a}'\nquestion='?'\ndraw={a='foo(3)'}\nanswer='a'", "foo"),
        ("[[template]]\nid='x'\nlevel=1\nbody='{c}'\nquestion='?'\ndraw={a='range(3)'}\nanswer='a'", "reads c"),
        ("[[template]]\nid='x'\nlvel=1\nbody='a'\nquestion='?'\ndraw={}\nanswer='1'", "lvel"),
        ("[[template", "no.*TOML|not TOML"),
        (
            "[[template]]\nid='x'\nlevel=1\nbody='{a}'\nquestion='?'\ndraw={a='range(3)'}\nlet={a='1'}\nanswer='a'",
            "declared twice",
        ),
    ],
)
def test_wrong_templates_are_refused_when_they_are_read(toml: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_templates(toml, "mine.toml")


def test_missing_variants_and_counts_are_refused() -> None:
    with pytest.raises(UsageError, match="no longer form"):
        instances(small(), 1, variant="p1")
    with pytest.raises(UsageError, match="no irrelevant clause"):
        instances(small(), 1, variant="noop")
    with pytest.raises(UsageError, match="at least 1"):
        instances(small(), 0)
    with pytest.raises(UsageError, match="symbolic"):
        instances(small(), 1, variant="p9")  # type: ignore[arg-type]


def test_an_item_says_where_it_comes_from() -> None:
    [line] = to_jsonl(instances(SHARING, 1)).splitlines()
    item = json.loads(line)
    assert item["family"] == "sharing"
    assert item["variant"] == "symbolic"
    assert item["id"] == "sharing/symbolic/0-0"
    problem = instances(SHARING, 1)[0].problem()
    assert problem.reference == item["answer"]
    assert problem.metadata["level"] == 1
