"""mathagent perturb: other versions of a data set's problems, written as a data set."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console

from mathagent.console.robustness_view import show_perturbation
from mathagent.errors import StorageError, UsageError
from mathagent.evals.dataset import problem_of
from mathagent.evals.datasets import load_dataset, read_rows
from mathagent.evals.perturb import KINDS, Kind, Perturbation, perturb
from mathagent.evals.perturb.sources import (
    PROGRAM_FIELDS,
    Programs,
    programs_of_dataset,
    programs_of_memory,
    programs_of_records,
)
from mathagent.evals.runs import load_records
from mathagent.sandbox import SANDBOXES
from mathagent.types import Problem, Value


class PerturbArguments(Value):
    """The parsed arguments; ``sandbox`` "" where no program is to run."""

    dataset: str
    output: Path
    kinds: tuple[str, ...]
    programs: tuple[str, ...]
    memory: Path | None
    n: int
    seed: int
    limit: int | None
    data: Path | None
    sandbox: str
    as_json: bool


def perturb_command(arguments: PerturbArguments) -> int:
    """Writes the versions and says what was refused; exit code 0, or 3 where no version could be made."""
    kinds = _kinds(arguments.kinds)
    if arguments.memory is not None and not arguments.memory.is_file():
        raise UsageError(f"there is no memory {arguments.memory}")
    if arguments.programs and "numbers" not in kinds:
        raise UsageError("--programs is for other numbers; add numbers to --kinds")
    dataset = load_dataset(arguments.dataset, data_dir=arguments.data, limit=arguments.limit)
    if dataset.task != "solve":
        raise UsageError(f"{dataset.name} asks for judgements of solutions; perturb a data set of problems")
    result = asyncio.run(_perturb(arguments, kinds, dataset.problems))
    text = "".join(json.dumps(one.item(), ensure_ascii=False) + "\n" for one in result.made)
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {arguments.output}: {error.strerror}") from error
    made = Counter(one.kind for one in result.made)
    if arguments.as_json:
        shown = {"problems": len(dataset.problems), "made": dict(made), "refused": result.refused}
        sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    else:
        show_perturbation(Console(), dataset.name, len(dataset.problems), result, arguments.output)
    return 0 if result.made else 3


def _kinds(names: tuple[str, ...]) -> tuple[Kind, ...]:
    unknown = [name for name in names if name not in KINDS]
    if unknown or not names:
        shown = f"no perturbation is named '{unknown[0]}'" if unknown else "--kinds names no perturbation"
        raise UsageError(f"{shown}; known: {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in names)


async def _perturb(
    arguments: PerturbArguments, kinds: tuple[Kind, ...], problems: tuple[Problem, ...]
) -> Perturbation:
    if "numbers" not in kinds:
        return await perturb(problems, kinds, n=arguments.n, seed=arguments.seed)
    programs = await _programs(arguments)
    if not programs:
        raise UsageError(
            "other numbers need programs that solve the problems: run `mathagent bench … --strategy pal` and name the"
            " run with --programs, or leave numbers out of --kinds"
        )
    sandbox = SANDBOXES.load(arguments.sandbox)()
    try:
        return await perturb(
            problems, kinds, n=arguments.n, seed=arguments.seed, programs=programs, sandbox=sandbox
        )
    finally:
        await sandbox.aclose()


async def _programs(arguments: PerturbArguments) -> Programs:
    """The programs of the runs that are named, of the memory, and of the data set itself."""
    found: Programs = {}
    sources = [programs_of_records(load_records(run)) for run in arguments.programs]
    if arguments.memory is not None:
        sources.append(await _of_memory(arguments.memory))
    rows = read_rows(arguments.dataset, data_dir=arguments.data)[1]
    sources.append(
        programs_of_dataset(
            (problem_of(row, where, default_id=where), row)
            for where, row in rows
            if any(row.get(name) for name in PROGRAM_FIELDS)
        )
    )
    for source in sources:
        for key, codes in source.items():
            found.setdefault(key, []).extend(codes)
    return found


async def _of_memory(path: Path) -> Programs:
    from mathagent.memory.opening import open_store

    store = open_store(path, read_only=True)
    try:
        return programs_of_memory([experience async for experience in store.scan()])
    finally:
        await store.aclose()
