"""JSON as small models write it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.lenient_json import MAX_CHARACTERS, json_values, mend_escapes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"a": "\frac{1}{2} \times \sqrt{2}"}', {"a": r"\frac{1}{2} \times \sqrt{2}"}),
        (r'{"a": "\\frac{1}{2}"}', {"a": r"\frac{1}{2}"}),
        (r'{"a": "\(x\) \beta \rho \neg p"}', {"a": r"\(x\) \beta \rho \neg p"}),
        (r'{"a": "\u00e9 \underline{x}"}', {"a": r"é \underline{x}"}),
        (r'{"a": "\ud83d\ude00 \\ud83d \udelta"}', {"a": r"😀 \ud83d \udelta"}),
        (r"{'a': '\ud83d\ude00', b: 1}", {"a": "😀", "b": 1}),
        (r'{"a": "\ud83d", "b": "\uDE00\ud83d\ude00"}', {"a": "�", "b": "�😀"}),
        (r'{"p": "x = 1\nnu = 2\neq = Eq(x, nu)"}', {"p": "x = 1\nnu = 2\neq = Eq(x, nu)"}),
        (r'{"p": "for x in y:\n\tto = x\n\ttan = 1"}', {"p": "for x in y:\n\tto = x\n\ttan = 1"}),
        ('{"p": "a = 1\nprint(a)"}', {"p": "a = 1\nprint(a)"}),
        ('{"a": 1, "b": [1, 2,],}', {"a": 1, "b": [1, 2]}),
        ("{'a': True, 'b': None, 'c': (1, 2)}", {"a": True, "b": None, "c": [1, 2]}),
        ("{'a': 'it's', b: -.5}", {"a": "it's", "b": -0.5}),
        (r"{'a': 'it\'s'}", {"a": "it's"}),
        ('{"a": "he said "hi" to me", "b": 1}', {"a": 'he said "hi" to me', "b": 1}),
        ('{"p": "print("a")", "b": 1}', {"p": 'print("a")', "b": 1}),
        ('{"a": "x"\n "b": "y"}', {"a": "x", "b": "y"}),
        ('{"a": 1, // one\n "b": 2 # two\n}', {"a": 1, "b": 2}),
        ('{"a": """x = 1\ny = "2" """, "b": 3}', {"a": 'x = 1\ny = "2" ', "b": 3}),
        ('{"a": 1/2, "b": Rational(1, 2)}', {"a": "1/2", "b": "Rational(1, 2)"}),
        ('{"a": {"b": [{"c": 1}, {"d": 2]}', {"a": {"b": [{"c": 1}, {"d": 2}]}}),
        ('{"a": }', {}),
        ('{"n": ' + "9" * 5000 + "}", {"n": "9" * 5000}),
    ],
)
def test_one_object(text: str, value: object) -> None:
    assert json_values(text) == [value]


def test_text_around_and_several_objects() -> None:
    text = 'As $\\frac{1}{2} = {x}$, e.g. {"a": 0}, so\n```json\n{"a": 1}\n```\nDone {or not}.'
    assert json_values(text) == [{"a": 0}, {"a": 1}]
    assert json_values('see [{"a": 1}, {"a": 2}] there') == [[{"a": 1}, {"a": 2}]]
    assert json_values("no JSON at all") == []


@pytest.mark.parametrize(
    ("text", "whole", "kept"),
    [
        ('{"a": [{"k": 1}, {"k": "tru', {"a": [{"k": 1}, {"k": "tru"}]}, {"a": [{"k": 1}]}),
        ('{"a": 1, "b": [', {"a": 1, "b": []}, {"a": 1}),
        ('{"a": 1, "b": [{"k', {"a": 1, "b": [{}]}, {"a": 1}),
        ('{"a": 1, "b": "half a sen', {"a": 1, "b": "half a sen"}, {"a": 1}),
        ('{"a": 1, "b": 0.', {"a": 1, "b": 0.0}, {"a": 1}),
        ('{"a": 1, "b', {"a": 1}, {"a": 1}),
        ('{"a": 1, "b":', {"a": 1}, {"a": 1}),
        ('{"a": {"b": 1, "c": "x', {"a": {"b": 1, "c": "x"}}, {"a": {"b": 1}}),
    ],
)
def test_a_cut_text_keeps_what_is_complete(text: str, whole: object, kept: object) -> None:
    assert json_values(text) == [whole]
    assert json_values(text, cut=True) == [kept]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_what_is_right_is_read_as_it_is(value: object) -> None:
    # A program writes a backslash twice and control characters as \u….
    text = json.dumps({"a": value})
    if mend_escapes(text) == text:
        assert json_values(text) == [{"a": value}]


@given(st.text(alphabet="{}[]()\"'\\:,=ab1 \n#/", max_size=200), st.booleans())
def test_nothing_raises(text: str, cut: bool) -> None:
    json_values("{'a': " + text, cut=cut)


@pytest.mark.parametrize(
    "piece",
    [
        "{'",
        '{"a" ',
        '{"a":',
        "[{'a':1,",
        '"',
        "\\",
        '" ',
        '{"a":/*',
        "(",
        "{ ",
        "[ ",
        '{"a":1,"b":[{}],',
        "'''",
        '{"a":"x" "',
    ],
)
def test_hostile_repetition_takes_no_time(piece: str) -> None:
    started = time.perf_counter()
    json_values('{"a": ' + piece * (MAX_CHARACTERS // len(piece)))
    assert time.perf_counter() - started < 3
