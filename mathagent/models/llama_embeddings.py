"""Texts as vectors, from llama.cpp's own server, which does it beside chatting where it was started so."""

from __future__ import annotations

import math

import httpx

from mathagent.errors import BackendError
from mathagent.models.llama_chat import refusal


async def embed_text(client: httpx.AsyncClient, text: str, *, backend: str, model: str) -> list[float]:
    """The vector of ``text``, of norm 1.

    Raises BackendError for what the server refuses, and httpx.TransportError where the connection breaks.
    """
    response = await client.post("/v1/embeddings", json={"input": text, "model": model})
    if response.status_code != 200:
        raise _told(refusal(response.status_code, response.content, backend))
    try:
        vector = [float(one) for one in response.json()["data"][0]["embedding"]]
    except (ValueError, LookupError, TypeError) as error:
        raise BackendError(f"{backend}: the server's vector cannot be read") from error
    norm = math.hypot(*vector)
    if not norm or not math.isfinite(norm):
        raise BackendError(f"{backend}: the text has no direction among the model's vectors")
    return [one / norm for one in vector]


def _told(error: BackendError) -> BackendError:
    """A text that is longer than one step of the model is an error that stays."""
    if "too large to process" not in str(error):
        return error
    return BackendError(f"{error}; shorten the text, or open the model with ?embeddings=last", status=error.status)
