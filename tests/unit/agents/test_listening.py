"""Where a server may be reached, and by whom: the rules of both servers."""

from __future__ import annotations

import pytest

from mathagent.agents.listening import bearer, check_reach, listen, url_of, usable_key
from mathagent.errors import ResourceError, UsageError


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_key(host: str) -> None:
    check_reach(host, has_key=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "math.example"])
def test_others_need_one(host: str) -> None:
    with pytest.raises(UsageError, match=r"MATHAGENT_SERVER_KEY.*, or so$"):
        check_reach(host, has_key=False, advice=", or so")
    check_reach(host, has_key=True)


def test_a_key_is_without_blanks_and_not_short() -> None:
    assert usable_key(" 0123456789abcdef\n", "it") == "0123456789abcdef"
    for short in ("", "  \n", "0123456789abcde "):
        with pytest.raises(UsageError, match="the key of it has fewer than 16 characters"):
            usable_key(short, "it")


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer abc", "abc"),
        ("bearer   abc ", "abc"),
        ("Basic abc", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        (None, None),
    ],
)
def test_bearer(header: str | None, key: str | None) -> None:
    assert bearer(header) == key


def test_an_address_in_use_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert url_of("127.0.0.1", taken) == f"http://127.0.0.1:{port}"
        assert url_of("::1", taken) == f"http://[::1]:{port}"
        with pytest.raises(ResourceError, match=f"cannot listen at 127.0.0.1:{port}"):
            listen("127.0.0.1", port)


def test_what_is_no_address_is_named() -> None:
    with pytest.raises(UsageError, match="--host: 'no such host!' is no address"):
        listen("no such host!", 0)
