"""AGIEval's rows on the hub, whose ``query`` is a whole prompt. (Its data sets: sat_math.py, gaokao.py.)"""

from __future__ import annotations

import re
from typing import Any

_PROMPT = re.compile(
    r"\A\s*(?:Q:|问题：)\s*(?P<question>.*?)\s*"
    r"(?:(?:Answer Choices:|选项：).*)?"
    r"(?:\n\s*(?:A:|答案：)[^\n]*)?\s*\Z",
    re.DOTALL,
)


def plain_query(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the question alone, where it was wrapped into a prompt."""
    prompt = _PROMPT.match(row["question"]) if "query" in row else None
    return row if prompt is None else {**row, "question": prompt["question"]}
