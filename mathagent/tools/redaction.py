"""Redaction: keys taken out of text before it is logged, shown or told to a client. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import BaseModel, SecretStr

HIDDEN = "[hidden]"
LEAST_CHARS = 6
"""Shorter "secrets" are words that would be hidden everywhere."""

_PATTERNS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)([a-z][a-z0-9+.-]{0,30}://)[^/\s@'\"]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(
            r"(?i)((?:api[_-]?key|app[_-]?id|access[_-]?token|authorization|password|secret|token|key)"
            r"[\"']?\s*[=:]\s*[\"']?)(?!bearer|basic|\[hidden)[^\s&\"',;}]{6,}"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(?:sk|pk|hf|ghp|gho|xoxb|tvly)[-_][\w-]{8,}"), HIDDEN),
)


class Redactor:
    """Takes out the ``secrets`` it knows, and what looks like one: bearer keys, passwords in URLs, ``key=…``."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= LEAST_CHARS}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, shown in _PATTERNS:
            text = pattern.sub(shown, text)
        return text


def secrets_in(values: BaseModel) -> list[str]:
    """The values of all secret fields of ``values``."""
    found = (getattr(values, name) for name in type(values).model_fields)
    return [one.get_secret_value() for one in found if isinstance(one, SecretStr)]
