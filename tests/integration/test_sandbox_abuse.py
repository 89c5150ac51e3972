"""Hostile programs against the subprocess sandbox: each asserts its own outcome.

Those of the abuse suite that a process with limits can hold. Reading files, and without namespaces the network and
the processes of the same user, are not among them: docs/security.md says so.
"""

# ruff: noqa: ASYNC110, ASYNC220, ASYNC240 - tests look at files and processes; nothing else waits for their loop

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mathagent.sandbox import process_tree
from mathagent.sandbox.base import Limits
from mathagent.sandbox.fresh_process import FreshProcessSandbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX processes")
SHORT = Limits(timeout_s=1.0, cpu_s=5.0)
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="found through /proc")
HEARTBEAT = "import time\nwhile True:\n    open({path!r}, 'a').write('x')\n    time.sleep(0.02)\n"


@pytest.fixture(params=["namespaces", "process-group"])
async def sandbox(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator:
    if request.param == "namespaces" and not process_tree.namespace_prefix():
        pytest.skip("no user namespaces here")
    scratches = tmp_path / "scratches"
    scratches.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratches))
    sandbox = FreshProcessSandbox(namespaces=request.param == "namespaces")
    yield sandbox
    # whatever happened: the next run works, and nothing is left
    assert (await sandbox.run("6 * 7")).value == "42"
    await sandbox.aclose()
    assert list(scratches.iterdir()) == []


@pytest.fixture
async def jailed(tmp_path: Path) -> AsyncIterator:
    if not process_tree.namespace_prefix():
        pytest.skip("no user namespaces here")
    sandbox = FreshProcessSandbox()
    yield sandbox
    await sandbox.aclose()


async def assert_dead(beat: Path) -> None:
    assert beat.exists(), "the program never ran"
    size = beat.stat().st_size
    await asyncio.sleep(0.3)
    assert beat.stat().st_size == size, "a process outlived its run"


# Secrets and surroundings


async def test_environment_holds_no_secret(sandbox: FreshProcessSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-parent")
    program = """
import os
print(dict(os.environ))
for name in ("environ", "cmdline"):
    if os.path.exists("/proc/self/" + name):
        print(open("/proc/self/" + name).read())
"""
    execution = await sandbox.run(program)
    assert execution.ok
    assert "secret" not in execution.stdout
    names = set(eval(execution.stdout.splitlines()[0]))
    assert names <= {
        *("HOME", "TMPDIR", "PYTHONHASHSEED", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX"),
        *("LC_CTYPE", process_tree.TOKEN_VARIABLE),
    }


async def test_open_descriptors_are_the_four_of_the_protocol(sandbox: FreshProcessSandbox) -> None:
    secret = os.open(__file__, os.O_RDONLY)
    os.set_inheritable(secret, True)
    try:
        program = (
            "import os\nfor fd in range(256):\n    try: os.fstat(fd)\n    except OSError: continue\n    print(fd)"
        )
        execution = await sandbox.run(program)
    finally:
        os.close(secret)
    assert execution.stdout.split()[:3] == ["0", "1", "2"]
    assert len(execution.stdout.split()) == 4


@ON_LINUX
async def test_environment_and_memory_of_the_parent_are_out_of_reach(jailed: FreshProcessSandbox) -> None:
    program = f"""
for name in ("environ", "mem", "fd/0"):
    try:
        open("/proc/{os.getpid()}/" + name, "rb").read(1)
        print("leak", name)
    except PermissionError:
        pass
"""
    assert (await jailed.run(program)).model_dump(include={"status", "stdout"}) == {"status": "ok", "stdout": ""}


@ON_LINUX
async def test_the_parent_cannot_be_signalled_or_traced(jailed: FreshProcessSandbox) -> None:
    program = f"""
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
print(libc.ptrace(16, {os.getpid()}, 0, 0), ctypes.get_errno())
for target in ({os.getpid()}, -1):
    try:
        os.kill(target, signal.SIGTERM)
        print("sent", target)
    except ProcessLookupError:
        pass
"""
    execution = await jailed.run(program)
    assert (execution.status, execution.stdout) == ("ok", "-1 3\n")


@ON_LINUX
async def test_killing_ones_own_group_harms_nobody_else(jailed: FreshProcessSandbox) -> None:
    execution = await jailed.run("import os, signal\nos.kill(0, signal.SIGKILL)")
    assert (execution.status, execution.signal) == ("crashed", 9)


@ON_LINUX
async def test_no_network(jailed: FreshProcessSandbox) -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    program = f"""
import socket
for kind, address in ((socket.SOCK_STREAM, ("127.0.0.1", {port})), (socket.SOCK_DGRAM, ("192.0.2.1", 53))):
    try:
        with socket.socket(socket.AF_INET, kind) as s:
            s.connect(address); s.send(b"x")
        print("sent", address)
    except OSError as error:
        print(error.strerror)
"""
    execution = await jailed.run(program)
    server.close()
    await server.wait_closed()
    assert execution.stdout == "Network is unreachable\n" * 2


@ON_LINUX
async def test_shared_memory_does_not_outlive_the_run(jailed: FreshProcessSandbox) -> None:
    before = Path("/proc/sysvipc/shm").read_text()
    execution = await jailed.run("import ctypes\nctypes.CDLL(None).shmget(12345, 4096, 0o1666) >= 0")
    assert execution.value == "True"
    assert Path("/proc/sysvipc/shm").read_text() == before


# Processes


async def test_child_processes_die_at_the_time_out(sandbox: FreshProcessSandbox, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    program = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {HEARTBEAT.format(path=str(beat))!r}])"
    )
    execution = await sandbox.run(program, SHORT)
    assert execution.status == "timeout"
    assert execution.wall_s < 3
    await assert_dead(beat)


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3): os.close(fd)
        {heartbeat}
    os._exit(0)
