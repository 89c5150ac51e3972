"""The docker sandbox's image: what it is made of, its tag, and how it is built."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mathagent
from mathagent.errors import SandboxError
from mathagent.sandbox.link import one_line

BUILD_S = 900.0
"""How long the engine may be silent while it builds: pip says nothing while it downloads."""

_PACKAGE = Path(mathagent.__file__).parent
_DOCKERFILE = "mathagent/sandbox/image/Dockerfile"
INSTALLED = ("mpmath", "numpy", "pydantic", "pydantic-settings", "pyseccomp", "sympy")
_LOG_CHARS = 500


@cache
def tag() -> str:
    """The image's name: our version and a digest of all that goes into it, so that a changed package is built anew."""
    digest = hashlib.sha256(context())
    digest.update(repr(sorted(build_arguments().items())).encode())
    return f"mathagent-sandbox:{mathagent.__version__}-{digest.hexdigest()[:12]}"


def build_arguments() -> dict[str, str]:
    """Python and the libraries in the versions that are installed here, so that programs do the same in both."""
    major, minor = sys.version_info[:2]
    return {"PYTHON": f"{major}.{minor}", "REQUIREMENTS": " ".join(map(_pinned, INSTALLED))}


@cache
def context() -> bytes:
    """The build context, a tar: this package's files and nothing else of this machine. The same bytes each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(_PACKAGE.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                entry = tarfile.TarInfo(f"mathagent/{path.relative_to(_PACKAGE).as_posix()}")
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as file:
                    tar.addfile(entry, file)
    return buffer.getvalue()


def build(client: Any) -> str:
    """Builds the image with the engine of ``client`` and returns its tag. Blocks for minutes; needs the network.

    Raises SandboxError with the end of the engine's log where it fails.
    """
    from docker.errors import BuildError

    try:
        client.images.build(
            fileobj=io.BytesIO(context()),
            custom_context=True,
            dockerfile=_DOCKERFILE,
            buildargs=build_arguments(),
            tag=tag(),
            rm=True,
            forcerm=True,
            timeout=BUILD_S,
        )
    except BuildError as error:
        said = "".join(str(entry.get("stream", "")) for entry in error.build_log if isinstance(entry, dict))
        tail = one_line(" | ".join(said.strip().splitlines()[-5:])[-_LOG_CHARS:], _LOG_CHARS)
        raise SandboxError(
            f"the sandbox's image {tag()} cannot be built: {error.msg}; the log ends: {tail}. "
            "Building needs the network; or name an image of your own (ContainerOptions.image)"
        ) from error
    return tag()


def _pinned(package: str) -> str:
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:  # optional here, wanted there
        return package
