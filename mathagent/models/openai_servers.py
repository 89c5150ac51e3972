"""What servers of the OpenAI wire format add to it, each in its own words: vLLM, SGLang and llama.cpp. Pure.

Regular expressions are sent as grammars. The servers have words for them (``structured_outputs.regex``, ``regex``),
but read other languages: xgrammar's ``.`` takes line breaks and an anchor within is passed over, llguidance's ``\\w``
and ``\\d`` are those of Unicode, and neither knows all of Python's syntax.

Figures are those of vLLM 0.33, SGLang 0.5 and llama.cpp's server. Which one answers is told by ``owned_by`` of
``GET /models``, or said by the user.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

from mathagent.errors import UnsupportedOption
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.regex_grammar import regex_grammar

Server = Literal["vllm", "sglang", "llamacpp"]

_ADDED = {"grammar": True, "regex": True, "continue_assistant": True}
"""What each of them can do beyond the wire format."""
_ESCAPES = re.compile(r"\\(?:(x[0-9A-Fa-f]{2})([0-9A-Fa-f]*)|.)", re.DOTALL)


def server_of(models: object) -> Server | None:
    """The server whose ``GET /models`` replied ``models`` (parsed JSON); None for any other."""
    listed = models.get("data") if isinstance(models, Mapping) else None
    owners = {
        one["owned_by"]
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping) and isinstance(one.get("owned_by"), str)
    }
    return next((server for server in get_args(Server) if server in owners), None)


def with_server(capabilities: Capabilities, server: Server | None) -> Capabilities:
    """``capabilities`` of the wire format, and what ``server`` can do beyond it."""
    return capabilities if server is None else capabilities.model_copy(update=_ADDED)


def server_fields(
    server: Server | None, request: ChatRequest, *, backend: str, thinking_tokens: int | None
) -> dict[str, Any]:
    """The fields by which ``server`` is told what the wire format has no words for.

    ``thinking_tokens`` is how long the model may think (0: not at all; None: as it likes). Raises UnsupportedOption
    where this server cannot be told so for each request, UsageError for a regular expression that no grammar can say.
    """
    grammar = request.grammar if request.regex is None else regex_grammar(request.regex)
    fields = {} if grammar is None else _held_to(server, grammar, backend)
    if request.continue_assistant and server in ("vllm", "sglang"):
        # llama.cpp goes on with a last turn of the assistant unasked.
        fields["continue_final_message"] = True
        if server == "vllm":
            fields["add_generation_prompt"] = False
    if thinking_tokens is not None:
        fields |= _thinking(server, thinking_tokens, backend)
    return fields


def _held_to(server: Server | None, grammar: str, backend: str) -> dict[str, Any]:
    """How a reply is held to ``grammar``: GBNF, which vLLM and SGLang call EBNF; vLLM reads Lark as well."""
    is_lark = "::=" not in grammar
    if is_lark and server != "vllm":
        raise UnsupportedOption(backend, "grammar in Lark's form", "write it in GBNF: root ::= …")
    if server == "vllm":
        return {"structured_outputs": {"grammar": grammar if is_lark else _escaped_apart(grammar)}}
    return {"ebnf": _escaped_apart(grammar)} if server == "sglang" else {"grammar": grammar}


def _escaped_apart(grammar: str) -> str:
    """The same language for xgrammar, too, which reads more than two digits behind ``\\x`` where more follow: those are
    escaped as well (``\\u0041`` is no way: llguidance cannot read it)."""

    def apart(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        return f"\\{found[1]}" + "".join(f"\\x{ord(digit):02X}" for digit in found[2])

    return _ESCAPES.sub(apart, grammar)


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
