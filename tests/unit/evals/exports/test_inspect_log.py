from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mathagent.evals.exports.inspect_log import SCORER, inspect_log, log_name
from mathagent.evals.metrics import arms
from mathagent.evals.records import Record
from tests.unit.evals.report_records import record

RECORDS = [record(1), record(2, "incorrect"), record(3, "undecided"), record(4, "error"), record(1, attempt=1)]


def read(records: list[Record]) -> dict[str, Any]:
    [group] = arms(records)
    with zipfile.ZipFile(io.BytesIO(inspect_log(group))) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def test_the_log_has_the_files_of_inspect() -> None:
    files = read(RECORDS)
    samples = [name for name in files if name.startswith("samples/")]
    assert set(files) - set(samples) == {
        "_journal/start.json",
        "_journal/summaries/1.json",
        "header.json",
        "summaries.json",
    }
    assert "samples/sums/1_epoch_2.json" in samples
    assert len(samples) == len(files["summaries.json"]) == 5
    header = files["header.json"]
    assert header["version"] == 2
    assert header["eval"]["task"] == "sums"
    assert header["eval"]["config"]["epochs"] == 2
    score = header["results"]["scores"][0]
    assert (score["scored_samples"], score["unscored_samples"]) == (3, 2)
    assert score["metrics"]["accuracy"]["value"] == pytest.approx(0.5)  # items: 1, 0; the others have no grade


def test_grades_are_those_of_inspect() -> None:
    files = read(RECORDS)
    scores = {n: files[f"samples/sums/{n}_epoch_1.json"].get("scores", {}).get(SCORER) for n in (1, 2, 3, 4)}
    assert (scores[1]["value"], scores[2]["value"]) == ("C", "I")
    assert math.isnan(scores[3]["value"])
    assert scores[4] is None
    assert files["samples/sums/4_epoch_1.json"]["error"]["message"] == "no endpoint"


def test_a_program_is_a_tool_call_with_its_output_as_the_reply() -> None:
    messages = read([record(1)])["samples/sums/1_epoch_1.json"]["messages"]
    assert [one["role"] for one in messages] == ["user", "assistant", "assistant", "tool"]
    [call] = messages[2]["tool_calls"]
    assert call["arguments"]["code"].startswith("def solution")
    assert messages[3]["tool_call_id"] == call["id"]


def test_equal_records_make_equal_bytes() -> None:
    [group] = arms(RECORDS)
    assert inspect_log(group) == inspect_log(group)


def test_the_same_id_twice_gets_another_epoch() -> None:
    """An edited item has the same id: inspect would show only one of two samples of the same name."""
    files = read([record(1), record(1, item_hash="edited", key="other")])
    assert {"samples/sums/1_epoch_1.json", "samples/sums/1_epoch_2.json"} <= set(files)


def test_inspect_reads_it(tmp_path: Path) -> None:
    log_module = pytest.importorskip("inspect_ai.log", reason="inspect_ai is not installed")
    [group] = arms(RECORDS)
    path = tmp_path / log_name(group, 0)
    path.write_bytes(inspect_log(group))
    log = log_module.read_eval_log(str(path))
    assert log.status == "success"
    assert len(log.samples) == 5
    assert log.results.scores[0].metrics["accuracy"].value == pytest.approx(0.5)
    assert {sample.scores[SCORER].value for sample in log.samples if sample.scores} >= {"C", "I"}
    assert log.samples[0].target == "7"
    assert len(log_module.read_eval_log_sample_summaries(str(path))) == 5
    again = tmp_path / "again.eval"
    log_module.write_eval_log(log, str(again))
    assert len(log_module.read_eval_log(str(again)).samples) == 5
