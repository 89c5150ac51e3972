from __future__ import annotations

from functools import cache

import pytest

pytest.importorskip("torch")
pytest.importorskip("llguidance")

from tiny_transformer import VOCABULARY, ask, tiny_tokenizer

from mathagent.errors import UsageError
from mathagent.models.hf.constraints import Constraint, Constraints


@cache
def constraints() -> Constraints:
    return Constraints(tiny_tokenizer(), VOCABULARY, frozenset({257}))


def takes(constraint: Constraint, text: str) -> bool:
    """Whether ``text`` may be the whole reply."""
    for token in tiny_tokenizer()(text, add_special_tokens=False)["input_ids"]:
        if constraint.complete or not constraint.allowed()[token]:
            return False
        constraint.take(token)
    return constraint.complete or bool(constraint.allowed()[257])


@pytest.mark.parametrize(
    ("pattern", "texts", "others"),
    [
        (r"(\d+)?x", ["x", "12x"], ["12", "x1"]),
        (r"(a{2,3}){2}", ["aaaa", "aaaaaa"], ["aaa", "aaaaaaa"]),
        (r"((ab)+)*c", ["c", "ababc"], ["abac"]),
    ],
)
def test_a_repetition_may_be_repeated(pattern: str, texts: list[str], others: list[str]) -> None:
    for text in [*texts, *others]:
        constraint = constraints().constraint(ask(regex=pattern))
        assert constraint is not None
        assert takes(constraint, text) == (text in texts)


@pytest.mark.parametrize("grammar", ['answer ::= "a"', "root ::= answer", 'root ::= "a', "root ::= ("])
def test_a_grammar_that_cannot_be_read_is_refused(grammar: str) -> None:
    with pytest.raises(UsageError, match="grammar"):
        constraints().constraint(ask(grammar=grammar))
