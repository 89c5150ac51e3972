"""GaoKao: the Chinese college entrance examination, in English (2023) and in Chinese (AGIEval)."""

import re
from typing import Any

from mathagent.evals.datasets.agieval import plain_query
from mathagent.evals.datasets.choices_in_text import split_choices
from mathagent.evals.datasets.source import Hub, Source, Subset, with_subject


def adapted(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with choices of its own where they stand in its text, relabelled from A where they begin with F."""
    row = with_subject(plain_query(row), 0, "gaokao_")
    answer = str(row.get("answer", "")).strip().strip("$")
    if row.get("choices") or not re.fullmatch(r"[A-K]", answer):
        return row
    question, choices, letters = split_choices(row["question"])
    if answer not in letters:
        return row
    own = "ABCDEFGHIJK"[letters.index(answer)]
    return {**row, "question": question, "choices": list(choices), "answer": own, "answer_type": "choice"}


EN = Hub(
    repo="MARIO-Math-Reasoning/Gaokao2023-Math-En",
    split="train",
    add={"language": "en", "subject": "gaokao2023en"},
)
CLOZE = Hub(
    repo="hails/agieval-gaokao-mathcloze",
    fields={"question": "query"},
    add={"language": "zh", "subject": "mathcloze"},
)
CHOICE = Hub(
    repo="hails/agieval-gaokao-mathqa",
    fields={"question": "query", "answer": "gold"},
    add={"language": "zh", "subject": "mathqa"},
)
FILES = ("gaokao2023en.test", "gaokao_mathcloze.test", "gaokao_mathqa.test")

DATASET = Source(
    name="gaokao",
    title="GaoKao 2023 in English; GaoKao fill-in and choice in Chinese (AGIEval)",
    paper="Liao et al. 2024 (MARIO), arXiv 2401.08190; Zhong et al. 2023 (AGIEval), arXiv 2304.06364",
    licence="en: none stated; zh: MIT (AGIEval)",
    languages=("en", "zh"),
    answer="en: LaTeX or a letter; mathcloze: LaTeX, several blanks split by ;; mathqa: letter of a choice, A to D",
    adapt=adapted,
    aliases={"2023en": "en"},
    subsets={
        "all": Subset(files=FILES, hub=(EN, CLOZE, CHOICE)),
        "en": Subset(files=FILES[:1], hub=(EN,)),
        "zh": Subset(files=FILES[1:], hub=(CLOZE, CHOICE)),
        "mathcloze": Subset(files=FILES[1:2], hub=(CLOZE,)),
        "mathqa": Subset(files=FILES[2:], hub=(CHOICE,)),
    },
)
