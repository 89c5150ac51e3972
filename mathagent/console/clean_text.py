"""Making untrusted text harmless on a terminal. Pure: text in, text out.

What a model or its program writes may hold escape sequences that move the cursor, set the title or write to the
clipboard, and bidirectional controls that make a program look like another one ("Trojan Source", CVE-2021-42574).
"""

from __future__ import annotations

import re

_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"  # two characters
)
_NEWLINE = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"  # controls that are left
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction marks and invisible characters
    "\ud800-\udfff\U000e0000-\U000e007f]"  # lone surrogates, which no terminal can print, and invisible tags
)


def clean(text: str) -> str:
    """``text`` without escape sequences; any other invisible control stands there as ``\\u202e`` and the like.

    All line ends become ``\\n``; tabs stay. ``clean(clean(text)) == clean(text)``.
    """
    text = _NEWLINE.sub("\n", _ESCAPE_SEQUENCE.sub("", text))
    return _UNSEEN.sub(lambda match: _escaped(ord(match.group())), text)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str, longest: int = 300) -> str:
    """``text``, cleaned, on one line of at most ``longest`` characters."""
    joined = " ".join(clean(text[: longest * 4]).split())
    return joined if len(joined) <= longest else joined[: longest - 3].rstrip() + "..."


def clip_lines(text: str, most: int, longest: int = 1000) -> str:
    """``text``, cleaned, of at most ``most`` lines of ``longest`` characters; says how many lines are left out."""
    lines = [
        line if len(line) <= longest else f"{line[:longest]}... ({len(line) - longest:,} more characters)"
        for line in clean(text).rstrip("\n").split("\n")
    ]
    if len(lines) > most:
        lines = [*lines[: most - 1], f"... ({len(lines) - most + 1:,} more lines)"]
    return "\n".join(lines)
