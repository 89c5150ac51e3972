"""What the test plants around the sandbox: secrets to find, listeners to reach, a process to hurt.

Everything here is open to every user of the machine (files 0644 in folders 0777, the victim runs as the sandbox's
user), so that what stops a program is the sandbox and not the mode of a file.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import suppress
from pathlib import Path

from mathagent.sandbox import process_tree
from mathagent.types import Problem

CHECKOUT = Path(__file__).resolve().parents[2]
VARIABLE = "OPENAI_API_KEY"
_IPC_CREAT, _IPC_RMID = 0o1000, 0
_LIBC = ctypes.CDLL(None, use_errno=True)


def new_secret() -> str:
    """A text that no program can know; the scans look for its form."""
    return f"planted-{secrets.token_hex(16)}"


class Planted:
    """Plants all at once, before the sandbox starts. ``add_victim`` comes after that; ``remove`` takes all away."""

    def __init__(self) -> None:
        self.secret = new_secret()
        self.problem = Problem(text="What is asked?", reference=new_secret())
        os.environ[VARIABLE] = self.secret
        self.folder = Path(tempfile.mkdtemp(prefix="mathagent-abuse-"))
        self.folder.chmod(0o777)
        self.secret_file = self.folder / "secret"
        self.secret_file.write_text(new_secret())
        self.secret_file.chmod(0o644)
        self.shared_memory_file = Path("/dev/shm") / self.folder.name
        self.shared_memory_file.write_text(new_secret())
        self.inheritable_fd = os.open(self.secret_file, os.O_RDONLY)
        os.set_inheritable(self.inheritable_fd, True)
        self._listen()
        self.shared_memory_key = secrets.randbelow(2**30) + 1
        self.shared_memory_id = _LIBC.shmget(self.shared_memory_key, 4096, _IPC_CREAT | 0o666)
        self.victim: subprocess.Popen[bytes] | None = None
        self.server_pids: list[int] = []
        self.shared_folder_before = _shared_files()
        self.python_before = _written_to_python()

    def _listen(self) -> None:
        def opened(family: int, kind: int, address: object) -> socket.socket:
            made = socket.socket(family, kind)
            made.bind(address)  # type: ignore[arg-type]
            if kind == socket.SOCK_STREAM:
                made.listen()
            made.setblocking(False)
            return made

        self.names = {kind: f"\0{self.folder.name}-{kind}" for kind in ("stream", "datagram", "meeting")}
        self.listeners = {
            "tcp": opened(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0)),
            "udp": opened(socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", 0)),
            "abstract stream": opened(socket.AF_UNIX, socket.SOCK_STREAM, self.names["stream"]),
            "abstract datagram": opened(socket.AF_UNIX, socket.SOCK_DGRAM, self.names["datagram"]),
            "stream socket": opened(socket.AF_UNIX, socket.SOCK_STREAM, str(self.folder / "stream")),
            "datagram socket": opened(socket.AF_UNIX, socket.SOCK_DGRAM, str(self.folder / "datagram")),
        }
        for name in ("stream", "datagram"):
            (self.folder / name).chmod(0o777)

    def add_victim(self) -> None:
        """Starts a process that dies of SIGURG, as the user that programs run as; learns the server's processes."""
        self.server_pids = process_tree.descendants(os.getpid(), 1000)
        if os.getuid() == 0:
            user = max((_user_of(pid) for pid in self.server_pids), default=65534) or 65534
            identity = {"user": user, "group": user, "extra_groups": []}
        else:
            identity = {}
        self.victim = subprocess.Popen(
            ("/bin/sh", "-c", 'trap "exit 5" URG; echo ready; read line'),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"SECRET": new_secret()},
            **identity,  # type: ignore[call-overload]
        )
        assert self.victim.stdout is not None
        assert self.victim.stdout.readline() == b"ready\n"

    def slots(self) -> dict[str, str | int | list[int]]:
        """What the slots of the programs stand for."""
        return {
            "FOLDER": str(self.folder),
            "SECRET_FILE": str(self.secret_file),
            "SHARED_MEMORY_FILE": str(self.shared_memory_file),
            "SHARED_MEMORY_KEY": self.shared_memory_key,
            "CHECKOUT": str(CHECKOUT),
            "CLIENT_PID": os.getpid(),
            "VICTIM_PID": self.victim.pid if self.victim else os.getpid(),
            "SERVER_PIDS": self.server_pids,
            "TCP_PORT": self.listeners["tcp"].getsockname()[1],
            "UDP_PORT": self.listeners["udp"].getsockname()[1],
            "FREE_PORT": _free_port(),
            "OUTER_ADDRESS": _outer_address(),
            "ABSTRACT_STREAM": self.names["stream"],
            "ABSTRACT_DATAGRAM": self.names["datagram"],
            "MEETING_NAME": self.names["meeting"],
            "STREAM_SOCKET": str(self.folder / "stream"),
            "DATAGRAM_SOCKET": str(self.folder / "datagram"),
            "PREVIOUS_SECRET": new_secret(),
        }

    def harm(self) -> list[str]:
        """What a program did to what is planted, as seen from outside; empty if nothing. Mends what it can."""
        found = []
        for name, listener in self.listeners.items():
            visits = 0
            with suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close() if listener.type == socket.SOCK_STREAM else listener.recv(100)
                    visits += 1
            if visits:
                found.append(f"the {name} listener was reached")
        if self.victim is not None and self.victim.poll() is not None:
            found.append("the victim was killed")
            self.add_victim()
        strange = sorted({path.name for path in self.folder.iterdir()} - {"secret", "stream", "datagram"})
        if strange or not self.secret_file.exists() or "planted" not in self.secret_file.read_text():
            found.append(f"the folder of the host was changed: {strange}")
            for name in strange:
                shutil.rmtree(self.folder / name) if (self.folder / name).is_dir() else (
                    self.folder / name
                ).unlink()
            self.secret_file.write_text(new_secret())
        found += self._changed_modes()
        if _shared_files() - self.shared_folder_before:
            found.append(f"written to /dev/shm: {_shared_files() - self.shared_folder_before}")
            for name in _shared_files() - self.shared_folder_before:
                (Path("/dev/shm") / name).unlink()
        if _written_to_python() != self.python_before:
            found.append("written into the folders of Python")
        return found

    def _changed_modes(self) -> list[str]:
        """Files whose mode or time a program changed; sets them right."""
        found = []
        for path, mode in ((self.folder, 0o777), (self.secret_file, 0o644)):
            facts = path.stat()
            if facts.st_mode & 0o777 != mode or facts.st_mtime < 1000:
                found.append(f"mode or time of {path.name} was changed")
                path.chmod(mode)
                os.utime(path)
        return found

    def remove(self) -> None:
        """Takes everything away again."""
        if self.victim is not None:
            self.victim.send_signal(signal.SIGKILL)
            self.victim.communicate()
        for listener in self.listeners.values():
            listener.close()
        os.close(self.inheritable_fd)
        self.shared_memory_file.unlink(missing_ok=True)
        _LIBC.shmctl(self.shared_memory_id, _IPC_RMID, None)
        shutil.rmtree(self.folder)
        os.environ.pop(VARIABLE, None)


def _user_of(pid: int) -> int:
    with suppress(OSError):
        return Path(f"/proc/{pid}").stat().st_uid
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _outer_address() -> str:
    """An address of this machine that is not loopback (nothing is sent to find it); 127.0.0.1 where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def _shared_files() -> set[str]:
    return {path.name for path in Path("/dev/shm").glob("written*")} | {
        path.name for path in Path("/dev/shm").glob("made*")
    }


def _written_to_python() -> list[str]:
    folders = [CHECKOUT, Path("/"), Path("/usr"), Path("/usr/lib"), Path(sys.prefix), Path(sys.base_prefix)]
    folders += [Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib"))]
    return sorted(
        str(folder / name) for folder in folders for name in ("written", "made") if (folder / name).exists()
    )
