"""What a memory does to the answers of a model: where it helps, where it hurts, and whether a run gets better with use.

usage: python benchmarks/memory_effect.py OFF READ [--memory DB]     the same problems without and with a memory
       python benchmarks/memory_effect.py LEARNED [--without OFF]    a run in learn mode: its first half and its second

Each argument is a run's id or name, or a file that `mathagent bench --output` wrote. For a pair: the paired difference
(exact McNemar, Newcombe's interval), and the same by how near the nearest experience is that was shown (cosine of the
problems' vectors; needs --memory, the store as it was, and records with their problems). For a run in learn mode: the
first half and the second in the order of solving, what each was shown and has added; with --without the same problems
solved with no memory, so that harder problems are not taken for forgetting. Prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mathagent.config import settings
from mathagent.errors import MathagentError, UsageError
from mathagent.evals.metrics.intervals import wilson_interval
from mathagent.evals.metrics.items import items
from mathagent.evals.metrics.paired import Pair, compare_pairs, pair_items
from mathagent.evals.records import MemoryUse, Record
from mathagent.evals.runs import load_runs
from mathagent.memory.sqlite_store import SqliteStore
from mathagent.memory.static_embedder import default_embedder


def share(records: Sequence[Record]) -> str:
    """``12 of 20, 60.0% (39–78%)``; what could not be graded counts as wrong."""
    count = sum(one.outcome == "correct" for one in records)
    low, high = wilson_interval(count, len(records))
    return f"{count} of {len(records)}, {count / len(records):.1%} ({100 * low:.0f}–{100 * high:.0f}%)"


def tokens(records: Sequence[Record]) -> str:
    read = sum(one.usage.prompt_tokens for one in records) / len(records)
    written = sum(one.usage.completion_tokens for one in records) / len(records)
    return f"{written:,.0f} written, {read:,.0f} read"


def pair_row(name: str, pairs: Sequence[Pair]) -> str:
    found = compare_pairs(pairs)
    difference = f"{100 * found.difference:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
    off = [record for pair in pairs for record in pair.first.records]
    on = [record for pair in pairs for record in pair.second.records]
    return (
        f"| {name} | {share(off)} | {share(on)} | {difference} | {found.better} / {found.worse} | {found.p:.2f}"
        f" | {tokens(off)} | {tokens(on)} |"
    )


def used(pair: Pair) -> MemoryUse | None:
    """What the memory did in the second arm's attempt."""
    return pair.second.records[0].memory


async def nearest(pairs: Sequence[Pair], path: Path) -> list[float]:
    """The cosine of each problem to the nearest problem that was shown with it; 0 where that is not known."""
    embedder = default_embedder(settings().models_dir)
    store = SqliteStore(path, embedder, max_experiences=None)
    found = []
    for pair in pairs:
        use, solution = used(pair), pair.second.records[0].solution
        shown = await store.get(use.shown) if use else []
        texts = [text for one in shown if (text := getattr(one.content, "problem", None))]
        if not texts or solution is None:
            found.append(0.0)
            continue
        vectors = embedder.embed([solution.problem.text, *texts])
        found.append(float(np.max(vectors[1:] @ vectors[0])))
    await store.aclose()
    return found


def pair_report(off: Sequence[Record], on: Sequence[Record], memory: Path | None) -> None:
    print("| problems | memory off | memory on | difference, points | won / lost | p | tokens off | tokens on |")
    print("|---|---|---|---|---|---|---|---|")
    for dataset in dict.fromkeys(one.dataset for one in on):
        ours, theirs = ([one for one in some if one.dataset == dataset] for some in (off, on))
        pairs = pair_items(items(ours), items(theirs)).pairs
        if not pairs:
            raise UsageError(f"the runs have no graded problem of {dataset} in common")
        print(pair_row(f"{dataset}, all", pairs))
        shown = [pair for pair in pairs if (use := used(pair)) is not None and use.shown]
        if 0 < len(shown) < len(pairs):
            print(pair_row(f"{dataset}, something shown", shown))
        if memory is not None and len(shown) >= 3:
            cosines = asyncio.run(nearest(shown, memory))
            order = sorted(range(len(shown)), key=lambda place: -cosines[place])
            for name, part in zip(("nearest", "middle", "farthest"), np.array_split(order, 3), strict=True):
                values = [cosines[place] for place in part]
                label = f"{dataset}, {name} third (cosine {min(values):.2f}–{max(values):.2f})"
                print(pair_row(label, [shown[place] for place in part]))


def learn_report(learned: Sequence[Record], off: Sequence[Record]) -> None:
    order = sorted(learned, key=lambda one: one.memory.position if one.memory else 0)
    known = {(one.dataset, one.item_hash): one for one in off}
    half = len(order) // 2
    print("| problems | learning | without a memory | shown, mean | added | tokens |\n|---|---|---|---|---|---|")
    for name, part in (("first half", order[:half]), ("second half", order[half:])):
        others = [known[key] for one in part if (key := (one.dataset, one.item_hash)) in known]
        shown = sum(len(one.memory.shown) for one in part if one.memory) / len(part)
        added = sum(one.memory.remembered for one in part if one.memory)
        without = share(others) if others else "–"
        print(f"| {name} | {share(part)} | {without} | {shown:.1f} | {added} | {tokens(part)} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--memory", type=Path)
    parser.add_argument("--without", metavar="OFF")
    given = parser.parse_args()
    try:
        if len(given.runs) == 2:
            off, on = (records for name in given.runs for records in load_runs([name]).values())
            pair_report(off, on, given.memory)
        elif len(given.runs) == 1:
            (learned,) = load_runs(given.runs).values()
            (off,) = load_runs([given.without]).values() if given.without else ([],)
            learn_report(learned, off)
        else:
            raise UsageError("give one run, or two")
    except MathagentError as error:
        print(f"memory_effect.py: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
