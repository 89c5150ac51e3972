"""The completion cache: what shares a row and what does not, several writers, damage, a full disk."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mathagent.errors import StorageError
from mathagent.models.base import ChatRequest, ToolSpec
from mathagent.models.cache import CompletionCache, sample_keys
from mathagent.types import Completion, Image, Message, SamplingParams, TokenLogprob, ToolCall, Usage

KEY_WITHOUT_IMAGES = "f1614707ecb018f4f4617e39d2cd048a30e65094a73783ba9526db1b322c5e61"
"""As the version before images made it."""


def ask(n: int = 1, first: int = 0, seed: int | None = None, **changes: Any) -> ChatRequest:
    params = SamplingParams(n=n, seed=seed, temperature=0.7)
    request = ChatRequest(messages=(Message(role="user", content="q"),), params=params, first_sample=first)
    return request.model_copy(update=changes)


def said(*texts: str) -> list[Completion]:
    return [Completion(text=text, usage=Usage(calls=1, completion_tokens=1)) for text in texts]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[CompletionCache]:
    opened = CompletionCache(tmp_path / "deep" / "cache.db")
    yield opened
    opened.close()


def texts(found: list[Completion | None]) -> list[str | None]:
    return [None if completion is None else completion.text for completion in found]


def test_a_completion_survives_unchanged(cache: CompletionCache) -> None:
    full = Completion(
        text="½ \x00 \U0001f600",
        finish_reason="tool_calls",
        tool_calls=(ToolCall(id="c", name="f", arguments="{}"),),
        usage=Usage(calls=1, prompt_tokens=3, completion_tokens=4),
        logprobs=(TokenLogprob(token="t", logprob=-0.1, top=(("u", -2.0),)),),
    )
    assert cache.store(sample_keys("b", ask()), [full]) == [full]
    assert cache.lookup(sample_keys("b", ask())) == [full.model_copy(update={"cached": True})]


def test_samples_share_rows_however_they_are_asked_for(cache: CompletionCache) -> None:
    cache.store(sample_keys("b", ask(2)), said("0", "1"))
    cache.store(sample_keys("b", ask(1, first=3)), said("3"))
    assert texts(cache.lookup(sample_keys("b", ask(5)))) == ["0", "1", None, "3", None]
    assert texts(cache.lookup(sample_keys("b", ask(2, first=1, role="judge")))) == ["1", None]


def test_what_shapes_a_reply_is_in_the_key() -> None:
    base = sample_keys("b", ask())
    tool = ToolSpec(name="f", description="", parameters={})
    others = [
        sample_keys("c", ask()),
        sample_keys("b", ask(first=1)),
        sample_keys("b", ask(seed=1)),
        sample_keys("b", ask(messages=(Message(role="user", content="q "),))),
        sample_keys("b", ask(messages=(Message(role="system", content="q"),))),
        sample_keys("b", ask(params=SamplingParams(temperature=0.7, max_tokens=1))),
        sample_keys("b", ask(params=SamplingParams(temperature=0.7, top_p=0.9))),
        sample_keys("b", ask(params=SamplingParams(temperature=0.7, stop=("x",)))),
        sample_keys("b", ask(params=SamplingParams(temperature=0.8))),
        sample_keys("b", ask(tools=(tool,))),
        sample_keys("b", ask(json_schema={"type": "object"})),
        sample_keys("b", ask(grammar="x")),
        sample_keys("b", ask(logprobs=0)),
        sample_keys("b", ask(continue_assistant=True)),
    ]
    keys = [base[0], *(other[0] for other in others)]
    assert len(set(keys)) == len(keys)
    assert sample_keys("b", ask(3))[0] == sample_keys("b", ask(role="x"))[0] == base[0]


def test_the_first_reply_stays_and_is_what_a_later_writer_gets(cache: CompletionCache) -> None:
    cache.store(sample_keys("b", ask()), said("first"))
    kept = cache.store(sample_keys("b", ask(2)), said("second", "new"))
    assert texts(list(kept)) == ["first", "new"]
    assert texts(cache.lookup(sample_keys("b", ask(2)))) == ["first", "new"]


def test_a_row_of_another_version_is_missing_and_replaced(cache: CompletionCache) -> None:
    cache.store(sample_keys("b", ask()), said("old"))
    other = sqlite3.connect(cache.path)
    other.execute("""UPDATE completions SET completion = '{"text": "x", "colour": "red"}'""")
    other.commit()
    other.close()
    assert cache.lookup(sample_keys("b", ask())) == [None]
    cache.store(sample_keys("b", ask()), said("new"))
    assert texts(cache.lookup(sample_keys("b", ask()))) == ["new"]


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from mathagent.models.base import ChatRequest
    from mathagent.models.cache import CompletionCache, sample_keys
    from mathagent.types import Completion, Message, SamplingParams

    path, name, start, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    cache = CompletionCache(path)
    for index in range(start, start + count):
        messages = (Message(role="user", content="q"),)
        request = ChatRequest(messages=messages, params=SamplingParams(temperature=0.7), first_sample=index)
        cache.store(sample_keys("b", request), [Completion(text=f"{name} {index} " + "x" * 2000)])
        print(index, flush=True)
    """
)


def writer(path: Path, name: str, start: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name, str(start), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_that_create_and_write_one_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    processes = [writer(path, name, start, 60) for name, start in (("a", 0), ("b", 30), ("c", 60), ("d", 0))]
    for process in processes:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
    cache = CompletionCache(path)
    found = cache.lookup(sample_keys("b", ask(120)))
    cache.close()
    for index, completion in enumerate(found):
        assert completion is not None
        assert completion.text.split()[1] == str(index)


def test_kill_9_between_writes_keeps_all_that_was_stored(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    process = writer(path, "a", 0, 100_000)
    assert process.stdout is not None
    stored = [int(process.stdout.readline()) for _ in range(50)]
    process.kill()
    process.communicate()
    cache = CompletionCache(path)
    assert None not in cache.lookup(sample_keys("b", ask(len(stored))))
    cache.store(sample_keys("b", ask(first=10**6)), said("more"))
    cache.close()
    checked = sqlite3.connect(path)
    assert checked.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    checked.close()


def test_a_damaged_file_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    path.write_bytes(b"this is no database, but long enough to be looked at" * 100)
    with pytest.raises(StorageError, match=r"move cache\.db away") as caught:
        CompletionCache(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_file_damaged_while_open(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    cache = CompletionCache(path)
    cache.store(sample_keys("b", ask(64)), said(*("x" * 3000 for _ in range(64))))
    cache.close()
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (size - 4096))
    with pytest.raises(StorageError, match=r"move cache\.db away"):
        CompletionCache(path).lookup(sample_keys("b", ask(64)))


def test_a_full_disk_is_a_storage_error_and_loses_nothing_stored(cache: CompletionCache) -> None:
    cache.store(sample_keys("b", ask()), said("kept"))
    (pages,) = cache._connection.execute("PRAGMA page_count").fetchone()
    cache._connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then says what it says of a full disk
    with pytest.raises(StorageError, match=r"full; free some disk space, or use --no-cache"):
        cache.store(sample_keys("b", ask(first=1)), said("x" * 100_000))
    assert texts(cache.lookup(sample_keys("b", ask(2)))) == ["kept", None]
    cache._connection.execute("PRAGMA max_page_count = 100000")
    cache.store(sample_keys("b", ask(first=1)), said("now"))
    assert texts(cache.lookup(sample_keys("b", ask(2)))) == ["kept", "now"]


def test_a_closed_cache_is_a_storage_error(tmp_path: Path) -> None:
    cache = CompletionCache(tmp_path / "cache.db")
    cache.close()
    cache.close()
    with pytest.raises(StorageError):
        cache.lookup(sample_keys("b", ask()))
    with pytest.raises(StorageError):
        cache.store(sample_keys("b", ask()), said("x"))


def test_requests_without_images_keep_the_keys_that_they_had_before_messages_could_have_any() -> None:
    call = ToolCall(id="1", name="f", arguments="{}")
    messages = (
        Message(role="system", content="s"),
        Message(role="user", content="q"),
        Message(role="assistant", content="a", tool_calls=(call,)),
        Message(role="tool", content="t", tool_call_id="1"),
    )
    assert sample_keys("b", ask(messages=messages)) == [KEY_WITHOUT_IMAGES]


def test_the_picture_is_in_the_key() -> None:
    def key(*images: Image) -> str:
        return sample_keys("b", ask(messages=(Message(role="user", content="q", images=images),)))[0]

    one, other = (Image(media_type="image/png", data=data) for data in (b"\xff\x01", b"\xff\x02"))
    as_jpeg = Image(media_type="image/jpeg", data=one.data)
    keys = [sample_keys("b", ask())[0], key(one), key(other), key(as_jpeg), key(one, other), key(other, one)]
    assert len(set(keys)) == len(keys)
    assert key() == keys[0]
