"""MathQA: word problems with five choices and annotated programs."""

import re
from typing import Any

from mathagent.evals.datasets.source import Source, Subset, hub

_LABEL = re.compile(r"(?:\A|(?<=[\s',\"]))[a-e]\s*\)\s*")


def with_choices(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with its choices split where each letter stands: commas stand within choices, too."""
    given = row.get("options")
    text = given if isinstance(given, str) else ""
    starts = list(_LABEL.finditer(text))
    letters = [mark.group()[0] for mark in starts]
    if letters != list("abcde")[: len(letters)] or len(letters) < 2:
        return row
    ends = [mark.start() for mark in starts[1:]] + [len(text)]
    contents = [text[mark.end() : end].strip(" ,'\"[]") for mark, end in zip(starts, ends, strict=True)]
    labelled = [f"{letter} ) {content}" for letter, content in zip(letters, contents, strict=True)]
    return {**row, "choices": labelled}


DATASET = Source(
    name="mathqa",
    title="MathQA",
    paper="Amini et al. 2019, arXiv 1905.13319",
    licence="Apache-2.0",
    answer="letter of a choice, a to e",
    answer_type="choice",
    adapt=with_choices,
    subsets={
        "test": Subset(
            files=("mathqa.test",),
            hub=hub(
                "regisss/math_qa", question="Problem", answer="correct", solution="Rationale", subject="category"
            ),
        )
    },
)
