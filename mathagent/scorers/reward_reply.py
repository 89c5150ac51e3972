"""What reward endpoints answer, read as raw rewards, and rewards brought to [0, 1]. Pure.

Works on the plain JSON, since servers differ; what has another form is None and a sentence that says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import exp
from typing import Literal

Scale = Literal["probability", "logit"]
Rewards = tuple[float, ...]
"""The raw rewards of a solution: one, or one for each step."""

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]*\d)")


def pooled(reply: object, positive: int, steps: int | None) -> tuple[Rewards, int] | str:
    """The rewards in a reply of vLLM's ``/pooling``, and in how many columns they stood.

    ``{"data": [{"data": …}]}`` holds a reward, a row of class scores, or a row for each token; ``positive`` is the
    column of the class "right". With ``steps`` there must be a row for each step; else the last row counts.
    """
    rows = _rows(_first_of_data(reply, "data"))
    if rows is None:
        return "the reply holds no rows of numbers under data[0].data"
    if steps is not None and len(rows) != steps:
        return f"the reply has {len(rows)} rows for {steps} steps; is step_tag the tag that the model was trained with?"
    chosen = rows if steps is not None else rows[-1:]
    if not all(-len(row) <= positive < len(row) for row in chosen):
        return f"a row has no column {positive}"
    return tuple(row[positive] for row in chosen), len(rows[0])


def classified(reply: object, positive: int) -> tuple[Rewards, int] | str:
    """The reward in a reply of ``/classify``: vLLM's and SGLang's ``{"data": [{"probs": …}]}``, or the older form of
    SGLang, ``[{"embedding": [reward]}]``, and in how many columns it stood."""
    first = reply[0] if isinstance(reply, list) and reply else reply
    row = _numbers(first.get("embedding")) if isinstance(first, Mapping) else None
    if row is None:
        row = _numbers(_first_of_data(reply, "probs"))
    if row is None:
        return "the reply holds neither data[0].probs nor an embedding"
    if not -len(row) <= positive < len(row):
        return f"the reply has no column {positive}"
    return (row[positive],), len(row)


def stated_reward(reply: object) -> tuple[Rewards, int] | str:
    """The one number in the text of a chat completion, such as "reward:-3.25"."""
    try:
        text = reply["choices"][0]["message"]["content"]  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return "the reply is no chat completion"
    numbers = _NUMBER.findall(text) if isinstance(text, str) else []
    if len(numbers) != 1:
        return f"the reply's text holds {len(numbers)} numbers, and one reward is wanted"
    return (float(numbers[0]),), 1


def to_share(reward: float, scale: Scale | tuple[float, float]) -> float | None:
    """``reward`` in [0, 1]: as it is ("probability"; None where it is none), by the logistic function ("logit"), or by
    its place between two bounds, cut off there."""
    if scale == "probability":
        return reward if 0 <= reward <= 1 else None
    if scale == "logit":
        return 1 / (1 + exp(-reward)) if reward >= 0 else exp(reward) / (1 + exp(reward))
    low, high = scale
    return min(1.0, max(0.0, (reward - low) / (high - low)))


def _first_of_data(reply: object, key: str) -> object:
    data = reply.get("data") if isinstance(reply, Mapping) else None
    first = data[0] if isinstance(data, list) and data else None
    return first.get(key) if isinstance(first, Mapping) else None


def _rows(value: object) -> list[list[float]] | None:
    """``value`` as rows of numbers: a number, a row, or rows; None for anything else."""
    if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
        rows = [_numbers(row) for row in value]
        return [row for row in rows if row is not None] if all(row is not None for row in rows) else None
    row = _numbers(value if isinstance(value, list) else [value])
    return None if row is None else [row]


def _numbers(value: object) -> list[float] | None:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    numbers = [float(one) for one in value if isinstance(one, int | float) and not isinstance(one, bool)]
    sound = len(numbers) == len(value) and all(one == one and abs(one) != float("inf") for one in numbers)
    return numbers if sound else None