os.wait()
"""


@ON_LINUX
@pytest.mark.parametrize("end", ["time.sleep(60)", "time.sleep(0.3)", "time.sleep(0.3); os._exit(1)"])
async def test_daemons_die_with_the_run(sandbox: FreshProcessSandbox, tmp_path: Path, end: str) -> None:
    beat = tmp_path / "beat"
    heartbeat = HEARTBEAT.format(path=str(beat)).replace("\n", "\n        ")
    execution = await sandbox.run(DAEMON.format(heartbeat=heartbeat) + end, SHORT)
    assert execution.status == {"time.sleep(60)": "timeout", "time.sleep(0.3)": "ok"}.get(end, "error")
    assert execution.wall_s < 3
    await assert_dead(beat)


@ON_LINUX
async def test_a_daemon_that_drops_its_environment_dies_too(jailed: FreshProcessSandbox, tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    run = f"os.execve(sys.executable, ['python', '-c', {HEARTBEAT.format(path=str(beat))!r}], {{}})"
    execution = await jailed.run("import sys\n" + DAEMON.format(heartbeat=run) + "time.sleep(0.7)", Limits())
    assert execution.ok
    await assert_dead(beat)


@ON_LINUX
async def test_fork_bomb_is_stopped(sandbox: FreshProcessSandbox) -> None:
    program = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    execution = await sandbox.run(program, Limits(timeout_s=3.0))
    assert execution.status in ("refused", "timeout")
    assert execution.wall_s < 10


async def test_threads_are_bounded_by_the_time_out(sandbox: FreshProcessSandbox) -> None:
    program = """
import threading, time
for _ in range(10):
    threading.Thread(target=time.sleep, args=(60,)).start()
