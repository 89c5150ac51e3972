"""mathagent memory, command by command, on stores in the test's own home."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mathagent.cli import run
from mathagent.cli.memory import is_from, opened
from mathagent.memory.experience import (
    Exemplar,
    Experience,
    Fact,
    Lesson,
    Provenance,
    StrategyStatistics,
)

EGGS = Experience(
    content=Exemplar(
        problem="A farm has 12 hens. Each lays 3 eggs. How many eggs are there?",
        program="def solution():\n    return 12 * 3",
        answer="36",
    ),
    provenance=Provenance(dataset="gsm8k.train", item="gsm8k.train/12", created=1.0),
    trust="graded",
    uses=2,
    successes=1,
)
TRAIN = Experience(
    content=Lesson(problem="A train goes 60 km in 2 hours.", mistake="adding", fix="divide"),
    provenance=Provenance(strategy="pal", model="m", run="r1", created=2.0),
    trust="verified",
    subject="speed",
)
HERON = Experience(
    content=Fact(title="Heron", statement="area from the sides s, √ of a product"),
    provenance=Provenance(dataset="notes", source="/notes/triangles/heron.md:3", created=3.0),
)
COUNTED = Experience(
    content=StrategyStatistics(problem="A farm has 12 hens.", strategy="pal", model="m", success=False),
    provenance=Provenance(run="r2", created=4.0),
)
ALL = (EGGS, TRAIN, HERON, COUNTED)


def filled(*experiences: Experience, memory: Path | None = None) -> None:
    async def fill() -> None:
        async with opened(memory, read_only=False) as store:
            await store.add(experiences)

    asyncio.run(fill())


def held(memory: Path | None = None) -> list[Experience]:
    async def scan() -> list[Experience]:
        async with opened(memory, read_only=True) as store:
            return [one async for one in store.scan()]

    return asyncio.run(scan())


class Command:
    """Runs ``mathagent memory …``; what it printed last is in ``out`` and ``err``."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *arguments: object) -> int:
        self._capsys.readouterr()
        code = run(["memory", *map(str, arguments)])
        captured = self._capsys.readouterr()
        self.out, self.err = captured.out, captured.err
        return code

    def refuses(self, words: str, *arguments: object) -> None:
        """Wrong usage: exit code 2, one line on stderr with ``words``, nothing on stdout."""
        assert self(*arguments) == 2, self.out + self.err
        assert self.out == ""
        (line,) = self.err.strip().splitlines()
        assert words in line


@pytest.fixture
def memory(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def at_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Keyboard(typed))


# An empty store, and one that is none


def test_before_the_first_write_there_is_nothing_and_nothing_is_made(memory: Command, own_home: Path) -> None:
    assert memory("stats") == 0
    assert "nothing yet" in memory.out
    assert memory("search", "eggs") == 1
    assert "nothing like it is remembered" in memory.out
    assert memory("search", "eggs", "--json") == 1
    assert json.loads(memory.out) == []
    assert memory("export") == 0
    assert memory.out == ""
    assert memory("compact") == 0
    assert "nothing to compact" in memory.out
    assert memory("doctor", "--repair") == 0
    assert "there is none yet" in memory.out
    memory.refuses("nothing of that is remembered", "forget", "--kind", "fact", "--yes")
    memory.refuses("no id begins with", "show", "abcdef")
    assert not list(own_home.glob("memory*"))


def test_a_damaged_file_is_said_to_be_one(memory: Command, own_home: Path) -> None:
    (own_home / "memory.db").write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    for command in (["stats"], ["search", "eggs"], ["export"], ["add", "--facts"], ["compact"]):
        assert memory(*command) == 1, command
        assert memory.out == ""
        (line,) = memory.err.strip().splitlines()
        assert str(own_home / "memory.db") in line
    assert memory("doctor") == 1
    assert "broken" in memory.out
    assert memory("doctor", "--json") == 1
    assert [one["state"] for one in json.loads(memory.out)] == ["broken"]


