"""Written functions with the real sandbox: the code generation protocol of AskIt's card, the store, running alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mathagent import _sync, define
from mathagent.errors import BackendError, FunctionError, StorageError
from mathagent.functions import Options, TypedFunction
from mathagent.models.base import ChatRequest
from mathagent.models.scripted import Reply, ScriptedBackend
from mathagent.sandbox import DEFAULT_SANDBOX, SANDBOXES
from mathagent.sandbox.base import Sandbox
from mathagent.solver import Solver

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One real sandbox for all, on mathagent's own loop."""
    opened = SANDBOXES.load(DEFAULT_SANDBOX)()
    yield opened
    _sync.run(opened.aclose())


def options_of(sandbox: Sandbox, backend: ScriptedBackend, **options: Any) -> Options:
    return Options(solver=Solver(backend, sandbox=sandbox, cache=False, checkpoints=False), **options)


def block(code: str) -> str:
    return f"It is easy.\n```python\n{code}\n```\nThat is all."


GOOD = block("def digits(n: int) -> int:\n    print('noise')\n    return sum(map(int, str(n)))")
DIGITS = {"types": {"n": int}, "name": "digits", "codable": True, "examples": [({"n": 12}, 3)]}


def digits(options: Options, **settings: Any) -> TypedFunction[..., int]:
    return define(int, "The sum of the digits of {{n}}.", options=options, **(DIGITS | settings))


def test_written_once_and_run_without_a_model_from_then_on(sandbox: Sandbox, own_home: Path) -> None:
    script = [
        Reply(
            text="I would add them up.",
            contains=("def digits(n: int) -> int:", "digits(n=12) == 3", "# The sum of"),
        ),
        Reply(text=block("def total(n):\n    return 3"), contains=("holds no fenced Python block", "I would add")),
        Reply(text=block("def digits(n):\n    return n // 4"), lacks=("I would add",)),
        Reply(
            text=GOOD,
            contains=("returned another value than expected for other inputs", "n // 4"),
            lacks=("n=999", "27"),
        ),
    ]
    backend = ScriptedBackend(script)
    function = digits(options_of(sandbox, backend), tests=[({"n": 999}, 27)])
    written = function.compile()
    backend.assert_finished()
    assert written.tries == 4
    assert written.flaws == {"no-code": 1, "no-function": 1, "test-failed": 1}
    assert backend.roles == ["function-coder"] * 4
    assert [request.params.temperature for request in backend.requests] == [0, 0, 0.7, 0.7]
    called = function.call(12345)
    assert called.value == 15
    assert called.by_code
    assert called.usage.calls == called.attempts == 0
    # another process's function, whose model nobody can reach
    dead = ScriptedBackend([Reply(error="gone")])
    again = digits(options_of(sandbox, dead), tests=[({"n": 999}, 27)])
    assert again(777) == 21
    assert again.compile() == written
    assert dead.requests == []
    with pytest.raises(BackendError, match="gone"):
        again.compile(anew=True)
    assert len(list((own_home / "functions").glob("digits-*.py"))) == 1


def test_changed_examples_are_written_anew(sandbox: Sandbox) -> None:
    backend = ScriptedBackend([GOOD, GOOD])
    options = options_of(sandbox, backend)
    assert digits(options)(5) == 5
    changed = digits(options, examples=[({"n": 13}, 4)])
    assert changed.call(5).usage.calls == 1
    assert changed.call(5).usage.calls == 0
    assert digits(options)(6) == 6
    backend.assert_finished()


@pytest.mark.parametrize(
    ("code", "flaw", "told"),
    [
        ("import no_such_module\ndef digits(n):\n    return 3", "load-error", "No module named 'no_such_module'"),
        ("def digits(n):\n    return 3 +", "load-error", "SyntaxError"),
        ("def digits(n):\n    return 1 // 0", "test-failed", "ZeroDivisionError"),
        ("def digits(n):\n    return 'three'", "test-failed", "which is not of its type"),
        ("def digits(n):\n    return 4", "test-failed", "digits(n=12) == 3, but it returned 4"),
        ("import sys\ndef digits(n):\n    sys.exit(0)", "test-failed", "SystemExit"),
        ("import os\ndef digits(n):\n    os._exit(0)", "test-failed", "ended its process"),
        ("def digits(n):\n    while True: pass", "test-failed", "still running after 1 s"),
    ],
)
def test_what_is_wrong_with_code_is_told(sandbox: Sandbox, code: str, flaw: str, told: str) -> None:
    backend = ScriptedBackend([block(code), Reply(text=GOOD, contains=(told,))])
    written = digits(options_of(sandbox, backend, timeout_s=1)).compile()
    assert written.flaws == {flaw: 1}


def test_nothing_of_a_hidden_test_is_told(sandbox: Sandbox) -> None:
    cheat = "def digits(n):\n    assert n == 12, f'secret {n}'\n    return 3"
    lost = "def digits(n):\n    return 3"
    hidden = ("4711", "13")
    backend = ScriptedBackend(
        [
            block(cheat),
            Reply(text=block(lost), contains=("failed (AssertionError) for other inputs",), lacks=hidden),
            Reply(text=block(lost), lacks=hidden),
            Reply(text=GOOD, contains=("returned another value than expected for other inputs",), lacks=hidden),
        ]
    )
    assert digits(options_of(sandbox, backend), tests=[({"n": 4711}, 13)])(44) == 8


