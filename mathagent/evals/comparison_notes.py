"""What a reader must know beside the numbers of a comparison: ungraded attempts, repeated ones, other budgets. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mathagent.evals.metrics import ArmRecords
from mathagent.evals.metrics.arms import budget_words
from mathagent.evals.metrics.items import Item
from mathagent.evals.metrics.paired import Pair
from mathagent.evals.pools import repeated_attempts


def arm_notes(arm: ArmRecords, items: Sequence[Item]) -> list[str]:
    """What is to be known of one arm: attempts without a grade, and attempts that repeat others."""
    notes = []
    outcomes = Counter(record.outcome for record in arm.records)
    timeouts = sum((one.outcome, one.failure) == ("error", "timeout") for one in arm.records)
    undecided, failed = outcomes["undecided"], outcomes["error"] - timeouts
    if timeouts:
        notes.append(f"{_count(timeouts, 'attempt')} ran out of time (wrong)")
    if undecided:
        notes.append(f"{_count(undecided, 'grade')} undecided")
    if failed:
        notes.append(f"{_count(failed, 'solve')} failed")
    repeated = repeated_attempts(items)
    if repeated:
        notes.append(
            f"{repeated} of {_count(len(arm.records), 'attempt')} repeat an earlier one word for word and add nothing"
            " (temperature 0, or one seed for all?)"
        )
    counts = {item.counted for item in items}
    if len(counts) > 1 and max(counts) > 1:
        notes.append(f"items have {min(counts)} to {max(counts)} attempts that count")
    return notes


def pair_notes(first: ArmRecords, second: ArmRecords, pairs: Sequence[Pair]) -> list[str]:
    """In what two arms differ beside their strategies: model, budget, memory, attempts, sandbox, names of data sets."""
    compared = [
        ("model", first.model, second.model),
        ("backend", first.backend, second.backend),
        ("budget", budget_words(first.budget), budget_words(second.budget)),
        ("memory", _memory(first), _memory(second)),
        (
            "attempts an item",
            _attempts([pair.first for pair in pairs]),
            _attempts([pair.second for pair in pairs]),
        ),
        ("sandbox", *_sandboxes(first, second)),
        ("data set", first.dataset, second.dataset),
    ]
    notes = [
        f"{what} differs: {ours} and {theirs}"
        for what, ours, theirs in compared
        if ours and theirs and ours != theirs
    ]
    if first.model != second.model:  # then the backend differs anyhow
        notes = [note for note in notes if not note.startswith("backend")]
    references = sum(pair.first.records[0].reference != pair.second.records[0].reference for pair in pairs)
    if references:
        notes.append(f"{_count(references, 'item')} with another reference in the two arms")
    return notes


def _memory(arm: ArmRecords) -> str:
    if not arm.memory:
        return "off"
    return f"{arm.memory} ({arm.memory_state[:12]})"


def _attempts(items: Sequence[Item]) -> str:
    counts = sorted({item.counted for item in items})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def _sandboxes(first: ArmRecords, second: ArmRecords) -> tuple[str, str]:
    """What confined the programs of each, with its tier, unless one arm did not note a tier: it ran no program yet."""
    one, other = ({record.sandbox for record in arm.records if record.sandbox} for arm in (first, second))
    if not all("/" in name for name in (*one, *other)):
        one, other = ({name.split("/")[0] for name in names} for names in (one, other))
    return ", ".join(sorted(one)), ", ".join(sorted(other))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
