"""The web page as files: how it is served, that it asks nobody else for anything, that nothing of it is missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mathagent.server.app import STATIC
from mathagent.server.page import FOLDERS, POLICY
from tests.unit.server.served import FORTY_TWO, KEY, always, keys, served

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
STYLES = [*sorted((STATIC / "css").glob("*.css")), STATIC / "vendor" / "katex" / "katex.min.css"]
SHIPPED = [path for path in STATIC.rglob("*") if path.is_file() and path.name not in ("README.md", "LICENSE")]
NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}
"""Names of markup languages, which look like addresses; nothing is fetched from there."""


class Markup(HTMLParser):
    """The elements of a page, each with its attributes; ``inline`` is what stands within script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.inline += data


INDEX = Markup((STATIC / "index.html").read_text(encoding="utf-8"))


async def test_everybody_gets_the_page_and_nobody_else_the_api(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO), keys=keys()) as server:
        page = await server.http.get("/")
        head = await server.http.head("/")
        refused = await server.http.get("/v1/about")
        known = await server.http.get("/v1/about", headers={"Authorization": f"Bearer {KEY}"})
        health = await server.http.get("/health")
    assert (page.status_code, head.status_code) == (200, 200)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text == (STATIC / "index.html").read_text(encoding="utf-8")
    assert (refused.status_code, known.status_code, health.status_code) == (401, 200, 200)


async def test_every_file_is_served_with_its_type_and_the_policy(tmp_path: Path) -> None:
    types = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
    async with served(tmp_path, always(FORTY_TWO)) as server:
        for path in SHIPPED:
            if path.parent == STATIC:
                continue
            response = await server.http.get(f"/{path.relative_to(STATIC).as_posix()}")
            assert response.status_code == 200, path
            assert response.headers["content-type"].startswith(types[path.suffix]), path
            assert response.headers["content-security-policy"] == POLICY
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["etag"]


@pytest.mark.parametrize("part", ["'unsafe-inline'", "'unsafe-eval'", "http:", "https:", "data:", "*"])
def test_the_policy_has_no_hole(part: str) -> None:
    assert part not in POLICY
    assert "default-src 'none'" in POLICY
    assert "require-trusted-types-for 'script'" in POLICY


async def test_an_unchanged_file_is_not_sent_again(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        first = await server.http.get("/js/main.js")
        again = await server.http.get("/js/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


@pytest.mark.parametrize(
    "path", ["/js/none.js", "/js/../app.py", "/js/%2e%2e/%2e%2e/app.py", "/js", "/index.html", "/css/"]
)
async def test_nothing_else_is_served(tmp_path: Path, path: str) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.http.get(path)
    assert response.status_code in (307, 404)
    assert "create_app" not in response.text


async def test_routes_answer_as_they_did_before_there_was_a_page(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        assert (await server.http.get("/v1/solve")).status_code == 405
        assert (await server.http.post("/")).status_code == 405
        missing = await server.http.get("/nowhere")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        assert "/" not in (await server.http.get("/openapi.json")).json()["paths"]


async def test_without_a_page_the_api_is_all_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathagent.server.app.STATIC", tmp_path)
    async with served(tmp_path, always(FORTY_TWO)) as server:
        assert (await server.http.get("/")).status_code == 404
        assert (await server.http.get("/v1/about")).status_code == 200


def test_no_shipped_file_names_another_place() -> None:
    for path in SHIPPED:
        if path.suffix == ".woff2":
            continue
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:https?|wss?|ftp):(?:\\?/){2}[^\s\"'`)<>]+", text)) - NAMESPACES
        assert not named, path
        assert not re.findall(r"""(?:src|href|url|import|from)\s*[=(]?\s*["'(]//""", text), path


def test_the_page_has_no_script_or_style_of_its_own_within() -> None:
    assert not INDEX.inline.strip()
    for tag, attributes in INDEX.elements:
        assert tag != "style"
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag


def test_what_the_page_names_is_there() -> None:
    named = [
        value
        for tag, attributes in INDEX.elements
        for name, value in attributes.items()
        if name == "src" or (name == "href" and tag == "link")
    ]
    assert len(named) >= 8
    for value in named:
        assert value is not None
        assert not value.startswith("/")  # it may be mounted below a path
        assert (STATIC / value).is_file(), value
        assert value.split("/")[0] in FOLDERS, value


def test_what_scripts_import_is_there_and_nothing_lies_about() -> None:
    imported = {"main.js", "theme_first.js"}
    for path in SCRIPTS:
        names = re.findall(r"""from\s+"\./([\w.]+)";""", path.read_text(encoding="utf-8"))
        for name in names:
            assert (path.parent / name).is_file(), (path, name)
        imported.update(names)
    assert imported == {path.name for path in SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_reads_text_as_markup_or_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    doors = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "createContextualFragment")
    for word in (*doors, "DOMParser", "srcdoc", "eval(", "new Function", "javascript:", "setHTMLUnsafe"):
        assert word not in text
    assert len(text.splitlines()) <= 300


def test_the_fonts_that_the_styles_name_are_all_there_and_no_others() -> None:
    katex = STATIC / "vendor" / "katex"
    named = set(re.findall(r"url\((.*?)\)", (katex / "katex.min.css").read_text(encoding="utf-8")))
    assert len(named) == 20
    assert named == {f"fonts/{path.name}" for path in (katex / "fonts").iterdir()}
    for name in named:
        assert (katex / name).read_bytes()[:4] == b"wOF2"
    for path in STYLES[:-1]:
        assert "url(" not in path.read_text(encoding="utf-8")


def test_what_others_made_comes_with_its_version_and_licence() -> None:
    katex = STATIC / "vendor" / "katex"
    about = (STATIC / "vendor" / "README.md").read_text(encoding="utf-8")
    (version,) = re.findall(r"\| (\d+\.\d+\.\d+) \|", about)
    assert f'version:"{version}"' in (katex / "katex.min.js").read_text(encoding="utf-8").replace(" ", "")
    assert (katex / "LICENSE").read_text(encoding="utf-8").startswith("The MIT License")
    assert {path.name for path in (STATIC / "vendor").iterdir()} == {"README.md", "katex"}


def test_the_wheel_takes_all_of_it() -> None:
    """Hatch packs the package's folder, less what git ignores and what it is told to leave out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["mathagent"]}
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout to know what is ignored")
    files = [str(path.relative_to(ROOT)) for path in SHIPPED]
    ignored = subprocess.run(
        [git, "check-ignore", "--no-index", *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ignored.returncode, ignored.stdout) == (1, "")
