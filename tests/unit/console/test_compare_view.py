"""What a comparison looks like: the numbers, the words for them, and nothing that is read as markup."""

from __future__ import annotations

import io
import random
from typing import Any

from rich.console import Console

from mathagent.console.compare_view import show_comparison
from mathagent.evals.comparison import Comparison, compare
from mathagent.evals.comparison_sides import sides
from mathagent.evals.metrics import arms
from mathagent.evals.metrics.attempts import Pool
from mathagent.evals.metrics.tool_use import ToolOveruse
from mathagent.evals.records import Record
from mathagent.types import Usage


def record(strategy: str, item: int, right: bool, *, attempt: int = 0, tokens: int = 100, **fields: Any) -> Record:
    return Record(
        key=f"{strategy}/{item}/{attempt}",
        dataset="demo",
        problem_id=f"demo/{item}",
        item_hash=f"h{item}",
        attempt=attempt,
        level=str(item % 2 + 1),
        strategy=strategy,
        config={},
        model="script:x",
        reference=str(item),
        answer=str(item) if right else "[bold]-1",
        outcome="correct" if right else "incorrect",
        reason="",
        usage=Usage(completion_tokens=tokens),
        **fields,
    )


def shown(comparison: Comparison, width: int = 100, **options: Any) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    show_comparison(console, comparison, **options)
    return console.file.getvalue()  # type: ignore[attr-defined]


def plain(right_cot: str, right_pal: str, **fields: Any) -> Comparison:
    records = [record("cot", item, one == "1") for item, one in enumerate(right_cot)]
    records += [record("pal", item, one == "1", **fields) for item, one in enumerate(right_pal)]
    return compare(sides(arms(records)))


def test_a_difference_is_told_in_full() -> None:
    text = shown(plain("0" * 10 + "1" * 10, "1" * 20, tokens=300))
    flat = " ".join(text.split())
    assert "demo · script:x" in text
    assert "pal is better by +50.0 points, at more tokens (exact McNemar, p = 0.002, mid-p = 0.00098" in flat
    assert "pal spends 3.0 times the tokens of cot" in flat
    assert "items are needed to tell these apart if the true difference is the observed +50.0 points" in flat
    assert "pal is better on 10:" in text
    assert "[bold]-1" in text
    assert "demo/9" in text
    assert "pal is worse" not in text
    assert "by level" in text


def test_chance_is_called_chance() -> None:
    text = " ".join(shown(plain("1100110011", "1110010011")).split())
    assert "no difference: 1 items better and 1 worse" in text
    assert "no number of items tells a difference of 0" in text
    few = " ".join(shown(plain("1100110011", "1110110011")).split())
    assert "not told apart: +10.0 points may be chance" in few
    same = " ".join(shown(plain("1100", "1100")).split())
    assert "they agree on all 4 items" in same


def test_flips_are_limited_and_the_rest_is_counted() -> None:
    text = shown(plain("0" * 20, "1" * 20), flips=3)
    assert "and 17 more (--flips 20)" in text
    assert "demo/3 " not in text
    assert "pal is better on" not in shown(plain("0" * 20, "1" * 20), flips=0)


def test_no_line_is_wider_than_the_terminal() -> None:
    generator = random.Random(1)
    outcomes = ["".join(generator.choice("01") for _ in range(40)) for _ in range(2)]
    for width in (80, 120):
        lines = shown(plain(*outcomes), width).splitlines()
        assert max(map(len, lines)) <= width
        assert not any("…" in line and "interval" in line for line in lines)


def test_attempts_have_a_curve() -> None:
    records = [
        record(strategy, item, (item + attempt) % 3 == 0, attempt=attempt)
        for strategy in ("cot", "pal")
        for item in range(9)
        for attempt in range(4)
    ]
    found = sides(arms(records))
    pools = [
        Pool(
            key=item.key,
            cluster=item.cluster,
            right=tuple(one.outcome == "correct" for one in item.records),
            voted=tuple(0 if one.outcome == "correct" else 1 for one in item.records),
            scores=(None,) * 4,
            completion_tokens=(100,) * 4,
        )
        for item in found[0].items
    ]
    text = shown(compare([found[0].model_copy(update={"pools": tuple(pools)}), found[1]]))
    assert "cot: 4 attempts at each of 9 items" in text
    assert "pass@k" in text
    assert "maj@k" in text


def test_a_pipe_gets_one_line_a_row_and_plain_characters() -> None:
    buffer = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    show_comparison(Console(file=buffer, width=30), plain("0" * 10, "1" * 10))
    buffer.flush()
    lines = buffer.buffer.getvalue().decode("ascii").splitlines()  # type: ignore[attr-defined]
    assert any(line.startswith("pal vs cot ") and ".." in line and "10/0" in line for line in lines)


def test_calls_of_tools_that_were_needless_are_told() -> None:
    overuse = ToolOveruse(arm="pal", other="cot", items=2, calls=4.0, needless=3.0, rate=0.75, untouched=0)
    comparison = plain("01", "11")
    [pair] = comparison.pairs
    told = comparison.model_copy(update={"pairs": (pair.model_copy(update={"overuse": overuse}),)})
    flat = " ".join(shown(told).split())
    assert "pal calls tools 2.0 times an item; 75.0% of the calls are on items that cot solves without" in flat
    assert "(overuse)" not in shown(comparison)
