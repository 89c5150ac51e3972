"""Compositions as text: what is read, how it is written again, and what is refused, with its place."""

from __future__ import annotations

import pytest

from mathagent.agents.composition_text import (
    Joined,
    Named,
    canonical,
    is_composition,
    names_in,
    parse,
    parse_first,
    split_list,
)
from mathagent.errors import UsageError


def test_and_binds_closer_than_or() -> None:
    a, b, c = Named("a"), Named("b"), Named("c")
    assert parse("a | b & c") == Joined("|", (a, Joined("&", (b, c))))
    assert parse("(a | b) & c") == Joined("&", (Joined("|", (a, b)), c))
    assert parse("vote(a, b | c)") == Joined("vote", (a, Joined("|", (b, c))))


def test_settings_are_json_or_words() -> None:
    tree = parse('self-consistency(over=cot, n=4, stop="none", temperature=0.5, names=["x, y"], t=null)')
    assert tree == Named(
        "self-consistency",
        {"over": "cot", "n": 4, "stop": "none", "temperature": 0.5, "names": ["x, y"], "t": None},
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("pal", "pal"),
        ("pal(n=4)|vote(cot,tir)", "pal(n=4) | vote(cot, tir)"),
        ("((a | b) | c) | d", "a | b | c | d"),
        ("a & (b & c)", "a & b & c"),
        ("(a|b)&c", "(a | b) & c"),
        ("(a & b) | c", "a & b | c"),
        ("(a | b)(threshold=0.7) | c", "(a | b)(threshold=0.7) | c"),
        ("vote((a|b), c, n = 4)", "vote(a | b, c, n=4)"),
        ('a(y=2, x="word", z="two words")', 'a(x=word, y=2, z="two words")'),
        ('a(x="true")', 'a(x="true")'),
        ("(a)", "a"),
        ("my.module:STRATEGY|a", "my.module:STRATEGY | a"),
    ],
)
def test_one_way_to_write_it(text: str, written: str) -> None:
    assert canonical(text) == written
    assert canonical(written) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pal |", "at its end the name of a strategy is missing"),
        ("| pal", "at character 1 the name"),
        ("pal | | cot", "at character 7 the name"),
        ("pal(n=)", "at character 7 a value is missing"),
        ("pal(n=" + "9" * 5000 + ")", "at character 7 a value is too large"),
        ("pal(n=" + "[" * 5000 + ")", "at character 7 a value is too large"),
        ("pal(n=4", r"at its end a '\)' is missing"),
        ("pal(4)", "a setting such as n=4 is missing"),
        ("pal()", "a setting such as n=4 is missing"),
        ("pal(n=4, n=5)", "n is given twice"),
        ("pal(n=4)(n=5)", r"'\(n=5\)' is not expected here"),
        ("vote(a)", "a vote needs two"),
        ("vote(a, b)(n=3)", "settings are given twice"),
        ("vote(a, n=4, b)", "a setting such as n=4 is missing"),
        ("(pal", r"a '\)' is missing"),
        ("pal) | cot", r"'\) \| cot' is not expected"),
        ("(pal cot)", r"a '\)' is missing"),
        ("pal | cöt", "'öt' is not expected here"),
        ("(" * 9 + "a" + ")" * 9, "nested more than 8 deep"),
        ("(" * 100_000, "nested more than 8 deep"),
        (" | ".join("a" * 17), "joins 17 strategies; 16 at most"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(text)


def test_a_list_is_split_at_the_commas_outside_of_brackets_and_quotes() -> None:
    assert split_list("pal, vote(cot, tir) ,, cot-n-pot") == ["pal", "vote(cot, tir)", "cot-n-pot"]
    assert split_list('a(x=",(", y=[1,2]),b') == ['a(x=",(", y=[1,2])', "b"]
    assert split_list(" , ") == []
    assert split_list("a), b") == ["a)", "b"]  # for the reader of each to refuse


def test_what_stands_behind_the_first_composition() -> None:
    assert parse_first("pal | cot n=4 temperature=0") == (parse("pal | cot"), "n=4 temperature=0")
    assert parse_first("pal n=4") == (Named("pal"), "n=4")


def test_names() -> None:
    assert names_in("a(n=1) | vote(b, c) & a") == ["a", "b", "c", "a"]
    assert not is_composition("plan-verify-refine")
    assert not is_composition("my.module:STRATEGY")
    assert is_composition("pal(n=4)")
