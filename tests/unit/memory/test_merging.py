"""When two experiences are one; the cases that a store shows are in tests/conformance/test_experience_store.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.memory.experience import (
    MOST_USES,
    TRUST_ORDER,
    Content,
    Exemplar,
    Experience,
    Fact,
    Lesson,
    StrategyStatistics,
    Template,
)
from mathagent.memory.merging import claim_key, is_same_thing, merged, shape_key
from mathagent.memory.near_duplicates import MAX_CHARACTERS

TEXT = "Ann has 3 red apples and 4 pears."


def of(content: Content, **fields: object) -> Experience:
    return Experience.model_validate({"content": content, **fields})


SAME = {
    "dress": (
        Exemplar(problem=TEXT, answer="7"),
        Exemplar(problem="ann has three red apples and 4 pears", answer=" 7"),
    ),
    "words": (
        Exemplar(problem=TEXT, answer="7", reasoning="3 and 4"),
        Exemplar(problem=TEXT, answer="7", reasoning="count"),
    ),
    "an answer's spelling": (
        Exemplar(problem=TEXT, answer=r"\dfrac{1}{2}", reasoning="3 and 4"),
        Exemplar(problem=TEXT, answer="1/2", reasoning="3 and 4"),
    ),
    "lesson": (
        Lesson(problem=TEXT, mistake="Added them twice.", fix="add once"),
        Lesson(problem=f" {TEXT}", mistake="added them twice", fix="Add once!"),
    ),
    "template": (
        Template(problem_type="fruit", plan="Count, then add."),
        Template(problem_type="Fruit", plan="count then add"),
    ),
    "fact": (Fact(title="sum", statement="$a + b$"), Fact(title="sum ", statement="$a  + b$")),
}
OTHER = {
    "answer": (Exemplar(problem=TEXT, answer="7"), Exemplar(problem=TEXT, answer="-7")),
    "numbers": (Exemplar(problem=TEXT, answer="7"), Exemplar(problem=TEXT.replace("3", "5"), answer="7")),
    "a telling word": (
        Exemplar(problem=TEXT, answer="7"),
        Exemplar(problem=TEXT.replace("red", "big"), answer="7"),
    ),
    "choices": (
        Exemplar(problem=TEXT, choices=("6", "7"), answer="B"),
        Exemplar(problem=TEXT, choices=("7", "6"), answer="B"),
    ),
    "program": (Exemplar(problem=TEXT, answer="7", program="7"), Exemplar(problem=TEXT, answer="7")),
    "fix": (Lesson(problem=TEXT, mistake="a", fix="b"), Lesson(problem=TEXT, mistake="a", fix="c")),
    "plan": (Template(problem_type="fruit", plan="add"), Template(problem_type="fruit", plan="multiply")),
    "a sign": (Fact(title="sum", statement="$a + b$"), Fact(title="sum", statement="$a - b$")),
    "case": (Fact(title="sum", statement="$N$"), Fact(title="sum", statement="$n$")),
    "kind": (Lesson(problem=TEXT, mistake="a", fix="b"), Template(problem_type=TEXT, plan="b")),
}


@pytest.mark.parametrize("pair", SAME.values(), ids=SAME)
def test_the_same_thing(pair: tuple[Content, Content]) -> None:
    a, b = map(of, pair)
    assert a.id != b.id
    assert is_same_thing(a, b)
    assert claim_key(a) == claim_key(b)


@pytest.mark.parametrize("pair", OTHER.values(), ids=OTHER)
def test_another_thing(pair: tuple[Content, Content]) -> None:
    a, b = map(of, pair)
    assert not is_same_thing(a, b)
    assert claim_key(a) != claim_key(b)


def test_statistics_and_very_long_texts_are_only_like_themselves() -> None:
    seen = StrategyStatistics(problem="p", strategy="s", model="m", success=True)
    long = Exemplar(problem="a" + " b" * MAX_CHARACTERS, answer="1")
    for content in (seen, long):
        one = of(content)
        assert claim_key(one) is None
        assert is_same_thing(one, one)
    other = of(long.model_copy(update={"problem": long.problem + " else"}))
    assert not is_same_thing(of(long), other)
    assert not is_same_thing(of(seen), of(seen, provenance={"run": "2"}))


def test_the_shape_leaves_numbers_out() -> None:
    first = of(Exemplar(problem=TEXT, answer="7"))
    assert shape_key(first) == shape_key(of(Exemplar(problem=TEXT.replace("3", "5"), answer="9")))
    assert shape_key(first) != shape_key(of(Exemplar(problem="How many pears?", answer="7")))
    assert shape_key(first) != shape_key(of(Lesson(problem=TEXT, mistake="", fix="")))


def test_the_keys_fit_sqlites_integers() -> None:
    keys = [claim_key(of(Exemplar(problem=f"{number}", answer="1"))) for number in range(99)]
    assert all(key is not None and -(2**63) <= key < 2**63 for key in keys)
    assert any(key is not None and key < 0 for key in keys)


def test_the_winner_keeps_its_own_evidence() -> None:
    check = {"kind": "execution", "program": "7", "expected": "7", "outcome": "holds"}
    proved = of(Exemplar(problem=TEXT, answer="7", program="3 + 4"), trust="verified", evidence=(check,), uses=1)
    judged = of(
        Exemplar(problem=TEXT, answer="7", program="7"), trust="judged", uses=2, successes=1, subject="fruit"
    )
    for both in (merged(proved, judged), merged(judged, proved)):
        assert both == proved.model_copy(update={"uses": 3, "successes": 1, "subject": "fruit"})


def test_counts_that_are_added_up_can_be_stored() -> None:
    most = of(Exemplar(problem=TEXT, answer="7", program="7"), uses=MOST_USES, successes=MOST_USES)
    both = merged(most, of(Exemplar(problem=TEXT, answer="7", program="3 + 4"), uses=9, successes=9))
    assert Experience.model_validate_json(both.model_dump_json()) == both


counted = st.tuples(st.sampled_from(TRUST_ORDER), st.integers(0, 9), st.integers(0, 9)).map(
    lambda drawn: of(Fact(title="t", statement="s"), trust=drawn[0], uses=max(drawn[1:]), successes=min(drawn[1:]))
)


@given(a=counted, b=counted, c=counted)
def test_merging_one_experience_is_idempotent_commutative_and_associative(
    a: Experience, b: Experience, c: Experience
) -> None:
    assert merged(a, a) == a
    assert merged(merged(a, b), b) == merged(a, b)
    assert merged(a, b) == merged(b, a)
    assert merged(merged(a, b), c) == merged(a, merged(b, c))
