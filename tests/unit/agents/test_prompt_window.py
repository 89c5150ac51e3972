"""What fills a part of the prompt: never more than allowed, in its order, the best for its length."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mathagent.agents.blocks.prompt_window import estimated_tokens, tokens_of_text, within
from mathagent.memory.base import Hit
from mathagent.memory.experience import Exemplar, Experience, Trust


def hit(
    number: int,
    characters: int = 350,
    *,
    similarity: float | None = 0.8,
    uses: int = 0,
    successes: int = 0,
    trust: Trust = "graded",
) -> Hit:
    """A hit whose whole content takes ``characters``."""
    said = f"problem {number:4d}"
    content = Exemplar(problem=said, program="x" * (characters - len(said) - 1), answer="1")
    one = Experience(content=content, uses=uses, successes=successes, trust=trust)
    return Hit(experience=one, score=1.0, similarity=similarity)


hits_of_any_length = st.lists(
    st.builds(
        lambda number, characters, similarity, uses: hit(
            number, characters, similarity=similarity, uses=uses, successes=uses // 2
        ),
        st.integers(0, 9999),
        st.integers(40, 3000),
        st.none() | st.floats(-1, 1),
        st.integers(0, 20),
    ),
    max_size=12,
    unique_by=lambda one: one.experience.id,
)


@given(hits_of_any_length, st.integers(1, 1500), st.integers(0, 8))
def test_never_more_than_allowed_and_in_their_order(hits: list[Hit], max_tokens: int, most: int) -> None:
    chosen = within(hits, max_tokens, most=most)
    used = sum(estimated_tokens(one.experience) for one in chosen)
    assert used <= max_tokens
    assert len(chosen) <= most
    places = [hits.index(one) for one in chosen]
    assert places == sorted(set(places))
    # Nothing is left out that had room.
    for one in hits:
        left_out = one not in chosen
        assert not left_out or len(chosen) == most or estimated_tokens(one.experience) > max_tokens - used


@given(st.integers(0, 10_000))
def test_an_estimate_is_never_too_small(characters: int) -> None:
    assert tokens_of_text(characters) * 3.5 >= characters


def test_the_estimate_is_of_the_whole_content() -> None:
    assert estimated_tokens(hit(1, 350).experience) == 100


def test_of_equals_the_more_similar_ones_are_chosen() -> None:
    hits = [hit(1, similarity=0.9), hit(2, similarity=0.6), hit(3, similarity=0.8)]
    assert within(hits, 10_000, most=2) == [hits[0], hits[2]]


def test_two_short_ones_are_worth_more_than_a_long_one() -> None:
    hits = [hit(1, 1750, similarity=0.9), hit(2, 700, similarity=0.8), hit(3, 700, similarity=0.7)]
    assert within(hits, 500, most=3) == hits[1:]
    assert within(hits, 900, most=3) == hits


def test_what_did_not_help_loses_its_place() -> None:
    never, often, seldom = hit(1), hit(2, uses=10, successes=10), hit(3, uses=10, successes=0)
    assert within([seldom, never, often], 10_000, most=2) == [never, often]


def test_what_is_better_trusted_comes_first() -> None:
    judged, graded = hit(1, trust="judged"), hit(2, trust="graded")
    assert within([judged, graded], 10_000, most=1) == [graded]


def test_without_similarity_the_place_counts() -> None:
    hits = [hit(number, similarity=None) for number in range(4)]
    assert within(hits, 10_000, most=2) == hits[:2]


def test_a_cost_of_ones_own() -> None:
    hits = [hit(1), hit(2)]
    assert within(hits, 10, most=2, cost=lambda one: 6) == hits[:1]
