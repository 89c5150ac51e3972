"""mathagent memory learn: experience from a data set, its worked solutions or our own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mathagent.cli.memory import EXIT_DONE, EXIT_PARTIAL, tell, with_store
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.errors import UsageError
from mathagent.types import Value

if TYPE_CHECKING:
    from mathagent.memory.base import ExperienceStore

LEARNING_STRATEGY = "pal"


class LearnArguments(Value):
    """The parsed arguments of ``memory learn``."""

    dataset: Path
    solve: bool
    strategy: str | None
    notes: bool
    limit: int | None
    model: str | None
    base_url: str | None
    config: dict[str, Any]
    memory: Path | None


def learn_command(arguments: LearnArguments) -> int:
    """Builds experience from a data set; exit code 3 where problems could not be solved at all."""
    if not arguments.solve:
        given = (arguments.strategy, arguments.notes, arguments.model, arguments.base_url, arguments.config)
        if any(given):
            raise UsageError(
                "--strategy, --notes, --model, --base-url and --set are for solving; add --solve, or leave them out"
            )
        return _learn_worked(arguments)
    return asyncio.run(_learn_by_solving(arguments))


def _learn_worked(arguments: LearnArguments) -> int:
    from mathagent.evals.worked_solutions import read_worked_solutions

    worked = read_worked_solutions(arguments.dataset, limit=arguments.limit, created=time.time())
    if not worked.experiences:
        why = "; ".join(f"{count} {reason}" for reason, count in worked.skipped.items())
        raise UsageError(f"no worked solution in {arguments.dataset} ({why}); --solve makes our own from answers")

    async def work(store: ExperienceStore) -> int:
        left_out = (f"{count} left out: {reason}" for reason, count in worked.skipped.items())
        return tell(await store.add(worked.experiences), *left_out)

    return with_store(arguments.memory, work, read_only=False)


async def _learn_by_solving(arguments: LearnArguments) -> int:
    from mathagent.console.pull_view import progress_for_pull
    from mathagent.evals.dataset import read_dataset
    from mathagent.evals.learning import Learned, Learning
    from mathagent.solver import Solver

    dataset = read_dataset(arguments.dataset, limit=arguments.limit)
    page = Page(Console(stderr=True))
    learned: list[Learned] = []
    with progress_for_pull(page.console) as on_progress:
        async with Solver(
            arguments.model,
            base_url=arguments.base_url,
            checkpoints=False,  # a problem that was not finished is simply taken again
            memory=arguments.memory,
            memory_mode="learn",
            on_progress=on_progress,
        ) as solver:
            strategy = arguments.strategy or LEARNING_STRATEGY
            learning = Learning(solver, dataset, strategy, arguments.config, notes=arguments.notes)
            waiting = len(await learning.waiting())
            known = len(dataset.problems) - waiting
            page.line(f"{known} of {len(dataset.problems)} problems are known; {waiting} to go")

            def on_learned(one: Learned) -> None:
                learned.append(one)
                outcome = one.error or f"{'right' if one.right else 'wrong'}, {one.new} new"
                said = f"{one_line(one.problem_id, 80)}: {one_line(outcome)}"
                page.line(f"{len(learned)}/{waiting} {said}", style="dim")

            await learning.run(on_learned)
    right, failed = sum(one.right is True for one in learned), sum(bool(one.error) for one in learned)
    new = sum(one.new for one in learned)
    Page(Console()).line(
        f"remembered: {new} new, from {counted(len(learned), 'problem')} ({right} right, {failed} not solved)"
    )
    return EXIT_PARTIAL if failed else EXIT_DONE
