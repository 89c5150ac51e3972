"""From a benchmark with the scripted model to a calibrated solve: the whole path, and what is left out of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mathagent.config import settings
from mathagent.errors import UsageError
from mathagent.evals.calibrate import LEAST_ANSWERS, calibrate, combinations, too_few
from mathagent.evals.dataset import Dataset
from mathagent.evals.records import Record, RecordStore, read_records
from mathagent.evals.runner import Arm, Benchmark
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import ScriptedBackend
from mathagent.scorers.confidence import store_calibration
from mathagent.solver import Solver
from mathagent.types import Problem

TODAY = date(2026, 11, 28)
ARM = Arm(strategy="cot", config={"n": 4})


def agreeing(request: ChatRequest, sample: int) -> str:
    """Samples agree on the right answer of even problems; on odd ones two of them on a wrong one (but every tenth)."""
    number = int(request.messages[1].content.split()[2])
    if number % 2 == 0 or number % 10 == 1:
        return f"\\boxed{{{2 * number}}}" if number % 2 == 0 or sample % 4 < 2 else f"\\boxed{{{-1 - sample % 4}}}"
    return "\\boxed{-1}" if sample % 4 < 2 else f"\\boxed{{{-2 - sample % 4}}}"


def problems(count: int, first: int = 0) -> tuple[Problem, ...]:
    return tuple(
        Problem(text=f"What is {n} + {n} ?", id=f"p{n}", reference=str(2 * n)) for n in range(first, first + count)
    )


async def bench(folder: Path, count: int, arm: Arm = ARM) -> list[Record]:
    store = RecordStore(folder / "runs.db")
    async with Solver(ScriptedBackend(agreeing), cache=False, checkpoints=False) as solver:
        benchmark = Benchmark(solver, store, Dataset(name="doubles", problems=problems(count)))
        records = await benchmark.run(arm, lambda record, known: None)
    store.close()
    return records


async def test_from_a_benchmark_to_a_calibrated_solve(tmp_path: Path) -> None:
    (found,), left_out = combinations(await bench(tmp_path, 60))
    assert left_out == {}
    assert (found.backend, found.strategy, len(found.graded), found.unanswered) == ("script:test", "cot", 60, 0)
    assert sum(found.right) == 36
    fitted = calibrate(found, TODAY)
    assert (fitted.fit.records, fitted.fit.right, fitted.problems, fitted.datasets) == (60, 36, 60, ("doubles",))
    assert fitted.after.brier < fitted.before.brier
    assert fitted.after.ece < fitted.before.ece
    store_calibration(fitted, settings().calibrations_dir)

    async with Solver(ScriptedBackend(agreeing), cache=False, checkpoints=False) as solver:
        sure = await solver.solve("What is 100 + 100 ?", "cot", config={"n": 4}, min_confidence=0.5)
        unsure = await solver.solve("What is 103 + 103 ?", "cot", config={"n": 4}, min_confidence=0.5)
        other = await solver.solve("What is 100 + 100 ?", "cot", config={"n": 3})
    assert sure.confidence is not None
    assert sure.confidence > 0.9
    assert (sure.raw_confidence, sure.abstained) == (0.8333, False)
    said = "calibrated on 60 problems of doubles (2026-11-28)"
    assert sure.confidence_basis.startswith(f"4 of 4 samples agree; {said}")
    # 2 of 4 agree, and a sixth of such answers are right: the strategy's own estimate is 0.5.
    assert unsure.confidence == pytest.approx(1 / 5, abs=0.08)
    assert (unsure.raw_confidence, unsure.answer, unsure.abstained) == (0.5, "-1", True)
    assert other.confidence_basis == "3 of 3 samples agree; uncalibrated"


async def test_what_was_calibrated_is_calibrated_again_from_its_own_estimates(tmp_path: Path) -> None:
    (first,), _ = combinations(await bench(tmp_path, 60))
    fitted = calibrate(first, TODAY)
    store_calibration(fitted, settings().calibrations_dir)
    (tmp_path / "again").mkdir()
    records = await bench(tmp_path / "again", 60)
    assert {record.confidence for record in records} != {one.solution.confidence for one in first.graded}
    (again,), _ = combinations(records)
    assert calibrate(again, TODAY) == fitted


async def test_settings_backends_and_strategies_are_kept_apart(tmp_path: Path) -> None:
    records = [*await bench(tmp_path, 4), *await bench(tmp_path, 4, Arm(strategy="cot", config={"n": 2}))]
    records += [one.model_copy(update={"backend": "another", "key": f"{one.key}x"}) for one in records[:2]]
    found, _ = combinations(records)
    assert sorted(len(one.graded) for one in found) == [2, 4, 4]


async def test_what_cannot_count_is_left_out(tmp_path: Path) -> None:
    records = await bench(tmp_path, 6)
    assert records[0].solution is not None
    silent = records[0].solution.model_copy(update={"answer": None})
    changed: list[dict[str, Any]] = [
        {"outcome": "undecided"},
        {"outcome": "error", "solution": None},
        {"backend": ""},
        {"solution": silent, "outcome": "incorrect"},
    ]
    mixed = [one.model_copy(update=update) for one, update in zip(records, changed, strict=False)]
    (found,), left_out = combinations([*mixed, *records[4:], *records[4:]])
    assert (len(found.graded), found.unanswered) == (2, 1)
    assert sorted(left_out.values()) == [1, 2]
    assert any("older mathagent" in why for why in left_out)
    assert too_few(found) == f"too few answers: 2, and {LEAST_ANSWERS} are needed"


async def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    records = await bench(tmp_path, 3)
    records[0] = records[0].model_copy(update={"reason": "line\u2028separator\x85"})
    path = tmp_path / "records.jsonl"
    path.write_text("".join(f"{record.model_dump_json()}\n" for record in records) + "\n", encoding="utf-8")
    assert read_records(path) == records


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"key": 1}\n', r":1 is no record .*key"),
        (b"\n[]\n", r":2 is no record"),
        (b"nonsense", r":1 is no record"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_records(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_records(tmp_path / "nothing.jsonl")
