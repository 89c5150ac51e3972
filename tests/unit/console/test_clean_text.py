import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.console.clean_text import clean, clip_lines, one_line


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;c2VjcmV0\x1b\\b", "ab"),
        ("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "alink"),
        ("a\x9b2Jb", "ab"),
        ("a\x1bcb", "ab"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("tab\tstays", "tab\tstays"),
        ("access\u202elevel", "access\\u202elevel"),
        ("\x07\x00\x7f", "\\x07\\x00\\x7f"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\ud800", "\\ud800"),
        ("naïve √2 五 👩‍🔬", "naïve √2 五 👩‍🔬"),
    ],
)
def test_controls_are_dropped_or_made_visible(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


@given(st.text(st.characters(categories=["Cc", "Cf", "Cs", "Lu", "Nd", "Zl", "Po", "Ps"]), max_size=60))
def test_no_control_is_left_and_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert not any(unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t" for char in once)
    assert not any(unicodedata.bidirectional(char) in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI") for char in once)
    once.encode()


def test_one_line_joins_and_cuts() -> None:
    assert one_line("a\n  b\tc ") == "a b c"
    assert one_line("x" * 400, longest=20) == "x" * 17 + "..."


def test_clip_lines_says_what_is_left_out() -> None:
    assert clip_lines("1\n2\n3\n", most=3) == "1\n2\n3"
    assert clip_lines("1\n2\n3\n4", most=3) == "1\n2\n... (2 more lines)"
    assert clip_lines("x" * 30, most=3, longest=10) == "x" * 10 + "... (20 more characters)"
