"""Inside the child: runs one untrusted program as ``__main__`` and says how it went. Imported by ``worker``.

Apart from it so that Python finds it compiled (a script is compiled again by every run). Same rules: stdlib only, no
import that costs milliseconds before it is needed.
"""

from __future__ import annotations

import os
import sys
from _json import encode_basestring_ascii as quote

TYPE_CHECKING = False  # type checkers know the name; importing typing costs 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from traceback import TracebackException
    from types import FrameType, TracebackType
    from typing import Any

PROGRAM = "<program>"
MAX_DEPTH = 50
"""Containers nested deeper are shown as "…"."""
MAX_FRAMES = 20
"""Frames shown of each end of a deep traceback."""
MAX_TRACEBACK_CHARS = 8_000
MAX_ERROR_CHARS = 1_000
MAX_CAUSES = 5
BALLAST_BYTES = 4 * 2**20
"""Held while the program runs and let go when it runs out of memory, so that the report still fits."""

BALLAST: list[bytes] = []
SOURCES: dict[str, bytes] = {}
"""What ran in this process, by the name it has in tracebacks."""
_BRACKETS: dict[type, str] = {list: "[]", tuple: "()", set: "{}", frozenset: "{}", dict: "{}"}


def run_program(source: bytes, value_chars: int, result_fd: int, fetch: list[str], fetch_bytes: int) -> None:
    """Runs ``source``, writes its report as JSON on ``result_fd``, and ends the process."""
    prepare()
    write, leave = os.write, os._exit  # before the program can put something else in their place
    scope = new_scope()
    report = execute(source, value_chars, scope)
    if report["status"] == "memory":
        scope.clear()
    flush()
    data = to_json(report, fetched(fetch, fetch_bytes))
    try:
        while data:
            data = data[write(result_fd, data) :]
    except OSError:
        pass  # the program closed the channel; the trusted side sees that no report came
    leave(0)  # without waiting for the program's threads, children and exit functions


def prepare() -> None:
    """Sets streams, seeds and tracebacks up; once for a process."""
    sys.argv = [PROGRAM]
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    seeded = dict.fromkeys(("random", "numpy.random", "sympy.core.random"), lambda module: module.seed(0))
    actions = seeded | {"linecache": register_sources}
    for name in [name for name in actions if name in sys.modules]:
        actions.pop(name)(sys.modules[name])
    if actions:
        sys.meta_path.insert(0, AfterImport(actions))


def new_scope() -> dict[str, Any]:
    """The namespace of a new ``__main__``."""
    module = type(sys)("__main__")
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    return module.__dict__


def flush() -> None:
    """Sends what is still in Python's buffers, as far as the program left any."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:  # noqa: SIM105 - contextlib costs an import
            stream.flush()  # type: ignore[union-attr]
        except Exception:  # noqa: BLE001 - the program may have closed it or put anything in its place
            pass


def fetched(names: list[str], limit: int) -> dict[str, str]:
    """Content in base64 of those of ``names`` that are plain files, in order, as long as ``limit`` bytes last."""
    found: dict[str, str] = {}
    for name in names:
        try:
            fd = os.open(name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
            with open(fd, "rb") as file:  # noqa: PTH123
                import _stat
                import binascii

                if not _stat.S_ISREG(os.fstat(fd).st_mode):
                    continue
                data = file.read(limit + 1)
        except OSError:
            continue
        if len(data) <= limit:
            limit -= len(data)
            found[name] = binascii.b2a_base64(data, newline=False).decode()
    return found


def to_json(report: dict[str, str | None], files: dict[str, str] | None = None) -> bytes:
    """The report as JSON; lone surrogates, which JSON parsers refuse, become escapes."""
    pairs = [f"{quote(name)}: {'null' if text is None else _quoted(text)}" for name, text in report.items()]
    if files:
        pairs.append('"files": {' + ", ".join(f'{_quoted(name)}: "{data}"' for name, data in files.items()) + "}")
    return ("{" + ", ".join(pairs) + "}").encode("ascii")


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "backslashreplace").decode())


def execute(source: bytes, value_chars: int, scope: dict[str, Any], name: str = PROGRAM) -> dict[str, str | None]:
    """Runs the program in ``scope``; the report has "status", and "value" or "error" and "traceback".

    ``name`` stands for the file's name in tracebacks.
    """
    if not BALLAST:
        # Zero pages: address space, not memory. Kept, since the C library would take a second one from its heap.
        BALLAST.append(bytes(BALLAST_BYTES))
    SOURCES[name] = source
    if "linecache" in sys.modules:
        register_source(sys.modules["linecache"], name)
    try:
        body, last = split(source, name)
    except BaseException as error:  # noqa: BLE001 - a program that does not compile has failed, whatever the error
        return failure(error)
    try:
        exec(body, scope)
        value = eval(last, scope) if last is not None else None
        return {"status": "ok", "value": None if value is None else text_of(value, value_chars)}
    except SystemExit as stop:
        return {"status": "ok"} if stop.code in (None, 0) else failure(stop)
    except MemoryError:
        BALLAST.clear()
        return {"status": "memory", "error": "MemoryError"}
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its outcome
        return failure(error)


def split(source: bytes, name: str = PROGRAM) -> tuple[Any, Any]:
    """Code of the program without its last expression statement, and code of that expression (None without)."""
    import _ast

    text = source.decode("utf-8-sig")
    tree: Any = compile(text, name, "exec", _ast.PyCF_ONLY_AST, dont_inherit=True)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], _ast.Expr) else None
    body = compile(tree, name, "exec", dont_inherit=True)
    return body, last and compile(_ast.Expression(last.value), name, "eval", dont_inherit=True)


def text_of(value: object, limit: int) -> str:
    """Text of ``value``, cut at ``limit`` characters.

    str as it is, numbers and containers as Python writes them, but with str() of fractions, decimals and SymPy
    objects, and plain Python values of NumPy's: ``[Fraction(1, 2), np.int64(3)]`` is "[1/2, 3]".
    """
    digits = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(max(640, limit))
    try:
        text, length = [], 0
        for piece in pieces(value, 0, limit):
            text.append(piece)
            length += len(piece)
            if length > limit:
                return "".join(text)[:limit] + "… (cut)"
        return "".join(text)
    finally:
        sys.set_int_max_str_digits(digits)  # the program's own, for what it prints in later cells


def pieces(value: Any, depth: int, limit: int) -> Iterator[str]:
    """Text of ``value`` piece by piece, so that a huge container is not written out only to be cut."""
    kind = type(value)
    if kind is str:
        yield value if depth == 0 else repr(value)
    elif kind is int and value.bit_length() > 4 * limit:
        yield f"(an integer of about {int(value.bit_length() * 0.30103):,} digits)"
    elif kind in _BRACKETS:
        yield from _container(value, kind, depth, limit)
    elif kind.__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist") and value.size <= limit:
        plain = value.tolist()
        # a long double has no plain form: tolist() returns it again
        yield from (str(value),) if type(plain) is kind else pieces(plain, depth, limit)
    else:
        yield repr(value) if kind in (bytes, bytearray) else str(value)


def _container(value: Any, kind: type, depth: int, limit: int) -> Iterator[str]:
    opening, closing = _BRACKETS[kind][0], _BRACKETS[kind][1]
    if not value:
        yield str(value)
    elif depth >= MAX_DEPTH:
        yield f"{opening}…{closing}"
    else:
        yield opening
        for index, item in enumerate(value):
            if index:
                yield ", "
            yield from pieces(item, depth + 1, limit)
            if kind is dict:
                yield ": "
                yield from pieces(value[item], depth + 1, limit)
        yield ("," if kind is tuple and len(value) == 1 else "") + closing


def failure(error: BaseException) -> dict[str, str | None]:
    """The report of a program that raised: last line, and traceback with the program's own frames only."""
    try:
        return _full_failure(error)
    except BaseException:  # noqa: BLE001 - no descriptor or memory left to import traceback, or modules destroyed
        return {"status": "error", "error": f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS]}


