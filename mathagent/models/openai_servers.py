"""What servers of the OpenAI wire format add to it, each in its own words: vLLM, SGLang and llama.cpp. Pure.

Figures are those of vLLM 0.33, SGLang 0.5 and llama.cpp's server. Which one answers is told by ``owned_by`` of
``GET /models``, or said by the user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from mathagent.errors import UnsupportedOption
from mathagent.models.base import Capabilities, ChatRequest

Server = Literal["vllm", "sglang", "llamacpp"]

_CAPABILITIES: Mapping[Server, dict[str, bool]] = {
    "vllm": {"grammar": True, "continue_assistant": True},
    "sglang": {"grammar": True, "continue_assistant": True},
    "llamacpp": {"grammar": True, "continue_assistant": True},
}


def server_of(models: object) -> Server | None:
    """The server whose ``GET /models`` replied ``models`` (parsed JSON); None for any other."""
    listed = models.get("data") if isinstance(models, Mapping) else None
    owners = {
        one["owned_by"]
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and isinstance(one.get("owned_by"), str)
    }
    for server in _CAPABILITIES:
        if server in owners:
            return server
    return None


def with_server(capabilities: Capabilities, server: Server | None) -> Capabilities:
    """``capabilities`` of the wire format, and what ``server`` can do beyond it."""
    return capabilities if server is None else capabilities.model_copy(update=_CAPABILITIES[server])


def server_fields(
    server: Server | None, request: ChatRequest, *, backend: str, thinking_tokens: int | None
) -> dict[str, Any]:
    """The fields by which ``server`` is told what the wire format has no words for.

    ``thinking_tokens`` is how long the model may think (0: not at all; None: as it likes). Raises UnsupportedOption
    where this server cannot be told so for each request.
    """
    fields: dict[str, Any] = {}
    if request.grammar is not None:
        if server == "vllm":
            fields["structured_outputs"] = {"grammar": request.grammar}
        else:
            fields["ebnf" if server == "sglang" else "grammar"] = request.grammar
    if request.continue_assistant and server in ("vllm", "sglang"):
        # llama.cpp goes on with a last turn of the assistant unasked.
        fields["continue_final_message"] = True
        if server == "vllm":
            fields["add_generation_prompt"] = False
    if thinking_tokens is not None:
        fields |= _thinking(server, thinking_tokens, backend)
    return fields


def _thinking(server: Server | None, tokens: int, backend: str) -> dict[str, Any]:
    if tokens == 0 and server is not None:
        return {"chat_template_kwargs": {"enable_thinking": False}}
    if server == "vllm":
        return {"thinking_token_budget": tokens}
    advice = {
        "sglang": "SGLang takes 0 (no thinking) only",
        "llamacpp": "llama.cpp takes 0 (no thinking) only; start the server with --reasoning-budget",
        None: "only vLLM, SGLang and llama.cpp can be told so; say which it is with server=vllm in the URL",
    }
    raise UnsupportedOption(backend, f"thinking_tokens={tokens}", advice[server])
