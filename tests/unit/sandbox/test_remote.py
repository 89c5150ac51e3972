"""The client of a sandbox server: against a real server over pipes, and against far sides that misbehave."""

# ruff: noqa: ASYNC110, ASYNC240 - tests look at files between awaits; nothing else waits for their loop

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from hosted_sandbox import server_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathagent.errors import SandboxError
from mathagent.sandbox import wire
from mathagent.sandbox.base import Layer, Limits, Sandbox
from mathagent.sandbox.connection import Patience
from mathagent.sandbox.link import CommandLink, Tail, open_command
from mathagent.sandbox.remote import RemoteSandbox
from mathagent.types import Execution

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the server is for POSIX")
HELLO = wire.Hello(id=0, protocol=wire.PROTOCOL, label="far/X", layers=())
OK = Execution(status="ok", value="42")


class Far:
    """A remote sandbox over real servers, whose processes a test can look at."""

    def __init__(self, hosted: str = "hosted_sandbox:HostedSandbox", parallel: int = 4, links: int = 1) -> None:
        self.processes: list[asyncio.subprocess.Process] = []
        self.command = server_command(hosted, parallel)
        self.sandbox = RemoteSandbox("far", self.open, links=links)

    async def open(self) -> CommandLink:
        link = await open_command(self.command)
        self.processes.append(link.process)
        return link


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    far = Far()
    yield far
    await far.sandbox.aclose()
    assert all(process.returncode is not None for process in far.processes), "a server was left"


async def test_it_is_a_sandbox(far: Far) -> None:
    sandbox: Sandbox = far.sandbox
    assert sandbox.label == "far"
    assert [layer.name for layer in sandbox.layers() if not layer.active] == ["server"]
    execution = await sandbox.run("say π")
    assert (execution.status, execution.stdout, execution.sandbox) == ("ok", "π", "far/hosted/T")
    assert sandbox.label == "far/hosted/T"
    assert Layer(name="pretence", active=True, detail="a test double") in sandbox.layers()


async def test_results_belong_to_their_runs(far: Far) -> None:
    runs = await asyncio.gather(*(far.sandbox.run(f"say {n}") for n in range(200)))
    assert [run.stdout for run in runs] == [str(n) for n in range(200)]
    assert len(far.processes) == 1


async def test_files_go_there_and_come_back(far: Far) -> None:
    files = {"a b": bytes(range(256)) * 5_000, "c": b""}
    execution = await far.sandbox.run("fetch", files=files, fetch=["a b", "c", "missing"])
    assert execution.files == files


async def test_several_servers_share_the_load() -> None:
    far = Far(links=2)
    runs = await asyncio.gather(*(far.sandbox.run("pid") for _ in range(8)))
    await far.sandbox.aclose()
    assert len(far.processes) == 2
    assert sorted(run.value for run in runs if run.value) == sorted([str(one.pid) for one in far.processes] * 4)


async def test_sandbox_errors_come_through(far: Far) -> None:
    with pytest.raises(SandboxError, match="the disk is full"):
        await far.sandbox.run("broken")
    with pytest.raises(SandboxError, match="a fault in the sandbox: KeyError"):
        await far.sandbox.run("fault")
    assert (await far.sandbox.run("say on")).stdout == "on"


async def test_a_server_that_cannot_start_says_why() -> None:
    nothing = RemoteSandbox("far", lambda: open_command(["/no/such/program"]))
    with pytest.raises(SandboxError, match="'/no/such/program' does not start"):
        await nothing.run("say x")
    unknown = Far("no.such.module:Thing")
    with pytest.raises(
        SandboxError, match=r"did not start: it ended \(exit code 1: sandbox server: .*no.such.module"
    ):
        await unknown.sandbox.run("say x")
    assert unknown.processes[0].returncode == 1


