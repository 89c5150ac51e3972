"""Test of sight: a number that stands in a picture and nowhere else."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from mathagent.evals.probe.asking import Asking, Outcome, no, shown, yes
from mathagent.prompts import render
from mathagent.types import Image

NUMBER = "4072"
"""What the picture shows; no model says it by chance."""
_GLYPHS = {  # 5 by 7 points, a row each, the highest bit on the left
    "0": (14, 17, 17, 17, 17, 17, 14),
    "2": (14, 17, 1, 6, 8, 16, 31),
    "4": (2, 6, 10, 18, 31, 2, 2),
    "7": (31, 1, 2, 4, 8, 8, 8),
}
_SCALE = 16
"""Pixels of a point: the picture is about 400 pixels wide, which no model makes smaller."""


async def images(asking: Asking) -> Outcome:
    """Whether it reads a number in a picture."""
    (question,) = render("probe/picture")
    picture = question.model_copy(update={"images": (Image(media_type="image/png", data=number_png(NUMBER)),)})
    found = (await asking.replies((picture,)))[0].text
    if NUMBER in found:
        return yes("it read the number in the picture", "images")
    return no(f"it did not read the number in the picture: {shown(found)}", "images")


def number_png(digits: str) -> bytes:
    """A PNG of ``digits`` (of those in ``_GLYPHS``), black on white, 8 bits of grey a pixel, (7 + 2) points high."""
    rows = [
        "0" + "".join(f"{_GLYPHS[digit][line]:05b}0" for digit in digits)
        if 0 <= line < 7
        else "0" * (6 * len(digits) + 1)
        for line in range(-1, 8)
    ]
    lines = [bytes(0 if point == "1" else 255 for point in row for _ in range(_SCALE)) for row in rows]
    return grey_png([line for line in lines for _ in range(_SCALE)])


def grey_png(lines: Sequence[bytes]) -> bytes:
    """A PNG of ``lines``, from the top, of the same length: a byte a pixel, 0 is black, 255 white."""
    pixels = b"".join(b"\0" + line for line in lines)  # 0: the line stands as it is
    header = struct.pack(">IIBBBBB", len(lines[0]), len(lines), 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