@pytest.mark.parametrize(
    ("cheat", "kind"),
    [
        ("raise ValueError(given)", "ValueError"),
        ("raise type('Of' + given, (Exception,), {})", "an error of its own"),
        ("digits = None", "no such function"),
    ],
)
def test_nothing_of_a_hidden_test_is_told_by_code_that_reads_it_while_it_is_loaded(
    sandbox: Sandbox, cheat: str, kind: str
) -> None:
    code = (
        "import json\ndef digits(n):\n    return 3\nfound = json.load(open('arguments.json'))['n']\n"
        f"given = f'{{found}}'\nif found != 12:\n    {cheat}"
    )
    told = f"The code cannot be used: {kind} for other inputs than those of the examples"
    backend = ScriptedBackend([block(code), Reply(text=GOOD, contains=(told,), lacks=("4711", "Traceback"))])
    assert digits(options_of(sandbox, backend), tests=[({"n": 4711}, 13)])(44) == 8


@pytest.mark.parametrize("raised", ["type('Of' + str(n), (Exception,), {})", "SystemExit(n)"])
def test_nothing_of_a_hidden_test_is_told_by_the_name_of_an_error(sandbox: Sandbox, raised: str) -> None:
    code = f"def digits(n):\n    if n != 12:\n        raise {raised}\n    return 3"
    kind = "SystemExit" if raised.startswith("S") else "an error of its own"
    told = f"failed ({kind}) for other inputs"
    backend = ScriptedBackend([block(code), Reply(text=GOOD, contains=(told,), lacks=("4711",))])
    assert digits(options_of(sandbox, backend), tests=[({"n": 4711}, 13)])(44) == 8


def test_the_last_try_ends_it(sandbox: Sandbox) -> None:
    backend = ScriptedBackend(["no"] * 3 + [block("def digits(n):\n    return 4")] * 7)
    with pytest.raises(
        FunctionError, match=r"none of 10 tries .* \(no-code 3, test-failed 7\); the last problem"
    ) as raised:
        digits(options_of(sandbox, backend))(5)
    assert len(raised.value.problems) == 10
    backend.assert_finished()


@dataclass
class Point:
    x: float
    y: float


@define(
    codable=True,
    examples=[({"points": [Point(0, 0), Point(2, 4)]}, Point(1, 2))],
    tests=[({"points": [Point(0, 0), Point(0, 0), Point(0.3, 0)]}, Point(0.1, 0))],
)
async def centre(points: list[Point]) -> Point:
    """The centre of {{points}}."""
    raise AssertionError("never run")


async def test_records_and_rounding_async(sandbox: Sandbox) -> None:
    mean = "{k: sum(p[k] for p in points) / len(points) for k in 'xy'}"
    backend = ScriptedBackend(
        [Reply(text=block(f"def centre(points):\n    return {mean}"), contains=("x: float",))]
    )
    own = Solver(backend, cache=False)
    centre.options = Options(solver=own)
    async with own:
        assert await centre([Point(0, 0), Point(1, 1)]) == Point(0.5, 0.5)
        with pytest.raises(FunctionError, match="gives no value: ZeroDivisionError"):
            await centre([])
        centre.options = Options(solver=own, fallback=None)
        assert (await centre.call([])).fell_back
    backend.assert_finished()


def test_a_changed_or_damaged_file(sandbox: Sandbox, own_home: Path) -> None:
    backend = ScriptedBackend([GOOD, GOOD, GOOD])
    options = options_of(sandbox, backend)
    digits(options).compile()
    (path,) = (own_home / "functions").glob("digits-*.py")
    path.write_text(path.read_text().replace("sum(", "1 + sum("))
    changed = digits(options)
    with pytest.raises(StorageError, match="is not as it was written and tested, so it is not run"):
        changed(5)
    assert changed.compile(anew=True).tries == 1
    assert changed(5) == 5
    path.write_bytes(b"\x00" * 100)
    with pytest.warns(RuntimeWarning, match="is damaged; the function is written anew"):
        assert digits(options)(5) == 5
    backend.assert_finished()


def test_many_threads_have_it_written_once(sandbox: Sandbox) -> None:
    asked: list[ChatRequest] = []

    def reply(request: ChatRequest, sample: int) -> str:
        asked.append(request)
        return GOOD

    options = options_of(sandbox, ScriptedBackend(reply))
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda n: digits(options)(n), range(10, 18)))
    assert values == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(asked) == 1


def test_the_example_and_the_functions_of_a_whole_process(own_home: Path, tmp_path: Path) -> None:
    """examples/typed_functions.py, with a model that is named, opened when needed, and closed at the end."""
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps(
            [
                '{"reasoning": "6 * 7 = 42", "answer": "42.0"}',
                '{"reasoning": "one in three", "answer": {"numerator": 1, "denominator": 3}}',
                block("def digit_sum(n: int) -> int:\n    return sum(map(int, str(n)))"),
            ]
        )
    )
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "typed_functions.py")],
        capture_output=True,
        text=True,
        env={"MATHAGENT_HOME": str(own_home), "MATHAGENT_MODEL": f"script:{script}", "PATH": "/usr/bin:/bin"},
        timeout=240,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "42",
        "Share(numerator=1, denominator=3)",
        "27",
        f"written in 1 tries by script:{script}",
    ]