def test_help_alone(memory: Command) -> None:
    assert memory() == 0
    for name in ("stats", "search", "show", "add", "forget", "export", "import", "compact", "doctor", "learn"):
        assert name in memory.out


# Looking


def test_stats(memory: Command, own_home: Path) -> None:
    filled(*ALL)
    assert memory("stats") == 0
    assert f"memory: {own_home / 'memory.db'}" in memory.out
    assert "holds: 1 exemplar, 1 lesson, 1 fact, 1 statistics" in memory.out
    assert "2 own solves" in memory.out
    assert memory("stats", "--json") == 0
    shown = json.loads(memory.out)
    assert shown["experiences"] == 4
    assert shown["by_trust"] == {"unchecked": 2, "verified": 1, "graded": 1}


def test_another_file_is_another_memory(memory: Command, own_home: Path, tmp_path: Path) -> None:
    filled(EGGS, memory=tmp_path / "other.db")
    assert memory("stats", "--memory", tmp_path / "other.db", "--json") == 0
    assert json.loads(memory.out)["experiences"] == 1
    assert not (own_home / "memory.db").exists()


def test_search_finds_and_filters(memory: Command) -> None:
    filled(*ALL)
    assert memory("search", "how many eggs do the hens lay?") == 0
    first, *_ = memory.out.splitlines()
    assert first.startswith(EGGS.id[:12])
    assert "→ 36 (exemplar, graded" in first
    assert COUNTED.id[:12] not in memory.out  # statistics only repeat their problem
    assert memory("search", "hens", "--kind", "statistics", "--json") == 0
    assert [one["id"] for one in json.loads(memory.out)] == [COUNTED.id]
    assert memory("search", "train hens area", "--trust", "verified", "--json") == 0
    assert {one["id"] for one in json.loads(memory.out)} == {EGGS.id, TRAIN.id}
    assert memory("search", "train hens area", "--subject", "speed", "--json") == 0
    assert [one["id"] for one in json.loads(memory.out)] == [TRAIN.id]
    assert memory("search", "train hens area", "--limit", 1, "--json") == 0
    (hit,) = json.loads(memory.out)
    assert hit["experience"]["content"]["kind"]


def test_search_refuses_what_is_not_there(memory: Command) -> None:
    memory.refuses(
        "'exemplars' is no kind of experience; there are exemplar,", "search", "x", "--kind", "exemplars"
    )
    memory.refuses("'sure' is no degree of trust; there are unchecked,", "search", "x", "--trust", "sure")
    memory.refuses("--limit", "search", "x", "--limit", 0)


def test_show(memory: Command) -> None:
    filled(*ALL)
    assert memory("show", EGGS.id) == 0
    for words in ("a reference confirmed it", "gsm8k.train/12", "in 2 solves, 1 of them right", "return 12 * 3"):
        assert words in memory.out
    assert memory("show", EGGS.id[:6].upper()) == 0
    assert f"id: {EGGS.id}" in memory.out
    assert memory("show", EGGS.id[:10], "--json") == 0
    shown = json.loads(memory.out)
    assert Experience.model_validate({name: value for name, value in shown.items() if name != "id"}) == EGGS


def test_an_id_is_known_unambiguous_and_long_enough(memory: Command) -> None:
    one, other = _same_beginning(6)
    filled(one, other, EGGS)
    memory.refuses("several ids begin with", "show", one.id[:6])
    assert one.id in memory.err
    assert other.id in memory.err
    memory.refuses("several ids begin with", "forget", one.id[:6], "--yes")
    memory.refuses("no id begins with '000000'", "show", "000000")
    memory.refuses("'eggs' is no id; give 6 characters", "show", "eggs")
    memory.refuses("is no id", "show", EGGS.id[:5])
    memory.refuses("no id begins with", "show", f"{EGGS.id[:-1]}{'1' if EGGS.id[-1] == '0' else '0'}")


