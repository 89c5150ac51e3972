"""mathagent solve --image: the problem is read in a photo, shown and solved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mathagent.cli import run
from mathagent.evals.probe.image_tests import number_png


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    path.write_bytes(number_png("42"))
    return str(path)


def script(folder: Path, *replies: str) -> str:
    path = folder / "replies.json"
    path.write_text(json.dumps(list(replies)))
    return f"script:{path}"


def test_the_text_is_shown_and_solved(
    photo: str, tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = script(
        tmp_path, "What is six by seven? \\boxed{42}"
    )  # opened anew for the solve, it says the same again
    assert run(["solve", "--image", photo, "-s", "cot", "-m", model, "--no-cache"]) == 0
    said = capsys.readouterr()
    assert "the picture shows" in said.err
    assert "What is six by seven?" in said.err
    assert "42" in said.out


def test_with_json_nothing_is_told_beside(
    photo: str, tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = script(tmp_path, "What is six by seven? \\boxed{42}")
    options = ["-s", "cot", "-m", model, "--no-cache", "--json"]
    assert run(["solve", "--image", photo, *options]) == 0
    said = capsys.readouterr()
    solution = json.loads(said.out)
    assert (solution["answer"], solution["problem"]["text"]) == ("42", "What is six by seven? \\boxed{42}")
    assert "picture" not in said.err


@pytest.mark.parametrize("beside", [["What is 1+1?"], ["--file", "problem.txt"], ["--resume"]])
def test_the_picture_is_the_problem(photo: str, beside: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["solve", "--image", photo, *beside]) == 2
    assert "--image is the problem; leave out" in capsys.readouterr().err


def test_what_is_no_picture_is_refused(tmp_path: Path, own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "photo.png"
    path.write_text("text")
    assert run(["solve", "--image", str(path), "-m", script(tmp_path, "x")]) == 2
    assert "photo.png is no picture; PNG, JPEG, WebP and GIF are taken" in capsys.readouterr().err


def test_a_model_that_sees_none_is_refused_before_it_is_asked(
    photo: str, own_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["-m", "openai:m", "--base-url", "http://127.0.0.1:9/v1"]
    assert run(["solve", "--image", photo, *model]) == 2
    assert "openai:m does not support images; name a model that sees pictures" in capsys.readouterr().err
