"""The store of written functions: whole files, one writer at a time, nothing that was changed is run."""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathagent.errors import StorageError
from mathagent.functions.coding import Written
from mathagent.functions.store import FunctionStore

KEY = "0123456789abcdef" * 4
WRITTEN = Written(
    code="def f(n):\n    return 'é'\n", model="openai:x", tries=4, flaws={"no-code": 1, "test-failed": 2}
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = FunctionStore(tmp_path / "functions")
    assert store.read("f", KEY) is None
    path = store.write("f", KEY, WRITTEN)
    assert store.read("f", KEY) == WRITTEN
    assert path.name == "f-0123456789abcdef.py"
    assert path.read_text(encoding="utf-8").endswith(WRITTEN.code)
    assert [file.name for file in store.folder.iterdir()] == [path.name]
    again = store.write("f", KEY, WRITTEN.model_copy(update={"tries": 1}))
    assert again == path
    assert store.read("f", KEY) == WRITTEN.model_copy(update={"tries": 1})


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_changed_file_is_taken(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    store = FunctionStore(tmp_path_factory.getbasetemp() / "changed")
    path = store.write("f", KEY, WRITTEN)
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(["cut", "flip", "insert"]))
    byte = bytes([whole[position] ^ data.draw(st.integers(1, 127))])
    changed = {
        "cut": whole[:position],
        "flip": whole[:position] + byte + whole[position + 1 :],
        "insert": whole[:position] + byte + whole[position:],
    }[kind]
    path.write_bytes(changed)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            assert store.read("f", KEY) is None
            said = str(warned[0].message)
        except StorageError as error:
            said = str(error)
    assert said.startswith(
        (
            f"{path} is damaged; the function is written anew",
            f"{path} is not as it was written and tested, so it is not run; delete the file",
        )
    )


def test_another_key_or_version_is_not_taken(tmp_path: Path) -> None:
    store = FunctionStore(tmp_path)
    path = store.write("f", KEY, WRITTEN)
    other = store.path("f", "f" * 64)
    path.rename(other)
    with pytest.raises(StorageError, match="is not as it was written"):
        store.read("f", "f" * 64)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FunctionStore(tmp_path / "file")
    with pytest.raises(StorageError, match=r"cannot write .*; set MATHAGENT_HOME to another folder"):
        store.write("f", KEY, WRITTEN)
    with pytest.raises(StorageError, match="cannot read"):
        store.read("f", KEY)


def in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # a child that hangs ends by itself
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return child


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_of_many_processes_one_writes(tmp_path: Path) -> None:
    store, log = FunctionStore(tmp_path / "functions"), tmp_path / "log"

    async def obtain() -> None:
        async with store.locked("f", KEY):
            if store.read("f", KEY) is None:
                with log.open("a") as file:
                    file.write("written\n")
                await asyncio.sleep(0.05)
                store.write("f", KEY, WRITTEN)
        assert store.read("f", KEY) == WRITTEN

    children = [in_child(lambda: asyncio.run(obtain())) for _ in range(6)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 6
    assert log.read_text() == "written\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
async def test_the_lock_ends_with_a_killed_process(tmp_path: Path) -> None:
    store = FunctionStore(tmp_path)
    reading, writing = os.pipe()

    async def hold() -> None:
        async with store.locked("f", KEY):
            os.write(writing, b"held")
            await asyncio.sleep(60)

    child = in_child(lambda: asyncio.run(hold()))
    assert os.read(reading, 4) == b"held"
    waiting = asyncio.ensure_future(store.locked("f", KEY).__aenter__())
    await asyncio.sleep(0.2)
    assert not waiting.done()
    os.kill(child, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, child, 0)
    await asyncio.wait_for(waiting, 30)
    for end in (reading, writing):
        os.close(end)
