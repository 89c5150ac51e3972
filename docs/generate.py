"""Writes docs/strategies/NAME.md of every strategy, and docs/papers.md, from what the code says of itself.

    python docs/generate.py          # writes; a page whose strategy is gone is deleted
    python docs/generate.py --check  # writes nothing; exit code 1 where a page is not as it would be written

A contract test holds the pages to the code (tests/contracts/test_strategy_pages.py).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from mathagent.agents.strategy import Strategy
from mathagent.console.strategy_page import strategy_page
from mathagent.console.strategy_settings import calls_words, needs_words
from mathagent.strategies import DEFAULT_STRATEGY, STRATEGIES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MOST_TESTS = 3
"""Tests named of one paper."""
MADE = "<!-- made by docs/generate.py: change the code, then run it -->"

_PAPER = re.compile(r"arXiv (\d{4}\.\d{4,5})")
_QUOTED = re.compile(r'"([^"]{4,160})"[,;]?(?: \([^()]{0,40}\))? ?\(?(?:[^()"]{0,30}, )?arXiv (\d{4}\.\d{4,5})')
_NAMED = re.compile(
    r"((?:[A-Z][\w.+^-]*|[A-Z]?[a-z]+-[A-Z][\w-]*)(?:[ -][A-Z0-9][\w.+-]*){0,4})(?:'s \w+)?,? \(?(?:[^()]{0,12}, )?"
    r"arXiv (\d{4}\.\d{4,5})"
)
_IN_STRATEGY = re.compile(r"(?:^|[),;] ?)([^()]+?(?:\([^()]*\))?[^()]*?) \(arXiv (\d{4}\.\d{4,5})\)")

PARTS: Mapping[str, tuple[str, ...]] = {
    "Blocks, scorers, tools and memory": ("agents", "answers", "memory", "scorers", "tools"),
    "Backends": ("models",),
    "Typed functions": ("functions",),
    "Searches for a prompt": ("evals/prompt_search",),
    "Measures of evaluations": ("evals/metrics", "evals/process", "evals/perturb", "evals/templates"),
}
"""Where else methods of the literature are implemented (data sets stand in docs/datasets.md)."""


def pages() -> dict[Path, str]:
    """Every page that is made, by its path."""
    loaded: dict[str, Strategy] = {name: STRATEGIES.load(name) for name in STRATEGIES.table}
    made = {
        DOCS / "strategies" / f"{name}.md": f"{MADE}\n\n{strategy_page(name, one, one.configure({}))}"
        for name, one in loaded.items()
    }
    made[DOCS / "strategies" / "README.md"] = _index(loaded)
    made[DOCS / "papers.md"] = _papers(loaded)
    return made


def stale(made: Mapping[Path, str]) -> list[Path]:
    """The pages that are not as they would be written, and those that nothing writes any more."""
    known = [*made, *(path for path in (DOCS / "strategies").glob("*.md") if path not in made)]
    return [path for path in known if not path.is_file() or path.read_text(encoding="utf-8") != made.get(path)]


def _index(loaded: Mapping[str, Strategy]) -> str:
    rows = [
        f"| [{name}]({name}.md){' (default)' if name == DEFAULT_STRATEGY else ''} | {one.kind or ''} |"
        f" {calls_words(one)} | {needs_words(one)} | {'yes' if one.training_free else 'no'} | {one.summary} |"
        for name, one in sorted(loaded.items(), key=lambda pair: (pair[1].kind or "", pair[0]))
    ]
    return "\n".join(
        [
            MADE,
            "",
            "# Strategies",
            "As `mathagent strategies list` has them. Calls: samples of one solve with default settings and without a"
            " budget, at least and at most; typed questions that have to be asked again come on top. Needs: what is"
            " used beside a chat model. Training-free: the paper trains no model for it; where it does, prompts take"
            " the part of the trained models here. How to join strategies: [composition](../composition.md).",
            "",
            "| strategy | kind | calls | needs | training-free | |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _papers(loaded: Mapping[str, Strategy]) -> str:
    sources = list((ROOT / "mathagent").rglob("*.py"))
    titles = _titles(sources)
    measured = _measured()
    lines = [
        MADE,
        "",
        "# Papers",
        "Every method of the literature that is implemented here, where, and what of it was reproduced. “Scripted"
        " test”: the algorithm, with order, content and number of its calls, against a model whose replies are written"
        " down. Figures stand in [benchmarks](benchmarks.md), and nowhere else; where there are none, it says so.",
        "",
        "## Strategies",
        "| paper | arXiv | strategy | code | reproduced |",
        "|---|---|---|---|---|",
    ]
    for name, one in loaded.items():
        code = f"mathagent/strategies/{name.replace('-', '_')}.py"
        test = f"tests/unit/strategies/test_{name.replace('-', '_')}.py"
        figures = "figures in [benchmarks](benchmarks.md)" if name in measured else "not measured yet"
        for number in dict.fromkeys(_PAPER.findall(f"{one.paper} {_docstring(ROOT / code)}")):
            own = {found: title.strip(" ,;") for title, found in _IN_STRATEGY.findall(one.paper)}
            title = titles.get(number) or own.get(number, "")
            lines.append(
                f"| {title} | {_link(number)} | [{name}](strategies/{name}.md) | [{code}](../{code}) |"
                f" [scripted test](../{test}); {figures} |"
            )
    for heading, folders in PARTS.items():
        lines += ["", f"## {heading}", "| paper | arXiv | code | reproduced |", "|---|---|---|---|"]
        places: dict[str, list[Path]] = {}
        for path in sorted(path for folder in folders for path in (ROOT / "mathagent" / folder).rglob("*.py")):
            for number in dict.fromkeys(_PAPER.findall(" ".join(" ".join(_docstrings(path)).split()))):
                places.setdefault(number, []).append(path)
        for number, paths in sorted(places.items(), key=lambda pair: titles.get(pair[0], "").casefold()):
            names = [path.relative_to(ROOT).as_posix() for path in paths]
            code = ", ".join(f"[{name.removeprefix('mathagent/')}](../{name})" for name in names)
            lines.append(f"| {titles.get(number, '')} | {_link(number)} | {code} | {_tested(paths)} |")
    return "\n".join([*lines, ""])


def _measured() -> set[str]:
    """The strategies that a table of docs/benchmarks.md has a row of."""
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([\w-]+)`", text, re.MULTILINE))


def _titles(sources: list[Path]) -> dict[str, str]:
    """The title, or else the name, of each paper, as the first docstring gives it that does."""
    titles: dict[str, str] = {}
    texts = [" ".join(text.split()) for path in sorted(sources) for text in _docstrings(path)]
    for pattern in (_QUOTED, _NAMED):
        for text in texts:
            for title, number in pattern.findall(text):
                titles.setdefault(number, title)
    return {number: title.replace("|", "\\|") for number, title in titles.items()}


def _tested(paths: Sequence[Path]) -> str:
    """The tests that import the modules at ``paths``, those named like them first; a few at most."""
    found: dict[Path, None] = {}
    for path in paths:
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        imports = re.compile(rf"^from {re.escape(dotted)} import", re.MULTILINE)
        own = [test for test, text in _test_sources().items() if imports.search(text)]
        own.sort(key=lambda test, stem=path.stem: (test.stem != f"test_{stem}", test))  # type: ignore[misc]
        found |= dict.fromkeys(own[:1])
    names = [test.relative_to(ROOT).as_posix() for test in found][:MOST_TESTS]
    return ", ".join(f"[{Path(name).name}](../{name})" for name in names) or "through what uses it"


@cache
def _test_sources() -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}


def _docstring(path: Path) -> str:
    return " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())


def _docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text


def _link(number: str) -> str:
    return f"[{number}](https://arxiv.org/abs/{number})"


def main(arguments: list[str]) -> int:
    """Writes or checks the pages; returns the exit code."""
    made = pages()
    wrong = stale(made)
    if arguments == ["--check"]:
        for path in wrong:
            print(f"{path.relative_to(ROOT)} is not up to date; run: python docs/generate.py")
        return 1 if wrong else 0
    for path in wrong:
        if path in made:
            path.parent.mkdir(exist_ok=True)
            path.write_text(made[path], encoding="utf-8")
        else:
            path.unlink()
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
