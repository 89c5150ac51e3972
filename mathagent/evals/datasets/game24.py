"""Game of 24: make 24 of four numbers. Any expression that does is right (evals/number_game.py)."""

from typing import Any

from mathagent.evals.datasets.source import Hub, Source, Subset
from mathagent.evals.number_game import ANSWER_TYPE, question


def as_question(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row with the rules in its question; ``numbers`` are what is to be used."""
    given = row.get("numbers", row.get("question", ""))
    numbers = [int(one) for one in (given if isinstance(given, list) else str(given).split())]
    return {**row, "question": question(numbers, 24), "answer": "24", "numbers": numbers, "level": row.get("rank")}


DATASET = Source(
    name="game24",
    title="Game of 24",
    paper="Yao et al. 2023 (Tree of Thoughts), arXiv 2305.10601",
    licence="MIT",
    answer="an expression that uses each of the four numbers once and has the value 24",
    answer_type=ANSWER_TYPE,
    note="level = rank of difficulty; Tree of Thoughts tests on ranks 901 to 1,000.",
    keep=("numbers",),
    adapt=as_question,
    subsets={
        "test": Subset(
            files=("game24.test",), hub=(Hub(repo="nlile/24-game", split="train", where={"solvable": "True"}),)
        )
    },
)
