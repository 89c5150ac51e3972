"""Templates: variables in double braces."""

from __future__ import annotations

import pytest

from mathagent.errors import UsageError
from mathagent.functions.template import parse_template


def test_names_are_in_the_order_of_their_first_appearance() -> None:
    template = parse_template("{{x}} + {{ y }} + {{x}}")
    assert template.names == ("x", "y")
    assert template.quoted == "'x' + 'y' + 'x'"
    assert template.plain == "x + y + x"


def test_braces_of_latex_around_a_variable_stay() -> None:
    assert parse_template(r"\frac{{{a}}}{2} and {b}").quoted == r"\frac{'a'}{2} and {b}"
    assert parse_template("{{größe}}").names == ("größe",)


@pytest.mark.parametrize("text", ["e^{{2x}}", "{{a + b}}", "{{}}", "{{a b}}", "{{x", "{{1}}"])
def test_anything_but_a_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no variable: double braces hold a name alone"):
        parse_template(text)


def test_an_empty_template_is_refused() -> None:
    with pytest.raises(UsageError, match="the template is empty"):
        parse_template(" \n")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("a",), "it has no value for {{b}}"),
        (("a", "b", "c"), "{{c}} does not stand in it: it has only {{a}} and {{b}}"),
        (("B",), "it has no value for {{a}} and {{b}}; and {{B}} does not stand in it"),
    ],
)
def test_missing_and_surplus_variables(given: tuple[str, ...], problem: str) -> None:
    template = parse_template("What is {{a}} times {{b}}?")
    template.check(("b", "a"))
    with pytest.raises(UsageError) as raised:
        template.check(given)
    assert problem in str(raised.value)
    assert "'What is {{a}} times {{b}}?'" in str(raised.value)
