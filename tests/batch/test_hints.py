"""The file of hints: what is read, and what is refused by name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from colorflow.batch import read_hints
from colorflow.batch.hints import LARGEST_FILE
from colorflow.colorizer import Hint
from colorflow.errors import BatchError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hints.json"


def test_hints_are_read(path: Path) -> None:
    hints = [{"row": 1, "column": 2.5, "a": -3, "b": 4e1}, {"row": 0, "column": 0, "a": 0, "b": 0}]
    path.write_text(json.dumps({"ü b.jpg": hints, "none.jpg": []}), encoding="utf-8")
    assert read_hints(path) == {
        "ü b.jpg": (Hint(1, 2.5, -3, 40), Hint(0, 0, 0, 0)),
        "none.jpg": (),
    }


GOOD = {"row": 1, "column": 1, "a": 1, "b": 1}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is not a JSON file of hints"),
        ("{", "is not a JSON file of hints"),
        ('{"a": [], "a": []}', "'a' occurs twice"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "got a list of 0"),
        ("null", "got null"),
        ('{"a": 3}', "'a': expected a list of hints, got 3"),
        ('{"a": {"row": 1}}', "'a': expected a list of hints, got an object with 'row'"),
        ('{"a": [1]}', "'a': hint 1: expected row, column, a and b, got 1"),
        ('{"a": [{}]}', "'a': hint 1: expected row, column, a and b, got an object with nothing"),
        (json.dumps({"a": [GOOD, GOOD | {"c": 1}]}), "'a': hint 2: expected row, column"),
        (json.dumps({"a": [GOOD | {"a": "red"}]}), "'a': hint 1: a: expected a number, got"),
        (json.dumps({"a": [GOOD | {"row": True}]}), "row: expected a number, got true"),
        (json.dumps({"a": [GOOD | {"row": None}]}), "row: expected a number, got null"),
        (json.dumps({"a": [GOOD | {"row": -1}]}), "hint 1: row: expected a pixel from 0"),
        (json.dumps({"a": [GOOD | {"b": 200}]}), "hint 1: b: expected -108 to 108"),
        (json.dumps({"a": [GOOD | {"b": float("nan")}]}), "hint 1: b: expected -108"),
        (json.dumps({"a": [GOOD | {"row": float("inf")}]}), "hint 1: row: expected a pixel"),
        ('{"a": [{"row": 1' + "0" * 400 + ', "column": 1, "a": 1, "b": 1}]}', "hint 1: "),
    ],
)
def test_wrong_files_are_refused(path: Path, content: str, what: str) -> None:
    path.write_text(content)
    with pytest.raises(BatchError) as refusal:
        read_hints(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert what in str(refusal.value)


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes")
def test_files_without_an_end_are_not_read(path: Path) -> None:
    os.mkfifo(path)
    for endless in (Path("/dev/zero"), path):
        with pytest.raises(BatchError, match="not a regular file"):
            read_hints(endless)


def test_large_files_are_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE)
    with pytest.raises(BatchError, match="is not a JSON file of hints"):
        read_hints(path)
    with path.open("ab") as file:
        file.write(b" ")
    with pytest.raises(BatchError, match="has more than 1 MB; make several files"):
        read_hints(path)


def test_files_that_cannot_be_read(path: Path) -> None:
    with pytest.raises(BatchError, match=r"the hints cannot be read \(No such file"):
        read_hints(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BatchError, match="is not a JSON file"):
        read_hints(path)
    with pytest.raises(BatchError, match=r"the hints cannot be read \(Is a directory"):
        read_hints(path.parent)
