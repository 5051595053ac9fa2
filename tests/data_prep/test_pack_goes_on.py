"""Packs that were interrupted, are finished, or are of other settings."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorflow.errors import PackError
from colorflow.files import locked
from colorflow.training.pack import Pack
from data_prep import __main__ as command
from data_prep import cache

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


@pytest.mark.slow
@pytest.mark.parametrize(("batches", "filled", "workers"), [(1, 0, 0), (4, 12, 2)])
def test_an_interrupted_pack_goes_on_to_the_same_bytes(
    batches: int,
    filled: int,
    workers: int,
    arguments: Callable[..., list[str]],
    pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Stopped after 1 or 4 batches, where every third is a safe point."""
    whole_fill = command.fill

    def stopped_fill(*given: Any) -> Iterator[tuple[int, int]]:
        for number, filled_and_all in enumerate(whole_fill(*given)):
            yield filled_and_all
            if number == batches:
                raise KeyboardInterrupt

    monkeypatch.setattr(command, "fill", stopped_fill)
    assert command.main(arguments(tmp_path)) == 130
    assert "same command goes on" in capsys.readouterr().err
    assert json.loads((tmp_path / "pack.json").read_text())["filled"] == filled
    # What was written behind the safe point may be lost in a crash: it is made again.
    chroma = np.load(tmp_path / "ab.npy", mmap_mode="r+")
    assert chroma[: 4 * batches].any()
    chroma[filled:] = 99
    chroma.flush()

    starts = []

    def watched_fill(*given: Any) -> Iterator[tuple[int, int]]:
        numbers = list(whole_fill(*given))
        starts.append(numbers[0][0])
        return iter(numbers)

    monkeypatch.setattr(command, "fill", watched_fill)
    assert command.main(arguments(tmp_path, "--workers", str(workers))) == 0
    assert starts == [filled]
    assert contents(tmp_path) == contents(pack)


def test_a_pack_that_is_in_part_filled_can_be_read(
    arguments: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_fill = command.fill
    monkeypatch.setattr(command, "fill", lambda *given: itertools.islice(whole_fill(*given), 4))
    assert command.main(arguments(tmp_path)) == 0
    assert len(Pack(tmp_path)) == 12


def test_a_finished_pack_is_left_as_it_is(
    arguments: Callable[..., list[str]], pack: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(pack, tmp_path / "copy")
    assert command.main(arguments(copy)) == 0
    assert contents(copy) == contents(pack)


@pytest.mark.parametrize("key", ["coarse", "finest_map"])
def test_a_pack_of_an_earlier_version_goes_on(
    key: str, arguments: Callable[..., list[str]], pack: Path, tmp_path: Path
) -> None:
    """Its settings say whether its maps are averaged; if they are, it must be made again."""
    old = shutil.copytree(pack, tmp_path / "old")
    info = json.loads((old / "pack.json").read_text())
    (old / "pack.json").write_text(json.dumps(info | {"filled": info["filled"] - 4}))
    settings = json.loads((old / "settings.json").read_text())
    whole, averaged = {"coarse": (False, True), "finest_map": (32, 16)}[key]
    (old / "settings.json").write_text(json.dumps(settings | {key: whole}))
    assert command.main(arguments(old)) == 0
    for name in ("pack.json", "features32.npy"):
        assert (old / name).read_bytes() == (pack / name).read_bytes()
    (old / "settings.json").write_text(json.dumps(settings | {key: averaged}))
    assert command.main(arguments(old)) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("finest_map", 16),
        ("filled", float("inf")),
        ("filled", -4),
        ("filled", 10**9),
        ("rows", "36"),
        ("seed", 1.5),
    ],
)
def test_a_damaged_description(
    name: str,
    value: object,
    arguments: Callable[..., list[str]],
    pack: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = tmp_path / "own"
    shutil.copytree(pack, own)
    info = json.loads((own / "pack.json").read_text())
    (own / "pack.json").write_text(json.dumps(info | {name: value}))
    line = message(arguments(own), capsys)
    assert line.startswith(f"data_prep: {own / 'pack.json'}: not a pack description")
    assert name in line or name in ("filled", "finest_map")
    assert line.endswith("make the pack again")


@pytest.mark.parametrize("file", ["pack.json", "settings.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, "[]", '"x"', "{"])
def test_descriptions_that_are_none(
    file: str,
    text: str,
    arguments: Callable[..., list[str]],
    pack: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = shutil.copytree(pack, tmp_path / "own")
    (own / file).write_text(text)
    assert str(own) in message(arguments(own), capsys)


def test_two_at_once_on_one_pack(
    arguments: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with locked(tmp_path, PackError("not yet")):
        line = message(arguments(tmp_path), capsys)
    assert line.startswith(f"data_prep: {tmp_path}: another run of data_prep is making this pack")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "other",
    [
        ("--seed", "1"),
        ("--dev", "2"),
        ("--variants", "2"),
        ("--exclude", "none.txt"),
    ],
)
def test_other_settings_need_another_folder(
    other: tuple[str, str],
    arguments: Callable[..., list[str]],
    pack: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = contents(pack)
    line = message(arguments(pack, *other), capsys)
    assert str(pack) in line
    assert "other settings" in line
    assert contents(pack) == before


def test_an_interruption_while_photos_are_scanned_leaves_nothing_in_the_way(
    arguments: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache, "_write_info", stopped)
        assert command.main(arguments(tmp_path)) == 130
    monkeypatch.setattr(command, "fill", lambda *_: iter([(0, 0)]))
    # Nothing has been cached, so the settings may still be others.
    assert command.main(arguments(tmp_path, "--seed", "1")) == 0
    assert json.loads((tmp_path / "pack.json").read_text())["seed"] == 1


def test_an_interruption_right_after_the_scan_goes_on(
    arguments: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_info = cache._write_info

    def stopped(*given: Any, **named: Any) -> None:
        write_info(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "fill", lambda *_: iter([(0, 0)]))
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_write_info", stopped)
        assert command.main(arguments(tmp_path)) == 130
    assert command.main(arguments(tmp_path)) == 0
