"""What every sandbox must do. A new backend joins by its line in the table of mathagent.sandbox."""

# ruff: noqa: ASYNC110, ASYNC240 - tests look at files between awaits; nothing else waits for their loop

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from mathagent.errors import SandboxError
from mathagent.sandbox import SANDBOXES
from mathagent.sandbox.base import Layer, Limits, Sandbox
from mathagent.sandbox.fresh_process import FreshProcessSandbox
from mathagent.sandbox.process import ProcessSandbox
from mathagent.sandbox.process_tree import descendants

BUILDERS: dict[str, Callable[[], Sandbox]] = {
    **{name: SANDBOXES.load(name) for name in SANDBOXES.table},
    "process-without-bubblewrap": lambda: ProcessSandbox(without={"bubblewrap"}),
    "process-without-namespaces": lambda: ProcessSandbox(without={"namespaces"}),
    "subprocess-without-namespaces": lambda: FreshProcessSandbox(namespaces=False),
}
SHORT = Limits(timeout_s=1.0)


async def opened(name: str) -> Sandbox:
    """The sandbox of BUILDERS that was asked for, or a skip with the reason where this machine has none of it."""
    sandbox = BUILDERS[name]()
    try:
        await sandbox.run("1")
    except SandboxError as error:
        await sandbox.aclose()
        if name in ("process", "subprocess"):
            raise
        pytest.skip(f"not on this machine: {error}")
    return sandbox


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.own_zygotes]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=BUILDERS)
async def sandbox(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sandbox]:
    """One for all tests that leave it as it was: a zygote takes half a second to start."""
    scratches = tmp_path_factory.mktemp("scratches")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(scratches))
        sandbox = await opened(request.param)
        await idle()
        yield sandbox
        await sandbox.aclose()
    assert list(scratches.iterdir()) == [], "a scratch folder was left"


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test leaves the scratch folders of a shared sandbox as it found them."""
    if "sandbox" not in request.fixturenames:
        yield
        return
    request.getfixturevalue("sandbox")
    folder = Path(tempfile.gettempdir())
    before = set(folder.rglob("*"))
    yield
    assert set(folder.rglob("*")) <= before, "a scratch folder was left"


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("x = 20\nx + 22", "42"),
        ("x = 20", None),
        ("", None),
        ("None", None),
        ("print(1)", None),
        ("1.0", "1.0"),
        ("float('nan')", "nan"),
        ("-float('inf')", "-inf"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("True", "True"),
        ("2 + 3j", "(2+3j)"),
        ("'x = \"1/2\"\\n'", 'x = "1/2"\n'),
        ("from fractions import Fraction\nFraction(1, 2)", "1/2"),
        ("from decimal import Decimal\nDecimal('1.50')", "1.50"),
        (
            "from fractions import Fraction as F\n[F(1, 2), (3,), {'a': F(2, 3)}, [], 'b']",
            "[1/2, (3,), {'a': 2/3}, [], 'b']",
        ),
        ("{3}", "{3}"),
        ("range(3)", "range(0, 3)"),
        ("10**4500 % 7; 10**5000 - 10**5000 + 1", "1"),
        ("class P:\n    def __str__(self): return 'p'\nP()", "p"),
        ("'π' * 3 + '\\ud800'", "πππ\\ud800"),
    ],
)  # fmt: skip
async def test_value_of_the_last_expression(sandbox: Sandbox, program: str, value: str | None) -> None:
    execution = await sandbox.run(program)
    assert (execution.status, execution.value, execution.error) == ("ok", value, None)


async def test_values_of_sympy_numpy_and_mpmath(sandbox: Sandbox) -> None:
    pytest.importorskip("numpy")
    program = """
import mpmath, numpy, sympy
x = sympy.symbols('x')
(sympy.solve(x**2 - 2), sympy.Matrix([[1, x]]), sympy.Rational(1, 2), numpy.float64(0.5), numpy.int64(3),
 numpy.array([[1, 2]]), numpy.longdouble(1), mpmath.mpf(2))