"end"
"""
    execution = await sandbox.run(program, Limits(timeout_s=20))
    assert (execution.status, execution.value) == ("ok", "end")
    assert execution.wall_s < 15


IGNORE_SIGNALS = """
import signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: time.sleep(1)
"""


@pytest.mark.parametrize(
    "program",
    [
        IGNORE_SIGNALS,
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        "3 ** (10 ** 9)",
        "import re\nre.match('(a+)+$', 'a' * 40 + 'b')",
        "import time\ntry:\n    time.sleep(60)\nfinally:\n    time.sleep(60)",
        "import os\nfor fd in range(256):\n    try: os.close(fd)\n    except OSError: pass\nwhile True: pass",
    ],
    ids=["ignores-signals", "stops-itself", "hangs-in-c", "redos", "finally", "closed-fds"],
)  # fmt: skip
async def test_time_out_ends_it(sandbox: FreshProcessSandbox, program: str) -> None:
    execution = await sandbox.run(program, SHORT)
    assert execution.status == "timeout"
    assert execution.wall_s < 3


async def test_cpu_limit_cannot_be_ignored(sandbox: FreshProcessSandbox) -> None:
    program = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    execution = await sandbox.run(program, Limits(timeout_s=60, cpu_s=1))
    assert execution.status == "timeout"
    assert "CPU" in (execution.error or "")


async def test_limits_cannot_be_raised(sandbox: FreshProcessSandbox) -> None:
    program = """
import resource
kept = []
for name in ("AS", "CPU", "FSIZE", "NOFILE", "CORE"):
    number = getattr(resource, "RLIMIT_" + name)
    soft, hard = resource.getrlimit(number)
    try:
        resource.setrlimit(number, (hard + 1, hard + 1))
    except (ValueError, OSError):
        kept.append(name)
