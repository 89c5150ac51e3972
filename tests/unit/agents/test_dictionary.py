"""Dictionary hints: where they go, where they do not, and what is wrong with a dictionary file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.agents.blocks.dictionary import (
    SAMPLES,
    dictionary_hash,
    hinted_problem,
    parse_dictionary,
    read_dictionary,
    with_hints,
)
from mathagent.errors import UsageError
from mathagent.types import Problem

ENTRIES = parse_dictionary("mbwa\tdog\nna\tand\tfunction\nng'ombe\tcow\ngari\tcar\ngari\twagon\nJuma\tFriday", "x")


@pytest.mark.parametrize(
    ("text", "hinted"),
    [
        ("mbwa", "mbwa (dog)"),
        ("Mbwa 3 na 4.", "Mbwa (dog) 3 na (and) 4."),
        ("12 3.5 7kg", "12 3.5 7kg"),
        ("Ng’ombe", "Ng’ombe (cow)"),
        ("Leo Juma ana gari", "Leo Juma ana gari (car)"),
        ("$mbwa + 1$ \\text{mbwa}", "$mbwa + 1$ \\text{mbwa (dog)}"),
        ("mbwa (dog)", "mbwa (dog)"),
        ("simba", "simba"),
        ("", ""),
    ],
)
def test_hints_stand_behind_known_words(text: str, hinted: str) -> None:
    assert with_hints(text, ENTRIES) == hinted
    assert with_hints(hinted, ENTRIES) == hinted  # a second pass inserts nothing


SCRIPTS = parse_dictionary(
    "कुत्ता\tdog\nছেলে\tboy\nపిల్లి\tcat\nสุนัข\tdog\nมี\thave\nọjọ́\tday\n农夫\tfarmer\n苹果\tapple\n果\tfruit", "x"
)


@pytest.mark.parametrize(
    ("text", "hinted"),
    [
        ("एक कुत्ता और 5 कुत्ते।", "एक कुत्ता (dog) और 5 कुत्ते।"),
        ("১২টি ছেলে", "১২টি ছেলে (boy)"),
        ("పిల్లి 3", "పిల్లి (cat) 3"),
        ("o\u0323jo\u0323\u0301 3", "o\u0323jo\u0323\u0301 (day) 3"),
        ("ชาวนามีสุนัข 12 ตัว", "ชาวนามี (have)สุนัข (dog) 12 ตัว"),
        ("农夫有12个苹果", "农夫 (farmer)有12个苹果 (apple)"),
    ],
)
def test_words_with_marks_and_words_without_blanks_between_them(text: str, hinted: str) -> None:
    assert with_hints(text, SCRIPTS) == hinted
    assert with_hints(hinted, SCRIPTS) == hinted


def test_brackets_of_a_translation_are_known_for_a_hint_again() -> None:
    entries = parse_dictionary("benki\tbank (river)", "x")
    once = with_hints("benki 3", entries)
    assert once == "benki (bank [river]) 3"
    assert with_hints(once, entries) == once


def test_the_empty_dictionary_changes_nothing() -> None:
    assert read_dictionary("") == {}
    assert with_hints("mbwa na ng'ombe", {}) == "mbwa na ng'ombe"
    assert dictionary_hash("") == ""


def test_options() -> None:
    assert with_hints("mbwa na", ENTRIES, content_only=True) == "mbwa (dog) na"
    assert with_hints("Leo Juma", ENTRIES, names=True) == "Leo Juma (Friday)"
    assert with_hints("magari garini", ENTRIES, stem=4) == "magari garini (car)"
    assert with_hints("garini", ENTRIES, stem=5) == "garini"


def test_choices_have_hints_too() -> None:
    problem = hinted_problem(Problem(text="mbwa?", choices=("gari", "5")), ENTRIES)
    assert (problem.text, problem.choices) == ("mbwa (dog)?", ("gari (car)", "5"))


def test_a_dictionary_file(tmp_path: Path) -> None:
    path = tmp_path / "sw.tsv"
    path.write_text("# words\n\nmbwa\tdog\nMBWA\tjackal\n", encoding="utf-8")
    assert read_dictionary(str(path))["mbwa"].translation == "dog"
    before = dictionary_hash(str(path))
    path.write_text("mbwa\thound\n", encoding="utf-8")
    assert dictionary_hash(str(path)) != before
    path.write_text("mbwa dog\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"sw.tsv:1 is no entry"):
        read_dictionary(str(path))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_dictionary(str(path))
    with pytest.raises(UsageError, match=r"No such file.*sample-sw"):
        read_dictionary(str(tmp_path / "none.tsv"))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_dictionaries(name: str) -> None:
    sample = read_dictionary(name)
    assert len(sample) > 100
    assert with_hints("Mbwa 3 na paka 2", sample, content_only=True) == "Mbwa (dog) 3 na paka (cat) 2"
