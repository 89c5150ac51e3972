"""How good is confidence, before and after calibration? Reliability, risk and coverage, from a benchmark's records.

usage: python benchmarks/calibration.py RECORDS.jsonl … [--svg FOLDER] [--bins N]
RECORDS.jsonl is what `mathagent bench --output` wrote. "After" is cross-validated: an answer's probability comes from
a fit that did not see its problem. In risk and coverage a problem without an answer is wrong, and the least sure.

Prints Markdown for each backend, strategy and settings: Brier score, ECE (bins of equal width, of equal mass), AURC,
accuracy at 80% coverage, and the reliability table. --svg also draws each as a picture.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from mathagent.errors import MathagentError
from mathagent.evals.calibrate import LEAST_ANSWERS, Combination, combinations, too_few
from mathagent.evals.metrics.calibration import (
    Bin,
    RiskPoint,
    accuracy_at_coverage,
    aurc,
    brier,
    calibration_error,
    reliability,
    risk_coverage,
)
from mathagent.evals.records import read_records
from mathagent.scorers.calibration import calibration_file
from mathagent.scorers.calibration_fit import cross_validated

SIDE, GAP = 260, 56  # pixels: a panel's side, the room around it
COLOURS = {"before": "#8a8a8a", "after": "#1663b7"}


class Judged:
    """One set of probabilities for the answers of a combination."""

    def __init__(self, combination: Combination, chances: Sequence[float], bins: int) -> None:
        right = combination.right
        self.table = reliability(chances, right, bins=bins)
        everything = [*chances, *[0.0] * combination.unanswered]
        outcomes = [*right, *[False] * combination.unanswered]
        self.curve = risk_coverage(everything, outcomes)
        self.measures = {
            "Brier score": brier(chances, right),
            "ECE, equal width": calibration_error(chances, right, bins=bins),
            "ECE, equal mass": calibration_error(chances, right, bins=bins, equal_mass=True),
            "AURC": aurc(everything, outcomes),
            "accuracy at 80% coverage": accuracy_at_coverage(everything, outcomes, 0.8),
        }


def report(combination: Combination, judged: dict[str, Judged]) -> str:
    """The measures and the reliability tables, in Markdown."""
    answers, right = len(combination.graded), sum(combination.right)
    lines = [
        f"### {combination.strategy} with {combination.model}",
        f"{answers} answers, {right} right ({right / answers:.1%}); {combination.unanswered} problems without one",
        "",
        "| measure | before | after |",
        "|---|---:|---:|",
    ]
    for name, before in judged["before"].measures.items():
        lines.append(f"| {name} | {before:.3f} | {judged['after'].measures[name]:.3f} |")
    for when, one in judged.items():
        lines += ["", f"| {when}: confidence | answers | mean | right |", "|---|---:|---:|---:|"]
        lines += [
            f"| {row.low:.2f}–{row.high:.2f} | {row.answers} | {row.confidence:.2f} | {row.accuracy:.2f} |"
            for row in one.table
        ]
    return "\n".join(lines)


def picture(combination: Combination, judged: dict[str, Judged]) -> str:
    """Two panels as SVG: the reliability plot (areas of the dots: answers), the risk-coverage curve."""
    width, height = 2 * SIDE + 3 * GAP, SIDE + 2 * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif"'
        ' font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{GAP}" y="20" font-size="13">{escape(f"{combination.strategy} with {combination.model}")}</text>',
        *_panel(GAP, "confidence", "share right", 1.0),
        *_panel(2 * GAP + SIDE, "coverage", "risk", _most_risk(judged)),
        f'<path d="M{GAP} {GAP + SIDE} L{GAP + SIDE} {GAP}" stroke="#cccccc" stroke-dasharray="4"/>',
    ]
    for place, (when, one) in enumerate(judged.items()):
        colour = COLOURS[when]
        parts += _dots(one.table, colour, len(combination.graded))
        parts.append(_curve(one.curve, colour, _most_risk(judged)))
        parts.append(f'<text x="{GAP + 8}" y="{GAP + 16 + 14 * place}" fill="{colour}">{when}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _most_risk(judged: dict[str, Judged]) -> float:
    return max(0.1, *(point.risk for one in judged.values() for point in one.curve))


def _panel(left: int, across: str, up: str, most: float) -> list[str]:
    bottom = GAP + SIDE
    return [
        f'<rect x="{left}" y="{GAP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="black"/>',
        f'<text x="{left + SIDE / 2}" y="{bottom + 30}" text-anchor="middle">{across}</text>',
        f'<text x="{left - 8}" y="{GAP - 8}" text-anchor="start">{up}</text>',
        f'<text x="{left - 4}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{left - 4}" y="{GAP + 10}" text-anchor="end">{most:.2g}</text>',
        f'<text x="{left + SIDE}" y="{bottom + 14}" text-anchor="end">1</text>',
    ]


def _dots(table: Sequence[Bin], colour: str, answers: int) -> list[str]:
    points = [(GAP + SIDE * one.confidence, GAP + SIDE * (1 - one.accuracy)) for one in table]
    sizes = [2 + 14 * (one.answers / answers) ** 0.5 for one in table]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return [
        f'<polyline points="{line}" fill="none" stroke="{colour}"/>',
        *(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}" fill="{colour}" fill-opacity="0.5"/>'
            for (x, y), size in zip(points, sizes, strict=True)
        ),
    ]


def _curve(points: Sequence[RiskPoint], colour: str, most: float) -> str:
    left = 2 * GAP + SIDE
    line = " ".join(
        f"{left + SIDE * point.coverage:.1f},{GAP + SIDE * (1 - point.risk / most):.1f}" for point in points
    )
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="+", type=Path)
    parser.add_argument("--svg", type=Path, metavar="FOLDER")
    parser.add_argument("--bins", type=int, default=10)
    arguments = parser.parse_args()
    try:
        found, left_out = combinations([record for path in arguments.records for record in read_records(path)])
    except MathagentError as error:
        print(f"calibration.py: {error}", file=sys.stderr)
        return error.exit_code
    for why, count in left_out.items():
        print(f"left out: {count} {why}", file=sys.stderr)
    enough = [one for one in found if too_few(one) is None]
    if len(enough) < len(found) or not found:
        print(f"calibration.py: {LEAST_ANSWERS} answers are needed of a strategy", file=sys.stderr)
    for one in enough:
        chances = {"before": one.own, "after": cross_validated(one.examples)}
        judged = {when: Judged(one, given, arguments.bins) for when, given in chances.items()}
        print(f"{report(one, judged)}\n")
        if arguments.svg is not None:
            arguments.svg.mkdir(parents=True, exist_ok=True)
            name = Path(calibration_file(one.backend, one.strategy, one.graded[0].solution.config))
            (arguments.svg / name.with_suffix(".svg")).write_text(picture(one, judged), encoding="utf-8")
    return 0 if enough else 1


if __name__ == "__main__":
    raise SystemExit(main())
