"""A CSV file of problems to one of answers: python examples/batch_csv.py problems.csv answers.csv [-s pal] [-m MODEL].

The input has a column "problem" and, if you like, one "id"; the output has a line for each problem, in their order,
written as soon as it is known. A problem that fails has its error in the line; it does not end the others.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from mathagent import Budget, Problem, Solver

parser = argparse.ArgumentParser(description="Solves the problems of a CSV file.")
parser.add_argument("problems", type=Path)
parser.add_argument("answers", type=Path)
parser.add_argument("-s", "--strategy", default="self-consistency")
parser.add_argument("-m", "--model", help="as the command line takes it (default: MATHAGENT_MODEL)")
parser.add_argument(
    "--concurrency", type=int, help="problems at a time (default: as many as the model answers well)"
)
options = parser.parse_args()

failed = 0
with (
    options.problems.open(newline="", encoding="utf-8-sig") as source,
    options.answers.open("w", newline="", encoding="utf-8") as target,
    Solver(options.model) as solver,
):
    rows = csv.DictReader(source)
    problems = (
        Problem(text=row["problem"], id=row.get("id") or str(number)) for number, row in enumerate(rows, 1)
    )
    answers = csv.writer(target)
    answers.writerow(["id", "answer", "confidence", "checks", "error"])
    for outcome in solver.solve_many_sync(
        problems,
        options.strategy,
        concurrency=options.concurrency,
        ordered=True,
        budget=Budget(max_seconds=300),
    ):
        solution, failure = outcome.solution, outcome.failure
        failed += failure is not None
        answers.writerow(
            [
                outcome.problem.id,
                solution.answer if solution else "",
                solution.confidence if solution else "",
                sum(check.outcome == "holds" for check in solution.certificate) if solution else "",
                f"{failure.error}: {failure.message}" if failure else "",
            ]
        )
        target.flush()
sys.exit(3 if failed else 0)
