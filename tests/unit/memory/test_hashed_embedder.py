from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import UsageError
from mathagent.memory.hashed_embedder import HashedEmbedder

EMBEDDER = HashedEmbedder()


def cosine(one: str, other: str) -> float:
    a, b = EMBEDDER.embed([one, other])
    return float(a @ b)


@given(st.lists(st.text(), max_size=5))
def test_rows_have_length_one_or_nothing_to_say(texts: list[str]) -> None:
    vectors = EMBEDDER.embed(texts)
    assert vectors.shape == (len(texts), 256)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert all(length == pytest.approx(1, abs=1e-5) or length == 0 for length in lengths)
    assert np.array_equal(vectors, EMBEDDER.embed(texts))


def test_a_text_without_words_is_zero() -> None:
    assert not EMBEDDER.embed(["", " ?! ", "\\[ \\]"]).any()


def test_it_is_the_same_in_every_process() -> None:
    program = (
        "from mathagent.memory.hashed_embedder import HashedEmbedder as H; import hashlib;"
        "print(hashlib.sha256(H().embed(['How many apples has Zoë, 12 or $\\\\sqrt{3}$?']).tobytes()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


def test_what_is_alike_is_near() -> None:
    problem = "Tom has 12 apples and buys 7 more apples. How many apples does he have?"
    assert cosine(problem, "Ann has 95 apples and buys 3 more apples. How many apples does she have?") > 0.8
    assert cosine(problem, "Find the area of a triangle with sides 12, 7 and 8.") < 0.3
    assert cosine("triangles", "triangle") > 0.3  # pieces of words
    assert cosine("CAFÉ", "café") == pytest.approx(1, abs=1e-5)
    assert cosine("$\\sqrt{x}$", "square root of x") > 0.6


def test_numbers_do_not_dominate() -> None:
    same_words = cosine("The train needs 17 hours", "The train needs 4711 hours")
    same_numbers = cosine("The train needs 17 hours", "A farmer sells 17 cows")
    assert same_words > 0.95
    assert same_numbers < 0.2


def test_the_name_says_the_version_and_the_size() -> None:
    assert HashedEmbedder(64).name != EMBEDDER.name
    assert HashedEmbedder(64).embed(["apples"]).shape == (1, 64)
    with pytest.raises(UsageError, match="8"):
        HashedEmbedder(2)