async def test_a_program_too_big_to_send_is_refused(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_FRAME_BYTES", 10_000)
    assert (await far.sandbox.run("say " + "x" * 10_000)).status == "refused"
    session = await far.sandbox.session()
    assert "at most 10,000" in ((await session.run("say", {"f": bytes(10_000)})).error or "")
    assert (await far.sandbox.run("fetch", fetch=["\ud800"])).status == "refused"
    with pytest.raises(SandboxError, match="cannot be sent"):
        await far.sandbox.session(files={"f": bytes(10_000)})
    assert (await far.sandbox.run("say on")).ok


async def test_a_server_killed_in_the_middle(far: Far) -> None:
    running = asyncio.create_task(far.sandbox.run("sleep 600"))
    waiting = [asyncio.create_task(far.sandbox.run(f"sleep 0.{n}")) for n in range(6)]  # more than run at a time
    while not far.processes:
        await asyncio.sleep(0.01)
    await far.sandbox.run("say begun")
    far.processes[0].kill()
    crashed = await running
    assert crashed.status == "crashed"
    assert "lost while the program ran: it ended (exit code -9" in (crashed.error or "")
    assert {(await run).status for run in waiting} <= {"ok", "crashed"}
    assert (await far.sandbox.run("say next")).stdout == "next"
    assert len(far.processes) == 2


async def test_work_that_had_not_begun_is_done_by_the_next_server() -> None:
    far = Far(parallel=1)
    running = asyncio.create_task(far.sandbox.run("sleep 600"))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(far.sandbox.run("say done after all"))
    while not far.sandbox.label.endswith("/T"):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    far.processes[0].kill()
    assert (await running).status == "crashed"
    assert (await waiting).stdout == "done after all"
    await far.sandbox.aclose()


async def test_a_program_that_kills_every_server_is_crashed_not_endless(far: Far) -> None:
    assert [(await far.sandbox.run("die")).status for _ in range(3)] == ["crashed"] * 3
    assert len(far.processes) == 3


async def test_cancelling_reaches_the_far_side(far: Far) -> None:
    tasks = [asyncio.create_task(far.sandbox.run("sleep 600")) for _ in range(8)]  # four wait for their turn
    await far.sandbox.connection()
    await asyncio.sleep(0.1)
    for task in tasks:
        task.cancel()
    started = time.monotonic()
    assert {type(result) for result in await asyncio.gather(*tasks, return_exceptions=True)} == {
        asyncio.CancelledError
    }
    assert (await far.sandbox.run("say on")).ok  # a slot is free, on the same server
    assert time.monotonic() - started < 10
    assert len(far.processes) == 1


async def test_closing_ends_runs_and_servers(far: Far) -> None:
    run = asyncio.create_task(far.sandbox.run("sleep 600"))
    session = await far.sandbox.session()
    await far.sandbox.aclose()
    assert (await run).status == "refused"
    assert "closed" in ((await run).error or "")
    assert far.processes[0].returncode == 0
    for again in (far.sandbox.run("say x"), far.sandbox.session(), session.run("say x")):
        with pytest.raises(SandboxError, match="closed"):
            await again
    await session.aclose()
    await far.sandbox.aclose()


async def test_sessions_keep_state_apart(far: Far) -> None:
    first, second = await far.sandbox.session(), await far.sandbox.session()
    await first.run("keep a")
    await second.run("keep b")
    copy = await first.snapshot()
    await copy.run("keep c")
    values = [(await session.run("names")).value for session in (first, second, copy)]
    assert values == ["a", "b", "a c"]
    await first.aclose()
    await first.aclose()
    with pytest.raises(SandboxError, match="session is closed"):
        await first.run("names")
    assert (await copy.run("names")).value == "a c"


async def test_a_lost_session_is_restored_from_its_finished_cells(far: Far) -> None:
    session = await far.sandbox.session()
    for code in ("keep a", "no such order", "keep b"):
        await session.run(code)
    copy = await session.snapshot()
    assert (await session.run("die")).status == "crashed"
    assert (await session.run("names")).value == "a b"
    assert (await copy.run("names")).value == "a b"
    await far.sandbox.run("die")
    assert (await (await copy.snapshot()).run("names")).value == "a b"


async def test_a_session_that_cannot_be_restored_says_so(far: Far, tmp_path: Path) -> None:
    session = await far.sandbox.session()
    await session.run("keep a")
    assert (await session.run(f"once {tmp_path / 'marker'}")).ok
    await far.sandbox.run("die")
    for _ in range(2):
        refused = await session.run("names")
        assert refused.status == "refused"
        assert "cell 2 of 2 was 'ok' and is now 'error'" in (refused.error or "")
    with pytest.raises(SandboxError, match="no snapshot: the session was lost"):
        await session.snapshot()


# A real sandbox on the far side


HEARTBEAT = "import time\nwhile True:\n    open({path!r}, 'a').write('x')\n    time.sleep(0.02)\n"


async def beating(path: Path) -> None:
    async with asyncio.timeout(30):
        while not path.exists():
            await asyncio.sleep(0.02)


async def assert_dead(path: Path) -> None:
    await asyncio.sleep(0.2)  # the far side's own watchers may need a moment
    size = path.stat().st_size
    await asyncio.sleep(0.3)
    assert path.stat().st_size == size, "the program is still alive"


@pytest.mark.parametrize("how", ["kill the server", "cancel the run", "close the sandbox"])
async def test_no_program_outlives_its_server(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a killed server leaves its scratch folder
    far, beat = Far("subprocess"), tmp_path / "beat"
    code = HEARTBEAT.format(path=str(beat))
    run = asyncio.create_task(far.sandbox.run(code, Limits(timeout_s=60, cpu_s=60)))
    await beating(beat)
    if how == "kill the server":
        far.processes[0].kill()
        assert (await run).status == "crashed"
    elif how == "cancel the run":
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    else:
        await far.sandbox.aclose()
        assert (await run).status == "refused"
    await assert_dead(beat)
    if how != "close the sandbox":
        execution = await far.sandbox.run("6 * 7")
        assert (execution.value, execution.status) == ("42", "ok")
    await far.sandbox.aclose()


async def test_limits_hold_on_the_far_side() -> None:
    far = Far("subprocess")
    slow = await far.sandbox.run("print('so far')\nwhile True: pass", Limits(timeout_s=0.5))
    assert (slow.status, slow.stdout) == ("timeout", "so far\n")
    flood = await far.sandbox.run("while True: print('x' * 1000)", Limits(output_bytes=5_000))
    assert (flood.status, len(flood.stdout)) == ("output-limit", 5_000)
    await far.sandbox.aclose()


# Far sides that misbehave


class FakeLink:
    """A far side that says ``said``, then what ``answer`` makes of each request, then ends or is silent."""

    def __init__(
        self,
        said: Sequence[bytes],
        answer: Callable[[wire.Request], Sequence[wire.Reply]] | None = None,
        ends: bool = False,
    ) -> None:
        self.incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self.answer, self.closed = answer, False
        self.requests: list[wire.Request] = []
        for piece in said:
            self.incoming.put_nowait(piece)
        if ends:
            self.incoming.put_nowait(b"")

    async def read(self, n: int) -> bytes:
        return await self.incoming.get()

    async def write(self, data: bytes) -> None:
        request = wire.parse_request(data[4:])
        self.requests.append(request)
        for reply in self.answer(request) if self.answer else ():
            self.incoming.put_nowait(wire.frame(reply))

    async def last_words(self) -> str:
        return "no words"

    async def aclose(self, grace_s: float) -> None:
        self.closed = True


IMPATIENT = Patience(start_s=0.2, grace_s=0.1, stall_s=0.2, close_s=0.1)
QUICK = Limits(timeout_s=0.1)


def over(*links: FakeLink) -> RemoteSandbox:
    left = list(links)

    async def open_link() -> FakeLink:
        if not left:
            raise SandboxError("no more links")
        return left.pop(0)

    return RemoteSandbox("far", open_link, patience=IMPATIENT)


def honest(request: wire.Request) -> Sequence[wire.Reply]:
    return wire.Started(id=request.id), wire.Done(id=request.id, execution=OK)


async def test_replies_to_unknown_numbers_are_ignored() -> None:
    def answer(request: wire.Request) -> Sequence[wire.Reply]:
        lie = Execution(status="ok", value="lie")
        return (
            wire.Done(id=request.id + 7, execution=lie),
            *honest(request),
            wire.Done(id=request.id, execution=lie),
        )

    link = FakeLink([wire.frame(HELLO)], answer)
    sandbox = over(link)
    assert [(await sandbox.run("")).value for _ in range(3)] == ["42"] * 3
    assert not link.closed


async def test_our_own_clock_ends_a_run_and_its_server() -> None:
    link = FakeLink([wire.frame(HELLO)], lambda request: [wire.Started(id=request.id)])
    sandbox = over(link, FakeLink([wire.frame(HELLO)], honest))
    execution = await sandbox.run("", QUICK)
    assert execution.status == "timeout"
    assert "did not answer within 0.2 s (the limit is 0.1 s)" in (execution.error or "")
    assert link.closed
    assert (await sandbox.run("")).value == "42"


async def test_the_clock_starts_with_the_turn() -> None:
    link = FakeLink([wire.frame(HELLO)])
    sandbox = over(link)
    first = asyncio.create_task(sandbox.run("", Limits(timeout_s=1.0)))
    second = asyncio.create_task(sandbox.run("", Limits(timeout_s=0.05)))
    while len(link.requests) < 2:
        await asyncio.sleep(0.01)
    numbers = [request.id for request in link.requests]
    link.incoming.put_nowait(wire.frame(wire.Started(id=numbers[0])))
    await asyncio.sleep(0.5)  # longer than the second's time, its grace and the stall clock together
    for reply in (wire.Done(id=numbers[0], execution=OK), *honest(link.requests[1])):
        link.incoming.put_nowait(wire.frame(reply))
    assert ((await first).status, (await second).status) == ("ok", "ok")


async def test_a_server_that_begins_nothing_is_given_up() -> None:
    links = [FakeLink([wire.frame(HELLO)]) for _ in range(3)]
    execution = await over(*links).run("", QUICK)
    assert execution.status == "crashed"
    assert "before the program began" in (execution.error or "")
    assert "began no work for 0.2 s" in (execution.error or "")
    assert all(link.closed for link in links)


async def test_a_server_that_does_not_stop_a_cancelled_run_is_replaced() -> None:
    link = FakeLink([wire.frame(HELLO)], lambda request: [wire.Started(id=request.id)])
    sandbox = over(link, FakeLink([wire.frame(HELLO)], honest))
    run = asyncio.create_task(sandbox.run("", Limits(timeout_s=60)))
    while not link.requests:
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [request.kind for request in link.requests] == ["run", "cancel"]
    assert link.closed
    assert (await sandbox.run("")).value == "42"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([], "it said nothing for 0.2 s"),
        ([b"HTTP/1.1 400 Bad Request\r\n"], "a frame of 1,213,486,160 bytes"),
        ([wire.frame(HELLO.model_copy(update={"protocol": 9}))], "it speaks protocol 9, we 1"),
        ([wire.frame(wire.Agreed(id=1))], "first message was not hello"),
        ([wire.frame(HELLO) * 2], "it said hello twice"),
    ],
)
async def test_a_server_that_starts_wrongly(said: list[bytes], message: str) -> None:
    link = FakeLink(said)
    sandbox = over(link)
    with pytest.raises(SandboxError, match=message):
        await sandbox.run("")
    assert link.closed