def _same_beginning(length: int) -> tuple[Experience, Experience]:
    """Two facts whose ids begin alike: found by trying a few thousand."""
    seen: dict[str, Experience] = {}
    for number in range(100_000):
        fact = Experience(content=Fact(title=str(number), statement="s"))
        if (before := seen.setdefault(fact.id[:length], fact)) is not fact:
            return before, fact
    raise AssertionError("no two ids begin alike")


# Taking out


def test_forget_wants_one_way_to_say_what(memory: Command) -> None:
    filled(*ALL)
    memory.refuses("say what to forget", "forget", "--yes")
    memory.refuses("one way at a time", "forget", EGGS.id, "--kind", "fact", "--yes")
    memory.refuses("is no kind", "forget", "--kind", "facts", "--yes")
    memory.refuses("nothing of that", "forget", "--dataset", "math.train", "--yes")
    assert len(held()) == 4


def test_what_cannot_be_read_can_be_forgotten(memory: Command, tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    filled(EGGS, HERON, memory=path)
    with sqlite3.connect(path) as connection:
        connection.execute("""UPDATE experiences SET provenance = '{"stars":5}' WHERE id = ?""", (EGGS.id,))
    connection.close()
    assert memory("export", "--memory", path) == 1
    assert f"{EGGS.id} cannot be read" in memory.err
    assert memory("forget", EGGS.id, "--yes", "--memory", path) == 0
    assert held(path) == [HERON]


def test_forget_asks_a_person_and_refuses_without_one(memory: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(*ALL)
    piped(monkeypatch, b"y\n")
    memory.refuses("2 experiences would be deleted; say --yes", "forget", EGGS.id, TRAIN.id)
    at_terminal(monkeypatch, "n\n")
    assert memory("forget", EGGS.id) == 1
    assert "nothing was forgotten" in memory.out
    assert len(held()) == 4
    at_terminal(monkeypatch, "y\n")
    assert memory("forget", EGGS.id[:8], EGGS.id) == 0  # the same one, named twice
    assert "delete 1 experience?" in memory.err
    assert memory.out.strip() == "forgotten: 1"
    assert held() == [TRAIN, HERON, COUNTED]
    at_terminal(monkeypatch, "")  # Ctrl-D
    assert memory("forget", TRAIN.id) == 130
    assert len(held()) == 3


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        (["--kind", "lesson", "--kind", "fact"], [TRAIN, HERON]),
        (["--dataset", "gsm8k.train"], [EGGS]),
        (["--source", "/notes"], [HERON]),
        (["--source", "/notes/triangles/heron.md"], [HERON]),
        (["--dataset", "notes", "--kind", "fact", "--source", "/notes/triangles/"], [HERON]),
    ],
)
def test_forget_by_property(options: list[str], gone: Sequence[Experience], memory: Command) -> None:
    filled(*ALL)
    assert memory("forget", *options, "--yes") == 0
    assert memory.out == f"forgotten: {len(gone)}\n"
    assert held() == [one for one in ALL if one not in gone]


def test_a_source_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    where = f"{tmp_path.resolve()}/notes/a.md:3"
    assert is_from(where, "notes")
    assert is_from(where, "notes/a.md")
    assert not is_from(where, "note")
    assert not is_from(where, "notes/a")
    assert is_from("Euclid, book 1", "Euclid, book 1")


# Out and in again


