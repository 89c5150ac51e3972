"""Long texts go out of a state and come back the same, at any depth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.blobs import LONG_BYTES, put_back, take_out
from mathagent.types import Candidate, Execution, Failure, Step

LONG = "x" * (LONG_BYTES + 1)

texts = st.text(st.characters(), max_size=20) | st.sampled_from([LONG, "é" * LONG_BYTES, "\ud800", "\x00text:no"])
leaves = texts | st.binary(max_size=20) | st.just(b"y" * 1000) | st.integers() | st.none() | st.booleans()
trees = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner) | st.tuples(inner, inner), max_leaves=20
)


@given(trees)
def test_what_goes_out_comes_back(tree: object) -> None:
    blobs: dict[str, bytes] = {}
    assert put_back(take_out(tree, blobs), blobs) == tree


def test_values_keep_their_types_and_each_text_is_kept_once() -> None:
    execution = Execution(status="ok", stdout=LONG, files={"a": LONG.encode(), "b": b"short"})
    steps = (Step(kind="thought", text=LONG), Step(kind="observation", text="short", execution=execution))
    candidate = Candidate(steps=steps, failure=Failure(kind="no-answer", message="none"))
    blobs: dict[str, bytes] = {}
    light = take_out([candidate, candidate], blobs)
    assert list(blobs.values()) == [LONG.encode()]
    assert len(light[0].model_dump_json()) < 900
    assert put_back(light, blobs) == [candidate, candidate]


def test_what_has_no_long_text_stays_the_same_object() -> None:
    candidate = Candidate(steps=(Step(kind="thought", text="short"),))
    assert take_out(candidate, {}) is candidate
