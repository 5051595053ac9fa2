"""`python -m data_prep`: what becomes of good and of bad photos."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from colorflow.training.pack import PhotoTable
from data_prep import __main__ as command
from data_prep import pack as pack_module
from tests.data_prep.conftest import message, table

# Python 3.12 and later warn of forks when numeric libraries have threads; the children use none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


Report = Callable[[Path], dict[str, Any]]


def names_in(split: str, folder: Path, photos: Path) -> list[str]:
    rows = [row for row in table(folder) if row["split"] == split]
    return [Path(row["file"]).relative_to(photos.resolve()).as_posix() for row in rows]


# the whole way


def test_every_photo_is_kept_or_named(pack: Path, photos: Any, report: Report) -> None:
    said = report(pack)
    assert said["found"] == len(photos.kept) + len(photos.dropped) == 20
    assert said["kept"] == len(photos.kept)
    dropped = {
        Path(file).relative_to(photos.folder).as_posix(): reason
        for file, reason in said["dropped"].items()
    }
    assert dropped.keys() == photos.dropped.keys()
    for file, reason in photos.dropped.items():
        assert dropped[file].startswith(reason), file
    assert said["counts"] == {
        "corrupt": 2, "gray": 2, "too small": 1, "excluded": 1, "duplicate": 2,
    }  # fmt: skip


def test_dev_has_the_asked_size_of_large_photos_and_near_ones_on_one_side(
    pack: Path, photos: Any
) -> None:
    dev = names_in("dev", pack, photos.folder)
    assert len(dev) in (3, 4)
    assert not any(name.startswith("small/") for name in dev)
    assert len({name in dev for name in photos.near}) == 1


# bad input


@pytest.mark.usefixtures("no_arrays")
class TestBadInput:
    def test_no_such_photos(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        line = message([str(tmp_path / "none"), "-o", str(tmp_path / "pack")], capsys)
        assert str(tmp_path / "none") in line

    def test_no_photo_that_can_be_used(
        self, photos: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bad = [str(photos.folder / "bad" / name) for name in ("gray.png", "cut.jpg", "empty.png")]
        line = message([*bad, "-o", str(tmp_path / "pack")], capsys)
        assert "none of the 3 photos can be used" in line
        assert "'corrupt': 2" in line
        assert not (tmp_path / "pack" / "pixels.json").exists()

    @pytest.mark.parametrize("text", [None, "ff\nphoto.jpg\n"])
    def test_hash_file(
        self, text: str | None, photos: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "hashes.txt"
        if text:
            path.write_text(text)
        given = [str(photos.folder / "cat.jpeg"), "-o", str(tmp_path / "pack")]
        assert str(path) in message([*given, "--exclude", str(path)], capsys)
        assert not (tmp_path / "pack" / "pixels.json").exists()

    def test_output_is_a_file(
        self, photos: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "pack").write_text("mine")
        line = message([str(photos.folder), "-o", str(tmp_path / "pack")], capsys)
        assert str(tmp_path / "pack") in line
        assert (tmp_path / "pack").read_text() == "mine"

    @pytest.mark.parametrize("file", ["pixels.json", "settings.json", "photos.csv"])
    @pytest.mark.parametrize("content", [None, b"{", b"[]"])
    def test_damaged_pack(
        self,
        file: str,
        content: bytes | None,
        arguments: Callable[..., list[str]],
        pack: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for name in ("pixels.json", "settings.json", "photos.csv"):
            shutil.copy(pack / name, tmp_path / name)
        if content is None:
            (tmp_path / file).unlink()
        else:
            (tmp_path / file).write_bytes(content)
        if (file, content) == ("pixels.json", None):
            assert command.main(arguments(tmp_path)) == 0  # as if it had not begun
        else:
            assert str(tmp_path) in message(arguments(tmp_path), capsys)


@pytest.mark.slow
def test_a_photo_that_is_gone_or_damaged_since_the_scan_is_named(
    photos: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat.jpeg", "motorcycle.png"):
        shutil.copy(photos.folder / name, folder)
    given = [str(folder), "-o", str(tmp_path / "pack"), "--workers", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_module, "fill_arrays", lambda *_, **__: iter([0]))
        assert command.main(given) == 0
    (folder / "cat.jpeg").write_bytes(b"")
    line = message(given, capsys)
    assert str(folder / "cat.jpeg") in line
    assert "Traceback" not in line
    shutil.copy(photos.folder / "cat.jpeg", folder)
    assert command.main(given) == 0


def test_names_need_not_be_unicode(photos: Any, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    try:
        shutil.copy(photos.folder / "cat.jpeg", folder / os.fsdecode(b"caf\xe9.jpg"))
        shutil.copy(photos.folder / "bad/gray.png", folder / os.fsdecode(b"gr\xe5.png"))
    except OSError:
        pytest.skip("this file system takes Unicode names alone")
    given = [str(folder), "-o", str(tmp_path / "pack"), "--workers", "0"]
    assert command.main(given) == 0
    assert PhotoTable.read(tmp_path / "pack").files == [
        str(folder.resolve() / os.fsdecode(b"caf\xe9.jpg"))
    ]
