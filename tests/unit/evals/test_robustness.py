from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mathagent.cli import run
from mathagent.errors import UsageError
from mathagent.evals.perturb.sources import programs_of_records
from mathagent.evals.records import Record
from mathagent.evals.robustness import VariantDrop, robustness
from mathagent.types import Answer, Candidate, Problem, Solution, Step


def record(problem_id: str, right: bool, *, dataset: str = "base", family: str = "", **fields: Any) -> Record:
    values: dict[str, Any] = {
        "key": f"{dataset}/{problem_id}/{fields.get('model', 'm')}",
        "dataset": dataset,
        "problem_id": problem_id,
        "family": family,
        "strategy": "cot",
        "config": {},
        "model": "m",
        "reference": "7",
        "answer": "7" if right else "8",
        "outcome": "correct" if right else "incorrect",
        "reason": "",
    }
    return Record(**{**values, **fields})


BASE = [record(f"base/{place}", place < 6) for place in range(8)]
NOOP = [
    record(f"base/{place}/noop/0-0", place < 4 or place == 6, dataset="v", family=f"base/{place}")
    for place in range(8)
]
NAMES = [record(f"base/{place}/names/0-0", place < 6, dataset="v", family=f"base/{place}") for place in range(8)]


def by_variant(records: list[Record], **options: Any) -> dict[str, VariantDrop]:
    return {one.variant: one for one in robustness(records, **options).variants}


def test_variants_are_paired_with_the_item_that_they_stem_from() -> None:
    found = by_variant([*BASE, *NOOP, *NAMES])
    assert set(found) == {"v:noop", "v:names"}
    noop, names = found["v:noop"].drop, found["v:names"].drop
    assert noop is not None
    assert names is not None
    assert (noop.pairs, noop.original, noop.variant, noop.lost, noop.gained) == (8, 0.75, 0.625, 2, 1)
    assert noop.kept == pytest.approx(4 / 6)
    assert (names.drop, names.lost, names.gained) == (0, 0, 0)


def test_the_irrelevant_number_in_wrong_answers_is_counted() -> None:
    # Wrong answers are 8 = 7 + 1; the distractors are 1 for one wrong item and 5 for the two others.
    distractors = {one.problem_id: ["1" if one.problem_id.startswith("base/4") else "5"] for one in NOOP}
    found = by_variant([*BASE, *NOOP], distractors=distractors)
    use = found["v"].distractors
    assert use is not None
    assert (use.wrong, use.used) == (3, 1)


def test_what_has_no_original_is_counted() -> None:
    found = by_variant([*BASE[:5], *NOOP])
    assert found["v"].unpaired == 3
    assert found["v"].drop is not None
    assert found["v"].drop.pairs == 5


def test_instances_give_a_spread_and_pair_by_number() -> None:
    scores = {"a": [1, 1, 0, 1], "b": [0, 1, 1, 1]}
    symbolic = [
        record(f"t/{name}/symbolic/0-{number}", bool(score), dataset="t", family=name)
        for name, row in scores.items()
        for number, score in enumerate(row)
    ]
    noop = [
        record(one.problem_id.replace("symbolic", "noop"), False, dataset="t:noop", family=one.family)
        for one in symbolic
    ]
    original = [record(f"t/{name}/original/0-0", True, dataset="t:original", family=name) for name in scores]
    found = by_variant([*symbolic, *noop, *original])
    spread = found["t"].spread
    assert spread is not None
    assert (spread.mean, spread.original, spread.templates, spread.instances) == (0.75, 1.0, 2, 4)
    paired = by_variant([*symbolic, *noop], original="t")["t:noop"].drop
    assert paired is not None
    assert (paired.pairs, paired.families, paired.lost) == (8, 2, 6)


