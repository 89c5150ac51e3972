"""Does every gold answer of a data set equal itself, however it is spelled, and no changed one?

usage: python benchmarks/grader_gold.py FILE.jsonl[.gz] … [--sample N] [--seed N] [--show N]
Each reference is graded against itself and its respelling, and against what it becomes when it is changed: a number
plus one, the sign, a member left out, the end of an interval, the letter of a variable. Prints a Markdown table of the
verdicts and what came out wrong; exit code 1 where anything did. "Undecided" is not wrong; it is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
from collections import Counter
from pathlib import Path

from mathagent.answers.compare import AnswerComparer
from mathagent.answers.forms import parse_form
from mathagent.answers.latex import tidy
from mathagent.answers.normal import split_list
from mathagent.evals.dataset import read_dataset
from mathagent.evals.grader import Grader
from mathagent.sandbox.confined_calls import ConfinedCalls
from mathagent.types import Problem

SAME = ("itself", "respelled")
AT_ONCE = 4
_LETTER = re.compile(r"(?<![\\A-Za-z{])([a-df-hj-z])(?![A-Za-z])")


def respelled(gold: str) -> str:
    """The same answer as another writer would spell it."""
    text = gold.replace(r"\frac", r"\dfrac").replace(r"\left", "").replace(r"\right", "")
    return f"${text.replace(',', ', ') if text[:1] in '([' else text}$"


def changed(gold: str) -> dict[str, str]:
    """What ``gold`` becomes by each change that makes another answer of it; changes that do not apply are left out."""
    form = parse_form(gold)
    found: dict[str, str] = {}
    if form.kind == "text":
        return found
    if re.search(r"\d", gold):
        found["number + 1"] = re.sub(r"\d+", lambda match: str(int(match.group()) + 1), gold, count=1)
    if form.kind == "number" and form.value:
        found["sign"] = gold.replace("-", "", 1) if form.value < 0 and "-" in gold else f"-{gold}"
    elif form.kind == "expression" and not re.search(r"\\text|\\pm|\\infty", gold):
        found["sign"] = f"-({gold})"
    dropped = _without_last(gold, len(form.items)) if form.kind in ("list", "tuple", "set") else None
    if dropped is not None:
        found["member left out"] = dropped
    if form.kind == "tuple" and len(form.items) == 2 and tidy(gold)[:1] in "([":
        bare = tidy(gold)
        found["end of interval"] = ("[" if bare[0] == "(" else "(") + bare[1:]
    letters = set(re.findall(r"[A-Za-z]", gold))
    if form.kind in ("expression", "equation") and _LETTER.search(gold) and "\\text" not in gold:
        other = next(letter for letter in "zwuv" if letter not in letters)
        found["variable"] = _LETTER.sub(
            lambda match: other if match.group() == _first(gold) else match.group(), gold
        )
    return found


def _first(gold: str) -> str:
    match = _LETTER.search(gold)
    return match.group() if match else ""


def _without_last(gold: str, count: int) -> str | None:
    bare = tidy(gold)
    opening, closing = "", ""
    for left, right in (("\\{", "\\}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        if bare.startswith(left) and bare.endswith(right):
            opening, closing = left, right
            bare = bare[len(left) : len(bare) - len(right)]
            break
    parts = split_list(bare)
    if len(parts) < 2 or len(parts) != count:
        return None
    return f"{opening}{', '.join(parts[:-1])}{closing}"


async def verdicts(golds: list[str], grader: Grader) -> list[tuple[str, str, str, str]]:
    """(what, gold, answer, outcome) of every comparison."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(what: str, gold: str, answer: str) -> tuple[str, str, str, str]:
        async with slots:
            grade = await grader.grade(answer, Problem(text="?", reference=gold))
        return what, gold, answer, grade.outcome

    todo = [
        (what, gold, answer)
        for gold in golds
        for what, answer in {"itself": gold, "respelled": respelled(gold), **changed(gold)}.items()
    ]
    return await asyncio.gather(*(one(*item) for item in todo))


def wrong(what: str, outcome: str) -> bool:
    return outcome == ("incorrect" if what in SAME else "correct")


async def run(paths: list[Path], sample: int | None, seed: int, show: int) -> int:
    golds = [problem.reference or "" for path in paths for problem in read_dataset(path).problems]
    total = len(golds)
    distinct = list(dict.fromkeys(golds))
    if sample is not None and sample < len(distinct):
        distinct = random.Random(seed).sample(distinct, sample)
    calls = ConfinedCalls()
    try:
        found = await verdicts(distinct, Grader(AnswerComparer(calls.call)))
    finally:
        await calls.aclose()
    counts = Counter((what, outcome) for what, _, _, outcome in found)
    sys.stdout.write(f"{total} gold answers, {len(distinct)} distinct ones graded\n\n")
    sys.stdout.write("| compared with | n | correct | incorrect | undecided |\n|---|---:|---:|---:|---:|\n")
    for what in dict.fromkeys(item[0] for item in found):
        row = [counts[what, outcome] for outcome in ("correct", "incorrect", "undecided")]
        sys.stdout.write(f"| {what} | {sum(row)} | {' | '.join(map(str, row))} |\n")
    bad = [item for item in found if wrong(item[0], item[3])]
    for what, gold, answer, outcome in bad[:show]:
        sys.stdout.write(f"WRONG {what}: {gold!r} | {answer!r} → {outcome}\n")
    return 1 if bad else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=50)
    given = parser.parse_args()
    return asyncio.run(run(given.files, given.sample, given.seed, given.show))


if __name__ == "__main__":
    sys.exit(main())
