"""One arm as a log of inspect (inspect_ai), which `inspect view` and `inspect_ai.log.read_eval_log` open.

The format is a ZIP of JSON files (log schema 2; tested against inspect_ai 0.3.285), so that inspect need not be here to
write it: ``header.json`` the whole, ``summaries.json`` and ``_journal/summaries/1.json`` a line of each sample,
``_journal/start.json`` how it began, ``samples/ID_epoch_N.json`` each sample. An attempt is an epoch. Pure.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mathagent import __version__
from mathagent.evals.exports import file_name, generation_of, generation_text
from mathagent.evals.failures import failure_of
from mathagent.evals.metrics import ArmRecords, summarize
from mathagent.evals.records import Record
from mathagent.types import Solution, Usage

SCHEMA = 2
SCORER = "mathagent"
WHEN_UNKNOWN = "1970-01-01T00:00:00+00:00"  # records keep no clock time, and a log must have one
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # equal records make equal files


def log_name(group: ArmRecords, number: int) -> str:
    """A name for the log of the ``number``-th arm, which inspect's viewer lists a folder of."""
    return f"{number:02}_{file_name(group.dataset)}_{file_name(group.name)}.eval"


def inspect_log(group: ArmRecords, *, created: str = WHEN_UNKNOWN) -> bytes:
    """The log. ``created`` is when the run was made (ISO 8601)."""
    records = _with_distinct_epochs(group.records)
    samples = [_sample(record, epoch) for record, epoch in records]
    spec = _spec(group, samples, created)
    plan = {
        "name": "plan",
        "steps": [{"solver": f"mathagent/{group.strategy}", "params": group.config}],
        "config": {},
    }
    header = {
        "version": SCHEMA,
        "status": "success",
        "eval": spec,
        "plan": plan,
        "results": _results(group, len(samples)),
        "stats": _stats(group, created),
    }
    summaries = [_summary(sample) for sample in samples]
    files: dict[str, Any] = {"_journal/start.json": {"version": SCHEMA, "eval": spec, "plan": plan}}
    files |= {f"samples/{sample['id']}_epoch_{sample['epoch']}.json": sample for sample in samples}
    files |= {"_journal/summaries/1.json": summaries, "summaries.json": summaries, "header.json": header}
    return _zipped(files)


def _zipped(files: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=_ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # NaN is how inspect writes a score that says nothing.
            text = json.dumps(content, ensure_ascii=True, allow_nan=True)
            archive.writestr(entry, text)
    return buffer.getvalue()


def _with_distinct_epochs(records: Sequence[Record]) -> list[tuple[Record, int]]:
    """Each record with its epoch, from 1; no two of one problem id have the same."""
    taken: Counter[str] = Counter()
    numbered = []
    for record in sorted(records, key=lambda one: one.attempt):
        taken[record.problem_id] += 1
        numbered.append((record, taken[record.problem_id]))
    return numbered


def _spec(group: ArmRecords, samples: Sequence[dict[str, Any]], created: str) -> dict[str, Any]:
    ids = list(dict.fromkeys(sample["id"] for sample in samples))
    identity = _identity("eval", group.label, *(record.key for record in group.records))
    return {
        "eval_id": identity,
        "run_id": _identity("run", identity),
        "created": created,
        "task": group.dataset,
        "task_id": _identity("task", group.label),
        "task_version": 0,
        "task_display_name": f"{group.dataset}: {group.name}",
        "task_attribs": {},
        "task_args": {},
        "solver": f"mathagent/{group.strategy}",
        "solver_args": group.config,
        "dataset": {"name": group.dataset, "samples": len(ids), "sample_ids": ids, "shuffled": False},
        "model": group.model,
        "model_args": {},
        "config": {"epochs": max(sample["epoch"] for sample in samples)},
        "packages": {"mathagent": __version__},
        "metadata": {"arm": group.label, "backend": group.backend, "memory": group.memory},
        "scorers": [{"name": SCORER}],
    }


def _identity(*parts: str) -> str:
    """22 characters, as inspect's own identities have."""
    return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:22]


def _results(group: ArmRecords, count: int) -> dict[str, Any]:
    found = summarize(group.records, strategy=group.strategy, model=group.model, dataset=group.dataset)
    metrics = {"accuracy": found.accuracy, "stderr": found.standard_error}
    return {
        "total_samples": count,
        "completed_samples": count - found.errors,
        "scores": [
            {
                "name": SCORER,
                "scorer": SCORER,
                "scored_samples": found.correct + found.incorrect,
                "unscored_samples": found.undecided + found.errors,
                "params": {},
                "metrics": {
                    name: {"name": name, "value": value, "params": {}}
                    for name, value in metrics.items()
                    if value is not None
                },
            }
        ],
    }


