"""The group of commands ``mathagent memory``: parsing only (cli/memory*.py do the work)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mathagent.cli.options import (
    AsJson,
    BaseUrl,
    MemoryFile,
    Model,
    Settings,
    config_of,
)

memory_app = typer.Typer(
    help="What is remembered: stats, search, show, add, forget, export, import, compact, doctor, learn.",
    invoke_without_command=True,
)

Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="exemplar, lesson, template, fact or statistics; may be repeated."),
]
JsonLines = Annotated[Path | None, typer.Argument(help="A file of JSON lines; none, or -: stdin or stdout.")]


@memory_app.callback()
def memory_root(context: typer.Context) -> None:
    """What is remembered: stats, search, show, add, forget, export, import, compact, doctor, learn."""
    from mathagent.cli.groups import help_without_command

    help_without_command(context)


@memory_app.command("stats")
def memory_stats(memory: MemoryFile = None, as_json: AsJson = False) -> int:
    """Show how much of what is remembered, and where it came from."""
    from mathagent.cli.memory import stats_command

    return stats_command(memory, as_json=as_json)


@memory_app.command("search")
def memory_search(
    text: Annotated[str, typer.Argument(help="A problem, or words.")],
    kinds: Kinds = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Hits at most.")] = 5,
    subject: Annotated[str, typer.Option(help="Only of this subject.")] = "",
    least_trust: Annotated[
        str, typer.Option("--trust", help="At least unchecked, judged, verified, graded or person.")
    ] = "unchecked",
    memory: MemoryFile = None,
    as_json: AsJson = False,
) -> int:
    """Find what is remembered of something like it; exit code 1 if nothing."""
    from mathagent.cli.memory import search_command

    return search_command(
        memory, text, kinds=kinds or [], limit=limit, subject=subject, least_trust=least_trust, as_json=as_json
    )


@memory_app.command("show")
def memory_show(
    name: Annotated[str, typer.Argument(metavar="ID", help="An id, or how it begins.")],
    memory: MemoryFile = None,
    as_json: AsJson = False,
) -> int:
    """Show one experience: content, origin, evidence."""
    from mathagent.cli.memory import show_command

    return show_command(memory, name, as_json=as_json)


@memory_app.command("add")
def memory_add(
    paths: Annotated[list[Path] | None, typer.Argument(help="Notes: files or folders of text.")] = None,
    facts: Annotated[
        bool, typer.Option("--facts", help="The formulas and theorems that come with mathagent.")
    ] = False,
    memory: MemoryFile = None,
) -> int:
    """Index notes (again, where they changed), or the bundled facts."""
    from mathagent.cli.memory_add import add_command

    return add_command(memory, paths or [], facts=facts)


@memory_app.command("forget")
def memory_forget(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or how they begin.")] = None,
    kinds: Kinds = None,
    dataset: Annotated[str, typer.Option(help="All that came from this data set.")] = "",
    source: Annotated[str, typer.Option(help="All that came from this file or folder.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    memory: MemoryFile = None,
) -> int:
    """Delete experiences."""
    from mathagent.cli.memory import forget_command

    return forget_command(memory, names or [], kinds=kinds or [], dataset=dataset, source=source, yes=yes)


@memory_app.command("export")
def memory_export(file: JsonLines = None, kinds: Kinds = None, memory: MemoryFile = None) -> int:
    """Write experiences as JSON lines."""
    from mathagent.cli.memory_exchange import export_command

    return export_command(memory, file, kinds=kinds or [])


@memory_app.command("import")
def memory_import(file: JsonLines = None, memory: MemoryFile = None) -> int:
    """Read what `memory export` wrote, nothing if a line is wrong; what is there already is merged."""
    from mathagent.cli.memory_exchange import import_command

    return import_command(memory, file)


@memory_app.command("compact")
def memory_compact(
    most: Annotated[int | None, typer.Option(min=1, help="Experiences to keep at most (the most useful).")] = None,
    memory: MemoryFile = None,
) -> int:
    """Drop what is of least use, make vectors that are missing, and give space back."""
    from mathagent.cli.memory_upkeep import compact_command

    return compact_command(memory, most)


@memory_app.command("doctor")
def memory_doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Build the derived parts anew.")] = False,
    memory: MemoryFile = None,
    as_json: AsJson = False,
) -> int:
    """Check the store; exit code 1 if something is wrong."""
    from mathagent.cli.memory_upkeep import doctor_command

    return doctor_command(memory, repair=repair, as_json=as_json)


@memory_app.command("learn")
def memory_learn(
    dataset: Annotated[Path, typer.Argument(help="Problems with worked solutions, or with answers (--solve).")],
    solve: Annotated[
        bool, typer.Option("--solve", help="Solve the problems; keep what the references confirm.")
    ] = False,
    strategy: Annotated[
        str | None, typer.Option("--strategy", "-s", help="With --solve: how (default: pal).")
    ] = None,
    notes: Annotated[
        bool, typer.Option("--notes", help="With --solve: let the model write a note on what it got wrong.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Take the first N problems.")] = None,
    model: Model = None,
    base_url: BaseUrl = None,
    settings: Settings = None,
    memory: MemoryFile = None,
) -> int:
    """Build experience from a data set: its worked solutions, or our own that its answers confirm."""
    from mathagent.cli.memory_learn import LearnArguments, learn_command

    return learn_command(
        LearnArguments(
            dataset=dataset,
            solve=solve,
            strategy=strategy,
            notes=notes,
            limit=limit,
            model=model,
            base_url=base_url,
            config=config_of(None, None, settings),
            memory=memory,
        )
    )
