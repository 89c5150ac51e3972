"""The next token of each row of a batch: its own temperature, filters, seed and constraint, whoever is beside it.

Each row draws one uniform number a token from a generator of its own, and the token is the inverse of the row's
cumulative distribution at it: what a row gets depends on its own numbers only.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from mathagent.models.hf.contrast import Contrast

CANDIDATES = 1024
"""So many of the likeliest tokens nearly always hold the nucleus; a row for which they do not is sorted as a whole."""


@dataclass
class Draw:
    """How one row draws. ``uniform`` gives the numbers in [0, 1); ``top_k`` 0, ``top_p`` 1 and ``min_p`` 0 are off."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    logprobs: int | None = None
    uniform: random.Random = field(default_factory=random.Random)
    _number: float | None = field(default=None, repr=False)

    def number(self) -> float:
        """The next token's, the same until it is ``spent``: memory may run out before the token is taken."""
        if self._number is None:
            self._number = self.uniform.random()
        return self._number

    def spent(self) -> None:
        """The token has been taken."""
        self._number = None

    @property
    def filters(self) -> bool:
        """Whether some tokens are left out by their rank."""
        return self.top_p < 1.0 or self.top_k > 0


@dataclass(frozen=True)
class Chosen:
    """A token; its natural log-probability and the likeliest ``top`` (token, log-probability) where asked for.

    Log-probabilities are the model's own, before temperature, filters, constraints and contrast.
    """

    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


def choose(
    logits: torch.Tensor,
    draws: Sequence[Draw],
    allowed: Sequence[torch.Tensor | None] | None = None,
    contrast: Contrast | None = None,
    forced: Sequence[int | None] = (),
) -> list[Chosen]:
    """One token for each row of ``logits`` [rows, vocabulary] (they are not changed).

    ``allowed`` holds for each row a mask [vocabulary] of the tokens that it may take, or None; ``forced`` the token
    that it must take, whatever is drawn, or None.
    """
    raw = logits.float()
    scores = _constrained(raw, allowed or ())
    if contrast is not None:
        scores = contrast.scores(scores)
    tokens = scores.argmax(dim=-1)
    warm = [row for row, draw in enumerate(draws) if draw.temperature > 0]
    if warm:
        tokens[warm] = _drawn(scores[warm], [draws[row] for row in warm])
    for row, token in enumerate(forced):
        if token is not None:
            tokens[row] = token
    told = [row for row, draw in enumerate(draws) if draw.logprobs is not None]
    found = [Chosen(token) for token in tokens.tolist()]
    if told:
        most = max(draws[row].logprobs or 0 for row in told)
        for row, chosen in zip(told, _with_logprobs(raw[told], tokens[told], most), strict=True):
            found[row] = Chosen(chosen.token, chosen.logprob, chosen.top[: draws[row].logprobs])
    return found


def _constrained(raw: torch.Tensor, allowed: Sequence[torch.Tensor | None]) -> torch.Tensor:
    if all(mask is None for mask in allowed):
        return raw
    scores = raw.clone()
    for row, mask in enumerate(allowed):
        if mask is not None:
            scores[row].masked_fill_(~mask.to(scores.device), float("-inf"))
    return scores


def _drawn(scores: torch.Tensor, draws: Sequence[Draw]) -> torch.Tensor:
    """A token for each row, at a temperature above 0."""
    device = scores.device
    temperatures = torch.tensor([draw.temperature for draw in draws], device=device)
    probabilities = (scores / temperatures[:, None]).softmax(dim=-1)
    uniform = torch.tensor([draw.number() for draw in draws], dtype=torch.float64, device=device)
    tokens = torch.empty(len(draws), dtype=torch.long, device=device)
    by_rank = [row for row, draw in enumerate(draws) if draw.filters]
    others = [row for row, draw in enumerate(draws) if not draw.filters]
    if others:
        least = torch.tensor([draws[row].min_p for row in others], device=device)[:, None]
        kept = probabilities[others]
        kept = torch.where(kept >= least * kept.amax(dim=-1, keepdim=True), kept, 0.0)
        tokens[others] = _inverse(kept, uniform[others])
    if by_rank:
        tokens[by_rank] = _drawn_by_rank(probabilities[by_rank], [draws[row] for row in by_rank], uniform[by_rank])
    return tokens


def _drawn_by_rank(probabilities: torch.Tensor, draws: Sequence[Draw], uniform: torch.Tensor) -> torch.Tensor:
    """With top_k and top_p, over the likeliest tokens; whole rows are sorted only where those do not suffice."""
    count = min(CANDIDATES, probabilities.shape[1])
    ranked, tokens = probabilities.topk(count, dim=-1)
    places = _filtered_inverse(ranked, draws, uniform)
    drawn = tokens.gather(1, places[:, None])[:, 0]
    mass = ranked.double().sum(dim=-1).tolist()
    for row, draw in enumerate(draws):
        enough = mass[row] >= draw.top_p or 0 < draw.top_k <= count
        if not enough and count < probabilities.shape[1]:
            ranked_all, tokens_all = probabilities[row : row + 1].sort(dim=-1, descending=True)
            place = _filtered_inverse(ranked_all, [draw], uniform[row : row + 1])
            drawn[row] = tokens_all[0, place[0]]
    return drawn


def _filtered_inverse(ranked: torch.Tensor, draws: Sequence[Draw], uniform: torch.Tensor) -> torch.Tensor:
    """The rank that is drawn among ``ranked`` [rows, ranks], probabilities from the highest on."""
    device, (_, count) = ranked.device, ranked.shape
    top_p = torch.tensor([draw.top_p for draw in draws], dtype=torch.float64, device=device)[:, None]
    top_k = torch.tensor([draw.top_k or count for draw in draws], device=device)[:, None]
    min_p = torch.tensor([draw.min_p for draw in draws], device=device)[:, None]
    before = ranked.double().cumsum(dim=-1) - ranked
    ranks = torch.arange(count, device=device)
    kept = (before < top_p) & (ranks < top_k) & (ranked >= min_p * ranked[:, :1])
    kept[:, 0] = True
    return _inverse(torch.where(kept, ranked, 0.0), uniform)


def _inverse(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Where the cumulative sum of each row's ``weights`` first passes its ``uniform`` share of the whole."""
    sums = weights.double().cumsum(dim=-1)
    found = torch.searchsorted(sums, (uniform * sums[:, -1])[:, None], right=True)[:, 0]
    return found.clamp_(max=weights.shape[1] - 1)


def _with_logprobs(raw: torch.Tensor, tokens: torch.Tensor, most: int) -> list[Chosen]:
    """The chosen tokens with their log-probabilities and the ``most`` likeliest tokens'."""
    logprobs = raw.log_softmax(dim=-1)
    own = logprobs.gather(1, tokens[:, None])[:, 0].tolist()
    likeliest = logprobs.topk(min(most, logprobs.shape[1]), dim=-1)
    top = zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
    return [
        Chosen(token, logprob, tuple(zip(indices, values, strict=True)))
        for token, logprob, (indices, values) in zip(tokens.tolist(), own, top, strict=True)
    ]