def _stats(group: ArmRecords, created: str) -> dict[str, Any]:
    usage = sum((record.usage for record in group.records), Usage())
    return {"started_at": created, "completed_at": created, "model_usage": {group.model: _usage(usage)}}


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }


def _sample(record: Record, epoch: int) -> dict[str, Any]:
    solution = record.solution
    text = "" if solution is None else solution.problem.text
    sample: dict[str, Any] = {
        "id": record.problem_id,
        "epoch": epoch,
        "input": text,
        "target": record.reference,
        "messages": [{"role": "user", "content": text, "source": "input"}, *_messages(record)],
        "output": _output(record),
        "metadata": _metadata(record),
        "store": {},
        "events": [],
        "model_usage": {record.model: _usage(record.usage)},
        "total_time": record.seconds,
        "working_time": record.seconds,
        "uuid": _identity("sample", record.key),
        "attachments": {},
    }
    if solution is not None and solution.problem.choices:
        sample["choices"] = list(solution.problem.choices)
    if record.outcome == "error":
        message = record.error or "the solve failed"
        sample["error"] = {"message": message, "traceback": message, "traceback_ansi": message}
    else:
        sample["scores"] = {SCORER: _score(record)}
    return sample


def _score(record: Record) -> dict[str, Any]:
    """ "C" or "I"; an undecided grade is unscored, which inspect leaves out of its metrics as we do."""
    score: dict[str, Any] = {
        "value": {"correct": "C", "incorrect": "I"}.get(record.outcome, float("nan")),
        "answer": record.answer,
        "explanation": record.reason,
    }
    if record.outcome == "undecided":
        score["reason"] = "grader_failed"
    return score


def _messages(record: Record) -> list[dict[str, Any]]:
    """The candidate that gives the answer as a conversation: programs are tool calls, outputs the replies."""
    messages: list[dict[str, Any]] = []
    reply = {"role": "assistant", "source": "generate", "model": record.model}
    call = ""
    for place, step in enumerate(generation_of(record.solution) if record.solution else ()):
        if step.kind == "code":
            call = f"call_{place}"
            tool_call = {"id": call, "function": "python", "arguments": {"code": step.text}, "type": "function"}
            messages.append({**reply, "content": "", "tool_calls": [tool_call]})
        elif step.kind == "observation" and call:
            messages.append({"role": "tool", "content": step.text, "tool_call_id": call, "function": "python"})
        elif step.origin == "user":
            messages.append({"role": "user", "content": step.text})
        else:
            messages.append(
                {"role": "assistant", "content": step.text, "source": "generate", "model": record.model}
            )
    return messages


def _output(record: Record) -> dict[str, Any]:
    text = generation_text(generation_of(record.solution)) if record.solution else ""
    cut = failure_of(record) == "truncated"
    output: dict[str, Any] = {
        "model": record.model,
        "choices": [
            {
                "message": {"role": "assistant", "content": text, "source": "generate", "model": record.model},
                "stop_reason": "max_tokens" if cut else "stop",
            }
        ],
        "completion": text,
        "usage": _usage(record.usage),
        "time": record.seconds,
    }
    if record.error:
        output["error"] = record.error
    return output


def _metadata(record: Record) -> dict[str, Any]:
    labels = {
        "subject": record.subject,
        "level": record.level,
        "language": record.language,
        "family": record.family,
    }
    return {
        **{name: value for name, value in labels.items() if value},
        "outcome": record.outcome,
        "failure": failure_of(record),
        "confidence": record.confidence,
        "dollars": record.dollars,
        "candidates": [] if record.solution is None else _candidates(record.solution),
    }


def _candidates(solution: Solution) -> list[dict[str, Any]]:
    return [
        {
            "answer": None if one.answer is None else one.answer.normal,
            "failure": None if one.failure is None else one.failure.kind,
            "text": generation_text(one.steps),
            "checks": [
                {"kind": check.kind, "outcome": check.outcome, "claim": check.claim} for check in one.checks
            ],
        }
        for one in solution.candidates
    ]


def _summary(sample: dict[str, Any]) -> dict[str, Any]:
    """What inspect's list of samples shows."""
    kept = (
        "id",
        "epoch",
        "input",
        "choices",
        "target",
        "scores",
        "model_usage",
        "total_time",
        "working_time",
        "uuid",
    )
    metadata = {name: value for name, value in sample["metadata"].items() if name != "candidates"}
    summary = {name: sample[name] for name in kept if name in sample}
    summary |= {"metadata": metadata, "completed": True, "message_count": len(sample["messages"])}
    if "error" in sample:
        summary["error"] = sample["error"]["message"]
    return summary
