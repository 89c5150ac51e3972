"""Loading by name: the local folder first, then the hub, else what to do; and what becomes of the rows."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mathagent.config import settings
from mathagent.errors import ResourceError, UsageError
from mathagent.evals.datasets import DATASETS, found_locally, item_hash, load_dataset, read_rows
from mathagent.evals.datasets.hub import hub_rows, library_is_here
from mathagent.evals.datasets.source import Hub
from mathagent.types import Problem


def write(path: Path, *rows: dict[str, Any]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathagent.evals.datasets.loading.library_is_here", lambda: False)


class FakeHub:
    """Stands for the ``datasets`` library: rows by (repo, config, split)."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, rows: dict[tuple[str, str | None, str], list[dict[str, Any]]]
    ):
        self.asked: list[tuple[str, str | None, str]] = []
        self.rows = rows
        module = ModuleType("datasets")
        module.load_dataset = self.load_dataset  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "datasets", module)
        monkeypatch.setattr("mathagent.evals.datasets.loading.library_is_here", lambda: True)

    def load_dataset(self, repo: str, config: str | None = None, *, split: str, **options: Any) -> Any:
        self.asked.append((repo, config, split))
        if (repo, config, split) not in self.rows:
            raise ConnectionError("no route")
        return iter(self.rows[repo, config, split])


GSM = {"question": "What is 2+3?", "answer": "2+3 = <<2+3=5>>5\n#### 5"}


def test_the_folder_comes_first_and_the_environment_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = FakeHub(monkeypatch, {})
    write(tmp_path / "gsm8k.test.jsonl.gz", {"id": "gsm8k/test/7", **GSM})
    found = load_dataset("gsm8k", data_dir=tmp_path)
    assert (found.name, found.task) == ("gsm8k", "solve")
    assert found.problems[0].reference == "5"
    assert found.problems[0].metadata["family"] == found.problems[0].id == "gsm8k/test/7"
    monkeypatch.setenv("MATHAGENT_DATA", str(tmp_path))
    settings.cache_clear()
    assert load_dataset("gsm8k") == found
    assert hub.asked == []


def test_a_folder_of_ones_own_may_use_the_bare_name(tmp_path: Path, no_library: None) -> None:
    write(tmp_path / "aime25.jsonl", {"problem": "Find n.", "answer": "070"})
    found = load_dataset("aime25", data_dir=tmp_path)
    assert [problem.id for problem in found.problems] == ["aime25/test/0"]
    assert found.problems[0].metadata == {"answer_type": "integer"}


def test_a_file_of_the_folder_that_no_data_set_claims_is_found_by_its_name(tmp_path: Path) -> None:
    write(tmp_path / "mine.jsonl", {"Question": "q", "Answer": 3})
    assert load_dataset("mine", data_dir=tmp_path).problems[0].reference == "3"


def test_without_folder_and_library_it_says_what_to_do(tmp_path: Path, no_library: None) -> None:
    with pytest.raises(
        UsageError, match=r"aime25: no folder .*aime25.test.jsonl.*--data or MATHAGENT_DATA.*pip install"
    ):
        load_dataset("aime25")
    with pytest.raises(UsageError, match=r"does not hold math500.test.jsonl and math_rest.test.jsonl"):
        load_dataset("math", data_dir=tmp_path)
    with pytest.raises(UsageError, match=r"redial: .* it is not on the hub"):
        load_dataset("redial", data_dir=tmp_path)
    with pytest.raises(UsageError, match=r"there is no folder .*none; --data names"):
        load_dataset("gsm8k", data_dir=tmp_path / "none")
    with pytest.raises(UsageError, match="is a folder"):
        load_dataset(str(tmp_path))
    with pytest.raises(UsageError, match="a limit of 0"):
        load_dataset("gsm8k", data_dir=tmp_path, limit=0)


