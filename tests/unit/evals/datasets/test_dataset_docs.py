"""The table in docs/datasets.md says what the registry says."""

from __future__ import annotations

from pathlib import Path

from mathagent.evals.datasets import DATASETS
from mathagent.evals.datasets.source import Source
from mathagent.evals.item_fields import ANSWER_FIELDS, CHOICE_FIELDS, QUESTION_FIELDS

PAGE = Path(__file__).parents[4] / "docs" / "datasets.md"


def row(source: Source) -> str:
    first = source.subsets[source.default]
    files = "<br>".join(f"`{stem}`" for stem in first.files) or "–"
    places = list(dict.fromkeys(f"`{place.repo}`" for place in first.hub))
    subsets = [name + ("†" if subset.task == "judge" else "") for name, subset in source.subsets.items()]
    languages = ", ".join(source.languages)
    what = f"{source.title}. {source.paper}"
    cells = (source.name, what, source.licence, languages, files, "<br>".join(places) or "–", ", ".join(subsets))
    return f"| {' | '.join(cells)} |"


def test_the_table_is_the_registry() -> None:
    table = PAGE.read_text(encoding="utf-8").split("|---|---|---|---|---|---|---|\n")[1].splitlines()
    assert table == [row(DATASETS.load(name)) for name in sorted(DATASETS.table)]


def test_the_fields_are_those_that_are_read() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in (*QUESTION_FIELDS, *ANSWER_FIELDS, *CHOICE_FIELDS):
        assert name in page
