"""Standard output on a terminal or pipe that is not UTF-8: what its encoding lacks is written as an escape."""

from __future__ import annotations

import codecs
import io
import sys

_NAME = "mathagent-json-escapes"


def escape_what_stdout_lacks() -> None:
    r"""From now on ``α`` is written to an ASCII stdout as ``\u03b1``, which is the same character within JSON."""
    codecs.register_error(_NAME, _escaped)
    if isinstance(
        sys.stdout, io.TextIOWrapper
    ):  # else something of a test or a notebook, which takes any character
        sys.stdout.reconfigure(errors=_NAME)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[index : index + 2].hex() for index in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end