"""
    execution = await sandbox.run(program, Limits(timeout_s=60, cpu_s=60))
    assert execution.value == "([-sqrt(2), sqrt(2)], Matrix([[1, x]]), 1/2, 0.5, 3, [[1, 2]], 1.0, 2.0)"


async def test_big_integers_have_a_value_but_do_not_print(sandbox: Sandbox) -> None:
    assert (await sandbox.run("10**5000")).value == "1" + "0" * 5000
    assert "digits)" in ((await sandbox.run("1 << 10**7")).value or "")
    printed = await sandbox.run("print(10**5000)")
    assert printed.status == "error"
    assert (printed.error or "").startswith("ValueError: Exceeds the limit (4300")


async def test_long_value_is_cut_and_says_so(sandbox: Sandbox) -> None:
    execution = await sandbox.run("list(range(10**6))", Limits(output_bytes=1000))
    assert execution.value is not None
    assert execution.value.startswith("[0, 1, 2")
    assert execution.value.endswith("… (cut)")
    assert len(execution.value) < 1100


async def test_output_goes_to_its_stream(sandbox: Sandbox) -> None:
    execution = await sandbox.run(
        "import sys\nprint('out π')\nprint('err', file=sys.stderr)\nsys.stdout.write('end')\n7"
    )
    assert (execution.stdout, execution.stderr, execution.value) == ("out π\nend", "err\n", "7")


async def test_error_shows_last_line_and_own_frames(sandbox: Sandbox) -> None:
    execution = await sandbox.run("def inverse(x):\n    return 1 / x\n\nprint('before')\ninverse(0)\n")
    assert execution.status == "error"
    assert execution.stdout == "before\n"
    assert execution.error == "ZeroDivisionError: division by zero"
    assert execution.traceback == (
        "Traceback (most recent call last):\n"
        '  File "<program>", line 5, in <module>\n    inverse(0)\n'
        '  File "<program>", line 2, in inverse\n    return 1 / x\n'
        "ZeroDivisionError: division by zero\n"
    )


async def test_traceback_leaves_out_library_frames(sandbox: Sandbox) -> None:
    execution = await sandbox.run("import json\njson.loads('[1')")
    assert execution.traceback is not None
    assert execution.traceback.count("  File ") == 1
    assert "json.loads('[1')" in execution.traceback
    assert (execution.error or "").startswith("json.decoder.JSONDecodeError: ")


async def test_program_prints_its_own_traceback_with_lines(sandbox: Sandbox) -> None:
    execution = await sandbox.run(
        "import traceback\ntry:\n    1 / 0\nexcept Exception:\n    traceback.print_exc()\n"
    )
    assert execution.ok
    assert "    1 / 0\n" in execution.stderr


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("print('a'\n", "SyntaxError: '(' was never closed"),
        ("1 +\x00 1", "SyntaxError: source code string cannot contain null bytes"),
        ("input()", "EOFError: EOF when reading a line"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("exit('sorry')", "SystemExit: sorry"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ],
)
async def test_errors(sandbox: Sandbox, program: str, error: str) -> None:
    execution = await sandbox.run(program)
    assert (execution.status, (execution.error or "").replace("ValueError: source", "SyntaxError: source")) == (
        "error",
        error,
    )


@pytest.mark.parametrize("program", ["import sys\nsys.exit()", "exit(0)"])
async def test_leaving_with_success_is_success(sandbox: Sandbox, program: str) -> None:
    assert (await sandbox.run("print('x')\n" + program)).model_dump(include={"status", "stdout"}) == {
        "status": "ok",
        "stdout": "x\n",
    }


async def test_time_out_keeps_the_output_so_far(sandbox: Sandbox) -> None:
    started = time.monotonic()
    execution = await sandbox.run("print('so far')\nimport time\ntime.sleep(60)", SHORT)
    assert (execution.status, execution.stdout, execution.value) == ("timeout", "so far\n", None)
    assert 1.0 <= execution.wall_s < 5.0
    assert time.monotonic() - started < 10.0


async def test_cpu_limit_ends_as_time_out(sandbox: Sandbox) -> None:
    execution = await sandbox.run("while True: pass", Limits(timeout_s=60, cpu_s=1))
    assert execution.status == "timeout"
    assert execution.wall_s < 30
    assert 0.6 < execution.cpu_s < 3


async def test_memory_limit(sandbox: Sandbox) -> None:
    execution = await sandbox.run("print('before')\nx = 'x' * (300 * 2**20)\nlen(x)", Limits(memory_mb=128))
    assert (execution.status, execution.stdout, execution.value) == ("memory", "before\n", None)
    assert (await sandbox.run("len('x' * (300 * 2**20))", Limits(memory_mb=512))).value == str(300 * 2**20)


async def test_peak_memory_is_the_programs_own(sandbox: Sandbox) -> None:
    ours = bytearray(200 * 2**20)
    ours[:: 2**12] = b"x" * len(ours[:: 2**12])
    small = await sandbox.run("1")
    big = await sandbox.run("x = b'x' * (100 * 2**20)")
    assert small.peak_memory_mb < 100 < big.peak_memory_mb < 200


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_output_limit(sandbox: Sandbox, stream: str) -> None:
    program = f"import sys\nwhile True: sys.{stream}.write('x' * 1000)"
    execution = await sandbox.run(program, Limits(output_bytes=5000))
    assert execution.status == "output-limit"
    assert getattr(execution, stream) == "x" * 5000
    assert stream in (execution.error or "")


async def test_output_of_exactly_the_limit_is_fine(sandbox: Sandbox) -> None:
    assert (await sandbox.run("print('x' * 99)", Limits(output_bytes=100))).ok
    assert (await sandbox.run("print('x' * 100)", Limits(output_bytes=100))).status == "output-limit"


async def test_files_are_laid_into_the_scratch_folder(sandbox: Sandbox) -> None:
    files = {"data.txt": b"41", "sub/own_module.py": b"n = 1", "other_module.py": b"n = 0"}
    program = """
