"""How often do checks pass on right and on wrong candidates? A check that always passes is worthless.

usage: python benchmarks/checks.py RECORDS.jsonl … [--data DIR] [--model NAME] [--base-url URL] [--json]
RECORDS.jsonl is what `mathagent bench --output` wrote. Every candidate with an answer is graded against its problem's
reference; --data says where data sets lie whose problems were left out of the records. Without --model the checks that
stand in the records count, with the outcomes that they had; with it the candidates are checked anew: the verifier is
asked once a problem, its checks are made of every candidate.

Prints a Markdown table: for each kind how often it holds among the right and among the wrong candidates it decided
(95% Wilson intervals), how often it was undecided, and how good the verdicts are. Candidates of one problem are not
independent, so the intervals are somewhat too narrow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from mathagent.agents.blocks.check import check_candidate, propose_checks
from mathagent.agents.context import RunContext
from mathagent.budget import Meter
from mathagent.config import settings
from mathagent.errors import MathagentError, UsageError
from mathagent.evals.datasets.loading import load_dataset
from mathagent.evals.grader import Grader
from mathagent.evals.metrics import wilson_interval
from mathagent.evals.records import Record
from mathagent.models.cache import CompletionCache
from mathagent.models.wrappers import wrap
from mathagent.scorers.check_proposals import Proposal
from mathagent.scorers.checks import judge
from mathagent.solver import Solver
from mathagent.types import Candidate, Problem, Value, Verdict

AT_ONCE = 32
"""Records at a time: the model's slots decide how many of them it reads at once."""


class Graded(Value):
    """A candidate, whether it is right, and what its checks say."""

    right: bool
    verdict: Verdict


class Row(Value):
    """One kind of check: how often it held, failed and was undecided, by whether the candidate is right."""

    kind: str
    strength: str
    counts: dict[str, dict[str, int]]


def read(paths: Sequence[Path]) -> list[Record]:
    """The records of the files. Raises UsageError naming the line that is none."""
    records = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            try:
                records.append(Record.model_validate_json(line))
            except ValueError as error:
                raise UsageError(f"{path}:{number} is no record of this version of mathagent") from error
    return records


def completed(records: Sequence[Record], data: Path) -> list[Record]:
    """The records with their problems and references as the data sets in ``data`` have them. Raises UsageError."""
    problems = {
        name: {one.id: one for one in load_dataset(name, data_dir=data).problems}
        for name in {record.dataset for record in records}
    }
    whole = []
    for record in records:
        problem = problems[record.dataset].get(record.problem_id)
        if problem is None:
            raise UsageError(f"{record.dataset} in {data} has no problem {record.problem_id}")
        solution = record.solution and record.solution.model_copy(update={"problem": problem})
        whole.append(record.model_copy(update={"reference": problem.reference, "solution": solution}))
    return whole


async def graded(records: Sequence[Record], model: str | None, base_url: str | None) -> list[Graded]:
    """Every candidate with an answer, graded, with its stored checks or (with ``model``) with new ones."""
    cache = CompletionCache(settings().cache_path)
    at_once = asyncio.Semaphore(AT_ONCE)
    done = count(1)
    async with Solver(model, base_url=base_url, cache=False) as solver:
        grader = Grader(solver.comparer)

        async def one(record: Record) -> list[Graded]:
            async with at_once:
                context = None if model is None else _context(solver, cache)
                found = await _graded(record, context, grader)
            print(f"\r{next(done)}/{len(records)} records", end="", file=sys.stderr, flush=True)
            return found

        found = await asyncio.gather(*map(one, records))
    print(file=sys.stderr)
    cache.close()
    return [each for of_one in found for each in of_one]


