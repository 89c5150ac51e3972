"""mathagent compare: is one arm better than another, on the items that both have?"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

from rich.console import Console

from mathagent.answers.compare import AnswerComparer
from mathagent.console.compare_view import show_comparison
from mathagent.errors import UsageError
from mathagent.evals.comparison import compare
from mathagent.evals.comparison_sides import Side, several_attempts, sides
from mathagent.evals.metrics.arms import arms_of_runs
from mathagent.evals.metrics.items import Ungraded
from mathagent.evals.pools import attempt_pools
from mathagent.evals.runs import load_runs
from mathagent.types import Value


class CompareArguments(Value):
    """The parsed arguments."""

    runs: tuple[str, ...]
    baseline: str | None = None
    all_pairs: bool = False
    failed_as_wrong: bool = False
    flips: int = 10
    seed: int = 0
    as_json: bool = False


def compare_command(arguments: CompareArguments) -> int:
    """Compares and shows; exit code 0. Raises UsageError where there is nothing to compare."""
    if arguments.all_pairs and arguments.baseline is not None:
        raise UsageError("--all compares every two arms; leave out --baseline")
    ungraded: Ungraded = "wrong" if arguments.failed_as_wrong else "leave-out"
    found = sides(arms_of_runs(load_runs(arguments.runs)), ungraded=ungraded)
    comparison = compare(
        asyncio.run(_with_pools(found, ungraded)),
        baseline=arguments.baseline,
        all_pairs=arguments.all_pairs,
        ungraded=ungraded,
        seed=arguments.seed,
    )
    if arguments.as_json:
        shown = json.loads(comparison.model_dump_json())  # what is infinite becomes null
        sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    else:
        show_comparison(Console(), comparison, flips=arguments.flips)
    return 0


async def _with_pools(found: Sequence[Side], ungraded: Ungraded) -> list[Side]:
    """The sides, with the pools of those that have several attempts an item."""
    if not any(several_attempts(side) for side in found):
        return list(found)
    from mathagent.sandbox.confined_calls import ConfinedCalls

    calls = ConfinedCalls()
    try:
        comparer = AnswerComparer(calls.call)
        return [
            side.model_copy(update={"pools": tuple(await attempt_pools(side.items, comparer, ungraded=ungraded))})
            if several_attempts(side)
            else side
            for side in found
        ]
    finally:
        await calls.aclose()
