"""The file of a static embedder: one vector for each word piece, and the tokenizer that cuts texts into pieces.

Layout: 8 bytes of magic, the header's length (4 bytes, little-endian), the header (JSON), the tokenizer (the JSON of
the package `tokenizers`), zeros up to a multiple of 64, the vectors (float16, little-endian, row by row).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mathagent.errors import ModelFileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"MAGTABL1"
ALIGNMENT = 64


@dataclass(frozen=True)
class WordTable:
    """``vectors`` has shape (pieces, dimensions) and is not normalised: lengths are the weights of the pieces.

    ``identity`` names what it was made of, and how: tables of one identity give vectors that may be compared.
    """

    vectors: NDArray[np.float16]
    tokenizer: str
    identity: str


def write_table(table: WordTable, path: Path) -> None:
    """Writes ``table`` to ``path``, in one go but not atomically. Raises OSError."""
    import numpy as np

    tokenizer = table.tokenizer.encode("utf-8")
    pieces, dimensions = table.vectors.shape
    header = json.dumps(
        {
            "identity": table.identity,
            "pieces": pieces,
            "dimensions": dimensions,
            "tokenizer_bytes": len(tokenizer),
        }
    ).encode("ascii")
    text = MAGIC + len(header).to_bytes(4, "little") + header + tokenizer
    with path.open("wb") as file:
        file.write(text + bytes(-len(text) % ALIGNMENT))
        file.write(np.ascontiguousarray(table.vectors, dtype="<f2").tobytes())
        file.flush()
        os.fsync(file.fileno())


def read_table(path: Path) -> WordTable:
    """The table at ``path``; its vectors are mapped, not read. Raises ModelFileError where it is missing or damaged."""
    import numpy as np

    advice = "fetch it again: mathagent models rm minilm, then mathagent models pull minilm"
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ModelFileError(f"{path} is not a table of word vectors; {advice}")
            header = json.loads(file.read(int.from_bytes(file.read(4), "little")))
            tokenizer = file.read(header["tokenizer_bytes"]).decode("utf-8")
            start = file.tell() + -file.tell() % ALIGNMENT
        shape = (int(header["pieces"]), int(header["dimensions"]))
        if path.stat().st_size != start + 2 * shape[0] * shape[1]:
            raise ModelFileError(f"{path} is cut off or too long; {advice}")
        vectors: NDArray[np.float16] = np.memmap(path, dtype="<f2", mode="r", offset=start, shape=shape)
        return WordTable(vectors, tokenizer, str(header["identity"]))
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no {path}; fetch it: mathagent models pull minilm") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ModelFileError(f"cannot read the word vectors of {path} ({reason}); {advice}") from error
