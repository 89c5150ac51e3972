"""Several attempts at one item: pass@k, majority@k and best-of-k from one pool of n attempts. Pure.

All are expectations over which k of the n attempts are drawn, without replacement: nothing is sampled again for
another k. Where there are too many ways to vote, votes are drawn instead, seeded, and the error is said.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import comb, sqrt

from mathagent.types import Value

VOTE_STEPS = 50_000
"""Up to about so many steps a vote is computed exactly: some 10 ms, as long as drawing takes."""
VOTE_DRAWS = 1000


class Pool(Value):
    """The attempts at one item.

    ``right`` says of each whether it is right, ``voted`` which answer it gives: the number of its class of equal
    answers, None without an answer (it never agrees with another). ``scores`` are what best-of-k ranks by.
    """

    key: str
    cluster: str
    right: tuple[bool, ...]
    voted: tuple[int | None, ...]
    scores: tuple[float | None, ...]
    completion_tokens: tuple[int, ...] = ()

    @property
    def attempts(self) -> int:
        return len(self.right)

    @property
    def correct(self) -> int:
        return sum(self.right)


class Expected(Value):
    """An expected share, and its standard error where it was drawn rather than computed (0: exact)."""

    value: float
    error: float = 0.0


def pass_at_k(attempts: int, correct: int, k: int) -> float:
    """The chance that at least one of k of the attempts is right: 1 - C(n - c, k) / C(n, k), unbiased.

    Source: Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374). Raises ValueError unless
    0 <= correct <= attempts and 1 <= k <= attempts.
    """
    _check(attempts, correct, k)
    return (comb(attempts, k) - comb(attempts - correct, k)) / comb(attempts, k)


def all_at_k(attempts: int, correct: int, k: int) -> float:
    """The chance that all of k of the attempts are right, C(c, k) / C(n, k): reliability (pass^k).

    Source: "τ-bench: A Benchmark for Tool-Agent-User Interaction in Real-World Domains" (arXiv 2406.12045).
    """
    _check(attempts, correct, k)
    return comb(correct, k) / comb(attempts, k)


def majority_at_k(pool: Pool, k: int, *, seed: int = 0) -> Expected:
    """The chance that the most frequent answer among k of the attempts is right (self-consistency, arXiv 2203.11171).

    Ties go to each of the tied answers alike: the expectation of "the answer that came first". An attempt without an
    answer is drawn like others and votes for nothing; if no drawn one has an answer, the result is wrong. A class whose
    members were graded differently is right as often as they are. Raises ValueError unless 1 <= k <= attempts.
    """
    _check(pool.attempts, pool.correct, k)
    sizes, credit, silent = _classes(pool)
    if k == pool.attempts:  # there is one draw
        tied = [share for size, share in zip(sizes, credit, strict=True) if size == max(sizes)]
        return Expected(value=sum(tied) / len(tied) if tied else 0.0)
    if _steps(sizes, credit, k) <= VOTE_STEPS:
        return Expected(value=_exact_majority(sizes, credit, silent, k))
    return _drawn_majority(pool, k, seed)


def best_of_k(pool: Pool, k: int) -> float | None:
    """The chance that the highest scored of k of the attempts is right, exact; None where an answer has no score.

    Attempts without an answer rank last and are wrong; equal scores are drawn from alike. Raises ValueError as above.
    """
    _check(pool.attempts, pool.correct, k)
    ranked: list[tuple[float, float]] = []
    for right, voted, score in zip(pool.right, pool.voted, pool.scores, strict=True):
        if voted is not None and score is None:
            return None
        ranked.append((float("-inf") if voted is None or score is None else score, float(right)))
    blocks: dict[float, list[float]] = {}
    for score, right_share in ranked:
        blocks.setdefault(score, []).append(right_share)
    left, value = pool.attempts, 0.0
    for score in sorted(blocks, reverse=True):
        block = blocks[score]
        best_here = comb(left, k) - comb(left - len(block), k)  # of the C(n, k) draws
        value += sum(block) / len(block) * best_here / comb(pool.attempts, k)
        left -= len(block)
    return value


def weighted_majority_at_k(pool: Pool, k: int, *, seed: int = 0, draws: int = VOTE_DRAWS) -> Expected | None:
    """As ``majority_at_k``, with the scores (at least 0) as votes, drawn; None where an answer has no score."""
    _check(pool.attempts, pool.correct, k)
    if any(voted is not None and score is None for voted, score in zip(pool.voted, pool.scores, strict=True)):
        return None
    weights = [0.0 if score is None else score for score in pool.scores]
    return _drawn_majority(pool, k, seed, weights=weights, draws=draws)


def _check(attempts: int, correct: int, k: int) -> None:
    if not (0 <= correct <= attempts and 1 <= k <= attempts):
        raise ValueError(f"k = {k} of {attempts} attempts, {correct} right, is impossible")


def _classes(pool: Pool) -> tuple[list[int], list[float], int]:
    """The sizes of the classes of answers, the share of each that is right, and the attempts without an answer."""
    members: dict[int, list[bool]] = {}
    for right, voted in zip(pool.right, pool.voted, strict=True):
        if voted is not None:
            members.setdefault(voted, []).append(right)
    sizes = [len(group) for group in members.values()]
    return sizes, [sum(group) / len(group) for group in members.values()], pool.attempts - sum(sizes)


def _exact_majority(sizes: Sequence[int], credit: Sequence[float], silent: int, k: int) -> float:
    """Over all votes: each class with any credit wins with t votes where the others have less, or some as many."""
    value = 0.0
    for place, share in enumerate(credit):
        if not share:
            continue
        others = [size for other, size in enumerate(sizes) if other != place]
        for votes in range(1, min(sizes[place], k) + 1):
            ways = _ways_below(others, silent, k - votes, votes)
            won = sum(count / (tied + 1) for tied, count in enumerate(ways))
            value += share * comb(sizes[place], votes) * won
    return value / comb(sum(sizes) + silent, k)


def _ways_below(sizes: Sequence[int], silent: int, drawn: int, votes: int) -> list[int]:
    """In how many ways ``drawn`` attempts come from the other classes with at most ``votes`` each and from the
    ``silent``: by how many classes have exactly ``votes``."""
    # A class too small to reach so many votes is as good as silent.
    free = silent + sum(size for size in sizes if size < votes)
    most = drawn // votes
    table = [[0] * (most + 1) for _ in range(drawn + 1)]
    table[0][0] = 1
    for size in (size for size in sizes if size >= votes):
        after = [[0] * (most + 1) for _ in range(drawn + 1)]
        for used, row in enumerate(table):
            for tied, ways in enumerate(row):
                if not ways:
                    continue
                for more in range(min(votes, drawn - used) + 1):
                    after[used + more][tied + (more == votes)] += ways * comb(size, more)
        table = after
    return [
        sum(table[used][tied] * comb(free, drawn - used) for used in range(drawn + 1)) for tied in range(most + 1)
    ]


def _steps(sizes: Sequence[int], credit: Sequence[float], k: int) -> int:
    """About how many innermost steps the exact vote takes."""
    steps = 0
    for place, share in enumerate(credit):
        for votes in range(1, min(sizes[place], k) + 1 if share else 0):
            rivals = sum(size >= votes for other, size in enumerate(sizes) if other != place)
            steps += rivals * (k - votes + 1) * ((k - votes) // votes + 1) * votes
    return steps


def _drawn_majority(
    pool: Pool, k: int, seed: int, *, weights: Sequence[float] | None = None, draws: int = VOTE_DRAWS
) -> Expected:
    generator = random.Random(f"{seed}/{k}/{pool.key}")
    places = range(pool.attempts)
    sizes: list[float] = []
    for _ in range(draws):
        drawn = generator.sample(places, k)
        tally: dict[int, float] = {}
        first: dict[int, bool] = {}
        for place in drawn:
            voted = pool.voted[place]
            if voted is not None:
                tally[voted] = tally.get(voted, 0.0) + (1.0 if weights is None else weights[place])
                first.setdefault(voted, pool.right[place])
        # max takes the first of equals: the answer that came first.
        sizes.append(float(first[max(tally, key=lambda voted: tally[voted])]) if tally else 0.0)
    mean = sum(sizes) / draws
    return Expected(value=mean, error=sqrt(mean * (1 - mean) / (draws - 1)))
