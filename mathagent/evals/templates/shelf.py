"""The templates that ship with the package, and the data sets made of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from mathagent.errors import UsageError
from mathagent.evals.dataset import Dataset
from mathagent.evals.templates.generator import has_variant, instances
from mathagent.evals.templates.template import Clause, Draw, Template, Variant

_CLAUSE_FIELDS = {"text", "draw", "let", "conditions", "question", "answer", "answer_type"}
_TEMPLATE_FIELDS = (_CLAUSE_FIELDS - {"text"}) | {"id", "body", "subject", "level", "signed", "p1", "noop"}


@lru_cache(maxsize=1)
def shipped_templates() -> tuple[Template, ...]:
    """All templates of the package, by file and place in it."""
    folder = files(__package__).joinpath("shipped")
    names = sorted(
        one.name for one in folder.iterdir() if one.name.endswith(".toml") and one.name != "word_lists.toml"
    )
    return tuple(
        template
        for name in names
        for template in read_templates(folder.joinpath(name).read_text(encoding="utf-8"), name)
    )


def read_templates(text: str, where: str) -> list[Template]:
    """The templates of a TOML file: a list ``template`` of tables. Raises UsageError naming what is wrong."""
    try:
        tables = tomllib.loads(text).get("template", [])
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where} is not TOML: {error}") from error
    subject = where.rpartition("/")[2].removesuffix(".toml").replace("_", " ")
    templates = [_template(table, subject) for table in tables]
    for template in templates:
        template.check()
    return templates


def load_templates(n_per_template: int = 5, seed: int = 0, variant: Variant = "symbolic") -> Dataset:
    """The shipped templates as a data set, ``n_per_template`` instances each; ``variant`` as in ``instances``.

    Templates that have no such variant are left out. Its name is "templates", with the variant unless "symbolic".
    """
    problems = []
    for template in shipped_templates():
        if not has_variant(template, variant):
            continue
        for one in instances(template, n_per_template, seed, variant=variant):
            problem = one.problem()
            problems.append(problem.model_copy(update={"id": f"templates/{problem.id}"}))
    return Dataset(name="templates" if variant == "symbolic" else f"templates-{variant}", problems=tuple(problems))


def _template(table: Mapping[str, Any], subject: str) -> Template:
    name = table.get("id")
    _refuse_unknown(table, _TEMPLATE_FIELDS, f"template {name}")
    missing = {"id", "body", "question", "draw", "answer", "level"} - table.keys()
    if missing:
        raise UsageError(f"template {name}: {', '.join(sorted(missing))} is missing")
    plain = {
        key: table[key]
        for key in ("id", "body", "question", "answer", "level", "answer_type", "signed")
        if key in table
    }
    return Template(
        **plain,
        subject=table.get("subject", subject),
        draws=_draws(table.get("draw", {})),
        lets=tuple(table.get("let", {}).items()),
        conditions=tuple(table.get("conditions", ())),
        p1=_clause(table["p1"], f"template {name}, p1") if "p1" in table else None,
        noop=_clause(table["noop"], f"template {name}, noop") if "noop" in table else None,
    )


def _clause(table: Mapping[str, Any], where: str) -> Clause:
    _refuse_unknown(table, _CLAUSE_FIELDS, where)
    return Clause(
        text=table["text"],
        draws=_draws(table.get("draw", {})),
        lets=tuple(table.get("let", {}).items()),
        conditions=tuple(table.get("conditions", ())),
        question=table.get("question"),
        answer=table.get("answer"),
        answer_type=table.get("answer_type"),
    )


def _draws(table: Mapping[str, str]) -> tuple[Draw, ...]:
    return tuple(
        Draw(names=tuple(name.strip() for name in names.split(",")), source=source)
        for names, source in table.items()
    )


def _refuse_unknown(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = table.keys() - known
    if unknown:
        raise UsageError(f"{where}: {', '.join(sorted(unknown))} is no field; known: {', '.join(sorted(known))}")