def test_a_set_with_two_forms_of_each_item_is_split() -> None:
    dialects = [
        record(
            f"redial/{form}/{place}",
            form == "original" or place == 0,
            dataset="redial",
            family=f"g/{place}",
            subject=form,
        )
        for form in ("aave", "original")
        for place in range(3)
    ]
    report = robustness(dialects)
    assert report.original == "redial:original"
    [row] = report.variants
    assert row.drop is not None
    assert (row.drop.pairs, row.drop.lost) == (3, 2)
    languages = [
        record(f"mgsm/{code}/{place}", code == "en", dataset="mgsm", family=f"g/{place}", language=code)
        for code in ("de", "en", "sw")
        for place in range(3)
    ]
    assert robustness(languages).original == "mgsm:en"
    assert len(robustness(languages).variants) == 2


def test_arms_stay_apart() -> None:
    other = [one.model_copy(update={"model": "n", "key": f"{one.key}/n"}) for one in (*BASE, *NOOP)]
    report = robustness([*BASE, *NOOP, *other])
    assert len(report.variants) == 2
    assert len({one.arm for one in report.variants}) == 2


def test_one_set_alone_and_unknown_originals_are_refused() -> None:
    with pytest.raises(UsageError, match="one set only"):
        robustness(BASE)
    with pytest.raises(UsageError, match="not one of the sets"):
        robustness([*BASE, *NOOP], original="gsm9k")


def test_programs_come_from_right_records() -> None:
    problem = Problem(text="Add 3 and 4.")
    steps = (Step(kind="code", text="answer = 8"), Step(kind="code", text="answer = 3 + 4"))
    candidate = Candidate(steps=steps, answer=Answer(raw="7", normal="7"))
    solution = Solution(
        problem=problem,
        answer="7",
        confidence=None,
        confidence_basis="",
        candidates=(candidate,),
        strategy="pal",
        model="m",
    )
    right = record("base/0", True, solution=solution)
    assert programs_of_records([right]) == {problem.content_hash(): ["answer = 3 + 4"]}
    assert programs_of_records([record("base/0", False, solution=solution)]) == {}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MATHAGENT_HOME", str(tmp_path / "home"))
    return tmp_path


def test_perturb_and_robustness_on_the_command_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = home / "mine.jsonl", home / "out.jsonl"
    rows = [
        {"question": "Tom has 14 pens and buys 25. How many has he?", "answer": "39", "code": "answer = 14 + 25"},
        {
            "question": "Ana has 33 cups and breaks 16. How many are whole?",
            "answer": "17",
            "code": "answer = 33 - 16",
        },
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    again = []
    for _ in range(2):
        assert run(["perturb", str(file), "--kinds", "numbers,noop,order", "-o", str(out), "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        again.append(out.read_bytes())
    assert again[0] == again[1]
    assert shown["made"] == {"numbers": 2, "noop": 2}
    assert sum(shown["refused"]["order"].values()) == 2
    items = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert items[0]["question"] != rows[0]["question"]
    records = [record(item["family"], True, dataset="mine") for item in items if item["perturbation"] == "noop"]
    records += [record(item["id"], False, dataset="out", family=item["family"]) for item in items]
    (home / "records.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in records), encoding="utf-8")
    command = ["robustness", str(home / "records.jsonl"), "--problems", str(out)]
    assert run([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["original"] == "mine"
    assert {one["variant"]: one["drop"]["lost"] for one in report["variants"]} == {"out:numbers": 2, "out:noop": 2}
    assert run(command) == 0
    assert "0 of 2 wrong answers used the irrelevant number" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kinds", "colours"], "known: numbers"),
        (["--kinds", "numbers"], "need programs"),
        (["--kinds", "names", "--programs", "last"], "add numbers to --kinds"),
        (["--kinds", "numbers", "--memory", "nowhere.db"], "no memory"),
    ],
)
def test_wrong_arguments_are_said(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    file = home / "mine.jsonl"
    file.write_text(json.dumps({"question": "Tom has 3 pens. How many?", "answer": "3"}) + "\n", encoding="utf-8")
    assert run(["perturb", str(file), "-o", str(home / "out.jsonl"), *arguments]) == 2
    assert message in capsys.readouterr().err
