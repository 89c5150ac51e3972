"""mathagent doctor: what is available here, and what to do about what is not."""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import sys
import tempfile
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.table import Table

from mathagent import __version__
from mathagent.config import Settings, settings
from mathagent.console.solution_view import counted
from mathagent.errors import MathagentError, ModelFileError, UsageError
from mathagent.models.catalog import catalog, size_text
from mathagent.models.connect import split_model
from mathagent.models.openai_compat import OPENAI_URL
from mathagent.models.weights import status
from mathagent.sandbox import DEFAULT_SANDBOX, INTERACTIVE_SANDBOX, SANDBOXES
from mathagent.types import Value

if TYPE_CHECKING:
    from mathagent.memory.base import StoreStatistics

ENDPOINT_TIMEOUT_S = 5.0
EXTRAS = {"embedded": "xllamacpp", "gpu": "transformers"}


class Finding(Value):
    """One thing looked at. ``state``: ok; off (available on request); missing (something does not work)."""

    area: str
    name: str
    state: Literal["ok", "off", "missing"]
    detail: str
    advice: str = ""


def doctor_command(*, as_json: bool) -> int:
    """Prints the findings; exit code 1 where a problem cannot be solved as things are."""
    findings = [
        *_machine(),
        *_home(settings()),
        *_models(settings()),
        *_endpoint(settings()),
        *_sandbox(),
        *_extras(),
        *_memory(settings()),
    ]
    if as_json:
        sys.stdout.write(json.dumps([finding.model_dump() for finding in findings], indent=2) + "\n")
    else:
        _show(Console(), findings)
    return 1 if any(finding.state == "missing" for finding in findings) else 0


