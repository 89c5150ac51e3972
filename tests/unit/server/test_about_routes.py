"""/v1/about and /v1/strategies: what may be chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from mathagent.errors import UsageError
from mathagent.models.base import Capabilities
from mathagent.models.scripted import ScriptedBackend
from mathagent.server.options import ServeLimits
from mathagent.strategies import STRATEGIES
from tests.unit.server.served import FORTY_TWO, always, served


async def test_what_there_is(tmp_path: Path) -> None:
    limits = ServeLimits(seconds=30, tokens=500, drain_s=0)
    async with served(tmp_path, always(FORTY_TWO), limits=limits, strategy="pal") as server:
        about = (await server.http.get("/v1/about")).json()
    del about["version"]
    assert about == {
        "strategy": "pal",
        "models": ["script:test"],
        "seeds": True,
        "images": True,
        "max_seconds": 30.0,
        "max_tokens": 500,
        "memory": "off",
    }


async def test_a_model_without_seeds_says_so(tmp_path: Path) -> None:
    backend = ScriptedBackend(always(FORTY_TWO), capabilities=Capabilities(streaming=True))
    async with served(tmp_path, backend) as server:
        assert (await server.http.get("/v1/about")).json()["seeds"] is False


async def test_a_model_that_sees_no_pictures_says_so(tmp_path: Path) -> None:
    backend = ScriptedBackend(always(FORTY_TWO), capabilities=Capabilities(streaming=True))
    async with served(tmp_path, backend) as server:
        assert (await server.http.get("/v1/about")).json()["images"] is False


async def test_a_config_file_that_is_wrong_keeps_nobody_from_hearing_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[capabilities."script:test"]\nimagery = true\n')
    monkeypatch.setenv("MATHAGENT_CONFIG", str(config))
    async with served(tmp_path, always(FORTY_TWO)) as server:
        about = await server.http.get("/v1/about")
    assert (about.status_code, about.json()["images"]) == (200, False)
    assert "imagery" in caplog.text


async def test_strategies_are_listed(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        listed = (await server.http.get("/v1/strategies")).json()["data"]
    assert [one["name"] for one in listed] == STRATEGIES.names()
    pal = next(one for one in listed if one["name"] == "pal")
    assert "arXiv" in pal["paper"]
    assert pal["calls"] == [1, 1]
    assert "sandbox" in pal["needs"]


async def test_a_strategy_that_cannot_be_loaded_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    load = STRATEGIES.load

    def broken(name: str) -> object:
        if name == "pal":
            raise UsageError("strategy 'pal' cannot be loaded (ImportError: gone)")
        return load(name)

    async with served(tmp_path, always(FORTY_TWO)) as server:
        monkeypatch.setattr(STRATEGIES, "load", broken)
        names = [one["name"] for one in (await server.http.get("/v1/strategies")).json()["data"]]
    assert names == [name for name in STRATEGIES.names() if name != "pal"]
    assert "ImportError: gone" in caplog.text


async def test_one_of_them_has_its_settings(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        pal = (await server.http.get("/v1/strategies/pal")).json()
        composed = await server.http.get("/v1/strategies/pal(n=3) | cot")
    assert pal["settings"]["properties"]["n"] == {
        **pal["settings"]["properties"]["n"],
        "type": "integer",
        "minimum": 1,
        "maximum": 256,
    }
    assert composed.status_code == 200
    assert composed.json()["settings"]["properties"]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("none-such", 404, "model_not_found"),
        ("os:path", 400, "invalid_value"),
        ("pal | none-such", 404, "model_not_found"),
    ],
)
async def test_only_known_names_are_loaded(tmp_path: Path, name: str, status: int, code: str) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        response = await server.http.get(f"/v1/strategies/{name}")
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_settings_that_no_client_may_set_are_not_offered(tmp_path: Path) -> None:
    async with served(tmp_path, always(FORTY_TWO)) as server:
        for name in STRATEGIES.names():
            offered = (await server.http.get(f"/v1/strategies/{name}")).json()["settings"]["properties"]
            assert not {"dictionary", "dictionary_hash", "models"} & set(offered), name
