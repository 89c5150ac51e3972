from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import UsageError
from mathagent.models.regex_grammar import regex_grammar


@pytest.mark.parametrize(
    ("pattern", "grammar"),
    [
        ("yes|no", 'root ::= "y" "e" "s" | "n" "o"'),
        (r"^-?\d{1,3}(\.\d+)?$", r'root ::= "\x2D"? [0-9]{1,3} ("\x2E" [0-9]+)?'),
        ("(?:ab)*?c+", 'root ::= ("a" "b")* "c"+'),
        ("(?P<name>a|)", 'root ::= ("a" | "")'),
        ("[^a-z\\]]{2,}", r"root ::= [^a-z\x5D]{2,}"),
        ("[]-]", r"root ::= [\x5D\x2D]"),
        (".", r"root ::= [^\x0A]"),
        ("a{,2}b{,}c{}", r'root ::= "a"{0,2} "b"{0,} "c" "\x7B" "\x7D"'),
        ("", 'root ::= ""'),
        ("é\\u4e2d\U0001f600", r'root ::= "\xE9" "中" "😀"'),
        (r"\$\n\x41", r'root ::= "\x24" "\x0A" "A"'),
        (r"a\$", r'root ::= "a" "\x24"'),
    ],
)
def test_a_pattern_is_the_grammar_of_the_same_texts(pattern: str, grammar: str) -> None:
    assert regex_grammar(pattern) == grammar


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "is not a regular expression"),
        ("a" * 6000, "longer than"),
        ("(?=a)b", r"\(\?=…\)"),
        ("(?i)a", r"\(\?i…\)"),
        (r"(a)\1", r"has \\1"),
        (r"a\b", r"has \\b"),
        ("a^b", "anchor"),
        ("a++", "possessive"),
    ],
)
def test_what_no_grammar_can_say_is_refused_by_name(pattern: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        regex_grammar(pattern)


@given(st.text(max_size=20))
def test_an_escaped_text_is_a_grammar_of_literals_that_spell_it(text: str) -> None:
    grammar = regex_grammar(re.escape(text))
    literals = re.findall(r'"([^"\\]|\\x[0-9A-F]{2})"', grammar)
    spelled = "".join(one if len(one) == 1 else chr(int(one[2:], 16)) for one in literals)
    assert spelled == text
