"""The form of the bundled facts. That their examples hold is tests/integration/test_facts_hold.py's."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter
from importlib.resources import files

import pytest
from pydantic import ValidationError

from mathagent.memory.bundled_facts import BUNDLED, FactRow, bundled_facts
from mathagent.memory.experience import Experience, Fact

SUBJECTS = {
    "algebra", "arithmetic", "calculus", "combinatorics", "complex numbers", "geometry", "inequalities",
    "linear algebra", "logic and sets", "number theory", "precalculus", "probability", "sequences", "statistics",
    "sympy recipes", "trigonometry", "units", "word problems",
}  # fmt: skip
MAX_STATEMENT_CHARS = 400
MAX_EXAMPLE_LINES = 5

FACTS: list[tuple[Experience, Fact]] = [
    (item, item.content) for item in bundled_facts() if isinstance(item.content, Fact)
]
README = files("mathagent.memory").joinpath("facts/README.md").read_text(encoding="utf-8")


def titles_where(wrong: list[bool]) -> list[str]:
    return [fact.title for (_, fact), is_wrong in zip(FACTS, wrong, strict=True) if is_wrong]


def agrees(expected: str) -> bool:
    """Says ``expected`` that two ways give the same: True, or a tuple of equal parts?"""
    value = ast.parse(expected, mode="eval").body
    if isinstance(value, ast.Tuple):
        return len(value.elts) > 1 and len({ast.dump(part) for part in value.elts}) == 1
    return expected == "True"


def imported(code: str) -> set[str]:
    """Top-level packages that ``code`` imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_there_are_a_few_hundred_in_all_subjects() -> None:
    assert len(FACTS) == len(bundled_facts()) >= 400
    assert {item.subject for item, _ in FACTS} == SUBJECTS


def test_titles_and_statements_are_unique() -> None:
    for texts in ([fact.title.casefold() for _, fact in FACTS], [fact.statement for _, fact in FACTS]):
        assert [text for text, count in Counter(texts).items() if count > 1] == []
    assert len({item.id for item, _ in FACTS}) == len(FACTS)


def test_statements_are_short_lines() -> None:
    assert titles_where([len(fact.statement) > MAX_STATEMENT_CHARS for _, fact in FACTS]) == []
    assert titles_where(["\n" in fact.statement or "\n" in fact.title for _, fact in FACTS]) == []


def test_each_says_where_it_comes_from() -> None:
    assert titles_where([len(item.provenance.source) < 8 for item, _ in FACTS]) == []
    assert {item.provenance.dataset for item, _ in FACTS} == {BUNDLED}


def test_trust_follows_the_example() -> None:
    assert titles_where([item.trust != ("verified" if fact.example else "person") for item, fact in FACTS]) == []
    assert titles_where([bool(fact.example) != bool(fact.expected) for _, fact in FACTS]) == []
    assert sum(bool(fact.example) for _, fact in FACTS) > 0.9 * len(FACTS)


def test_examples_are_short_programs_that_end_with_a_value() -> None:
    examples = [fact for _, fact in FACTS if fact.example]
    assert [fact.title for fact in examples if len(fact.example.splitlines()) > MAX_EXAMPLE_LINES] == []
    assert [fact.title for fact in examples if not isinstance(ast.parse(fact.example).body[-1], ast.Expr)] == []
    known = sys.stdlib_module_names | {"sympy"}
    assert [fact.title for fact in examples if not imported(fact.example) <= known] == []


def test_examples_say_one_thing_in_two_ways() -> None:
    assert [fact.title for _, fact in FACTS if fact.example and not agrees(fact.expected)] == []


@pytest.mark.parametrize("expected", ["(4, 5)", "(4,)", "4", "False", "((1, 2), (2, 1))"])
def test_what_does_not_agree_is_seen(expected: str) -> None:
    assert not agrees(expected)


def test_the_example_of_the_readme_is_a_fact() -> None:
    [row] = tomllib.loads(README.partition("```toml\n")[2].partition("```")[0])["fact"]
    assert agrees(FactRow.model_validate(row).expected)


@pytest.mark.parametrize("change", [{"source": ""}, {"statement": ""}, {"title": ""}, {"exemple": "1"}])
def test_a_row_that_lacks_or_misspells_something_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        FactRow.model_validate({"title": "t", "statement": "s", "source": "Euclid"} | change)


def test_files_hold_nothing_but_facts() -> None:
    folder = files("mathagent.memory").joinpath("facts")
    tables = [tomllib.loads(f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(".toml")]
    assert [set(table) for table in tables] == [{"fact"}] * len(SUBJECTS)
