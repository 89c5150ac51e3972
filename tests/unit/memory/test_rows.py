"""An experience and its row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import StorageError
from mathagent.memory.experience import (
    TRUST_ORDER,
    Exemplar,
    Experience,
    Fact,
    Lesson,
    Provenance,
    StrategyStatistics,
    Template,
)
from mathagent.memory.rows import READ_COLUMNS, WRITTEN_COLUMNS, Row, digest, experience_of, row_of, storable
from mathagent.memory.schema import DIGEST_MODULUS
from mathagent.types import Check

text = st.text(max_size=20)
contents = st.one_of(
    st.builds(Exemplar, problem=text, choices=st.tuples(text), program=text, reasoning=text, answer=text),
    st.builds(Lesson, problem=text, mistake=text, fix=text, knowledge=st.tuples(text, text)),
    st.builds(Template, problem_type=text, plan=text, problem=text),
    st.builds(Fact, title=text, statement=text, example=text, expected=text),
    st.builds(StrategyStatistics, problem=text, strategy=text, model=text, success=st.booleans()),
)
experiences = st.builds(
    Experience,
    content=contents,
    provenance=st.builds(
        Provenance, run=text, model=text, strategy=text, dataset=text, created=st.floats(0, 1e10)
    ),
    trust=st.sampled_from(TRUST_ORDER),
    evidence=st.lists(st.builds(Check, program=text, expected=text, claim=text), max_size=2).map(tuple),
    subject=text,
    score=st.none() | st.floats(0, 1),
    uses=st.integers(9, 99),
    successes=st.integers(0, 9),
)


def read_again(row: Row) -> Row:
    """The READ_COLUMNS of a written row, as SQLite would give them."""
    values = dict(zip(WRITTEN_COLUMNS.split(", "), row, strict=True))
    return tuple({"number": 1, **values}[column] for column in READ_COLUMNS.split(", "))


@given(experience=experiences)
def test_an_experience_comes_back_out_of_its_row(experience: Experience) -> None:
    assert experience_of(read_again(row_of(experience, 1.0))) == experience


@given(experience=experiences)
def test_the_digest_is_of_all_but_the_counts(experience: Experience) -> None:
    used = experience.model_copy(update={"uses": 99, "successes": 98})
    other = experience.model_copy(update={"subject": experience.subject + "x"})
    assert 0 <= digest(experience) == digest(used) < DIGEST_MODULUS
    assert digest(other) != digest(experience)


def test_when_it_was_made_and_what_it_is_about() -> None:
    content = StrategyStatistics(problem="p", strategy="tora", model="m", success=True)
    origin = Provenance(strategy="auto", model="n", created=5.0)
    columns = WRITTEN_COLUMNS.split(", ")
    seen = dict(zip(columns, row_of(Experience(content=content, provenance=origin), 9.0), strict=True))
    made = dict(zip(columns, row_of(Experience(content=Fact(title="t", statement="s")), 9.0), strict=True))
    assert (seen["strategy"], seen["model"], seen["created"], made["created"]) == ("tora", "m", 5.0, 9.0)


@pytest.mark.parametrize(("column", "value"), [("content", '{"kind":"novel"}'), ("evidence", "["), ("trust", 99)])
def test_a_row_of_another_version_is_named(column: str, value: object) -> None:
    experience = Experience(content=Fact(title="t", statement="s"))
    row = list(read_again(row_of(experience, 1.0)))
    row[READ_COLUMNS.split(", ").index(column)] = value
    with pytest.raises(StorageError, match=rf"{experience.id} cannot be read .* forget that experience"):
        experience_of(tuple(row))


def test_halves_of_characters_are_replaced_and_nothing_else() -> None:
    broken = Experience(
        content=Lesson(problem="a\ud800b", mistake="🍎\x00", fix="", knowledge=("\udfff", "k")),
        evidence=(Check(kind="numeric", program="\ud834", expected="1", outcome="holds"),),
        uses=3,
    )
    whole = storable(broken)
    assert whole.content == Lesson(problem="a?b", mistake="🍎\x00", fix="", knowledge=("?", "k"))
    assert (whole.evidence[0].program, whole.uses) == ("?", 3)
    assert storable(whole) is whole
