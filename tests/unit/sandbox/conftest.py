from __future__ import annotations

from collections.abc import Iterator

import pytest
import zygote_park


@pytest.fixture(scope="module", autouse=True)
def lent_zygotes() -> Iterator[None]:
    """None is: these tests are about zygotes, from their start to their end."""
    with zygote_park.none_lent():
        yield
