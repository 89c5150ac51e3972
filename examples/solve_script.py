"""One problem, watched while it is solved: python examples/solve_script.py "What is 6*7?" [-s pal] [-m MODEL]."""

from __future__ import annotations

import argparse

from mathagent import Budget, Solver
from mathagent.events import CandidateProposed, CodeFinished, SolveFinished

parser = argparse.ArgumentParser(description="Solves a problem, and shows what happens meanwhile.")
parser.add_argument("problem")
parser.add_argument("-s", "--strategy", default="auto")
parser.add_argument("-m", "--model", help="as the command line takes it (default: MATHAGENT_MODEL)")
options = parser.parse_args()

with Solver(options.model) as solver:
    for event in solver.stream_sync(options.problem, options.strategy, budget=Budget(max_seconds=300)):
        match event:
            case CodeFinished(execution=execution):
                print(f"  a program ran: {execution.status}, value {execution.value}")
            case CandidateProposed(candidate=candidate):
                print(f"  a candidate: {candidate.answer.normal if candidate.answer else candidate.failure}")
            case SolveFinished(solution=solution):
                print(f"{solution.answer}  (confidence {solution.confidence}, {len(solution.certificate)} checks)")
