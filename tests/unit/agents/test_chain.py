"""The chains of qalign without a model: the card's acceptances, the toy language, the division of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from mathagent.agents.blocks.chain import Cut, Link, acceptance, advance, line_pieces, token_pieces
from mathagent.types import TokenLogprob

WEIGHTS = {"A": 0.6, "B": 0.3, "C": 0.1}
REWARDS = {"A": 0.0, "B": 1.0, "C": 2.0}


@pytest.mark.parametrize(
    ("rewards", "lengths", "chance"),
    [
        ((1.0, 1.3), (100, 120), 1.0),
        ((1.0, 0.8), (100, 80), 0.837900),
        ((1.0, 0.8), (100, 100), 0.670320),
        ((0.0, -100.0), (1, 1), 2.061154e-09),
        ((0.0, 0.0), (0, 0), 1.0),
    ],
)
def test_acceptance(rewards: tuple[float, float], lengths: tuple[int, int], chance: float) -> None:
    assert acceptance(*rewards, *lengths, 0.5) == pytest.approx(chance, abs=1e-6, rel=1e-5)


async def walk(steps: int, seed: int) -> tuple[list[str], list[Link]]:
    """The states of one chain over the toy language, and all that was proposed."""
    policy = Random(seed + 1)
    proposals: list[Link] = []

    async def propose(cuts: Sequence[Cut]) -> list[Link | None]:
        made: list[Link | None] = []
        for _, kept in cuts:
            assert kept == 0  # texts are one piece long
            letter = policy.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
            made.append(Link(pieces=(letter,), reward=REWARDS[letter]))
        proposals.extend(link for link in made if link is not None)
        return made

    rng, links = Random(seed), [Link(pieces=("A",), reward=0.0)]
    states = []
    for _ in range(steps):
        links, _ = await advance(links, propose, rng, beta=1.0)
        states.append(links[0].text)
    return states, proposals


async def test_long_run_frequencies_are_of_the_aligned_distribution() -> None:
    states, _ = await walk(20_000, seed=7)
    shares = {letter: count / len(states) for letter, count in Counter(states).items()}
    assert shares == {
        "A": pytest.approx(0.2785, abs=0.03),
        "B": pytest.approx(0.3785, abs=0.03),
        "C": pytest.approx(0.3430, abs=0.03),
    }


async def test_a_run_can_be_replayed_from_its_proposals() -> None:
    states, proposals = await walk(200, seed=3)
    recorded = iter(proposals)

    async def replay(cuts: Sequence[Cut]) -> list[Link | None]:
        return [next(recorded) for _ in cuts]

    rng, links, again = Random(3), [Link(pieces=("A",), reward=0.0)], []
    for _ in range(200):
        links, _ = await advance(links, replay, rng, beta=1.0)
        again.append(links[0].text)
    assert again == states


async def test_a_failed_proposal_leaves_the_state() -> None:
    async def nothing(cuts: Sequence[Cut]) -> list[Link | None]:
        return [None for _ in cuts]

    start = [Link(pieces=("x", "y"), reward=0.5), Link(pieces=(), reward=0.0)]
    assert await advance(start, nothing, Random(0), beta=1.0) == (start, [False, False])


def tokens(*texts: str) -> list[TokenLogprob]:
    return [TokenLogprob(token=text, logprob=-1.0) for text in texts]


@pytest.mark.parametrize(
    ("text", "given", "pieces"),
    [
        ("2 + 2", ("2", " +", " 2"), ("2", " +", " 2")),
        ("2 + 2", ("2", " +", " 2", "<|im_end|>"), ("2", " +", " 2")),
        ("a½b", ("a", "�", "�", "b"), ("a", "½", "b")),
        ("ab½", ("a", "b", "�", "�"), ("a", "b", "½")),
        ("unknown", (), ("unknown",)),
        ("", (), ()),
    ],
)
def test_pieces_of_tokens_never_end_inside_a_character(
    text: str, given: tuple[str, ...], pieces: tuple[str, ...]
) -> None:
    assert token_pieces(text, tokens(*given)) == pieces
    assert "".join(token_pieces(text, tokens(*given))) == text


def test_pieces_of_lines() -> None:
    text = "Step 1.\n\nStep 2:\n  x = 3\n\n\nDone"
    assert line_pieces(text) == ("Step 1.\n\n", "Step 2:\n", "  x = 3\n\n\n", "Done")
    assert "".join(line_pieces(text)) == text
    assert line_pieces("") == ()
