"""The search: texts by successive halving on the train split, edits where asked for, then once the validation split.

Nothing here keeps what was found: attempts are records (evals/records.py) and edits lie in the completion cache, so
that the same search begun again takes the same path and pays for nothing twice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from mathagent.budget import Meter
from mathagent.errors import BackendError, UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.plan import Arm, Planned
from mathagent.evals.prompt_search.edits import edited, leaks, pick_failures
from mathagent.evals.prompt_search.halving import ranked, rounds, survivors
from mathagent.evals.prompt_search.result import Against, SearchResult, against, tried
from mathagent.evals.prompt_search.spec import SearchSpec, Wording, distinct
from mathagent.evals.prompt_search.splits import Splits
from mathagent.evals.records import Record, RecordStore
from mathagent.evals.runner import Benchmark, OnRecord
from mathagent.solver import Solver
from mathagent.strategies import STRATEGIES

HISTORY = 10
"""Former texts that an editor is shown at most."""
SHOWN_BEST = 5

Watch = Callable[[str, Sequence[Planned]], AbstractContextManager[OnRecord]]
"""Watches one round: told its title and its attempts, it gives who hears of each record."""


class SearchInterrupted(Exception):
    """``finish`` was set: what was in flight is done, the rest is left for the next time."""


@contextmanager
def unwatched(title: str, planned: Sequence[Planned]) -> Iterator[OnRecord]:
    """Nobody watches."""
    yield lambda record, known: None


@dataclass
class PromptSearch:
    """One search with the model of ``solver``; edits are written by that of ``optimizer`` (None: the same).

    ``finish``, once set, ends it after what is in flight; ``item_seconds``: see Attempter.
    """

    solver: Solver
    store: RecordStore
    spec: SearchSpec
    splits: Splits
    optimizer: Solver | None = None
    concurrency: int | None = None
    item_seconds: float | None = None
    finish: asyncio.Event = field(default_factory=asyncio.Event)
    watch: Watch = unwatched

    def __post_init__(self) -> None:
        self.seen: dict[str, list[Record]] = {}  # of each text, its latest round's
        self.keys: set[str] = set()
        self.refused, self.stopped = 0, ""
        self.pool = self.spec.wordings()
        self.pinned = (self.spec.baseline.text, "")

    async def run(self) -> SearchResult:
        """Searches, then validates. Raises SearchInterrupted, UsageError for what is wrong in what is asked, and
        ResourceError where a whole round could not be solved or no edit could be had."""
        order = await self._search()
        chosen, baseline, empty = order[0], self.spec.baseline, Wording(text="", origin="empty")
        finalists = distinct([chosen, baseline, empty])
        held_out = await self._solve(finalists, self.splits.validation, "validation")
        names = (self.splits.train.name, self.splits.validation.name)
        optimizer = self.optimizer or self.solver
        return SearchResult(
            settings={self.spec.setting: chosen.text},
            strategy=self.spec.strategy,
            strategy_settings=self.spec.settings,
            model=self.solver.backend.name,
            optimizer=optimizer.backend.name if self.spec.method == "pe2" else "",
            method=self.spec.method,
            seed=self.spec.seed,
            chosen=tried(chosen, self.seen[chosen.text], held_out[chosen.text], names),
            baseline=tried(baseline, self.seen[baseline.text], held_out[baseline.text], names),
            empty=tried(empty, self.seen[""], held_out[""], names),
            over_baseline=_over(held_out, chosen, baseline),
            over_empty=_over(held_out, chosen, empty),
            texts=len(self.pool),
            solves=len(self.keys),
            refused=self.refused,
            stopped=self.stopped,
            best=tuple(
                tried(one, self.seen[one.text], held_out.get(one.text), names) for one in order[:SHOWN_BEST]
            ),
        )

    async def _search(self) -> list[Wording]:
        """The texts of the last round that was reached, best first."""
        order = await self._halve()
        if not order:
            raise UsageError(
                f"--max-solves {self.spec.max_solves} is too few: the first round tries {len(self.pool)} texts on"
                f" {rounds(self.spec.first, len(self.splits.train.problems))[0]} problems; raise it, or lower --first"
            )
        for step in range(self.spec.steps if self.spec.method == "pe2" else 0):
            if self.stopped:
                break
            fresh = await self._edits(order, step)
            if not fresh:
                self.stopped = "there was nothing left to edit"
                break
            self.pool += fresh
            order = await self._halve() or order
        return order

    async def _halve(self) -> list[Wording]:
        """The pool by successive halving; [] where not even its first round is within the limit."""
        alive, order = self.pool, list[Wording]()
        sizes = rounds(self.spec.first, len(self.splits.train.problems))
        for number, size in enumerate(sizes, start=1):
            problems = self.splits.train.problems[:size]
            title = f"{len(alive)} texts on {size} problems"
            found = await self._solve(alive, self.splits.train.model_copy(update={"problems": problems}), title)
            if not found:
                break
            self.seen |= found
            right = {text: sum(one.outcome == "correct" for one in those) for text, those in found.items()}
            order = ranked(alive, right)
            if number < len(sizes):
                alive = survivors(order, self.pinned, least=self.spec.parents)
        return order

    async def _solve(self, wordings: Sequence[Wording], dataset: Dataset, title: str) -> dict[str, list[Record]]:
        """The records of each text on ``dataset``; {} where the limit of the train split allows no more attempts."""
        spec = self.spec
        benchmark = Benchmark(
            self.solver, self.store, dataset, concurrency=self.concurrency, item_seconds=self.item_seconds
        )
        arms = [
            Arm(strategy=spec.strategy, config=spec.config_with(one), seed=spec.seed, budget=spec.budget)
            for one in wordings
        ]
        planned = await benchmark.plan(*arms)
        if dataset is not self.splits.validation:
            keys = self.keys | {one.key for one in planned}
            if spec.max_solves is not None and len(keys) > spec.max_solves:
                self.stopped = f"the limit of {spec.max_solves} solves is reached"
                return {}
            self.keys = keys
        with self.watch(title, planned) as on_record:
            records = await benchmark.run(arms, on_record, finish=self.finish)
        if self.finish.is_set():
            raise SearchInterrupted
        if all(record.outcome == "error" for record in records):
            raise BackendError(f"no attempt could be made: {records[0].error}")
        found: dict[str, list[Record]] = {one.text: [] for one in wordings}
        for one, record in zip(planned, records, strict=True):
            found[str(one.arm.config[spec.setting])].append(record)
        return found

    async def _edits(self, order: Sequence[Wording], step: int) -> list[Wording]:
        """New texts made of the best so far; those that are known, unfit or tell an example are refused."""
        spec = self.spec
        asks = [
            (parent, (step * spec.parents + place) * spec.edits + edit)
            for place, parent in enumerate(order[: spec.parents])
            for edit in range(spec.edits)
        ]
        history = self._history(order) if spec.history else []
        made = await asyncio.gather(*(self._edit(*one, history) for one in asks), return_exceptions=True)
        errors = [one for one in made if isinstance(one, BaseException)]
        for error in errors:
            if not isinstance(error, BackendError) or len(errors) == len(made):
                raise error
        written = [one for one in made if isinstance(one, Wording)]
        known = {one.text for one in self.pool}
        fresh = [one for one in distinct(written) if one.text not in known and self._fits(one)]
        self.refused += len(made) - len(fresh)
        return fresh

    async def _edit(self, parent: Wording, sample: int, history: Sequence[tuple[str, str]]) -> Wording | None:
        failed = pick_failures(
            self.seen[parent.text],
            self.spec.failures,
            random.Random(f"{self.spec.seed or 0}/{sample}/{parent.hash}"),
        )
        if not failed or self.finish.is_set():
            return None
        context = (self.optimizer or self.solver).beside.context(Meter())
        return await edited(context, self.spec, parent, failed, history, sample)

    def _history(self, order: Sequence[Wording]) -> list[tuple[str, str]]:
        """The best texts with their scores, the best last."""
        return [
            (one.text, f"{sum(record.outcome == 'correct' for record in those)} of {len(those)}")
            for one in reversed(order[:HISTORY])
            if (those := self.seen[one.text])
        ]

    def _fits(self, wording: Wording) -> bool:
        if leaks(wording.text, self.splits.train.problems):
            return False
        try:
            STRATEGIES.load(self.spec.strategy).configure(self.spec.config_with(wording))
        except UsageError:  # too long for this setting, or not allowed there
            return False
        return True


def _over(records: dict[str, list[Record]], chosen: Wording, other: Wording) -> Against | None:
    return None if chosen.text == other.text else against(records[chosen.text], records[other.text])