async def test_an_answer_of_the_wrong_kind_ends_the_connection() -> None:
    def answer(request: wire.Request) -> Sequence[wire.Reply]:
        return wire.Started(id=request.id), wire.Agreed(id=request.id)

    link = FakeLink([wire.frame(HELLO)], answer)
    execution = await over(link).run("", QUICK)
    assert execution.status == "crashed"
    assert "an answer of the wrong kind" in (execution.error or "")


async def test_a_reply_is_trimmed_to_what_was_allowed() -> None:
    swollen = Execution(
        status="ok",
        stdout="x" * 1_000,
        stderr="y" * 1_000,
        value="v" * 2_000_000,
        error="e" * 5_000,
        traceback="t" * 50_000,
        wall_s=float("nan"),
        cpu_s=-1.0,
        peak_memory_mb=float("inf"),
        files={"asked": b"1", "not asked": b"2"},
        sandbox="\x1b[31m" + "s" * 500,
    )
    body = '{"kind":"done","id":%d,"execution":' + swollen.model_dump_json() + "}"

    def answer(request: wire.Request) -> Sequence[wire.Reply]:
        text = (
            (body % request.id)
            .replace('"wall_s":null', '"wall_s":NaN')
            .replace('"peak_memory_mb":null', '"peak_memory_mb":Infinity')
        )
        link.incoming.put_nowait(wire.frame(wire.Started(id=request.id)))
        link.incoming.put_nowait(len(text).to_bytes(4, "big") + text.encode())
        return ()

    link = FakeLink([wire.frame(HELLO)], answer)
    execution = await over(link).run("", Limits(output_bytes=10), fetch=["asked"])
    assert (execution.stdout, execution.stderr) == ("x" * 10, "y" * 10)
    assert list(map(len, (execution.value or "", execution.error or "", execution.traceback or ""))) == [
        2**20,
        2_000,
        20_000,
    ]
    assert (execution.wall_s, execution.cpu_s, execution.peak_memory_mb) == (0.0, 0.0, 0.0)
    assert execution.files == {"asked": b"1"}
    assert execution.sandbox.startswith("far/�[31mss")
    assert len(execution.sandbox) == len("far/") + 100


