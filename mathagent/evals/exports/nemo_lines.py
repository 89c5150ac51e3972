"""Records as NeMo-Skills keeps them: a JSON object a line, one file for each attempt (``output-rs0.jsonl``).

Field names as its math evaluator and its metrics read them (NVIDIA-NeMo/Skills, nemo_skills/evaluation): ``problem``,
``expected_answer``, ``generation``, ``predicted_answer``, ``symbolic_correct``, and ``is_correct``, its name in older
versions. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mathagent.evals.exports import generation_of, generation_text
from mathagent.evals.failures import failure_of
from mathagent.evals.records import Record


def nemo_line(record: Record) -> dict[str, Any]:
    """One record. What NeMo-Skills does not know stands under names of our own: it keeps such fields.

    It has two grades only: an undecided one, or a failed solve, is not correct there (``outcome`` tells).
    """
    solution = record.solution
    correct = record.outcome == "correct"
    return {
        "id": record.problem_id,
        "problem": "" if solution is None else solution.problem.text,
        "expected_answer": record.reference,
        "generation": "" if solution is None else generation_text(generation_of(solution)),
        "predicted_answer": record.answer,
        "symbolic_correct": correct,
        "is_correct": correct,
        "num_generated_tokens": record.usage.completion_tokens,
        "num_input_tokens": record.usage.prompt_tokens,
        "generation_time": record.seconds,
        **({"subject": record.subject} if record.subject else {}),
        **({"level": record.level} if record.level else {}),
        "dataset": record.dataset,
        "attempt": record.attempt,
        "strategy": record.strategy,
        "config": record.config,
        "model": record.model,
        "outcome": record.outcome,
        "failure": failure_of(record),
        "confidence": record.confidence,
    }


def nemo_jsonl(records: Sequence[Record]) -> str:
    """The records, one a line."""
    return "".join(json.dumps(nemo_line(record), ensure_ascii=False) + "\n" for record in records)


def nemo_files(records: Sequence[Record]) -> dict[str, str]:
    """The files of one arm by name: one for each attempt; of items tried once, ``output.jsonl``."""
    attempts = sorted({record.attempt for record in records})
    if len(attempts) == 1:
        return {"output.jsonl": nemo_jsonl(records)}
    return {
        f"output-rs{attempt}.jsonl": nemo_jsonl([one for one in records if one.attempt == attempt])
        for attempt in attempts
    }
