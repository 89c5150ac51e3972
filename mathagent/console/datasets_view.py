"""What a person sees of data sets: the list, one with its first items, and the audit of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from mathagent.console.page import Page
from mathagent.evals.datasets.audit import CHECKS, Audit
from mathagent.evals.datasets.signals import SIGNALS
from mathagent.evals.datasets.source import Source, Subset

EXAMPLES = 3
LONGEST = 400  # characters of a question


def show_sources(console: Console, rows: Sequence[tuple[Source, Mapping[str, int]]], folder: Path | None) -> None:
    """One row a data set: its title and source, how many items are in ``folder``, languages and licence."""
    page = Page(console)
    page.table(
        [
            (
                source.name,
                page.dot.join(
                    [
                        source.title,
                        source.paper,
                        _found(source, found),
                        f"{len(source.languages)} languages"
                        if len(source.languages) > 3
                        else ", ".join(source.languages),
                        source.licence,
                    ]
                ),
                "bold",
            )
            for source, found in rows
        ]
    )
    page.line()
    here = "no folder is named (--data or MATHAGENT_DATA)" if folder is None else f"items found in {folder}"
    page.line(f"{here}; 'mathagent datasets show NAME' says where each comes from", style="dim")


def show_dataset(
    console: Console, source: Source | None, name: str, items: Sequence[Mapping[str, Any]], missing: str
) -> None:
    """The source's statements, then the items: id, hash, question, choices, reference, metadata."""
    page = Page(console)
    page.line(name, style="bold")
    if source is not None:
        _show_source(page, source)
    if missing:
        page.line()
        page.line(missing, style="yellow")
    for item in items:
        page.line()
        page.parts((str(item["id"]), "bold"), (f"  {item['hash']}", "dim"))
        question = str(item["question"])
        page.line(question if len(question) <= LONGEST else f"{question[:LONGEST]} …", indent=2)
        for choice in item["choices"]:
            page.line(str(choice), indent=4)
        page.parts(("reference ", "dim"), (str(item["reference"]), ""), indent=2)
        shown = {key: value for key, value in item["metadata"].items() if len(str(value)) <= 60}
        if shown:
            page.line(", ".join(f"{key}: {value}" for key, value in shown.items()), indent=2, style="dim")
        if item["fields"]:
            page.line(f"fields: {', '.join(item['fields'])}", indent=2, style="dim")


def show_audit(console: Console, found: Audit) -> None:
    """One row a signal: how many items have it, and the first of them."""
    page = Page(console)
    page.line(f"{found.dataset}: {len(found.rows)} items", style="bold")
    names = [*SIGNALS, *(name for name in CHECKS if name in found.rows[0].signals)]
    page.table([(name, _count(found.ids(name)), "") for name in names])
    page.line()
    types: dict[str, int] = {}
    for row in found.rows:
        types[row.answer_type] = types.get(row.answer_type, 0) + 1
    ordered = sorted(types.items(), key=lambda pair: -pair[1])
    page.field("answers", ", ".join(f"{name} {count}" for name, count in ordered))
    page.field("keep", f"{sum(row.keep for row in found.rows)} of {len(found.rows)}")
    page.line("keep: no signal, and an answer of a closed form; nothing was deleted", style="dim")


def _show_source(page: Page, source: Source) -> None:
    for label, value in (
        ("title", source.title),
        ("source", source.paper),
        ("licence", source.licence),
        ("languages", ", ".join(source.languages)),
        ("answer", source.answer),
        ("note", source.note),
    ):
        if value:
            page.field(label, value)
    page.line()
    page.table([(source.label(name), _places(subset), "") for name, subset in source.subsets.items()])


def _places(subset: Subset) -> str:
    files = " + ".join(f"{stem}.jsonl" for stem in subset.files)
    places = [" ".join(filter(None, (hub.repo, hub.config, hub.split))) for hub in subset.hub]
    shown = (
        places[0]
        if len(places) == 1
        else f"{places[0]} and {len(places) - 1} more"
        if places
        else "not on the hub"
    )
    kept = ", ".join(f"{field} = {value}" for field, value in subset.where.items())
    told = [files or "comes with mathagent", f"hub: {shown}" if subset.files else "", kept]
    judged = "to be judged, not solved" if subset.task == "judge" else ""
    return "; ".join(part for part in (*told, judged) if part)


def _found(source: Source, found: Mapping[str, int]) -> str:
    if source.default in found:
        return f"{found[source.default]:,} {'templates ' if source.build else ''}here"
    if found:
        return ", ".join(f"{count:,} of {name} here" for name, count in found.items())
    return "comes with mathagent" if not any(one.files for one in source.subsets.values()) else "not here"


def _count(ids: Sequence[str]) -> str:
    more = " …" if len(ids) > EXAMPLES else ""
    return f"{len(ids)}  {', '.join(ids[:EXAMPLES])}{more}" if ids else "0"