async def _graded(record: Record, context: RunContext | None, grader: Grader) -> list[Graded]:
    """The candidates of one record."""
    if record.solution is None:
        return []
    problem = record.solution.problem
    known = problem.model_copy(update={"reference": record.reference})
    proposals: tuple[Proposal, ...] = ()
    if context is not None:
        proposals, _ = await propose_checks(context, problem)
    found = []
    for candidate in record.solution.candidates:
        grade = await grader.grade(candidate.answer and candidate.answer.normal, known)
        if candidate.answer is None or grade.outcome == "undecided":
            continue
        verdict = await _verdict(context, problem, candidate, proposals)
        found.append(Graded(right=grade.outcome == "correct", verdict=verdict))
    return found


async def _verdict(
    context: RunContext | None, problem: Problem, candidate: Candidate, proposals: Sequence[Proposal]
) -> Verdict:
    if context is None:
        return judge(candidate.checks)
    verdict, _ = await check_candidate(context, problem, candidate, proposals=proposals)
    return verdict


def _context(solver: Solver, cache: CompletionCache) -> RunContext:
    meter = Meter()
    backend = wrap(
        solver.backend,
        meter=meter,
        cache=cache,
        semaphore=asyncio.Semaphore(solver.backend.max_parallel),
        emit=lambda event: None,
    )
    return RunContext(
        backend=backend,
        sandbox=solver.sandbox,
        comparer=solver.comparer,
        meter=meter,
        emit=lambda event: None,
        seed=solver.backend.default_seed,
    )


def tally(candidates: Sequence[Graded]) -> list[Row]:
    """A row for each kind of check, commonest first."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: {"right": Counter(), "wrong": Counter()})
    strengths: dict[str, str] = {}
    for one in candidates:
        for check in one.verdict.checks:
            counts[check.kind]["right" if one.right else "wrong"][check.outcome] += 1
            strengths[check.kind] = check.strength
    rows = [
        Row(kind=kind, strength=strengths[kind], counts={side: dict(seen) for side, seen in sides.items()})
        for kind, sides in counts.items()
    ]
    return sorted(rows, key=lambda row: -sum(sum(seen.values()) for seen in row.counts.values()))


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| check | strength | holds on right | n | 95% interval | holds on wrong | n | 95% interval | undecided |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [row.kind, row.strength]
        undecided = made = 0
        for side in ("right", "wrong"):
            seen = Counter(row.counts[side])
            decided = seen["holds"] + seen["fails"]
            cells += [share(seen["holds"], decided), str(decided), interval(seen["holds"], decided)]
            undecided += seen["undecided"]
            made += decided + seen["undecided"]
        lines.append(f"| {' | '.join([*cells, f'{share(undecided, made)} of {made}'])} |")
    return "\n".join(lines)


def verdicts(candidates: Sequence[Graded]) -> str:
    """How many candidates of each judgement are right, in Markdown."""
    lines = ["| verdict | candidates | right | 95% interval |", "|---|---:|---:|---:|"]
    for judgement in ("correct", "unsure", "incorrect"):
        chosen = [one.right for one in candidates if one.verdict.judgement == judgement]
        right = sum(chosen)
        lines.append(
            f"| {judgement} | {len(chosen)} | {share(right, len(chosen))} | {interval(right, len(chosen))} |"
        )
    return "\n".join(lines)


def share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def interval(part: int, whole: int) -> str:
    low, high = wilson_interval(part, whole)
    return f"{low:.0%}–{high:.0%}" if whole else "–"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="+", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--base-url")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON instead")
    arguments = parser.parse_args()
    try:
        records = read(arguments.records)
        if arguments.data is not None:
            records = completed(records, arguments.data)
        candidates = asyncio.run(graded(records, arguments.model, arguments.base_url))
    except MathagentError as error:
        print(f"checks.py: {error}", file=sys.stderr)
        return error.exit_code
    rows = tally(candidates)
    if arguments.json:
        print(json.dumps([row.model_dump() for row in rows], indent=2))
        return 0
    right = sum(one.right for one in candidates)
    print(f"{len(candidates)} candidates, {right} right, {len(candidates) - right} wrong\n")
    print(f"{table(rows)}\n\n{verdicts(candidates)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
