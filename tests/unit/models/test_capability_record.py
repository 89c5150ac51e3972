from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from mathagent.errors import StorageError
from mathagent.models.capability_record import (
    CapabilityRecord,
    Finding,
    all_records,
    find_record,
    record_file,
    store_record,
)


def record(identity: str = "openai:m@http://a/v1", **changes: object) -> CapabilityRecord:
    values = {
        "model": "openai:m",
        "identity": identity,
        "probed_at": "2026-11-30T00:00:00+00:00",
        "mathagent": "0",
        "findings": (Finding(test="reply", state="yes", detail="hello"),),
        "can": {"n": False},
    }
    return CapabilityRecord.model_validate(values | changes)


def test_a_stored_record_is_found_by_its_identity_alone(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet"
    assert find_record(record().identity, folder) is None
    path = store_record(record(), folder)
    assert find_record(record().identity, folder) == record()
    assert find_record("openai:m@http://b/v1", folder) is None
    store_record(record(can={"n": True}), folder)
    assert [one.can for one in all_records(folder)] == [{"n": True}]
    assert [one.name for one in folder.iterdir()] == [path.name]


def test_identities_that_look_alike_have_files_of_their_own() -> None:
    names = {record_file(identity) for identity in ("a/b", "a:b", "a b", "x" * 100, "x" * 101)}
    assert len(names) == 5
    assert all(len(name) < 90 and "/" not in name for name in names)


def test_a_record_of_another_version_is_passed_over(tmp_path: Path) -> None:
    path = store_record(record(), tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"version": 2, "new": True}))
    assert find_record(record().identity, tmp_path) is None
    assert all_records(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', "\x00"])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    path = store_record(record(), tmp_path)
    path.write_text(text)
    with pytest.raises(StorageError, match=r"is damaged .*delete it") as caught:
        find_record(record().identity, tmp_path)
    assert str(path) in str(caught.value)


def test_a_capability_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="no capability is named telepathy"):
        record(can={"telepathy": True})


def test_where_nothing_can_be_written_it_is_said_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="MATHAGENT_HOME"):
        store_record(record(), tmp_path / "file" / "capabilities")