def _machine() -> list[Finding]:
    detail = (
        f"mathagent {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    return [Finding(area="machine", name="python", state="ok", detail=detail)]


def _home(configured: Settings) -> list[Finding]:
    home = configured.home_dir
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            free = shutil.disk_usage(home).free
    except OSError as error:
        advice = "set MATHAGENT_HOME to a folder that you can write"
        detail = f"{home}: {error.strerror}"
        return [Finding(area="storage", name="home", state="missing", detail=detail, advice=advice)]
    return [Finding(area="storage", name="home", state="ok", detail=f"{home}, {size_text(free)} free")]


def _models(configured: Settings) -> list[Finding]:
    findings = []
    for model in catalog():
        here = status(model, configured.models_dir).present
        findings.append(
            Finding(
                area="models",
                name=f"embedded:{model.name}",
                state="ok" if here else "off",
                detail=f"{size_text(model.size)}, {'here' if here else 'not fetched yet'}",
                advice="" if here else f"mathagent models pull {model.name} (or the first solve fetches it)",
            )
        )
    return [*findings, _default_model(configured)]


def _default_model(configured: Settings) -> Finding:
    try:
        backend, _ = split_model(configured.model, has_endpoint=configured.openai_base_url is not None)
    except UsageError as error:
        advice = "set MATHAGENT_MODEL to a known model"
        return Finding(area="models", name="default", state="missing", detail=str(error), advice=advice)
    if backend == "embedded" and find_spec("xllamacpp") is None:
        return Finding(
            area="models",
            name="default",
            state="missing",
            detail=f"{configured.model}: the llama.cpp runtime is not installed",
            advice="pip install 'mathagent[embedded]', or set MATHAGENT_MODEL=openai:NAME",
        )
    return Finding(area="models", name="default", state="ok", detail=configured.model)


def _endpoint(configured: Settings) -> list[Finding]:
    url, key = configured.openai_base_url, configured.openai_api_key
    if url is None and key is None:
        advice = "set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to use openai: models"
        return [Finding(area="endpoint", name="openai", state="off", detail="not configured", advice=advice)]
    import httpx

    base = (url or OPENAI_URL).rstrip("/")
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    try:
        reply = httpx.get(f"{base}/models", headers=headers, timeout=ENDPOINT_TIMEOUT_S)
        names = [str(row["id"]) for row in reply.raise_for_status().json()["data"]]
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        advice = "check OPENAI_API_KEY" if code in (401, 403) else "check OPENAI_BASE_URL (it ends in /v1)"
        detail = f"{base} answers HTTP {code}"
        return [Finding(area="endpoint", name="openai", state="missing", detail=detail, advice=advice)]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        detail = f"{base}: {type(error).__name__}: {' '.join(str(error).split())[:120]}"
        advice = "start the server, or correct OPENAI_BASE_URL"
        return [Finding(area="endpoint", name="openai", state="missing", detail=detail, advice=advice)]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [Finding(area="endpoint", name="openai", state="ok", detail=f"{base} offers {shown or 'no models'}")]


def _sandbox() -> list[Finding]:
    findings = []
    for name in sorted(SANDBOXES.names(), key=lambda name: (name != DEFAULT_SANDBOX, name)):
        if name == INTERACTIVE_SANDBOX != DEFAULT_SANDBOX:
            continue  # the default one with another setting
        try:
            layers = SANDBOXES.load(name)().layers()
        except MathagentError as error:
            findings.append(Finding(area="sandbox", name=name, state="missing", detail=str(error)))
            continue
        if layers[0].name == "engine" and not layers[0].active:
            layers = layers[:1]  # nothing holds without it
        findings += [
            Finding(
                area=f"sandbox {name}",
                name=layer.name,
                state="ok" if layer.active else "off",
                detail=layer.detail,
                advice="" if layer.active else "see docs/security.md",
            )
            for layer in layers
        ]
    return findings


def _extras() -> list[Finding]:
    return [
        Finding(
            area="extras",
            name=extra,
            state="ok" if find_spec(module) else "off",
            detail=f"{module} is {'installed' if find_spec(module) else 'not installed'}",
            advice="" if find_spec(module) else f"pip install 'mathagent[{extra}]'",
        )
        for extra, module in EXTRAS.items()
    ]


def _memory(configured: Settings) -> list[Finding]:
    """The store of experiences and what makes its vectors; nothing is made where there is none yet."""
    from mathagent.memory.opening import open_store
    from mathagent.memory.static_embedder import TABLE_FILE

    place = configured.memory_path

    async def statistics() -> StoreStatistics:
        store = open_store(read_only=True)
        try:
            return await store.statistics()
        finally:
            await store.aclose()

    has_table = (configured.models_dir / TABLE_FILE).exists()
    try:
        numbers = asyncio.run(statistics())
    except ModelFileError as error:
        advice = "mathagent models rm minilm, then mathagent models pull minilm"
        return [Finding(area="memory", name="embedder", state="missing", detail=str(error), advice=advice)]
    except MathagentError as error:
        advice = "mathagent memory doctor says what can be repaired"
        return [Finding(area="memory", name="store", state="missing", detail=str(error), advice=advice)]
    size = f", {size_text(numbers.database_bytes + numbers.index_bytes)}" if numbers.experiences else ""
    kind = "static: similar words are near each other" if has_table else "hashed: only the same words are near"
    return [
        Finding(
            area="memory",
            name="store",
            state="ok",
            detail=f"{place}, {counted(numbers.experiences, 'experience')}{size}",
        ),
        Finding(
            area="memory",
            name="embedder",
            state="ok" if has_table else "off",
            detail=f"{kind} ({numbers.embedder})",
            advice="" if has_table else "mathagent models pull minilm (it finds more of what is alike)",
        ),
    ]


def _show(console: Console, findings: list[Finding]) -> None:
    marks = {"ok": "[green]ok[/green]", "off": "[yellow]off[/yellow]", "missing": "[red]missing[/red]"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for column in range(4):
        table.add_column(overflow="fold", no_wrap=column < 3)
    last = ""
    for finding in findings:
        advice = f"\n→ {finding.advice}" if finding.advice else ""
        area = finding.area if finding.area != last else ""
        table.add_row(f"[bold]{area}[/bold]", finding.name, marks[finding.state], _plain(finding.detail + advice))
        last = finding.area
    console.print(table)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
