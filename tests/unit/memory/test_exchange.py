"""Experiences as lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mathagent.errors import UsageError
from mathagent.memory import exchange
from mathagent.memory.base import Added
from mathagent.memory.exchange import export_lines, import_lines
from mathagent.memory.experience import Experience, Fact, Lesson
from mathagent.memory.sqlite_store import SqliteStore
from tests.unit.memory.word_embedder import WordEmbedder


def fact(number: int) -> Experience:
    return Experience(content=Fact(title=f"fact {number}", statement="a\nb\u2028c 🍎\x00"), uses=number)


@pytest.fixture
def written() -> list[Experience]:
    return [*map(fact, range(5)), Experience(content=Lesson(problem="p", mistake="m", fix="f"))]


async def test_out_and_in_again(
    tmp_path: Path, written: list[Experience], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "BATCH_LINES", 2)
    here, there = (SqliteStore(tmp_path / name, WordEmbedder()) for name in ("a.db", "b.db"))
    await here.add(written)
    lines = [line async for line in export_lines(here)]
    assert [json.loads(line)["content"]["kind"] for line in lines] == ["fact"] * 5 + ["lesson"]
    assert all("\n" not in line for line in lines)
    assert len([line async for line in export_lines(here, ["lesson"])]) == 1
    ids = tuple(one.id for one in written)
    assert await import_lines(there, [lines[0], "", " \n", *lines[1:]]) == Added(new=6, ids=ids)
    assert await import_lines(there, lines) == Added(merged=6, ids=ids)
    assert [one async for one in there.scan()] == written
    assert await there.fingerprint() == await here.fingerprint()
    await here.aclose()
    await there.aclose()


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "Invalid JSON"),
        ('"text"', "the whole"),
        ('{"content":{"kind":"novel"}}', "content"),
        ('{"content":{"kind":"fact","title":"t","statement":"s"},"stars":5}', "stars"),
        ('{"content":{"kind":"fact","title":"t","statement":"s"},"uses":-1}', "uses"),
        ('{"content":{"kind":"fact","title":"t","statement":"s"},"uses":1000000000000000000000}', "uses"),
        ('{"content":{"kind":"fact","title":"t","statement":"s"},"uses":1,"successes":2}', "successes"),
        ('{"content":{"kind":"fact","title":"t","statement":"s"},"provenance":{"created":Infinity}}', "created"),
        ('{"content":{"kind":"fact","title":"t","statement":"s"},"provenance":{"created":NaN}}', "created"),
        (
            '{"content":{"kind":"statistics","problem":"p","strategy":"s","model":"m","success":true,"seconds":NaN}}',
            "seconds",
        ),
    ],
)
async def test_a_wrong_line_is_named(tmp_path: Path, line: str, fault: str) -> None:
    store = SqliteStore(tmp_path / "a.db", WordEmbedder())
    lines = [fact(1).model_dump_json(), "", fact(2).model_dump_json(), line, fact(3).model_dump_json()]
    with pytest.raises(UsageError, match=rf"line 4 is no experience .*{fault}.*Nothing was imported"):
        await import_lines(store, lines)
    assert [one async for one in store.scan()] == []
    await store.aclose()
