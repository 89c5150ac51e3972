"""A comparison of arms on the items they have in common: all that is to be said of it, to be shown elsewhere. Pure.

Within a data set each arm is compared with a baseline (or with each other arm); p values are corrected for all
comparisons made, over all data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mathagent.errors import UsageError
from mathagent.evals.comparison_notes import arm_notes, pair_notes
from mathagent.evals.comparison_sides import Side, blocks, chosen_pairs, several_attempts
from mathagent.evals.metrics import Summary, summarize
from mathagent.evals.metrics.arms import copies_words
from mathagent.evals.metrics.attempts import Pool
from mathagent.evals.metrics.confidence import ConfidenceQuality, confidence_quality
from mathagent.evals.metrics.costs import EqualTokens, TokensPerSolved, equal_tokens, tokens_per_solved
from mathagent.evals.metrics.coverage import (
    Curve,
    Forecast,
    PowerLaw,
    coverage_curve,
    forecast_coverage,
    pools_power_law,
)
from mathagent.evals.metrics.intervals import VarianceParts, variance_parts
from mathagent.evals.metrics.items import Item, Ungraded, hashed
from mathagent.evals.metrics.paired import (
    Difference,
    GroupDifference,
    Pair,
    Pairing,
    compare_groups,
    compare_pairs,
    pair_items,
)
from mathagent.evals.metrics.significance import holm
from mathagent.evals.metrics.tool_use import ToolOveruse, one_sided_overuse
from mathagent.types import Value

GROUPINGS: Mapping[str, Callable[[Item], str]] = {
    "subject": lambda item: item.subject,
    "level": lambda item: item.level,
    "language": lambda item: item.language,
}


class ComparedArm(Value):
    """One arm by itself, over all of its items. ``curve`` to ``variance`` need several attempts an item."""

    name: str
    dataset: str
    run: str
    strategy: str
    model: str
    summary: Summary
    tokens_per_solved: TokensPerSolved | None
    confidence: ConfidenceQuality | None
    curve: Curve | None = None
    law: PowerLaw | None = None
    forecast: Forecast | None = None
    variance: VarianceParts | None = None
    notes: tuple[str, ...] = ()


class Flip(Value):
    """An item on which two arms differ: what they answered (each attempt), and the share of it that is right."""

    key: str
    problem_id: str
    subject: str
    level: str
    question: str
    reference: str
    first_score: float
    second_score: float
    first_answers: tuple[str | None, ...]
    second_answers: tuple[str | None, ...]


class PairComparison(Value):
    """Two arms by their names: ``difference`` is second - first. ``p_holm`` is corrected for all comparisons made.

    ``gained`` are the items on which second is better, ``lost`` those on which it is worse. ``groups`` are differences
    by subject, level and language, where items have one. The counts are of items that were not compared: see
    ``Pairing``. ``notes`` say what else differs. ``equal_tokens`` gives the cheaper arm the dearer one's tokens.
    ``overuse`` is that of the only one of the two that called tools; None where both or neither did.
    """

    dataset: str
    first: str
    second: str
    difference: Difference
    p_holm: float
    gained: tuple[Flip, ...]
    lost: tuple[Flip, ...]
    groups: dict[str, tuple[GroupDifference, ...]]
    only_first: int
    only_second: int
    edited: int
    ungraded: int
    token_ratio: float | None
    equal_tokens: EqualTokens | None
    overuse: ToolOveruse | None = None
    notes: tuple[str, ...]


class Comparison(Value):
    """All arms and the comparisons made. ``ungraded`` says what undecided grades and failed solves counted as."""

    arms: tuple[ComparedArm, ...]
    pairs: tuple[PairComparison, ...]
    ungraded: Ungraded
    seed: int
    notes: tuple[str, ...] = ()


def compare(
    all_sides: Sequence[Side],
    *,
    baseline: str | None = None,
    all_pairs: bool = False,
    ungraded: Ungraded = "leave-out",
    seed: int = 0,
) -> Comparison:
    """The comparison of arms with the ``baseline`` (a name, or a part of one; None: the first) or of all pairs.

    Raises UsageError where there is nothing to compare: fewer than two arms, no items in common, an unknown baseline.
    """
    found = [(block, chosen_pairs(block, baseline, all_pairs)) for block in blocks(all_sides)]
    chosen = [pair for _, pairs in found for pair in pairs]
    if not chosen:
        raise UsageError(_nothing_to_compare(all_sides, baseline))
    pairings = [(first, second, pair_items(first.items, second.items)) for first, second in chosen]
    notes = [
        f"{second.arm.name} is not compared with {first.arm.name}: {_no_common(pairing)}"
        for first, second, pairing in pairings
        if not pairing.pairs
    ]
    notes += [
        f"nothing is compared in {block[0].arm.dataset}: {_why_alone(block)}"
        for block, pairs in found
        if not pairs
    ]
    made = [_compared(*one, seed) for one in pairings if one[2].pairs]
    if not made:
        raise UsageError("; ".join(notes))
    corrected = holm([pair.difference.p for pair in made])
    return Comparison(
        arms=tuple(_alone(side, ungraded, seed) for side in all_sides),
        pairs=tuple(pair.model_copy(update={"p_holm": p}) for pair, p in zip(made, corrected, strict=True)),
        ungraded=ungraded,
        seed=seed,
        notes=(*notes, *_copies_notes(all_sides), *_identity_notes(all_sides)),
    )


def _why_alone(block: Sequence[Side]) -> str:
    names = ", ".join(f"'{side.arm.name}'" for side in block)
    return f"there is only {names}" if len(block) == 1 else f"none of {names} is the baseline"


def _nothing_to_compare(all_sides: Sequence[Side], baseline: str | None) -> str:
    names = ", ".join(f"'{side.arm.label}'" for side in all_sides) or "none"
    if baseline is not None and len(all_sides) > 1:
        return f"--baseline '{baseline}' is no arm that others can be compared with; there are: {names}"
    return (
        f"a comparison needs two arms over the same items, and there are: {names}; give another run, or one with"
        " several strategies or models"
    )


def _no_common(pairing: Pairing) -> str:
    """Why two arms have no item to compare."""
    if pairing.edited and not pairing.ungraded:
        return (
            f"the {len(pairing.edited)} items with the same ids have other questions, choices or references (the data"
            " set was edited); run one of the arms again"
        )
    if pairing.ungraded:
        return f"none of their {len(pairing.ungraded)} common items has a grade in both"
    return "they have no item in common"


def _compared(first: Side, second: Side, pairing: Pairing, seed: int) -> PairComparison:
    pairs = pairing.pairs
    flips = [_flip(pair) for pair in sorted(pairs, key=lambda pair: -abs(pair.difference)) if pair.difference]
    ratio = _token_ratio(pairs)
    return PairComparison(
        dataset=first.arm.dataset,
        first=first.arm.name,
        second=second.arm.name,
        difference=compare_pairs(pairs, seed=seed),
        p_holm=1.0,
        gained=tuple(flip for flip in flips if flip.second_score > flip.first_score),
        lost=tuple(flip for flip in flips if flip.second_score < flip.first_score),
        groups=_groups(pairs, seed),
        only_first=len(pairing.only_first),
        only_second=len(pairing.only_second),
        edited=len(pairing.edited),
        ungraded=len(pairing.ungraded),
        token_ratio=ratio,
        equal_tokens=None if ratio is None else _at_equal_tokens(first, second, pairs, ratio, seed),
        overuse=one_sided_overuse(
            [pair.first for pair in pairs],
            [pair.second for pair in pairs],
            names=(first.arm.name, second.arm.name),
        ),
        notes=tuple(pair_notes(first.arm, second.arm, pairs)),
    )


def _token_ratio(pairs: Sequence[Pair]) -> float | None:
    """How many times the first arm's tokens the second one used; None where one of them says of none."""
    first = sum(pair.first.completion_tokens for pair in pairs)
    second = sum(pair.second.completion_tokens for pair in pairs)
    return second / first if first and second else None


