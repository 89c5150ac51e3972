"""Where the programs come from that solve a problem: records of a run, a data set's own field, a memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mathagent.evals.records import Record
from mathagent.memory.experience import Exemplar, Experience
from mathagent.types import Problem

Programs = dict[str, list[str]]
"""The programs for each problem, by its content hash."""

PROGRAM_FIELDS = ("program", "code")


def programs_of_records(records: Sequence[Record]) -> Programs:
    """The last program of every candidate that gave the recorded answer, in records that are right."""
    found: Programs = {}
    for record in records:
        if record.solution is None or record.outcome != "correct":
            continue
        key = record.solution.problem.content_hash()
        for candidate in record.solution.candidates:
            codes = [step.text for step in candidate.steps if step.kind == "code"]
            if codes and candidate.answer is not None and codes[-1] not in found.setdefault(key, []):
                found[key].append(codes[-1])
    return found


def programs_of_dataset(items: Iterable[tuple[Problem, Mapping[str, Any]]]) -> Programs:
    """The programs in the items' own fields ``program`` or ``code``."""
    found: Programs = {}
    for problem, item in items:
        codes = [item[name] for name in PROGRAM_FIELDS if isinstance(item.get(name), str) and item[name].strip()]
        if codes:
            found.setdefault(problem.content_hash(), []).extend(codes)
    return found


def programs_of_memory(experiences: Iterable[Experience]) -> Programs:
    """The programs of the exemplars that a memory holds, by the problem that they solve."""
    found: Programs = {}
    for experience in experiences:
        content = experience.content
        if isinstance(content, Exemplar) and content.program:
            key = Problem(text=content.problem, choices=content.choices).content_hash()
            found.setdefault(key, []).append(content.program)
    return found