HUB_ROWS: dict[str, tuple[tuple[str, str | None, str], dict[str, Any], dict[str, Any]]] = {
    # name: (place, a row as the hub has it, what the problem is to be)
    "gsm8k": (("openai/gsm8k", "main", "test"), GSM, {"id": "gsm8k/test/0", "reference": "5"}),
    "aime24": (
        ("math-ai/aime24", None, "test"),
        {"id": 60, "problem": "Find n.", "solution": "\\boxed{204}", "url": "u"},
        {"id": "60", "reference": "204"},
    ),
    "aime25": (
        ("math-ai/aime25", None, "test"),
        {"problem": "Find the sum of all integer bases.", "answer": "70", "id": "0"},
        {"text": "Find the sum of all integer bases.", "reference": "70", "id": "0"},
    ),
    "svamp": (
        ("ChilleD/SVAMP", None, "train"),
        {"ID": "chal-1", "Body": "Tom has 3 apples.", "Question": "How many?", "Answer": "3.0", "Type": "Addition"},
        {"id": "chal-1", "text": "Tom has 3 apples. How many?", "reference": "3.0"},
    ),
    "aqua": (
        ("deepmind/aqua_rat", "raw", "test"),
        {"question": "q", "options": ["A)1", "B)2"], "rationale": "r", "correct": "B"},
        {"choices": ("A)1", "B)2"), "reference": "B"},
    ),
    "mathqa": (
        ("regisss/math_qa", None, "test"),
        {"Problem": "p", "options": "a ) 1 , 000 , b ) 2 , c ) 3 , d ) 4 , e ) none", "correct": "a"},
        {"choices": ("a ) 1 , 000", "b ) 2", "c ) 3", "d ) 4", "e ) none"), "reference": "a"},
    ),
    "mgsm:de": (
        ("juletxara/mgsm", "de", "test"),
        {"question": "Wie viele?", "answer": None, "answer_number": 18, "equation_solution": None},
        {"language": "de", "reference": "18", "id": "mgsm/de/0"},
    ),
    "sat-math": (
        ("hails/agieval-sat-math", None, "test"),
        {
            "query": "Q: What is $x$? Answer Choices: (A)2 (B)4 (C)9 (D)10\nA: Among A through D, the answer is",
            "choices": ["(A)2", "(B)4", "(C)9", "(D)10"],
            "gold": [3],
        },
        {"text": "What is $x$?", "reference": "D"},
    ),
    "gaokao:mathcloze": (
        ("hails/agieval-gaokao-mathcloze", None, "test"),
        {"query": "问题：求 $a$\n答案：", "answer": "2"},
        {"text": "求 $a$", "reference": "2", "language": "zh"},
    ),
    "gsm-hard": (
        ("reasoning-machines/gsm-hard", None, "train"),
        {"input": "q", "code": "c", "target": -6887448.0},
        {"text": "q", "reference": "-6887448.0"},
    ),
    "gsm-symbolic:p1": (
        ("apple/GSM-Symbolic", "p1", "test"),
        {"id": 3, "instance": 7, "question": "q", "answer": "so\n#### 9", "original_id": 740, "original_question": "o",
         "original_answer": "#### 1", "canary": "c"},
        {"id": "gsm_symbolic/p1/3-7", "reference": "9"},
    ),
    "olympiadbench": (
        ("Hothan/OlympiadBench", "OE_TO_maths_en_COMP", "train"),
        {"id": 1606, "question": "q", "solution": ["s"], "final_answer": ["2", "3"], "subfield": "Algebra",
         "answer_type": "Numerical", "is_multiple_answer": True, "unit": None},
        {"reference": "2, 3"},
    ),
    "processbench:math": (
        ("Qwen/ProcessBench", None, "math"),
        {"id": "math-0", "problem": "p", "steps": ["a", "b"], "label": -1, "final_answer_correct": True},
        {"reference": "-1", "text": "p"},
    ),
    "mr-gsm8k": (
        ("Randolphzeng/Mr-GSM8K", None, "test"),
        {"uuid": "u1", "question": "q", "model_output_steps": ["Step 1: a"],
         "model_output_solution_correctness": "correct", "model_output_solution_first_error_step": "N/A"},
        {"reference": "N/A", "id": "u1"},
    ),
    "theoremqa": (
        ("TIGER-Lab/TheoremQA", None, "test"),
        {"Question": "q", "Answer": "[1, 2]", "Answer_type": "list of integer", "Picture": None},
        {"reference": "[1, 2]"},
    ),
    "game24": (
        ("nlile/24-game", None, "train"),
        {"numbers": [1, 1, 1, 8], "solutions": ["(1+1+1)*8"], "solvable": True},
        {"reference": "24"},
    ),
    "bbh:penguins": (
        ("SaylorTwift/bbh", "penguins_in_a_table", "test"),
        {"input": "Which is the oldest?\nOptions:\n(A) Louis\n(B) Bernard", "target": "(B)"},
        {"text": "Which is the oldest?", "choices": ("(A) Louis", "(B) Bernard"), "reference": "(B)"},
    ),
    "big-bench:dates": (
        ("hails/bigbench", "date_understanding_zero_shot", "default"),
        {"inputs": "What is the date?", "targets": ["05/01/2021"], "multiple_choice_targets": ["05/01/2021", "x"],
         "multiple_choice_scores": [1, 0], "idx": 0},
        {"choices": ("05/01/2021", "x"), "reference": "05/01/2021"},
    ),
    "math500": (
        ("HuggingFaceH4/MATH-500", None, "test"),
        {"problem": "p", "solution": "\\boxed{3}", "answer": "3", "subject": "Algebra", "level": 2,
         "unique_id": "test/algebra/1.json"},
        {"reference": "3", "id": "test/algebra/1.json"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HUB_ROWS)
def test_a_row_of_the_hub_becomes_the_same_kind_of_problem(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, row, wanted = HUB_ROWS[name]
    hub = FakeHub(monkeypatch, {place: [row]})
    problem = load_dataset(name, limit=1).problems[0]
    assert hub.asked == [place]
    assert {field: getattr(problem, field) for field in wanted} == wanted


def test_every_place_on_the_hub_is_asked_for_as_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub(monkeypatch, {})
    for name in DATASETS.table:
        for subset, about in DATASETS.load(name).subsets.items():
            if about.hub:
                with pytest.raises(ResourceError, match=r"the hub cannot give .*no route.*--data"):
                    load_dataset(f"{name}:{subset}")
                first = about.hub[0]
                config = None if first.files else first.config
                assert hub.asked[-1] == (first.repo, config, first.split)


def test_rows_that_are_not_meant_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"numbers": [1, 1, 1, 1], "solvable": False}, {"numbers": [1, 1, 1, 8], "solvable": True}]
    FakeHub(monkeypatch, {("nlile/24-game", None, "train"): rows})
    assert [problem.metadata["numbers"] for problem in load_dataset("game24").problems] == [[1, 1, 1, 8]]


def test_the_real_library_reads_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not library_is_here():
        pytest.skip("the optional library is not installed (pip install 'mathagent[data]')")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    (tmp_path / "repo").mkdir()
    write(tmp_path / "repo" / "test.jsonl", {"p": {"text": "q"}, "a": 1}, {"p": {"text": "r"}, "a": 2})
    place = Hub(repo=str(tmp_path / "repo"), fields={"question": "p.text"}, add={"lang": "en"}, where={"a": "2"})
    assert [(row["question"], row["a"], row["lang"]) for row in hub_rows(place)] == [("r", 2, "en")]


def test_a_folder_of_that_name_is_not_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "datasets", raising=False)
    assert not library_is_here()


