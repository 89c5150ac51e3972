"""One tree of errors. A message says what was wrong, where, and what to do.

MathagentError
├── UsageError            the caller's input or configuration; exit code 2
│   ├── UnknownName       a strategy, model, tool … that is not in its table
│   └── UnsupportedOption a backend lacks what was asked of it
├── ResourceError         something outside failed; exit code 1
│   ├── BackendError      a model endpoint refused, broke off or answered nonsense
│   ├── ModelFileError    a model's weights cannot be fetched, stored or trusted
│   ├── SandboxError      the sandbox itself failed (never: the program inside it)
│   ├── WorkerError       a killable worker process failed or ran past its deadline
│   ├── FunctionError     a typed function got no valid value, or no working code, from its model
│   └── StorageError      a database or folder cannot be read or written
└── LimitReached          a budget ended: a normal end, the best so far is kept
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MathagentError(Exception):
    """Root of every error this package raises on purpose. ``exit_code`` is the command line's."""

    exit_code = 1


class UsageError(MathagentError):
    """The input or the configuration is wrong; trying again unchanged cannot help."""

    exit_code = 2


class UnknownName(UsageError):
    """``name`` is not in the table of ``kind``; the message offers the nearest known names."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        choices = sorted(known)
        shown = " ".join(name.split())
        shown = shown if len(shown) <= 80 else shown[:79] + "…"
        near = difflib.get_close_matches(shown.lower(), choices, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(choices)}"
        super().__init__(f"no {kind} is named '{shown}'; {hint}")
        self.kind, self.name = kind, name


class UnsupportedOption(UsageError):
    """``backend`` cannot do ``option``. Options are refused by name, never ignored."""

    def __init__(self, backend: str, option: str, advice: str = "") -> None:
        super().__init__(f"backend {backend} does not support {option}" + (f"; {advice}" if advice else ""))
        self.backend, self.option = backend, option


class ResourceError(MathagentError):
    """Something that we depend on failed; the same request may work later."""


class BackendError(ResourceError):
    """A model endpoint failed.

    ``retryable`` says whether waiting may help, ``retry_after_s`` how long the server asked to wait,
    ``status`` the HTTP status where there was one.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.retryable, self.status, self.retry_after_s = retryable, status, retry_after_s


class ModelFileError(ResourceError):
    """Model weights cannot be fetched, stored or trusted."""


class SandboxError(ResourceError):
    """The sandbox could not run a program at all. What a program does wrong is an ``Execution`` instead."""


class WorkerError(ResourceError):
    """A worker process died, answered nonsense, or ran past its deadline (``timed_out``)."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class FunctionError(ResourceError):
    """A typed function has no value to return.

    ``problems`` says what was wrong with each reply of the model, or with the one run of its code.
    """

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class StorageError(ResourceError):
    """A file, folder or database of ours cannot be read or written."""


class LimitReached(MathagentError):
    """A budget ended. ``limit`` is its field, max_tokens, max_calls or max_seconds, or "interrupted"."""

    exit_code = 3

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit
