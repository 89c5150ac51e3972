"""Forked processes are as new ones to those who start them: what the tests that use preforked.py rely on."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import DEVNULL, PIPE, TimeoutExpired
from typing import Any

import preforked
import pytest

import mathagent

pytestmark = pytest.mark.skipif(not preforked.FORKS, reason="new processes are used here")


@pytest.fixture
def script(tmp_path: Path) -> Any:
    """Writes a program; gives the command that runs it."""

    def write(program: str, *arguments: str) -> list[str]:
        path = tmp_path / "program.py"
        path.write_text(program, encoding="utf-8")
        return [sys.executable, str(path), *arguments]

    return write


def shown(command: list[str], **options: Any) -> Any:
    """What a program prints as JSON."""
    done = preforked.run(command, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit(-1)", 255, ""),
        ("sys.exit('no')", 1, "no\n"),
        ("raise ValueError('wrong')", 1, "ValueError: wrong\n"),
        ("os._exit(7)", 7, ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, ""),
        ("raise KeyboardInterrupt", -2, "KeyboardInterrupt\n"),
        ("atexit.register(print, 'last', file=sys.stderr)", 0, "last\n"),
        (
            "threading.Thread(target=lambda: (time.sleep(0.1), print('thread', file=sys.stderr))).start()",
            0,
            "thread\n",
        ),
    ],
)
def test_it_ends_as_a_new_process_does(script: Any, end: str, code: int, said: str) -> None:
    command = script(f"import atexit, os, signal, sys, threading, time\nprint('begun')\n{end}\n")
    forked = preforked.run(command, capture_output=True, text=True)
    new = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (forked.returncode, forked.stdout) == (new.returncode, new.stdout)
    assert forked.returncode == code
    assert forked.stderr.endswith(said)
    assert new.stderr.endswith(said)


def test_it_is_not_of_this_process_and_imported_the_checkout(script: Any) -> None:
    command = script(
        "import json, os, sys, threading\n"
        "loaded = 'mathagent.solver' in sys.modules\n"
        "import mathagent\n"
        "print(json.dumps([os.getppid(), loaded, mathagent.__file__, threading.active_count(),"
        " len(os.listdir('/proc/self/task')), sorted(map(int, os.listdir('/proc/self/fd')))[:-1], __name__]))"
    )
    parent, loaded, place, threads, tasks, descriptors, name = shown(command, stdin=DEVNULL)
    assert parent == preforked.server().pid
    assert loaded
    assert place == mathagent.__file__
    assert (threads, tasks) == (1, 1)
    assert descriptors == [0, 1, 2]
    assert name == "__main__"


def test_arguments_environment_folder_and_path_are_those_that_it_is_given(
    script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = script(
        "import json, os, sys\n"
        "from mathagent.config import settings\n"
        "print(json.dumps([sys.argv, os.getcwd(), dict(os.environ), str(settings().home_dir), sys.path[0]]))",
        "a b",
        "ü",
    )
    monkeypatch.setenv("SET_IN_THE_TEST", "1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for home in ("one", "two"):  # the second does not see the settings that the first has read
        given = {**os.environ, "MATHAGENT_HOME": str(tmp_path / home)}
        argv, folder, environment, home_dir, first = shown(command, env=given, cwd=elsewhere)
        assert argv == [*command[1:2], "a b", "ü"]
        assert folder == str(elsewhere)
        assert environment == given
        assert home_dir == str(tmp_path / home)
        assert first == str(tmp_path)
    assert shown(command)[1:3] == [os.getcwd(), dict(os.environ)]  # noqa: PTH109


def test_none_sees_what_another_has_done(script: Any) -> None:
    command = script(
        "import gc, json, mathagent, os, random, signal, sys\n"
        "changed = signal.getsignal(signal.SIGTERM) != signal.SIG_DFL\n"
        "seen = [hasattr(mathagent, 'mark'), 'MARK' in os.environ, changed]\n"
        "mathagent.mark, os.environ['MARK'] = 1, '1'\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(json.dumps([seen, random.random(), signal.getsignal(signal.SIGINT) is signal.default_int_handler]))"
    )
    random.seed(1)
    first, second = shown(command), shown(command)
    assert first[0] == second[0] == [False, False, False]
    assert first[1] != second[1]
    assert first[2]
    assert second[2]


def test_new_code_is_seen(tmp_path: Path, script: Any) -> None:
    (tmp_path / "beside.py").write_text("value = 1\n", encoding="utf-8")
    command = script("import beside; print(beside.value)")
    assert shown(command) == 1
    (tmp_path / "beside.py").write_text("value = 1 + 1\n", encoding="utf-8")
    assert shown(command) == 2


def test_input_and_its_end(script: Any) -> None:
    command = script(
        "import sys\nwhile line := sys.stdin.readline(): print(line.upper(), end='', flush=True)\nprint('end')"
    )
    assert preforked.run(command, input="ä\nb", capture_output=True, text=True).stdout == "Ä\nBend\n"
    assert preforked.run(command, stdin=DEVNULL, stdout=PIPE).stdout == b"end\n"
    with preforked.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        process.stdin.write("question\n")
        process.stdin.flush()
        assert process.stdout.readline() == "QUESTION\n"
        assert process.poll() is None
        assert process.communicate("more") == ("MOREend\n", None)
        assert process.returncode == 0


def test_more_than_a_pipe_holds_in_both_directions(script: Any) -> None:
    command = script("import sys\ndata = sys.stdin.read()\nprint(data)\nprint(data, file=sys.stderr)")
    text = "0123456789" * 30_000
    done = preforked.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (text + "\n", text + "\n")


def test_a_reader_that_goes_and_streams_in_files(script: Any, tmp_path: Path) -> None:
    with preforked.Popen(
        script("for _ in range(9999): print('x' * 99)"), stdout=PIPE, stderr=PIPE, text=True
    ) as process:
        process.stdout.close()
        assert "BrokenPipeError" in process.stderr.read()
        assert process.wait(60) == 1
    with (tmp_path / "out").open("w+b") as file:
        command = script("import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)")
        preforked.run(command, stdout=file, stderr=subprocess.STDOUT)
        file.seek(0)
        assert file.read() == b"out\nerr\n"


def test_signals_and_patience(script: Any) -> None:
    command = script("import time\nprint('here', flush=True)\ntime.sleep(600)")
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = preforked.Popen(command, stdout=PIPE, stderr=DEVNULL)
        assert process.stdout.readline() == b"here\n"
        with pytest.raises(TimeoutExpired):
            process.wait(0.05)
        process.send_signal(number)
        process.communicate()
        assert process.returncode == process.poll() == process.wait() == -number
        process.kill()  # no error, and nobody else
        assert not Path(f"/proc/{process.pid}").exists()
    started = time.monotonic()
    with pytest.raises(TimeoutExpired):
        preforked.run(command, timeout=0.1)
    assert time.monotonic() - started < 60


async def test_the_face_of_asyncio(script: Any) -> None:
    command = script("import sys\nprint('here', flush=True)\nprint('there', file=sys.stderr)\nsys.exit(4)")
    process = await preforked.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
    assert await process.communicate() == (b"here\n", b"there\n")
    assert process.returncode == await process.wait() == 4
    sleeper = script("import time\nprint('here', flush=True)\ntime.sleep(600)")
    killed = [await preforked.create_subprocess_exec(*sleeper, stdout=PIPE) for _ in range(3)]
    for one in killed:
        assert one.stdout is not None
        assert await one.stdout.readline() == b"here\n"
    assert [one.returncode for one in killed] == [None] * 3
    killed[1].kill()
    assert await killed[1].wait() == -9
    assert [one.returncode for one in killed] == [None, -9, None]
    for one in (killed[0], killed[2]):
        one.send_signal(signal.SIGTERM)
    while any(one.returncode is None for one in killed):  # noqa: ASYNC110 - it is known without a wait
        await asyncio.sleep(0.005)
    assert [await one.wait() for one in killed] == [-15, -9, -15]


def test_what_a_fork_cannot_be_is_a_new_process(script: Any) -> None:
    command = script(
        "import json, os, sys; print(json.dumps([os.getppid(), sys.stdout.encoding, 'numpy' in sys.modules]))"
    )
    ours = os.getpid()
    assert shown(command) == [preforked.server().pid, "utf-8", True]
    assert shown(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}) == [ours, "ascii", False]
    assert shown(command, new=True)[0] == ours
    assert shown([sys.executable, "-c", "import os; print(os.getppid())"]) == ours


def test_the_server_ends_with_who_started_it_and_takes_its_forks_along(script: Any, tmp_path: Path) -> None:
    """Even where that one is killed."""
    sleeper = script("import time\nprint('here', flush=True)\ntime.sleep(600)")
    program = (
        f"import sys\nsys.path.insert(0, {str(preforked.SERVER.parent)!r})\nimport preforked\n"
        f"process = preforked.Popen({sleeper!r}, stdout=preforked.PIPE)\n"
        "assert process.stdout.readline() == b'here\\n'\n"
        "print(preforked.server().pid, process.pid, flush=True)\ninput()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 60
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < deadline, "they live on"
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_server_that_cannot_import_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: Any
) -> None:
    broken = tmp_path / "server.py"
    broken.write_text("import mathagent.no_such_module\n", encoding="utf-8")
    monkeypatch.setattr(preforked, "SERVER", broken)
    server = preforked.ForkServer()
    with pytest.raises(RuntimeError, match=r"has ended \(exit code 1\)(?s:.)*no_such_module"):
        server.fork({}, [0, 1, 2])
    server.close()