def test_limit_reads_no_further(tmp_path: Path) -> None:
    path = write(tmp_path / "svamp.test.jsonl", {"question": "a", "answer": 1}, {"question": "b", "answer": 2})
    path.write_text(path.read_text() + "broken\n")
    assert len(load_dataset("svamp", data_dir=tmp_path, limit=2).problems) == 2
    with pytest.raises(UsageError, match=r"svamp.test.jsonl:3: not JSON"):
        load_dataset("svamp", data_dir=tmp_path)


def test_raw_rows(tmp_path: Path) -> None:
    write(
        tmp_path / "mathcheck_gsm.test.jsonl",
        {"question": "a", "answer": "1", "task_type": "solving"},
        {"question": "a", "answer": "Correct", "task_type": "outcome_judging"},
    )
    name, rows = read_rows("mathcheck-gsm:outcome", data_dir=tmp_path)
    assert name == "mathcheck-gsm:outcome"
    assert [(where, row["answer"]) for where, row in rows] == [("mathcheck_gsm.test.jsonl:2", "Correct")]
    assert load_dataset("mathcheck-gsm:solving", data_dir=tmp_path).task == "solve"
    assert load_dataset("mathcheck-gsm", data_dir=tmp_path).task == "judge"
    assert found_locally(DATASETS.load("mathcheck-gsm"), tmp_path)["outcome"] == 1


def test_item_hash_is_of_question_choices_and_reference() -> None:
    problem = Problem(text="q", choices=("a", "b"), reference="A", id="1", metadata={"level": 1})
    same = problem.model_copy(update={"id": "2", "metadata": {}, "language": "en"})
    assert item_hash(problem) == item_hash(same)
    others = [
        problem.model_copy(update=change)
        for change in ({"text": "p"}, {"choices": ("b", "a")}, {"reference": "B"})
    ]
    assert len({item_hash(one) for one in (problem, *others)}) == 4
    assert item_hash(Problem(text="q\ud800", reference="1"))  # a lone surrogate is no reason to fail


def test_a_template_that_cannot_be_used_is_left_out_and_named(tmp_path: Path) -> None:
    def row(name: str, source: str) -> dict[str, Any]:
        text = f"How many are {{n,4}} and 1?\n#init:\n- $n = {source}\n#answer: n + 1"
        shared = {"question": "q", "answer": "5", "subject": "symbolic", "answer_annotated": "#### {n + 1}"}
        return {**shared, "id": name, "question_annotated": text}

    odd = row("odd", "range(5, 200")
    file = write(
        tmp_path / "gsm_symbolic.templates.jsonl",
        row("good", "range(5, 200)"), odd, row("few", "range(5, 9)"), row("fine", "range(300)"),
    )  # fmt: skip
    named = r"2 templates cannot be used and are left out: gsm_symbolic.templates.jsonl:2: .*; template few gave only 4"
    with pytest.warns(UserWarning, match=named):
        problems = load_dataset("gsm-symbolic", data_dir=tmp_path).problems
    assert [one.metadata["template"] for one in problems[:4]] == ["good", "fine", "good", "fine"]
    assert len(problems) == 100
    with pytest.warns(UserWarning, match="2 templates"):
        assert len(load_dataset("gsm-symbolic", data_dir=tmp_path, limit=20).problems) == 20
    write(file, odd)
    with pytest.raises(UsageError, match="none of the templates can be used: gsm_symbolic"):
        load_dataset("gsm-symbolic", data_dir=tmp_path)
