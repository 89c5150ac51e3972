"""Block stopping: when have enough samples voted? Pure rules over vote counts, replayable on stored samples."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from mathagent.types import Value


class StopDecision(Value):
    """``confidence``: probability that the leader really leads (about what the model prefers, not about truth)."""

    stop: bool
    confidence: float
    reason: str


def lead_probability(leader: int, runner_up: int) -> float:
    """P(the leader's true share exceeds the runner-up's), given their vote counts: the Beta rule, exact.

    Source: Adaptive-Consistency (arXiv 2305.11860); closed form of its Beta integral for integer counts.
    """
    total = leader + runner_up + 1
    favourable: int = sum(comb(total, i) for i in range(leader + 1))
    return favourable / (1 << total)


def adaptive_consistency(
    votes: Sequence[int], samples: int, *, threshold: float, least: int, most: int
) -> StopDecision:
    """Stops once the leader leads with probability ``threshold``, or ``most`` samples are drawn.

    ``votes`` are the sizes of the equivalence classes in any order; ``samples`` counts failed samples too, which
    spend budget but have no vote. Never stops before ``least`` samples.
    """
    first, second = [*sorted(votes, reverse=True), 0, 0][:2]
    confidence = lead_probability(first, second) if first else 0.0
    if samples >= most:
        return StopDecision(stop=True, confidence=confidence, reason=f"all {most} samples are drawn")
    if first and samples >= least and confidence >= threshold:
        reason = f"{first} to {second} votes: leads with probability {confidence:.3f}"
        return StopDecision(stop=True, confidence=confidence, reason=reason)
    reason = f"{first} to {second} votes: probability {confidence:.3f} is below {threshold:g}"
    return StopDecision(stop=False, confidence=confidence, reason=reason)


def early_stopping(window: Sequence[int | None], samples: int, *, most: int) -> StopDecision:
    """Stops where all samples of the latest window fall in one class, or ``most`` samples are drawn.

    ``window`` holds the class of each of its samples (None: failed). Source: Early-Stopping Self-Consistency
    (arXiv 2401.10480).
    """
    unanimous = len(set(window)) == 1 and window[0] is not None
    if unanimous or samples >= most:
        reason = "the window is unanimous" if unanimous else f"all {most} samples are drawn"
        return StopDecision(stop=True, confidence=1.0 if unanimous else 0.0, reason=reason)
    return StopDecision(stop=False, confidence=0.0, reason="the window is divided")


def self_evaluation(no_better: Sequence[float], samples: int, *, threshold: float, most: int) -> StopDecision:
    """Stops once the model finds with probability ``threshold`` that no other sample would be better than one it has.

    ``no_better`` holds that probability of each sample (0: unknown). Source: "Adaptive Inference-Time Compute"
    (arXiv 2410.02725).
    """
    best = max(no_better, default=0.0)
    if samples >= most:
        return StopDecision(stop=True, confidence=best, reason=f"all {most} samples are drawn")
    if best >= threshold:
        return StopDecision(stop=True, confidence=best, reason=f"no better one is expected: {best:.3f}")
    reason = f"a better one is expected: {best:.3f} is below {threshold:g}"
    return StopDecision(stop=False, confidence=best, reason=reason)
