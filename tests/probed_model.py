"""A scripted model that can do all that a probe tries; switches take single things from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mathagent.errors import BackendError
from mathagent.models.base import Capabilities, ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox.base import Layer, Limits, Session
from mathagent.types import Execution, TokenLogprob, ToolCall

NUMBERS = ", ".join(map(str, range(1, 21)))
PROGRAMS = {"squares": "print(166650)", "prime": "print(62)", "digits": "print(76)"}
BALLS = {"reasoning": "I add.", "count": 42, "more": "blue"}
BALL_TEXTS = {
    "labelled": "reasoning: I add.\ncount: 42\nmore: blue",
    "fenced": f"```json\n{json.dumps(BALLS)}\n```",
}


class PlayedModel:
    """``cannot`` names what it does wrong; ``refuses`` the fields of a request that its server answers with HTTP 400,
    ``breaks`` those that it answers with HTTP 500."""

    def __init__(
        self, *cannot: str, refuses: Sequence[str] = (), breaks: Sequence[str] = (), context: int = 4096
    ) -> None:
        self.cannot, self.refuses, self.breaks, self.context = cannot, refuses, breaks, context

    def backend(self, capabilities: Capabilities | None = None) -> ScriptedBackend:
        return ScriptedBackend(self, capabilities=capabilities or Capabilities(), name="script:played")

    def __call__(self, request: ChatRequest, index: int) -> Reply | str:
        for names, status in ((self.refuses, 400), (self.breaks, 500)):
            for name in names:
                if getattr(request, name):
                    raise BackendError(f"{name} is not known", status=status)
        prompt = request.messages[0].content
        if request.images:
            return "It is 8." if "images" in self.cannot else "4072"
        if request.tools:
            return self._called(request)
        if request.json_schema is not None:
            return self._json(request.json_schema)
        if request.grammar is not None:
            return "cold" if "grammar" in self.cannot else "red"
        if request.regex is not None:
            return "cold" if "regex" in self.cannot else "ABC-42"
        if request.logprobs is not None:
            return self._logprobs(request.logprobs)
        return self._text(request, prompt, index)

    def _called(self, request: ChatRequest) -> Reply | str:
        if "tools" in self.cannot:
            return "42"
        name = request.tools[0].name
        arguments: Mapping[str, Any] = BALLS if name == "reply" else {"a": 17, "b": 25}
        return Reply(tool_calls=(ToolCall(id="1", name=name, arguments=json.dumps(arguments)),))

    def _json(self, schema: dict[str, Any]) -> str:
        if "schema" in self.cannot:
            return "It is long." if "properties" in schema else "{}"
        if "count" in schema.get("properties", {}):
            return json.dumps(BALLS)
        return json.dumps({"kilometres": 6650, "large": True, "places": ["Cairo"]})

    def _logprobs(self, alternatives: int) -> Reply:
        given = 0.0 if "log-probs" in self.cannot else -0.5
        top = tuple((f"t{number}", -1.0) for number in range(min(alternatives, 10)))
        return Reply(
            text="1, 2, 3", logprobs=tuple(TokenLogprob(token=one, logprob=given, top=top) for one in "123")
        )

    def _text(self, request: ChatRequest, prompt: str, index: int) -> str:
        if "whole numbers from 1 to" in prompt:
            return self._count(request)
        if "Invent" in prompt:
            heeded = "one" if "seeds" in self.cannot else f"{request.sample_seed()} {index}"
            return f"The boat {heeded}"
        if "password is" in prompt:
            if len(prompt.split()) > self.context:
                raise BackendError("the prompt is too long", status=400)
            return "KIWI-7391" if "recall" not in self.cannot else "?"
        if found := re.search(r"What is (\d+) ([+×-]) (\d+)\?", prompt):
            a, sign, b = int(found[1]), found[2], int(found[3])
            return f"It is {a + b if sign == '+' else a - b if sign == '-' else a * b}."
        for word, program in PROGRAMS.items():
            if word in prompt and "Python" in prompt:
                return f"```python\n{program}\n```"
        if "red and" in prompt:
            return BALL_TEXTS["fenced" if "fenced code block" in prompt else "labelled"]
        return "word " * 8

    def _count(self, request: ChatRequest) -> str:
        begun = request.messages[-1].content if request.continue_assistant else ""
        if begun and "continuation" not in self.cannot:
            return NUMBERS.removeprefix(begun)
        stop = request.params.stop
        if stop and "stop" not in self.cannot:
            return NUMBERS[: NUMBERS.index(stop[0])]
        return NUMBERS


class PlayedSandbox:
    """Runs ``print(NUMBER)`` and nothing else."""

    name = label = "played"

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def run(
        self,
        code: str,
        limits: Limits | None = None,
        files: Mapping[str, bytes] | None = None,
        *,
        fetch: Sequence[str] = (),
    ) -> Execution:
        self.ran.append(code)
        found = re.fullmatch(r"print\((\d+)\)", code)
        return Execution(status="ok" if found else "error", stdout=f"{found[1]}\n" if found else "")

    async def session(self, limits: Limits | None = None, files: Mapping[str, bytes] | None = None) -> Session:
        raise NotImplementedError

    def layers(self) -> list[Layer]:
        return []

    async def aclose(self) -> None:
        """Nothing to end."""
