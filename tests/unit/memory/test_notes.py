"""Notes as facts: chunks, what is passed over and why, and what a second reading makes of changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathagent.errors import UsageError
from mathagent.memory import notes
from mathagent.memory.experience import Experience, Fact, Provenance
from mathagent.memory.note_chunks import CHUNK_CHARACTERS, MOST_CHARACTERS, chunks_of, title_of
from mathagent.memory.notes import Notes, known_digests, outdated, read_notes


def facts(read: Notes) -> list[tuple[str, str, str]]:
    """(title, statement, where in the folder) of each."""
    found = []
    for one in read.facts:
        assert isinstance(one.content, Fact)
        where = os.path.relpath(one.provenance.source, read.root)
        found.append((one.content.title, one.content.statement, where))
    return found


def reasons(read: Notes) -> dict[str, str]:
    return {os.path.relpath(one.path, read.root): one.reason for one in read.skipped}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    notes_folder = tmp_path / "notes"
    notes_folder.mkdir()
    return notes_folder


MARKDOWN = """Before.

# Triangles

The angles add up to 180 degrees.
## Right ones

a² + b² = c².

```python
# no heading

x = 1
```
"""


def test_markdown() -> None:
    assert [tuple(one) for one in chunks_of(MARKDOWN, ".md")] == [
        (1, (), "Before."),
        (5, ("Triangles",), "The angles add up to 180 degrees."),
        (8, ("Triangles", "Right ones"), "a² + b² = c².\n\n```python\n# no heading\n \nx = 1\n```"),
    ]


def test_restructured_text() -> None:
    text = "======\nCircle\n======\n\nArea: π r².\n\nArcs\n----\n\nr φ\n\nLine\n====\n\nStraight.\n"
    assert [tuple(one) for one in chunks_of(text, ".rst")] == [
        (5, ("Circle",), "Area: π r²."),
        (10, ("Circle", "Arcs"), "r φ"),
        (15, ("Line",), "Straight."),
    ]


def test_latex() -> None:
    text = (
        "\\documentclass{article}\n\\begin{document}\n\\section{Primes}\\label{p}\n% hidden\nThere are\n% hidden\n"
        "infinitely many. % shown not\n\n\\subsection*{Twins}\n50\\% unknown.\n\\end{document}\n"
    )
    assert [tuple(one) for one in chunks_of(text, ".tex")] == [
        (5, ("Primes",), "There are\ninfinitely many."),
        (10, ("Primes", "Twins"), "50\\% unknown."),
    ]


def test_python_is_cut_at_its_functions() -> None:
    text = '"""Module."""\n\nimport math\n\n\n@cache\ndef area(r):\n    """πr²"""\n\n    return math.pi * r * r\n'
    found = chunks_of(text, ".py")
    assert [(one.line, one.headings) for one in found] == [(1, ()), (6, ("area",))]
    assert found[1].text.startswith("@cache\ndef area(r):")


def test_a_notebook_gives_its_text_cells() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Sums\n", "1 + 2 = 3"]},
        {"cell_type": "code", "source": "secret = 1"},
        {"cell_type": "markdown", "source": "# Odd\nodd: \ud800 \x00 end"},
    ]
    assert [tuple(one) for one in chunks_of(json.dumps({"cells": cells}), ".ipynb")] == [
        (1, ("Sums",), "1 + 2 = 3"),
        (3, ("Odd",), "odd: ?  end"),
    ]


@given(
    st.lists(st.text("abc .\n", min_size=1, max_size=3000), max_size=4), st.sampled_from([".md", ".txt", ".tex"])
)
def test_no_chunk_is_long_and_no_word_is_lost(parts: list[str], suffix: str) -> None:
    text = "".join(parts)
    found = chunks_of(text, suffix)
    assert all(0 < len(one.text) <= MOST_CHARACTERS for one in found)
    assert "".join("".join(one.text.split()) for one in found) == "".join(text.split())
    assert [one.line for one in found] == sorted(one.line for one in found)


def test_paragraphs_are_joined_up_to_a_size() -> None:
    paragraphs = [f"Paragraph {number} {'x' * 290}." for number in range(6)]
    found = chunks_of("\n\n".join(paragraphs), ".txt")
    assert [one.line for one in found] == [1, 5, 9]
    assert all(len(one.text) <= CHUNK_CHARACTERS for one in found)


def test_long_titles_keep_their_end() -> None:
    assert title_of("geometry", ("Plane", "Triangles")) == "geometry › Plane › Triangles"
    assert title_of("a" * 200, ("the end",)).endswith("a › the end")


def test_a_folder(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / ".git").mkdir()
    (folder / ".git" / "config.txt").write_text("hidden")
    (folder / "b.md").write_text("# Title\n\nBody.\n", encoding="utf-8")
    (folder / "deep" / "a.txt").write_text("Deep body.", encoding="utf-16")
    (folder / "deep" / "bom.TXT").write_bytes(b"\xef\xbb\xbfMarked.\r\n")
    (folder / "deep" / "back").symlink_to(folder, target_is_directory=True)
    (folder / "self.md").symlink_to(folder / "self.md")
    (folder / "gone.md").symlink_to(folder / "nothing.md")
    (folder / "book.pdf").write_bytes(b"%PDF-1.7")
    (folder / "data.csv").write_text("1,2")
    (folder / "binary.txt").write_bytes(b"a\x00b")
    (folder / "latin.md").write_bytes("café".encode("latin-1"))
    (folder / "broken.ipynb").write_text("[1, 2]")
    (folder / "broken.py").write_text("def (")
    (folder / "empty.md").write_text("")
    os.mkfifo(folder / "pipe.txt")
    read = read_notes(folder, created=7.0)
    assert facts(read) == [
        ("b › Title", "Body.", "b.md:3"),
        ("a", "Deep body.", "deep/a.txt:1"),
        ("bom", "Marked.", "deep/bom.TXT:1"),
    ]
    found = reasons(read)
    assert "no notebook" in found.pop("broken.ipynb")
    assert "no Python" in found.pop("broken.py")
    assert "symbolic links" in found.pop("self.md")
    assert "No such file" in found.pop("gone.md")
    assert "no kind of note" in found.pop("data.csv")
    assert found == {
        "book.pdf": "a PDF; turn it into text first",
        "binary.txt": "binary, not text",
        "latin.md": "not UTF-8 text",
        "pipe.txt": "no regular file",
        "deep/back": "a link to a folder; give the folder itself",
    }
    assert read.complete
    assert read.reasons()["binary, not text"] == 1
    assert {one.trust for one in read.facts} == {"unchecked"}
    assert {one.provenance.created for one in read.facts} == {7.0}


def test_names_that_are_no_text_are_shown_as_well_as_may_be(folder: Path) -> None:
    (folder / os.fsdecode(b"caf\xe9.md")).write_text("Body.")
    assert facts(read_notes(folder)) == [("caf�", "Body.", "caf�.md:1")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(folder: Path) -> None:
    (folder / "secret.md").write_text("Body.")
    (folder / "secret.md").chmod(0)
    (folder / "closed").mkdir(mode=0)
    assert set(reasons(read_notes(folder)).values()) == {"cannot be read (Permission denied)"}
    (folder / "closed").chmod(0o700)


def test_one_file(folder: Path) -> None:
    note = folder / "note.md"
    note.write_text("Body.")
    assert [one.provenance.source for one in read_notes(note).facts] == [f"{note.resolve()}:1"]


def test_what_cannot_be_read_at_all_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_notes(folder / "nothing")
    (folder / "book.pdf").write_bytes(b"%PDF")
    with pytest.raises(UsageError, match="turn it into text first"):
        read_notes(folder / "book.pdf")


def test_limits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (folder / f"{number}.md").write_text("x" * 10)
    monkeypatch.setattr(notes, "MAX_FILE_BYTES", 9)
    assert set(reasons(read_notes(folder)).values()) == {"larger than 9 bytes"}
    monkeypatch.setattr(notes, "MAX_FILE_BYTES", 10)
    monkeypatch.setattr(notes, "MAX_FILES", 3)
    read = read_notes(folder)
    assert (len(read.files), read.complete) == (3, False)
    assert "more than 3 files" in reasons(read)["."]
    monkeypatch.setattr(notes, "MAX_TOTAL_BYTES", 15)
    read = read_notes(folder)
    assert (len(read.files), read.complete) == (2, False)
    assert "more than 15 bytes" in reasons(read)["."]


def stored(*facts: Experience) -> dict[str, Provenance]:
    return {one.id: one.provenance for one in facts}


def test_a_second_reading(folder: Path) -> None:
    for name in ("same", "changed", "removed", "unreadable"):
        (folder / f"{name}.md").write_text(f"# Kept\n\nKept in {name}.\n\n# Old\n\nOld in {name}.\n")
    first = read_notes(folder)
    other = Experience(
        content=Fact(title="t", statement="s"),
        provenance=Provenance(dataset="notes", item="1", source="/elsewhere/a.md:1"),
    )
    bundled = Experience(
        content=Fact(title="u", statement="s"), provenance=Provenance(source=f"{folder}/x.md:1", dataset="facts")
    )
    before = stored(*first.facts, other, bundled)

    (folder / "changed.md").write_text("# Kept\n\nKept in changed.\n\n# New\n\nNew.\n")
    (folder / "removed.md").unlink()
    (folder / "unreadable.md").write_bytes(b"\x00")
    second = read_notes(folder, known=known_digests(before))
    assert {Path(one.path).name: one.unchanged for one in second.files} == {"same.md": True, "changed.md": False}
    forgotten = {
        one.content.statement
        for one in first.facts
        if isinstance(one.content, Fact) and one.id in outdated(second, before)
    }
    assert forgotten == {"Old in changed.", "Kept in removed.", "Old in removed."}
    assert len(outdated(second, before)) == 3

    kept = {id_: one for id_, one in before.items() if id_ not in outdated(second, before)}
    after = {**kept, **stored(*second.facts)}
    third = read_notes(folder, known=known_digests(after))
    assert outdated(third, after) == []


def test_an_incomplete_or_narrower_reading_forgets_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.md").write_text(f"In {name}.")
    before = stored(*read_notes(folder).facts)
    assert outdated(read_notes(folder / "a.md"), before) == []
    monkeypatch.setattr(notes, "MAX_FILES", 1)
    assert outdated(read_notes(folder), before) == []
    monkeypatch.undo()
    (folder / "b.md").unlink()
    assert len(outdated(read_notes(folder), before)) == 1


def test_real_notes(shared_data: Path) -> None:
    specs = shared_data.parent / "specs"
    if not specs.is_dir():
        pytest.skip("the method cards (../shared/specs) are not here")
    read = read_notes(specs)
    assert len(read.files) >= 40
    assert read.skipped == ()
    assert len(read.facts) > 5 * len(read.files)