(kept, resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    execution = await sandbox.run(program)
    kept, core, descriptors = eval(execution.value or "")
    assert core == (0, 0)
    if sandbox._jail or os.getuid() != 0:  # outside of a user namespace, root may raise what it wants
        assert kept == ["AS", "CPU", "FSIZE", "NOFILE", "CORE"]
        assert descriptors == (64, 64)


# Memory, disk, descriptors


@pytest.mark.parametrize(
    "program",
    [
        "x = []\nwhile True: x.append(bytearray(10**6))",
        "'x' * 10**10",
        "list(iter(int, 1))",
        "x = [0]\nwhile True: x = x + x",
    ],
)
async def test_memory_bomb(sandbox: FreshProcessSandbox, program: str) -> None:
    execution = await sandbox.run(program, Limits(timeout_s=60, cpu_s=60, memory_mb=256))
    assert execution.status == "memory"
    assert execution.error
    assert execution.peak_memory_mb < 400


@ON_LINUX
async def test_processes_together_keep_the_memory_limit(sandbox: FreshProcessSandbox) -> None:
    program = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        x = b"x" * (100 * 2**20)
        time.sleep(60)
time.sleep(60)
"""
    execution = await sandbox.run(program, Limits(timeout_s=30, memory_mb=256))
    assert execution.status == "memory"


async def test_a_file_cannot_grow_beyond_its_limit(sandbox: FreshProcessSandbox) -> None:
    program = "f = open('big', 'wb')\nwhile True:\n    f.write(b'x' * 2**20)"
    execution = await sandbox.run(program, Limits(timeout_s=60, file_mb=2))
    assert execution.error == "OSError: [Errno 27] File too large"
    sparse = await sandbox.run("f = open('big', 'wb')\nf.truncate(10**12)")
    assert sparse.error == "OSError: [Errno 27] File too large"


async def test_descriptors_run_out_for_the_program_only(sandbox: FreshProcessSandbox) -> None:
    execution = await sandbox.run("kept = []\nwhile True: kept.append(open('/dev/null'))")
    assert "Too many open files" in (execution.error or "")


@pytest.mark.parametrize(
    "program",
    [
        "import os\nfor _ in range(1100):\n    os.mkdir('d'); os.chdir('d')\n",
        "import os\nfor n in range(2000): open(str(n), 'w').close()\n",
        "import os\nos.mkdir('locked'); open('locked/file', 'w').close(); os.chmod('locked', 0); os.chmod('.', 0)\n",
        "import os\nos.symlink('/', 'root'); os.mkfifo('fifo')\n",
        "import os\nos.rename(os.getcwd(), os.getcwd() + '-moved')\n",
    ],
    ids=["deep", "many", "locked", "links", "moved"],
)
async def test_whatever_is_in_the_scratch_folder_is_deleted(sandbox: FreshProcessSandbox, program: str) -> None:
    assert (await sandbox.run(program, Limits(timeout_s=60))).status == "ok"
    assert os.path.isdir("/etc")  # noqa: PTH112 - a link was deleted, not followed


# Output and result channel


@pytest.mark.parametrize("fd", [1, 2])
async def test_raw_flood(sandbox: FreshProcessSandbox, fd: int) -> None:
    execution = await sandbox.run(
        f"import os\nwhile True: os.write({fd}, b'x' * 65536)", Limits(output_bytes=1000)
    )
    assert execution.status == "output-limit"
    assert len(execution.stdout + execution.stderr) == 1000


RESULT_FD = """
import os
def result_fd():
    for fd in range(3, 256):
        try: os.fstat(fd)
        except OSError: continue
        return fd
"""


async def test_flood_of_the_result_channel(sandbox: FreshProcessSandbox) -> None:
    execution = await sandbox.run(RESULT_FD + "while True: os.write(result_fd(), b'x' * 65536)")
    assert execution.status == "output-limit"
    assert execution.value is None


@pytest.mark.parametrize(
    "forged",
    [
        b'{"status": "ok", "value": "1"}',
        b'{"status": "timeout"}',
        b'{"status": "ok", "value": 1}',
        b'{"status": "ok", "wall_s": -1}',
        b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.",
        b"[" * 100_000,
        b"\xff\xfe",
        b"null",
    ],
)
async def test_forged_result_is_no_result(sandbox: FreshProcessSandbox, forged: bytes) -> None:
    execution = await sandbox.run(RESULT_FD + f"os.write(result_fd(), {forged!r})\n'true value'")
    assert execution.status == "error"
    assert "result channel" in (execution.error or "")


async def test_a_forged_result_can_only_say_what_a_program_can_say(sandbox: FreshProcessSandbox) -> None:
    """Ending right after a well-formed forgery is the same as computing that value."""
    forged = b'{"status": "ok", "value": "42"}'
    execution = await sandbox.run(RESULT_FD + f"os.write(result_fd(), {forged!r})\nos._exit(0)")
    assert (execution.status, execution.value) == ("ok", "42")


async def test_partial_result_then_hang_is_a_time_out(sandbox: FreshProcessSandbox) -> None:
    forged = b'{"status": "ok", "value": "42"}'
    execution = await sandbox.run(RESULT_FD + f"os.write(result_fd(), {forged!r})\nwhile True: pass", SHORT)
    assert (execution.status, execution.value) == ("timeout", None)


@pytest.mark.parametrize(
    "program",
    [
        "import json, sys\njson.dumps = json.loads = print\nsys.stdout = sys.stderr = None\n'kept'",
        "import os, sys\nos.write = os._exit = print\nsys.stdout = 5\n'kept'",
        "import builtins\nbuiltins.print = builtins.str = builtins.len = None\n'kept'",
        "import atexit, time\natexit.register(time.sleep, 60)\n'kept'",
        "import sys\nsys.stdout.close()\nsys.stderr.close()\n'kept'",
    ],
)
async def test_vandalised_interpreter(sandbox: FreshProcessSandbox, program: str) -> None:
    execution = await sandbox.run(program)
    assert execution.status in ("ok", "error")
    assert execution.wall_s < 8
    if execution.ok:
        assert execution.value == "kept"


async def test_closed_descriptors_give_a_clean_failure(sandbox: FreshProcessSandbox) -> None:
    execution = await sandbox.run("import os\nos.closerange(0, 256)\n1 + 1")
    assert (execution.status, execution.stdout, execution.value) == ("error", "", None)


@pytest.mark.parametrize(
    ("program", "status", "signal"),
    [
        ("import os\nos._exit(7)", "error", None),
        ("import os\nos._exit(0)", "error", None),
        ("import os\nos.abort()", "crashed", 6),
        ("import os\nos.kill(os.getpid(), 9)", "crashed", 9),
        ("import ctypes\nctypes.string_at(0)", "crashed", 11),
        ("import os\nos.kill(os.getpid(), 15)", "crashed", 15),
    ],
)
async def test_sudden_ends(sandbox: FreshProcessSandbox, program: str, status: str, signal: int | None) -> None:
    execution = await sandbox.run("print('before')\n" + program)
    assert (execution.status, execution.signal, execution.stdout) == (status, signal, "before\n")
    assert execution.error


async def test_output_is_kept_as_data(sandbox: FreshProcessSandbox) -> None:
    program = "import os\nos.write(1, b'\\xff\\x00\\x1b[31m')\nprint(chr(0x202e), chr(0xdc80))"
    execution = await sandbox.run(program)
    assert execution.stdout == "\ufffd\x00\x1b[31m\u202e \\udc80\n"
    execution.stdout.encode()


@pytest.mark.parametrize(
    ("program", "statuses"),
    [
        ("def f(): f()\nf()", {"error"}),
        ("import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()", {"memory", "crashed", "timeout", "error"}),
        ("(" * 1000 + ")" * 1000, {"error"}),
        ("x = []\nfor _ in range(10**5): x = [x]\nx", {"ok", "crashed"}),
        ("x = []\nx.append(x)\nx", {"ok"}),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E", {"error"}),
        ("class V:\n    def __str__(self): return 1\nV()", {"error"}),
        ("raise BaseExceptionGroup('many', [ValueError(n) for n in range(10)])", {"error"}),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('second') from e", {"error"}),
        ("e = ValueError('loop')\ne.__cause__ = KeyError(1)\ne.__cause__.__cause__ = e\nraise e", {"error"}),
        ("import sys\nsys.modules.clear()\n1", {"ok", "error"}),
    ],
)  # fmt: skip
async def test_odd_ends(sandbox: FreshProcessSandbox, program: str, statuses: set[str]) -> None:
    execution = await sandbox.run(program, Limits(timeout_s=10, cpu_s=10, memory_mb=256))
    assert execution.status in statuses
    assert execution.ok or execution.error


# The whole


async def test_two_hundred_runs_leave_nothing(sandbox: FreshProcessSandbox) -> None:
    programs = ["1 + 1", "1 / 0", "import os; os.abort()", "print('x' * 10**6)", "import os; os.fork(); os.fork()"]
    others = process_tree.children(os.getpid())  # the fork server of other tests, perhaps
    await sandbox.run("1")
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0  # noqa: PTH208
    for _ in range(10):
        await asyncio.gather(*(sandbox.run(program, Limits(timeout_s=30)) for program in programs * 4))
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
        assert set(process_tree.children(os.getpid())) <= set(others)


@ON_LINUX
async def test_programs_die_with_a_killed_parent(tmp_path: Path) -> None:
    for namespaces in (True, False):
        beat = tmp_path / f"beat-{namespaces}"
        parent = f"""
import asyncio, tempfile
from mathagent.sandbox.base import Limits
from mathagent.sandbox.fresh_process import FreshProcessSandbox
tempfile.tempdir = {str(tmp_path)!r}
program = {HEARTBEAT.format(path=str(beat))!r}
asyncio.run(FreshProcessSandbox(namespaces={namespaces}).run(program, Limits(timeout_s=60, cpu_s=60)))
"""
        process = subprocess.Popen([sys.executable, "-c", parent])
        async with asyncio.timeout(60):
            while not beat.exists():
                await asyncio.sleep(0.05)
        process.kill()
        process.wait()
        await asyncio.sleep(0.5)
        await assert_dead(beat)
