"""What a person sees of a memory: in numbers, as hits, one experience whole."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from mathagent.console.memory_view import show_experience, show_hits, show_statistics
from mathagent.memory.base import Hit, StoreStatistics
from mathagent.memory.experience import (
    Content,
    Exemplar,
    Experience,
    Fact,
    Lesson,
    Provenance,
    StrategyStatistics,
    Template,
    Trust,
)
from mathagent.types import Check

EMPTY = StoreStatistics(
    experiences=0,
    by_kind={},
    by_trust={},
    by_dataset={},
    database_bytes=0,
    index_bytes=0,
    indexed=0,
    embedder="hashed-1",
    identity="",
    fingerprint="",
)
FULL = EMPTY.model_copy(
    update={
        "experiences": 12_001,
        "by_kind": {"fact": 1, "exemplar": 12_000},
        "by_trust": {"graded": 12_000, "unchecked": 1},
        "by_dataset": {"notes": 1, "": 3, "gsm8k.train": 11_997},
        "database_bytes": 25_000_000,
        "indexed": 12_000,
        "fingerprint": "abc",
    }
)
EGGS = Exemplar(
    problem=r"A farm has \(\frac{1}{2}\) of 12 hens.",
    choices=("6", "12"),
    program="def solution():\n    return 6",
    reasoning="Half of it.",
    answer="6",
)


class Utf8(io.StringIO):
    encoding = "utf-8"


def printed(show: Callable[..., None], *arguments: object, **options: Any) -> str:
    out = Utf8()
    show(Console(file=out, **options), *arguments)
    return out.getvalue()


def hit(
    content: Content, *, similarity: float | None = None, rank: int | None = None, trust: Trust = "graded"
) -> Hit:
    one = Experience(content=content, trust=trust)
    return Hit(experience=one, score=0.5, lexical_rank=rank, similarity=similarity)


def test_a_store_in_numbers() -> None:
    assert printed(show_statistics, FULL, "/home/m.db").splitlines() == [
        "memory: /home/m.db",
        "holds: 12,000 exemplars, 1 fact",
        "trust: 12,000 graded, 1 unchecked",
        "from: 11,997 gsm8k.train, 3 own solves, 1 notes",
        "vectors: hashed-1; 12,000 in the index, the rest searched exactly",
        "size: 25 MB, index 0 kB",
        "state: abc",
    ]


def test_an_empty_store() -> None:
    lines = printed(show_statistics, EMPTY, "m.db").splitlines()
    assert "holds: nothing yet" in lines
    assert not any(line.startswith(("trust", "from", "state")) for line in lines)


def test_hits_say_how_they_were_found() -> None:
    hits = [
        hit(EGGS, similarity=0.912, rank=1),
        hit(Lesson(problem="A train.", mistake="m", fix="f"), rank=2, trust="verified"),
        hit(Template(problem_type="rates", plan="divide"), similarity=0.5, trust="judged"),
    ]
    one, two, three, last = printed(show_hits, hits).splitlines()
    assert re.fullmatch(r"[0-9a-f]{12}  .*→ 6 \(exemplar, graded; words 1, similarity 0.91\)", one)
    assert two.endswith("A train. (lesson, verified; words 2)")
    assert three.endswith("rates (template, judged; similarity 0.50)")
    assert "mathagent memory show ID" in last
    assert printed(show_hits, []) == "nothing like it is remembered\n"


def test_one_experience_whole() -> None:
    experience = Experience(
        content=EGGS,
        provenance=Provenance(
            run="r", model="m", strategy="pal", dataset="gsm8k.train", item="7", created=86_400.0
        ),
        trust="graded",
        subject="halves",
        uses=3,
        successes=2,
        evidence=(Check(kind="execution", program="6", expected="6", outcome="holds"),),
    )
    lines = printed(show_experience, experience).splitlines()
    assert lines[:6] == [
        f"id: {experience.id}",
        "kind: exemplar; a reference confirmed it",
        "subject: halves",
        "from: gsm8k.train/7; pal; m",
        "made: 1970-01-02 00:00 UTC",
        "shown: in 3 solves, 2 of them right",
    ]
    text = "\n".join(lines)
    assert "problem\n  A farm has 1/2 of 12 hens." in text
    assert "choices\n  6\n  12" in text
    assert "program\n  def solution():\n      return 6" in text
    assert "answer\n  6" in text
    assert "✓" in text
    assert "as it stood when this was remembered" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Lesson(problem="p", mistake="they add", fix="divide", knowledge=("k1", "k2")), ["they add", "k1\n  k2"]),
        (Template(problem_type="rates", plan="divide"), ["problem type\n  rates", "plan\n  divide"]),
        (Fact(title="Heron", statement="s", example="1 + 1", expected="2"), ["example\n  1 + 1", "expected\n  2"]),
        (
            StrategyStatistics(problem="p", strategy="pal", model="m", success=False, tokens=7),
            ["success\n  False", "tokens\n  7"],
        ),
    ],
)
def test_every_kind_is_shown(content: Content, words: list[str]) -> None:
    text = printed(show_experience, Experience(content=content))
    assert "nobody has checked it" in text
    assert "from: unknown" in text
    for part in words:
        assert part in text


@pytest.mark.parametrize("width", [30, 100])
def test_hostile_text_is_text_and_fits(width: int) -> None:
    evil = "\x1b]0;owned\x07[bold]x[/bold] \u202ereversed " + "long " * 60
    fact = Fact(title=evil, statement=evil, example=evil)
    options: dict[str, Any] = {"force_terminal": True, "width": width}
    text = printed(show_hits, [hit(fact, rank=1, trust="unchecked")], **options)
    text += printed(show_experience, Experience(content=fact, provenance=Provenance(source=evil)), **options)
    text += printed(show_statistics, FULL.model_copy(update={"by_dataset": {evil: 2}}), evil, **options)
    assert "owned" not in text
    assert "\u202e" not in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "[bold]x[/bold]" in plain
    assert max(map(len, plain.splitlines())) <= width


def test_without_unicode() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"

    out = Ascii()
    show_hits(Console(file=out), [hit(EGGS, rank=1)])
    show_experience(Console(file=out), Experience(content=Fact(title="√2", statement="é")))
    assert out.getvalue().isascii()
