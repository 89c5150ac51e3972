from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.evals.perturb.mentions import mentions
from mathagent.evals.perturb.perturbed import Change, Refusal
from mathagent.evals.perturb.rewording import add_irrelevant, add_typos, change_culture, change_names, change_order
from mathagent.evals.perturb.sentences import parts_of, split_sentences
from mathagent.evals.perturb.units import change_units

TEXT = (
    "Sarah buys 3 burgers for $4.50 each. Tom's brother buys 12 apples for $2 each. How many dollars do Sarah and Tom"
    " spend?"
)


def changed(found: Change | Refusal) -> Change:
    assert isinstance(found, Change), found
    return found


def test_sentences_and_the_question() -> None:
    text = "Mr. Lee paid $3.50 at 5 p.m. on Monday. He left. How much is left? Give dollars."
    assert split_sentences(text) == [
        "Mr. Lee paid $3.50 at 5 p.m. on Monday.", "He left.", "How much is left?", "Give dollars.",
    ]  # fmt: skip
    assert parts_of(text).question == "How much is left? Give dollars."
    assert parts_of("Find 2 + 2.").before == ()


def test_names_change_everywhere_and_keep_their_gender() -> None:
    found = changed(change_names(TEXT, "37.5", random.Random(1)))
    assert set(found.assignment) == {"Sarah", "Tom"}
    assert "Sarah" not in found.text
    assert not re.search(r"\bTom\b", found.text)
    back = found.text
    for old, new in found.assignment.items():
        back = back.replace(new, old)
    assert back == TEXT
    assert found.answer == "37.5"
    assert isinstance(change_names("What is 2 + 3?", "5", random.Random(1)), Refusal)
    assert isinstance(change_names("Don't add 2 and 3. Which is more?", "3", random.Random(1)), Refusal)


def test_culture_swaps_sign_and_word_together_and_the_same_item_the_same_way() -> None:
    found = changed(change_culture(TEXT, "37.5", random.Random(4)))
    assert "$" not in found.text
    assert "dollar" not in found.text
    sign, word = found.assignment["$"], found.assignment["dollars"]
    assert f"{sign}4.50" in found.text
    assert word in found.text
    assert [str(one.value) for one in mentions(found.text)] == [str(one.value) for one in mentions(TEXT)]
    coins = changed(change_culture("Amy has $2 and three quarters. How many cents?", "275", random.Random(4)))
    assert "$2" in coins.text


def test_an_irrelevant_sentence_stands_before_the_question() -> None:
    found = changed(add_irrelevant(TEXT, "37.5", random.Random(2)))
    clause = found.assignment["clause"]
    assert found.text == TEXT.replace("How many", f"{clause} How many")
    assert found.distractors[0] in clause
    assert found.distractors[0] not in TEXT


def test_an_irrelevant_sentence_never_touches_what_is_asked() -> None:
    text = "Amy is 12 years old and lives in a house. How old will she be in 7 years?"
    for seed in range(60):
        clause = changed(add_irrelevant(text, "19", random.Random(seed))).assignment["clause"]
        assert not re.search(r"\b(old|years|house)\b", clause)


def test_order_moves_only_what_stands_alone() -> None:
    free = "Ana buys 3 pens. Pens cost $2 apiece. Bo sells 4 maps. How many items change hands?"
    found = changed(change_order(free, "7", random.Random(0)))
    assert sorted(split_sentences(found.text)) == sorted(split_sentences(free))
    assert found.text.endswith("How many items change hands?")
    assert found.text != free


@pytest.mark.parametrize(
    "text",
    [
        "Ana has 3 pens. She gives half of them away. Bo has 2. How many does she have?",
        "There are 12 cups. Then 3 break. How many are there?",
        "A box holds 4 pens. The box costs $3. How much is a pen?",
        "Ana has 5 pens. Bo has 3 more. How many do they have?",
        "Ana has 3 pens. How many is that?",
    ],
)
def test_order_stays_where_sentences_lean_on_each_other(text: str) -> None:
    assert isinstance(change_order(text, "1", random.Random(0)), Refusal)


def test_typos_spare_names_numbers_and_short_words() -> None:
    found = changed(add_typos(TEXT, "37.5", random.Random(3)))
    assert len(found.text) == len(TEXT)
    assert [one.text for one in mentions(found.text)] == [one.text for one in mentions(TEXT)]
    assert "Sarah" in found.text
    for old, new in found.assignment.items():
        assert sorted(old) == sorted(new)
        assert (old[0], old[-1]) == (new[0], new[-1])


def test_units_convert_the_answer_or_the_amounts() -> None:
    asked = changed(change_units("Jo works 3 days. How many hours does Jo work?", "24", 24, random.Random(0)))  # type: ignore[arg-type]
    assert asked.text.endswith("How many minutes does Jo work?")
    assert asked.answer == "1440"
    given_in = changed(
        change_units("Jo walks 2.5 kilometers past 9 shops. How many shops are there?", "9", 9, random.Random(0))  # type: ignore[arg-type]
    )
    assert "walks 2500 meters past" in given_in.text
    assert given_in.answer == "9"


@pytest.mark.parametrize(
    "text",
    [
        "Jo runs 6 kilometers in 3 hours. How fast does Jo run?",
        "Jo earns $5 per hour for 3 hours. How many dollars is that?",
        "A 3-hour film has 9 parts. How many parts are there?",
        "The yard is 4 square meters. How many plants fit?",
        "Jo has 3 apples. How many apples are there?",
        "It takes half hours. How many pens?",
    ],
)
def test_units_stay_in_rates_compounds_and_open_questions(text: str) -> None:
    assert isinstance(change_units(text, "3", None, random.Random(0)), Refusal)


@settings(deadline=None)  # the first call reads the word lists
@given(st.integers(0, 10_000), st.sampled_from([change_names, change_culture, add_irrelevant, add_typos]))
def test_rewordings_never_change_the_numbers_of_the_problem(seed: int, kind: object) -> None:
    found = changed(kind(TEXT, "37.5", random.Random(seed)))  # type: ignore[operator]
    kept = [one.text for one in mentions(found.text) if one.text not in found.distractors]
    assert kept == [one.text for one in mentions(TEXT)]
    assert found.answer == "37.5"
