from __future__ import annotations

import json

from mathagent.evals.exports import file_name
from mathagent.evals.exports.nemo_lines import nemo_files, nemo_jsonl
from tests.unit.evals.report_records import record


def test_a_line_has_the_names_that_nemo_skills_reads() -> None:
    [line] = nemo_jsonl([record(1, subject="Algebra")]).splitlines()
    item = json.loads(line)
    assert item["problem"] == "Item 1: $3 + 4$?"
    assert (item["expected_answer"], item["predicted_answer"]) == ("7", "7")
    assert item["symbolic_correct"] is True
    assert item["is_correct"] is True
    assert item["generation"] == "We add.\n```python\ndef solution():\n    return 3 + 4\n```\n```output\n7\n```"
    assert item["num_generated_tokens"] == 50
    assert item["subject"] == "Algebra"


def test_what_is_not_known_to_be_right_is_not_correct() -> None:
    items = [json.loads(line) for line in nemo_jsonl([record(1, "undecided"), record(2, "error")]).splitlines()]
    assert [item["symbolic_correct"] for item in items] == [False, False]
    assert [item["outcome"] for item in items] == ["undecided", "error"]
    assert items[1]["predicted_answer"] is None
    assert items[1]["generation"] == ""


def test_line_ends_within_a_reply_do_not_end_the_line() -> None:
    text = nemo_jsonl([record(1, said="a\nb\u2028c")])
    assert text.count("\n") == 1
    assert "a\nb\u2028c" in json.loads(text)["generation"]


def test_each_attempt_is_a_file() -> None:
    tried = [record(i, attempt=a) for i in range(3) for a in range(2)]
    files = nemo_files(tried)
    assert set(files) == {"output-rs0.jsonl", "output-rs1.jsonl"}
    assert all(len(content.splitlines()) == 3 for content in files.values())
    assert set(nemo_files([record(1)])) == {"output.jsonl"}


def test_names_of_files_stay_in_their_folder() -> None:
    assert file_name("../../etc/passwd") == "etc-passwd"
    assert file_name("pal n=5 qwen:1.5b") == "pal-n=5-qwen-1.5b"
    assert file_name("...") == "unnamed"
