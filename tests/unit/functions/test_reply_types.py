"""Any pydantic type as the type of a reply: what is written as JSON is read back as the same value."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal, Optional, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from typing_extensions import TypedDict

from mathagent.agents.reply_ladder import Care, Reading, Unreadable, instructions, read
from mathagent.errors import UsageError
from mathagent.functions.plain_types import stub
from mathagent.functions.reply_types import adapter_of, as_json, reply_type
from mathagent.functions.signature import signature_of_template
from mathagent.types import Completion


class Colour(enum.Enum):
    RED = "red"
    DARK_RED = "dark red"
    OTHER = 3


@dataclass(frozen=True)
class Point:
    x: float
    label: str | None = None


class Row(TypedDict):
    name: str
    counts: list[int]


class Tree(BaseModel, frozen=True):
    value: int
    children: tuple[Tree, ...] = ()


# Without control characters: "\n" before "abla" cannot be told from LaTeX that lacks a backslash.
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=12)
LEAVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers(-(10**20), 10**20)),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (str, TEXTS),
    (None, st.none()),
    (Literal["a", "A", "+", "-", 1], st.sampled_from(["a", "A", "+", "-", 1])),
    (Colour, st.sampled_from(Colour)),
    (date, st.dates()),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9)),
    (Point, st.builds(Point, st.integers(-9, 9).map(float), TEXTS)),
    (Row, st.fixed_dictionaries({"name": TEXTS, "counts": st.lists(st.integers(), max_size=2)})),
    (Tree, st.builds(Tree, value=st.integers(), children=st.just((Tree(value=1),)) | st.just(()))),
    (Any, st.recursive(st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=2), max_leaves=3)),
]
Typed = tuple[Any, st.SearchStrategy[Any]]


def containers(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    def pair(two: tuple[Typed, Typed]) -> Typed:
        return tuple[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1])  # type: ignore[misc, return-value]

    def either(two: tuple[Typed, Typed]) -> Typed:
        return Union[two[0][0], two[1][0]], two[0][1] | two[1][1]  # noqa: UP007

    return st.one_of(
        inner.map(lambda one: (list[one[0]], st.lists(one[1], max_size=3))),  # type: ignore[name-defined]
        inner.map(lambda one: (dict[str, one[0]], st.dictionaries(TEXTS, one[1], max_size=3))),  # type: ignore[name-defined]
        inner.map(lambda one: (Optional[one[0]], st.none() | one[1])),  # noqa: UP045
        st.tuples(inner, inner).map(pair),
        st.tuples(inner, inner).map(either),
    )


TYPED = st.recursive(st.sampled_from(LEAVES), containers, max_leaves=4)


@given(st.data(), TYPED, st.sampled_from(["exact", "strict"]))
@settings(deadline=None, max_examples=150)
def test_what_is_written_is_read_back(data: st.DataObject, typed: Typed, care: Care) -> None:
    kind, values = typed
    value, adapter = data.draw(values), adapter_of(kind, "the answer")
    written = as_json(adapter, value, "the answer")
    text = json.dumps({"reasoning": "so", "answer": written}, ensure_ascii=False)
    reading = read(Completion(text=f"Well.\n```json\n{text}\n```"), "block", reply_type(kind), care)
    assert isinstance(reading, Reading), reading
    answer = reading.reply.answer  # type: ignore[attr-defined]
    assert as_json(adapter, answer, "the answer") == written
    assert instructions("block", reply_type(kind)).count("reasoning") == 2
    code = stub(signature_of_template(kind, "{{x}}", {"x": kind}))
    compile(code, "stub", "exec")


@pytest.mark.parametrize(
    ("kind", "answer", "value"),
    [
        (int, '"72.0"', 72),
        (int, '"$72"', 72),
        (int, "72.0", 72),
        (float, '"3/4"', 0.75),
        (bool, '"yes"', True),
        (list[int], '["1", 2.0]', [1, 2]),
        (Colour, '"Dark Red."', Colour.DARK_RED),
        (Point, '{"X": 1, "Label": null}', Point(1.0, None)),
        (int | None, '"none"', None),
    ],
)
def test_exactly_read_values_may_be_written_otherwise(kind: Any, answer: str, value: Any) -> None:
    reply = Completion(text=f'{{"reasoning": "so", "answer": {answer}}}')
    reading = read(reply, "schema", reply_type(kind), "exact")
    assert isinstance(reading, Reading), reading
    assert reading.reply.answer == value  # type: ignore[attr-defined]
    assert isinstance(read(reply, "schema", reply_type(kind), "strict"), Unreadable) or answer == "72.0"


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        (list[int], Completion(text='{"reasoning": "", "answer": [1, "x", 3]}')),  # no element is left out
        (list[int], Completion(text='{"reasoning": "", "answer": [1, 2, 3', finish_reason="length")),
        (int, Completion(text='{"reasoning": "", "answer": "3.5"}')),
        (int, Completion(text='{"reasoning": "", "answer": "5 or 6"}')),
        (int, Completion(text='{"reasoning": "", "answer": ' + "[" * 400 + "]" * 400 + "}")),
        (Any, Completion(text='{"reasoning": "", "answer": ' + "[" * 900 + "]" * 900 + "}")),
    ],
)
def test_half_a_value_is_none(kind: Any, reply: Completion) -> None:
    assert isinstance(read(reply, "schema", reply_type(kind), "exact"), Unreadable)


def test_the_code_sees_plain_data() -> None:
    kinds = {"where": Point, "rows": list[Row], "colour": Colour, "by": dict[int, tuple[int, str]], "tree": Tree}
    code = stub(signature_of_template(set[date] | None, "{{where}}{{rows}}{{colour}}{{by}}{{tree}}", kinds, "f"))
    for line in (
        "from typing import Literal, TypedDict",
        "class Point(TypedDict):\n    x: float\n    label: str | None",
        "class Tree(TypedDict):\n    value: int\n    children: list[Tree]",
        "def f(where: Point, rows: list[Row], colour: Colour, by: dict[str, list[int | str]], tree: Tree)"
        " -> list[str] | None:",
        "    # whererowscolourbytree\n    pass",
    ):
        assert line in code
    compile(code, "stub", "exec")


def test_values_that_json_cannot_hold() -> None:
    with pytest.raises(UsageError, match="the answer cannot be written as JSON"):
        as_json(adapter_of(Any, "the answer"), object(), "the answer")
