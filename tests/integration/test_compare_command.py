"""mathagent bench → compare, end to end: real processes, the scripted model, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from preforked import mathagent as run


def benched(folder: Path, name: str, right: set[int], count: int = 12) -> Path:
    """The records of cot on ``count`` problems, of which it gets ``right`` right; written another way than the key."""
    file, output, script = folder / "doubles.jsonl", folder / f"{name}.jsonl", folder / f"{name}.script.json"
    lines = [json.dumps({"question": f"What is {n}+{n}?", "answer": str(2 * n)}) for n in range(count)]
    file.write_text("\n".join(lines), encoding="utf-8")
    script.write_text(json.dumps([f"\\boxed{{{2 * n if n in right else -1}.0}}" for n in range(count)]))
    done = run(
        "bench", file, "-s", "cot", "-m", f"script:{script}", "--concurrency", 1, "--no-cache", "-o", output
    )
    assert done.returncode == 0, done.stderr
    return output


def test_two_files_are_compared(tmp_path: Path) -> None:
    first, second = benched(tmp_path, "first", set(range(4))), benched(tmp_path, "second", set(range(1, 12)))
    done = run("compare", first, second, new=True)
    assert done.returncode == 0, done.stderr
    assert "exact McNemar" in done.stdout
    assert "items are needed to tell these apart" in done.stdout

    as_json = run("compare", first, second, "--json")
    [pair] = json.loads(as_json.stdout)["pairs"]
    assert pair["difference"]["items"] == 12
    assert (pair["difference"]["first"], pair["difference"]["second"]) == pytest.approx((4 / 12, 11 / 12))
    assert (len(pair["gained"]), len(pair["lost"])) == (8, 1)
    assert pair["difference"]["p"] == pytest.approx(2 * (1 + 9) / 2**9)
    assert pair["lost"][0]["reference"] == "0"
    again = run("compare", first, second, "--json")
    assert again.stdout == as_json.stdout

    edited = tmp_path / "edited.jsonl"
    records = [json.loads(line) for line in second.read_text(encoding="utf-8").splitlines()]
    edited.write_text("\n".join(json.dumps({**one, "item_hash": one["item_hash"] + "x"}) for one in records))
    refused = run("compare", first, edited)
    assert refused.returncode == 2
    assert "the data set was edited" in refused.stderr


def test_several_attempts_are_voted_over(tmp_path: Path) -> None:
    """Each arm's attempts from one file: of three, two agree in other spellings, and one is wrong."""
    first = benched(tmp_path, "first", set(range(12)))
    records = [json.loads(line) for line in first.read_text(encoding="utf-8").splitlines()]
    lines = []
    for strategy, outcomes in (("cot", "110"), ("pal", "111")):
        for one in records:
            for attempt, right in enumerate(outcomes):
                value = one["reference"] if right == "1" else "-1"
                spelling = f"{value}.0" if attempt == 1 else f"\\frac{{{2 * int(value)}}}{{2}}"
                fields = {"answer": spelling, "outcome": "correct" if right == "1" else "incorrect"}
                key = {"key": f"{strategy}{one['key']}{attempt}", "strategy": strategy, "attempt": attempt}
                lines.append(json.dumps({**one, **fields, **key}))
    pooled = tmp_path / "pooled.jsonl"
    pooled.write_text("\n".join(lines), encoding="utf-8")
    done = run("compare", pooled, "--json")
    assert done.returncode == 0, done.stderr
    curve = json.loads(done.stdout)["arms"][0]["curve"]
    assert [point["k"] for point in curve["points"]] == [1, 2, 3]
    assert [point["majority"]["mean"] for point in curve["points"]] == pytest.approx([2 / 3, 2 / 3, 1])
    assert [point["oracle"]["mean"] for point in curve["points"]] == pytest.approx([2 / 3, 1, 1])


def test_bad_input_is_explained(tmp_path: Path) -> None:
    only = benched(tmp_path, "only", {1})
    for arguments, words in (
        ([only], "needs two arms"),
        ([only, only], "given twice"),
        ([only, tmp_path / "missing.jsonl"], "missing.jsonl"),
        ([only, tmp_path / "doubles.jsonl"], "no record of this version"),
        ([only, "--all", "--baseline", "cot"], "leave out --baseline"),
    ):
        done = run("compare", *arguments)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