import other_module, sys
sys.path.append("sub")
import own_module
int(open("data.txt").read()) + own_module.n
"""
    execution = await sandbox.run(program, files=files)
    assert (execution.value, execution.error) == ("42", None)


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "", "a\\b", "c:d", "a\x00b"])
async def test_files_outside_the_scratch_folder_are_refused(sandbox: Sandbox, name: str) -> None:
    execution = await sandbox.run("1", files={name: b""})
    assert execution.status == "refused"
    assert "scratch" in (execution.error or "")


async def test_a_laid_in_file_hides_no_module(sandbox: Sandbox) -> None:
    execution = await sandbox.run(
        "import fractions\nfractions.Fraction(1, 2)", files={"fractions.py": b"Fraction = print"}
    )
    assert execution.value == "1/2"


async def test_scratch_is_empty_private_and_home(sandbox: Sandbox) -> None:
    program = """
import os, tempfile
open("here", "w").close()
(os.getcwd(), os.environ["HOME"], tempfile.gettempdir(), os.listdir())
"""
    for execution in await asyncio.gather(sandbox.run(program), sandbox.run(program)):
        folders = eval(execution.value or "")
        assert folders[0] == folders[1] == folders[2]
        assert folders[3] == ["here"]
        assert not Path(folders[0], "here").exists()


async def test_runs_do_not_see_each_other(sandbox: Sandbox) -> None:
    await sandbox.run("import builtins, sys\nbuiltins.left = sys.modules['left'] = 1")
    assert (await sandbox.run("import builtins\nhasattr(builtins, 'left')")).value == "False"


async def test_same_program_same_output(sandbox: Sandbox) -> None:
    program = "import random\nimport sympy\n(random.random(), list(set('abcdef')), sympy.core.random.random())"
    limits = Limits(timeout_s=60, cpu_s=60)
    first, second = await asyncio.gather(sandbox.run(program, limits), sandbox.run(program, limits))
    assert first.ok
    assert first.value == second.value


async def test_program_is_main(sandbox: Sandbox) -> None:
    program = """
