"""What is remembered, as a person reads it: a store in numbers, hits of a search, one experience whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from mathagent.console.certificate_view import show_certificate
from mathagent.console.clean_text import one_line
from mathagent.console.page import Page
from mathagent.console.solution_view import counted
from mathagent.memory.base import Hit, StoreStatistics
from mathagent.memory.experience import EXPERIENCE_KINDS, TRUST_ORDER, Exemplar, Experience, ExperienceKind
from mathagent.models.catalog import size_text

TITLE = 70  # characters of a hit's title
SEARCHED = tuple(kind for kind in EXPERIENCE_KINDS if kind != "statistics")
"""What a search looks through where nothing else is said: statistics only repeat their problem."""


def show_statistics(console: Console, statistics: StoreStatistics, place: str) -> None:
    """The store in numbers."""
    page = Page(console)
    page.field("memory", place)
    kinds = ((kind, statistics.by_kind.get(kind, 0)) for kind in EXPERIENCE_KINDS)
    page.field("holds", ", ".join(_kind_words(kind, count) for kind, count in kinds if count) or "nothing yet")
    if statistics.by_trust:
        page.field(
            "trust", _counted({trust: statistics.by_trust.get(trust, 0) for trust in reversed(TRUST_ORDER)})
        )
    if statistics.by_dataset:
        sources = sorted(statistics.by_dataset.items(), key=lambda one: -one[1])
        page.field("from", _counted({one_line(name, 60) or "own solves": count for name, count in sources}))
    indexed = f"{statistics.indexed:,} in the index, the rest" if statistics.indexed else "all"
    searched = f"; {indexed} searched exactly" if statistics.experiences else ""
    page.field("vectors", f"{statistics.embedder}{searched}")
    page.field("size", f"{size_text(statistics.database_bytes)}, index {size_text(statistics.index_bytes)}")
    if statistics.fingerprint:
        page.field("state", statistics.fingerprint, style="dim")


def show_hits(console: Console, hits: Sequence[Hit]) -> None:
    """The hits of a search, best first."""
    page = Page(console)
    if not hits:
        page.line("nothing like it is remembered")
        return
    page.table([(hit.experience.id[:12], _about(hit), "bold") for hit in hits])
    page.line("whole: mathagent memory show ID", style="dim")


def show_experience(console: Console, experience: Experience) -> None:
    """One experience, whole, with what speaks for it."""
    page = Page(console)
    where = experience.provenance
    page.field("id", experience.id, style="bold")
    page.field("kind", f"{experience.kind}; {_trusted(experience)}")
    if experience.subject:
        page.field("subject", experience.subject)
    origin = (
        where.source,
        "/".join(part for part in (where.dataset, where.item) if part),
        where.strategy,
        where.model,
    )
    page.field("from", "; ".join(part for part in origin if part) or "unknown")
    if where.created:
        page.field("made", datetime.fromtimestamp(where.created, UTC).strftime("%Y-%m-%d %H:%M UTC"))
    if experience.uses:
        page.field("shown", f"in {experience.uses} solves, {experience.successes} of them right")
    for name, value in experience.content.model_dump(exclude={"kind"}).items():
        if value in ("", (), [], None):
            continue
        page.line()
        page.line(name.replace("_", " "), style="dim")
        if name in ("program", "example"):
            page.code(str(value))
        else:
            page.prose("\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
    if experience.evidence:
        page.line()
        show_certificate(console, experience.evidence, "as it stood when this was remembered")


def _about(hit: Hit) -> str:
    one = hit.experience
    found = [f"words {hit.lexical_rank}"] if hit.lexical_rank else []
    if hit.similarity is not None:
        found.append(f"similarity {hit.similarity:.2f}")
    answer = f" → {one_line(one.content.answer, 20)}" if isinstance(one.content, Exemplar) else ""
    return f"{one_line(one.key_text, TITLE)}{answer} ({one.kind}, {one.trust}; {', '.join(found)})"


def _trusted(experience: Experience) -> str:
    return {
        "unchecked": "nobody has checked it",
        "judged": "a model judged it",
        "verified": "executed checks hold",
        "graded": "a reference confirmed it",
        "person": "a person confirmed it",
    }[experience.trust]


def _kind_words(kind: ExperienceKind, count: int) -> str:
    return f"{count:,} {kind}" if kind == "statistics" else counted(count, kind)


def _counted(numbers: Mapping[Any, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in numbers.items() if count)