async def test_files_beyond_the_limit_are_dropped() -> None:
    def answer(request: wire.Request) -> Sequence[wire.Reply]:
        big = Execution(status="ok", files={"a": bytes(2**20 + 1)})
        return wire.Started(id=request.id), wire.Done(id=request.id, execution=big)

    execution = await over(FakeLink([wire.frame(HELLO)], answer)).run("", Limits(file_mb=1), fetch=["a"])
    assert execution.files == {}


PIECES = st.one_of(
    st.binary(max_size=60),
    st.just(wire.frame(HELLO)),
    st.integers(0, 4).map(lambda number: wire.frame(wire.Started(id=number))),
    st.integers(0, 4).map(lambda number: wire.frame(wire.Done(id=number, execution=OK))),
    st.integers(0, 4).map(lambda number: wire.frame(wire.Agreed(id=number))),
    st.integers(0, 4).map(lambda number: wire.frame(wire.Failed(id=number, message="\x00no"))),
    st.binary(max_size=40).map(lambda body: len(body).to_bytes(4, "big") + body),
    st.just(wire.frame(HELLO)[:9]),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.booleans(), st.lists(PIECES.filter(len), max_size=8), st.booleans())
def test_whatever_comes_the_call_ends_as_it_may(greets: bool, said: list[bytes], ends: bool) -> None:
    """An Execution or a SandboxError, in time, whatever the bytes; sessions too."""

    async def attempt() -> None:
        patience = Patience(start_s=0.05, grace_s=0.05, stall_s=0.05, close_s=0.05)

        async def open_link() -> FakeLink:
            return FakeLink([wire.frame(HELLO)] * greets + said, ends=ends)

        sandbox = RemoteSandbox("far", open_link, patience=patience)
        limits = Limits(timeout_s=0.05)
        async with asyncio.timeout(20):
            for call in (sandbox.run("1", limits), sandbox.session(limits)):
                told = None
                try:
                    result = await call
                    execution = result if isinstance(result, Execution) else await result.run("1")
                except SandboxError as error:
                    told = str(error)
                assert isinstance(execution, Execution) if told is None else told.isprintable()
            await sandbox.aclose()

    asyncio.run(attempt())


def test_a_tail_is_one_printable_line() -> None:
    tail = Tail()
    tail.feed(b"first\n" + b"x" * 100_000)
    tail.feed(b"\nlast \x1b[2J\xff line\n\n")
    assert tail.line() == "last �[2J� line"
    assert Tail().line() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="found through /proc")
async def test_a_server_learns_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch, far: Far) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    await far.sandbox.run("say x")
    environment = Path(f"/proc/{far.processes[0].pid}/environ").read_bytes()
    assert b"sk-secret" not in environment