from __future__ import annotations
import pickle, sys
from dataclasses import dataclass
@dataclass
class Point:
    x: int
if __name__ == "__main__":
    print(pickle.loads(pickle.dumps(Point(3))), sys.argv)
"""
    execution = await sandbox.run(program)
    assert (execution.stdout, execution.error) == ("Point(x=3) ['<program>']\n", None)


async def test_concurrent_results_belong_to_their_runs(sandbox: Sandbox) -> None:
    runs = await asyncio.gather(*(sandbox.run(f"print({n})\n{n} * {n}") for n in range(12)))
    assert [(run.stdout, run.value) for run in runs] == [(f"{n}\n", str(n * n)) for n in range(12)]


async def test_fetched_files_come_back(sandbox: Sandbox) -> None:
    program = """
import os
os.mkdir("sub")
open("sub/out.bin", "wb").write(bytes(range(256)))
os.symlink("sub/out.bin", "link")
os.mkfifo("pipe") if hasattr(os, "mkfifo") else None
"""
    execution = await sandbox.run(program, fetch=("sub/out.bin", "link", "pipe", "sub", "missing"))
    assert execution.files == {"sub/out.bin": bytes(range(256))}
    failed = await sandbox.run("open('a', 'w').write('1')\n1 / 0", fetch=["a"])
    assert (failed.status, failed.files) == ("error", {"a": b"1"})
    assert (await sandbox.run("1", fetch=("../a",))).status == "refused"


async def test_executions_say_what_ran_them(sandbox: Sandbox) -> None:
    assert (await sandbox.run("1")).sandbox == sandbox.label
    assert sandbox.label.partition("/")[0] == sandbox.name


async def test_cancelling_kills_the_program(sandbox: Sandbox) -> None:
    before = await idle()
    task = asyncio.create_task(sandbox.run(ENDLESS, Limits(timeout_s=60, cpu_s=60)))
    await running_beside(before)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await nothing_beside(before)


@pytest.mark.parametrize("name", BUILDERS)
async def test_closing_ends_running_programs(name: str) -> None:
    sandbox = await opened(name)
    before = await idle()
    task = asyncio.create_task(sandbox.run(ENDLESS, Limits(timeout_s=60, cpu_s=60)))
    await running_beside(before)
    await sandbox.aclose()
    await nothing_beside(before)
    assert (await task).status == "refused"
    await sandbox.aclose()
    with pytest.raises(SandboxError, match="closed"):
        await sandbox.run("1")


async def test_layers_say_what_holds() -> None:
    for build in BUILDERS.values():
        try:
            layers = build().layers()
        except SandboxError:
            continue  # not on this machine, and it says so
        assert all(isinstance(layer, Layer) and layer.detail for layer in layers)
        names = [layer.name for layer in layers]
        assert len(set(names)) == len(names)
        assert {"time-out", "output caps", "environment"} <= set(names)


ENDLESS = "import time\nwhile True: time.sleep(0.01)"


async def idle() -> set[int]:
    """Our processes, once no more come or go: clones in waiting are made after a run has returned."""
    before: set[int] = set()
    async with asyncio.timeout(10):
        while True:
            now = set(descendants(os.getpid(), 1000))
            if now == before:
                return now
            before = now
            await asyncio.sleep(0.3)


async def running_beside(before: set[int]) -> None:
    """Waits until there is a new process (a clone that stood ready is none), and a little more."""
    with suppress(TimeoutError):
        async with asyncio.timeout(3):
            while not set(descendants(os.getpid(), 1000)) - before:
                await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)


async def nothing_beside(before: set[int]) -> None:
    async with asyncio.timeout(5):
        while set(descendants(os.getpid(), 1000)) - before:
            await asyncio.sleep(0.02)
