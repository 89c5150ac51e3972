"""Reading data sets: field names that people use, and errors that name the line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from mathagent.errors import UsageError
from mathagent.evals.dataset import read_dataset


def write(path: Path, *items: object) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("item", "reference"),
    [
        ({"question": "q", "answer": "27.0"}, "27.0"),
        ({"question": "q", "answer": "He sold 48/2 = <<48/2=24>>24.\n#### 72"}, "72"),
        ({"problem": "q", "solution": "so it is $\\boxed{\\frac{1}{2}}$."}, "\\frac{1}{2}"),
        ({"problem": "q", "expected_answer": 5}, "5"),
        ({"prompt": "q", "final_answer": "x"}, "x"),
        ({"question": "q", "answer": "7", "solution": "the answer field wins: \\boxed{8}"}, "7"),
    ],
)
def test_field_names(tmp_path: Path, item: dict[str, object], reference: str) -> None:
    dataset = read_dataset(write(tmp_path / "set.test.jsonl", item))
    assert dataset.name == "set.test"
    assert dataset.problems[0].text == "q"
    assert dataset.problems[0].reference == reference
    assert dataset.problems[0].id == "set.test/0"


def test_gzip_limit_choices_and_metadata(tmp_path: Path) -> None:
    items = [
        {"id": f"i{n}", "question": f"q{n}", "answer": "A", "choices": ["A)1", "B)2"], "level": 3}
        for n in range(5)
    ]
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(item) + "\n\n" for item in items).encode()))
    dataset = read_dataset(path, limit=2)
    assert [problem.id for problem in dataset.problems] == ["i0", "i1"]
    assert dataset.problems[0].choices == ("A)1", "B)2")
    assert dataset.problems[0].metadata == {"level": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no problems"),
        ("\n\n", "holds no problems"),
        ("{", r"bad.jsonl:1: not JSON"),
        ("[1]", r"bad.jsonl:1: not a JSON object"),
        ('{"answer": "1"}', r"bad.jsonl:1: no text under any of question"),
        ('{"question": " ", "answer": "1"}', r"bad.jsonl:1: no text"),
        ('{"question": "q"}', r"bad.jsonl:1: no answer under any of answer"),
        ('{"id": 1, "question": "q", "answer": "1"}\n' * 2, r"bad.jsonl:2: the id '1' stands twice"),
        (
            '{"question": "a", "answer": "1"}\n{"question": "a \\ud800", "answer": "1"}',
            r"bad.jsonl:2: holds half of",
        ),
        ('{"question": "q", "answer": ' + "9" * 5000 + "}", r"bad.jsonl:1: cannot be read"),
        ("[" * 100_000, r"bad.jsonl:1: (not JSON|cannot be read)"),
    ],
)
def test_bad_files_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        read_dataset(path)
    assert "\n" not in str(caught.value)


def test_lines_end_at_line_ends_only(tmp_path: Path) -> None:
    path = tmp_path / "lines.json"
    path.write_text(
        '{"question": "a\u2028b", "answer": "1"}\n{"question": "c", "answer": "2"}\n', encoding="utf-8"
    )
    assert [problem.text for problem in read_dataset(path).problems] == ["a\u2028b", "c"]


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_dataset(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="cannot read"):
        read_dataset(tmp_path)
    (tmp_path / "raw.jsonl").write_bytes(b"\x80\x81")
    with pytest.raises(UsageError, match="not UTF-8"):
        read_dataset(tmp_path / "raw.jsonl")
    (tmp_path / "raw.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(UsageError, match="cannot read"):
        read_dataset(tmp_path / "raw.jsonl.gz")


def test_real_data(shared_data: Path) -> None:
    gsm8k = read_dataset(shared_data / "gsm8k.test.jsonl", limit=60)
    assert len(gsm8k.problems) == 60
    assert gsm8k.problems[0].reference == "70000"
    aqua = read_dataset(shared_data / "aqua.test.jsonl")
    assert all(problem.choices for problem in aqua.problems)


def test_every_plain_set_reads(shared_data: Path) -> None:
    templates = {"gsm_symbolic.templates.jsonl", "cultural_gsm.templates.jsonl", "gsm8k.train.jsonl.gz"}
    for path in sorted(shared_data.glob("*.test.jsonl*")):
        if path.name not in templates:
            assert read_dataset(path, limit=50).problems
