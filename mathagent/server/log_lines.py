"""The server's log: one line an event, as text or as JSON, on stderr, without keys."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

LogFormat = Literal["text", "json"]

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}
"""What every record has; the rest is what was given as ``extra``."""


class LineFormatter(logging.Formatter):
    """Writes a record's message with its extra fields; the whole line passes ``redact``."""

    def __init__(self, form: LogFormat, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._form, self._redact = form, redact

    def format(self, record: logging.LogRecord) -> str:
        """The line. The values of JSON are redacted one by one, so that it stays JSON."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        extra = {name: value for name, value in record.__dict__.items() if name not in _OWN}
        extra = {name: value for name, value in extra.items() if value not in (None, "")}
        values: dict[str, Any] = {
            "time": when,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extra,
        }
        if record.exc_info and record.exc_info[0] is not None:
            values["exception"] = self.formatException(record.exc_info)
        shown = {name: self._shown(value) for name, value in values.items()}
        if self._form == "json":
            return json.dumps(shown, ensure_ascii=False)
        told = " ".join(f"{name}={value}" for name, value in shown.items() if name in extra)
        line = f"{when} {record.levelname.lower()} {shown['message']}" + (f" ({told})" if told else "")
        line = " ".join(line.split())
        return f"{line}\n{shown['exception']}" if "exception" in shown else line

    def _shown(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        return self._redact(str(value))


def log_to(
    stream: TextIO | None = None, *, form: LogFormat = "text", level: str = "info", redact: Callable[[str], str]
) -> None:
    """Has all loggers of this process write to ``stream`` (None: stderr). Messages of libraries begin at "warning"."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(form, redact))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in ("mathagent", "uvicorn.error"):
        logging.getLogger(name).setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
