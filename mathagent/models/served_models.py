"""Which models an OpenAI-compatible server offers, and how much text each takes, from its ``GET /models``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mathagent.errors import BackendError, UsageError
from mathagent.models.base import Backend, ConnectOptions
from mathagent.models.openai_compat import OpenAICompatible, connect

_CONTEXT_FIELDS = ("max_model_len", "context_length", "max_context_length", "context_window", "max_input_tokens")
"""Where vLLM and SGLang, and hubs of several providers, tell the context's length; llama.cpp's is in ``meta``."""


async def model_at(url: str) -> str:
    """The one model that is served at ``url``, as ``openai:NAME@URL``.

    Raises UsageError where there are several, or none is told, and BackendError where nobody answers.
    """
    asking = connect("?", ConnectOptions(base_url=url))
    if not isinstance(asking, OpenAICompatible):
        await asking.aclose()
        raise UsageError("give one URL, or the model with its URLs: openai:NAME@URL,URL")
    try:
        names = [str(row["id"]) for row in _rows(await asking.client.models()) if "id" in row]
    finally:
        await asking.aclose()
    if len(names) == 1:
        return f"openai:{names[0]}@{url}"
    if not names:
        raise UsageError(f"{url} does not say which models it serves; name one: openai:NAME@{url}")
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    raise UsageError(f"{url} serves several models ({shown}); name one: openai:{names[0]}@{url}")


async def told_context(backend: Backend) -> int | None:
    """How many tokens prompt and reply may have together, as the backend or its server tells; None: it does not.

    Of several endpoints those count that tell it. Raises BackendError where none can be reached.
    """
    stated = getattr(backend, "context", None)
    if isinstance(stated, int):
        return stated
    members = [member.backend for member in getattr(backend, "members", ())] or [backend]
    told: list[int | None] = []
    failure: BackendError | None = None
    for one in members:
        if isinstance(one, OpenAICompatible):
            try:
                told.append(await _told_by(one))
            except BackendError as error:
                failure = error
    if failure is not None and not told:
        raise failure
    return min((one for one in told if one is not None), default=None)


async def _told_by(backend: OpenAICompatible) -> int | None:
    rows = _rows(await backend.client.models())
    name = backend.name.removeprefix("openai:").partition("@http")[0]
    row = next((one for one in rows if one.get("id") == name), rows[0] if len(rows) == 1 else {})
    meta = row.get("meta")
    stated = [*(row.get(field) for field in _CONTEXT_FIELDS), *_values(meta, ("n_ctx", "n_ctx_train"))]
    return next((one for one in stated if isinstance(one, int) and not isinstance(one, bool) and one > 0), None)


def _values(meta: object, fields: Iterable[str]) -> list[object]:
    return [meta.get(field) for field in fields] if isinstance(meta, Mapping) else []


def _rows(models: object) -> list[Mapping[str, Any]]:
    listed = models.get("data") if isinstance(models, Mapping) else None
    return [row for row in listed if isinstance(row, Mapping)] if isinstance(listed, list) else []