def test_export_and_import(memory: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled(*ALL)
    file, other = tmp_path / "all.jsonl", tmp_path / "other.db"
    assert memory("export", file) == 0
    assert "written: 4 experiences" in memory.err
    assert [Experience.model_validate_json(line) for line in file.read_text("utf-8").splitlines()] == list(ALL)
    assert memory("export") == 0
    assert memory.out == file.read_text("utf-8")
    assert memory("export", "-", "--kind", "fact") == 0
    assert [json.loads(line)["content"]["title"] for line in memory.out.splitlines()] == ["Heron"]
    assert memory("import", file, "--memory", other) == 0
    assert memory.out == "remembered: 4 new\n"
    assert held(other) == list(ALL)
    assert memory("import", file, "--memory", other) == 0
    assert memory.out == "remembered: 0 new, 4 known already\n"
    assert held(other) == list(ALL)


def test_import_reads_a_pipe_with_whatever_line_ends(memory: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"{one.model_dump_json()}\r\n\r\n" for one in ALL)
    piped(monkeypatch, b"\xef\xbb\xbf" + text.encode())
    assert memory("import") == 0
    assert held() == list(ALL)
    at_terminal(monkeypatch, "")
    memory.refuses("name a file of JSON lines, or pipe them in", "import")


def test_import_is_all_or_nothing(memory: Command, tmp_path: Path) -> None:
    filled(HERON)
    file = tmp_path / "wrong.jsonl"
    file.write_text(f'{EGGS.model_dump_json()}\n{{"content": {{"kind": "novel"}}}}\n{TRAIN.model_dump_json()}\n')
    memory.refuses("line 2 is no experience", "import", file)
    assert "Nothing was imported" in memory.err
    assert held() == [HERON]


def test_import_refuses_what_it_cannot_read(memory: Command, tmp_path: Path) -> None:
    memory.refuses("No such file", "import", tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes("é".encode("latin-1"))
    memory.refuses("is not UTF-8 text", "import", tmp_path / "latin.jsonl")


def test_export_spoils_no_file(memory: Command, tmp_path: Path, own_home: Path) -> None:
    filled(EGGS)
    memory.refuses("is the memory itself", "export", own_home / "memory.db")
    memory.refuses("no folder", "export", tmp_path / "nowhere" / "x.jsonl")
    memory.refuses("no plain file", "export", tmp_path)
    assert held() == [EGGS]
    file = tmp_path / "x.jsonl"
    file.write_text("earlier")
    (own_home / "memory.db").write_bytes(b"damaged " * 600)
    assert memory("export", file) == 1
    assert file.read_text() == "earlier"
    assert [one.name for one in tmp_path.iterdir() if "x.jsonl" in one.name] == ["x.jsonl"]


# Notes and facts


def test_notes_are_read_once_and_again_when_they_change(memory: Command, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "heron.md").write_text("# Heron\n\nThe area follows from the sides.\n")
    (notes / "vieta.md").write_text("# Vieta\n\nSums and products of roots.\n")
    assert memory("add", notes) == 0
    assert memory.out == "remembered: 2 new; 2 files read, 0 unchanged\n"
    assert memory("add", notes) == 0
    assert memory.out == "remembered: 0 new; 0 files read, 2 unchanged\n"
    (notes / "heron.md").write_text("# Heron\n\nThe area follows from the three sides.\n")
    assert memory("add", notes) == 0
    assert memory.out == "remembered: 1 new; 1 file read, 1 unchanged; 1 outdated note forgotten\n"
    (notes / "vieta.md").unlink()
    assert memory("add", notes) == 0
    assert "1 outdated note forgotten" in memory.out
    (one,) = held()
    assert isinstance(one.content, Fact)
    assert "three sides" in one.content.statement
    assert one.trust == "unchecked"
    assert memory("search", "area of the three sides") == 0
    assert "unchecked" in memory.out


def test_what_is_no_note_is_passed_over_and_what_cannot_be_read_is_told(memory: Command, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "heron.md").write_text("# Heron\n\nThe area follows from the sides.\n")
    for number in range(12):
        (notes / f"picture{number}.png").write_bytes(b"\x89PNG")
    assert memory("add", notes) == 0
    assert "no kind of note" in memory.err
    assert "... and 2 more" in memory.err
    (notes / "z.md").write_bytes(b"binary \x00 stuff")
    assert memory("add", notes) == 3
    assert memory.err.startswith(f"skipped {notes / 'z.md'}: binary")


def test_a_wrong_path_adds_nothing(memory: Command, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n\nOne.\n")
    memory.refuses("say what to add", "add")
    memory.refuses("No such file", "add", tmp_path / "a.md", tmp_path / "none.md", "--facts")
    (tmp_path / "b.png").write_bytes(b"x")
    memory.refuses("no kind of note", "add", tmp_path / "a.md", tmp_path / "b.png")
    assert held() == []


def test_the_bundled_facts(memory: Command) -> None:
    old = Experience(
        content=Fact(title="Of an older version", statement="s"), provenance=Provenance(dataset="bundled facts")
    )
    filled(old, HERON)
    assert memory("add", "--facts") == 0
    assert "1 outdated fact forgotten" in memory.out
    facts = held()
    assert HERON in facts
    assert old not in facts
    assert len(facts) > 100
    assert memory("add", "--facts") == 0
    assert f"0 new, {len(facts) - 1} known already" in memory.out
    assert "outdated" not in memory.out
    assert memory("search", "sum of an arithmetic series", "--trust", "verified") == 0


# Upkeep


def test_compact_keeps_the_most_useful(memory: Command) -> None:
    filled(*ALL)
    assert memory("compact") == 0
    assert "0 dropped, 0 vectors made, 4 kept" in memory.out
    assert memory("compact", "--most", 2) == 0
    assert "2 dropped" in memory.out
    assert EGGS in held()
    memory.refuses("--most", "compact", "--most", 0)


def test_doctor_finds_and_repairs_a_damaged_index(memory: Command, own_home: Path) -> None:
    filled(*ALL)
    assert memory("compact") == 0
    assert memory("doctor") == 0
    assert "repairable" not in memory.out
    index = own_home / "memory.db.vectors"

    with sqlite3.connect(own_home / "memory.db") as connection:
        connection.execute("DELETE FROM vectors WHERE experience = 1")
        connection.execute("UPDATE meta SET value = 17 WHERE name = 'experiences'")
    connection.close()
    index.write_bytes(b"rubbish")
    assert memory("doctor") == 1
    assert "totals        repairable" in memory.out
    assert "vectors       repairable" in memory.out
    assert "mathagent memory doctor --repair" in memory.out
    assert memory("search", "eggs") == 0  # by words
    assert memory("doctor", "--repair") == 0
    assert memory("doctor", "--json") == 0
    assert {one["state"] for one in json.loads(memory.out)} == {"ok"}
    assert held() == list(ALL)


# Learning


def dataset(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "train.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


HENS = {"question": "12 hens lay 3 eggs each. How many eggs?", "answer": "12 * 3 = <<12*3=36>>36\n#### 36"}


def test_learn_from_worked_solutions(memory: Command, tmp_path: Path) -> None:
    hens = {"id": "h", "problem": HENS["question"], "answer": "36", "solution": "12 times 3 is 36.\n#### 36"}
    long = {"id": "l", "problem": "Long?", "answer": "1", "solution": "word " * 2000 + "#### 1"}
    file = dataset(tmp_path, hens, long)
    assert memory("learn", file) == 0
    assert memory.out == "remembered: 1 new; 1 left out: too long\n"
    (one,) = held()
    assert isinstance(one.content, Exemplar)
    assert one.content.answer == "36"
    assert (one.trust, one.provenance.dataset, one.provenance.item) == ("graded", "train", "h")
    assert memory("learn", file) == 0
    assert "0 new, 1 known already" in memory.out


def test_learn_refuses_what_it_cannot_learn_from(memory: Command, tmp_path: Path) -> None:
    memory.refuses("there is no file", "learn", tmp_path / "none.jsonl")
    bare = dataset(tmp_path, {"id": "a", "problem": "1+1?", "answer": "2"})
    memory.refuses("holds no worked solutions", "learn", bare)
    for options in (["--notes"], ["-s", "pal"], ["-m", "script:x"], ["--set", "n=2"], ["--base-url", "http://x"]):
        memory.refuses("are for solving; add --solve", "learn", bare, *options)
    memory.refuses("did you mean pal", "learn", bare, "--solve", "-s", "pall", "-m", script(tmp_path, "x"))
    memory.refuses("--limit", "learn", bare, "--limit", 0)
    assert held() == []


def script(folder: Path, *replies: object) -> str:
    path = folder / "script.json"
    path.write_text(json.dumps(replies))
    return f"script:{path}"


def program(value: str) -> str:
    return f"```python\ndef solution():\n    return {value}\n```"


def test_learn_by_solving_keeps_what_the_references_confirm(memory: Command, tmp_path: Path) -> None:
    file = dataset(
        tmp_path,
        {"id": "right", "problem": "12 hens lay 3 eggs each. How many?", "answer": "36"},
        {"id": "wrong", "problem": "What is 7 times 8?", "answer": "56"},
        {"id": "none", "problem": "What is 2 to the tenth?", "answer": "1024"},
    )

    def learn(limit: int, *replies: object) -> int:
        return memory("learn", file, "--solve", "--limit", limit, "-m", script(tmp_path, *replies))

    assert learn(1, {"text": program("12 * 3"), "contains": ["hens"]}) == 0
    assert "remembered: 2 new, from 1 problem (1 right, 0 not solved)" in memory.out
    assert "0 of 1 problems are known; 1 to go" in memory.err
    assert learn(2, {"text": program("7 + 8"), "contains": ["7 times 8"]}) == 0
    assert "1 of 2 problems are known; 1 to go" in memory.err
    assert "1/1 wrong: wrong" in memory.err
    (exemplar,) = [one for one in held() if one.kind == "exemplar"]
    assert (exemplar.trust, exemplar.provenance.item) == ("graded", "right")
    assert {one.content.success for one in held() if isinstance(one.content, StrategyStatistics)} == {True, False}

    assert learn(3, {"error": "the endpoint is gone", "status": 400}) == 3
    assert "1/1 none: the endpoint is gone" in memory.err
    assert "from 1 problem (0 right, 1 not solved)" in memory.out
    assert learn(3, program("2**10")) == 0  # the next run takes what is left
    assert "from 1 problem (1 right, 0 not solved)" in memory.out
    assert learn(3, "none is asked for") == 0
    assert "from 0 problems" in memory.out


# The options of other commands


@pytest.mark.parametrize("command", [["solve", "1+1?"], ["bench", "x.jsonl"], ["solve"]])
def test_a_wrong_mode_is_refused_before_anything_else(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--memory-mode", "write"]) == 2
    assert "--memory-mode: memory mode 'write' is none of off, read, learn" in capsys.readouterr().err
    assert run([*command, "--memory-mode", "off", "--memory", "x.db"]) == 2
    assert "leave out one of them" in capsys.readouterr().err


def test_feedback_is_for_a_memory_that_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(dataset(tmp_path, {"id": "a", "problem": "1+1?", "answer": "2"}))
    assert run(["bench", file, "--memory-feedback"]) == 2
    assert "add --memory-mode learn" in capsys.readouterr().err
    assert run(["bench", file, "--memory-mode", "learn", "-s", "pal,cot"]) == 2
    assert "give one strategy" in capsys.readouterr().err


def test_help_and_looking_load_nothing_heavy() -> None:
    names = ("stats", "search", "show", "add", "forget", "export", "import", "compact", "doctor", "learn")
    code = f"""
import sqlite3
import subprocess
import sys
from mathagent.cli import run
heavy = ("langgraph", "openai", "sympy", "math_verify", "torch", "transformers", "xllamacpp", "docker")
run(["memory", "--help"])
for name in {names}:
    assert run(["memory", name, "--help"]) == 0
print("help:", [name for name in (*heavy, "numpy", "tokenizers", "sqlite_utils") if name in sys.modules])
run(["memory", "search", "eggs"])
print("search:", [name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "help: []" in done.stdout
    assert "search: []" in done.stdout