def _full_failure(error: BaseException) -> dict[str, str | None]:
    import traceback

    shown = traceback.TracebackException(type(error), error, error.__traceback__, limit=0, compact=True)
    _keep_own_frames(shown, error)
    only = list(shown.format_exception_only())
    # "Type: message" stands first, but after the place for a SyntaxError; notes may follow
    line = only[-1] if isinstance(error, SyntaxError) else only[0]
    text = "".join(shown.format())
    if len(text) > MAX_TRACEBACK_CHARS:
        half = MAX_TRACEBACK_CHARS // 2
        text = f"{text[:half]}\n… ({len(text) - 2 * half} characters cut)\n{text[-half:]}"
    return {"status": "error", "error": " ".join(line.split())[:MAX_ERROR_CHARS], "traceback": text}


def _keep_own_frames(shown: TracebackException, error: BaseException) -> None:
    """Gives ``shown`` and its causes the frames of the program, without those of the worker and of libraries."""
    import traceback

    for _ in range(MAX_CAUSES):
        shown.stack = traceback.StackSummary.extract(iter(_own_frames(error.__traceback__)))
        if shown.__cause__ is not None and error.__cause__ is not None:
            shown, error = shown.__cause__, error.__cause__
        elif shown.__context__ is not None and error.__context__ is not None:
            shown, error = shown.__context__, error.__context__
        else:
            return
    shown.__cause__ = shown.__context__ = None


def _own_frames(step: TracebackType | None) -> list[tuple[FrameType, int]]:
    first: list[tuple[FrameType, int]] = []
    last: list[tuple[FrameType, int]] = []
    while step is not None:
        if step.tb_frame.f_code.co_filename in SOURCES:
            frames = first if len(first) < MAX_FRAMES else last
            frames.append((step.tb_frame, step.tb_lineno))
            del last[:-MAX_FRAMES]
        step = step.tb_next
    return first + last


class AfterImport:
    """A meta-path finder that calls ``actions[name](module)`` after the first import of ``name``."""

    def __init__(self, actions: dict[str, Callable[[Any], object]]) -> None:
        self.actions = actions

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        action = self.actions.pop(name, None)
        if action is None:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is None or spec.loader is None:
                continue
            run_module = spec.loader.exec_module

            def run_and_act(module: Any, run_module: Any = run_module) -> None:
                run_module(module)
                action(module)

            spec.loader.exec_module = run_and_act  # type: ignore[method-assign]
            return spec
        return None


def register_sources(linecache: Any) -> None:
    """Makes tracebacks (ours and the program's own) show the program's lines."""
    for name in SOURCES:
        register_source(linecache, name)


def register_source(linecache: Any, name: str) -> None:
    """As ``register_sources``, for one."""
    lines = SOURCES[name].decode("utf-8", "replace").splitlines(keepends=True)
    linecache.cache[name] = (len(SOURCES[name]), None, lines, name)
