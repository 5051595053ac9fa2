"""Packs that were interrupted, are finished, or are of other settings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorflow.errors import PackError
from colorflow.files import locked
from data_prep import __main__ as command
from data_prep import pack as pack_module
from data_prep.pack import PackKind

# Python 3.12 and later warn of forks when numeric libraries have threads; the children use none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def message(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says when it fails."""
    capsys.readouterr()
    assert command.main(arguments) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("data_prep: ")
    return line


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_finished_pack_is_left_as_it_is(
    arguments: Callable[..., list[str]], pack: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(pack, tmp_path / "copy")
    assert command.main(arguments(copy)) == 0
    assert contents(copy) == contents(pack)


def test_two_at_once_on_one_pack(
    arguments: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(tmp_path, PackError("not yet")):
        line = message(arguments(tmp_path), capsys)
    assert line.startswith(f"data_prep: {tmp_path}: another run of data_prep is making this pack")
    assert not list(tmp_path.iterdir())


def test_other_settings_need_another_folder(
    arguments: Callable[..., list[str]],
    pack: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = contents(pack)
    line = message(arguments(pack, "--exclude", "none.txt"), capsys)
    assert str(pack) in line
    assert "other settings" in line
    assert contents(pack) == before


@pytest.mark.parametrize("name", ["settings.json", "photos.csv", "report.json", "ab.npy"])
@pytest.mark.parametrize("content", ["mine", "{}", "[1]"])
def test_files_of_another_origin_stay(
    name: str,
    content: str,
    arguments: Callable[..., list[str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / name).write_text(content)
    assert f"{tmp_path}: holds {name}, which is of no pack" in message(arguments(tmp_path), capsys)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == content


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interruption_of_the_scan_leaves_nothing_in_the_way(
    when: str,
    arguments: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the description is written, the settings may still be others."""
    write = PackKind._write_info

    def stopped(*given: Any, **named: Any) -> None:
        if when == "after":
            write(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PackKind, "_write_info", stopped)
        assert command.main(arguments(tmp_path)) == 130
    monkeypatch.setattr(pack_module, "fill_arrays", lambda *_, **__: iter([0]))
    other = ["--seed", "1"] if when == "before" else []
    assert command.main(arguments(tmp_path, *other)) == 0
