"""Pictures for a model: what a file is, by its first bytes. Pure."""

from __future__ import annotations

from pathlib import Path

from mathagent.errors import UsageError
from mathagent.types import Image, ImageType

MOST_IMAGE_BYTES = 10 * 2**20
"""Of a picture's file; endpoints refuse larger ones."""
_BEGINNINGS: tuple[tuple[bytes, ImageType], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def image_of(data: bytes, source: str = "the picture") -> Image:
    """The picture in the file of these bytes; ``source`` is what messages call it. Only its first bytes are looked at.

    Raises UsageError where it is empty, larger than ``MOST_IMAGE_BYTES``, or neither PNG, JPEG, WebP nor GIF.
    """
    if not data:
        raise UsageError(f"{source} is empty; give the file of a picture")
    if len(data) > MOST_IMAGE_BYTES:
        raise UsageError(f"{source} has more than {MOST_IMAGE_BYTES // 2**20} MB; make it smaller")
    media_type = next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        media_type = "image/webp"
    if media_type is None:
        found = "is HEIC, as phones make it" if data[4:8] == b"ftyp" and data[8:12] in _HEIF else "is no picture"
        raise UsageError(f"{source} {found}; PNG, JPEG, WebP and GIF are taken: save it as one of them")
    return Image(media_type=media_type, data=data)


def read_image(path: Path) -> Image:
    """The picture in the file ``path``. Raises UsageError as ``image_of`` does, and where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_IMAGE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return image_of(data, str(path))