def _at_equal_tokens(
    first: Side, second: Side, pairs: Sequence[Pair], ratio: float, seed: int
) -> EqualTokens | None:
    """The cheaper arm's votes against the dearer one, over the common items; None where it has no pool."""
    keys = {pair.first.key for pair in pairs}
    cheaper, dearer = (first, second) if ratio >= 1 else (second, first)
    pools = [pool for pool in cheaper.pools if pool.key in keys]
    return equal_tokens(pools, [item for item in dearer.items if item.key in keys], seed=seed)


def _flip(pair: Pair) -> Flip:
    record = pair.first.records[0]
    solution = next((one.solution for one in (*pair.first.records, *pair.second.records) if one.solution), None)
    return Flip(
        key=pair.first.key,
        problem_id=pair.first.problem_id,
        subject=pair.first.subject,
        level=pair.first.level,
        question="" if solution is None else solution.problem.text,
        reference=record.reference,
        first_score=pair.first.score or 0.0,
        second_score=pair.second.score or 0.0,
        first_answers=tuple(one.answer for one in pair.first.records),
        second_answers=tuple(one.answer for one in pair.second.records),
    )


def _groups(pairs: Sequence[Pair], seed: int) -> dict[str, tuple[GroupDifference, ...]]:
    """The differences by each grouping that has at least two groups."""
    found = {}
    for grouping, name_of in GROUPINGS.items():
        members: dict[str, list[Pair]] = {}
        for pair in pairs:
            members.setdefault(name_of(pair.first) or name_of(pair.second) or "(none)", []).append(pair)
        if len(members) > 1:
            found[grouping] = tuple(compare_groups(members, seed=seed))
    return found


def _alone(side: Side, ungraded: Ungraded, seed: int) -> ComparedArm:
    arm = side.arm
    several = several_attempts(side) and bool(side.pools)
    return ComparedArm(
        name=arm.name,
        dataset=arm.dataset,
        run=arm.run,
        strategy=arm.strategy,
        model=arm.model,
        summary=summarize(
            arm.records, strategy=arm.strategy, model=arm.model, dataset=arm.dataset, ungraded=ungraded
        ),
        tokens_per_solved=tokens_per_solved(side.items, seed=seed),
        confidence=confidence_quality(arm.records),
        curve=coverage_curve(side.pools, seed=seed) if several else None,
        law=pools_power_law(side.pools) if several else None,
        forecast=forecast_coverage(side.pools, seed=seed) if several else None,
        variance=_variance(side.pools) if several else None,
        notes=tuple(arm_notes(arm, side.items)),
    )


def _variance(pools: Sequence[Pool]) -> VarianceParts | None:
    """The parts of the variance of the accuracy; None for items of families, which are not independent."""
    if len(pools) < 2 or len({pool.cluster for pool in pools}) < len(pools):
        return None
    return variance_parts([[float(right) for right in pool.right] for pool in pools])


def _copies_notes(all_sides: Sequence[Side]) -> list[str]:
    """Once for each data set: all of its arms say the same."""
    arms = [side.arm for side in all_sides if side.arm.copies]
    return list(dict.fromkeys(f"{arm.dataset}: {copies_words(arm.copies)}" for arm in arms))


def _identity_notes(all_sides: Sequence[Side]) -> list[str]:
    without = [side.arm.label for side in all_sides if not hashed(side.arm.records)]
    if not without:
        return []
    return [
        f"records of {', '.join(without)} have no item hashes (an older version made them): items are told apart by"
        " their ids, and an edited data set would not be noticed"
    ]
