"""`python -m data_prep`: from folders of photos to a pack."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image, ImageOps

from colorflow.errors import PackError
from colorflow.files import locked
from colorflow.training.pixels import LAYOUT, PixelPack
from data_prep import __main__ as command
from data_prep import kinds
from data_prep import pack as pack_module
from data_prep.pack import PackKind
from data_prep.scan import without_borders
from tests.data_prep.conftest import message, table

# Python 3.12 and later warn of forks when numeric libraries have threads; the children use none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def test_a_pack_of_all_good_photos(pack: Path, photos: Any) -> None:
    assert 73_000 < LAYOUT.bytes_per_photo < 74_000
    rows = table(pack)
    assert len(PixelPack(pack)) == len(rows) == len(photos.kept)
    splits = [row["split"] for row in rows]
    assert splits == sorted(splits), "dev photos come first"
    assert splits.count("dev") in (3, 4)
    assert {row["source"] for row in rows} == {"photos"}
    files = [row["file"] for row in rows if row["split"] == "train"]
    assert files != sorted(files), "the others in no order"
    face = [Path(row["file"]).name for row in rows].index("face.png")
    picture = np.asarray(Image.open(photos.folder / "astronaut/face.png"))
    lab = skimage.color.rgb2lab(picture)
    assert np.abs(np.load(pack / "lightness.npy")[face] / 2.55 - lab[..., 0]).max() < 0.3
    blocks = picture.reshape(64, 4, 64, 4, 3).mean((1, 3)) / 255
    truth = skimage.color.rgb2lab(blocks)[..., 1:].transpose(2, 0, 1)
    assert np.abs(np.load(pack / "ab.npy")[face] - truth).max() < 0.6


def test_it_goes_on_where_it_was_interrupted(
    arguments: Callable[..., list[str]],
    pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = kinds.read_pixels
    count = itertools.count(1)

    def stopped(path: Path) -> np.ndarray:
        if next(count) == 8:
            raise KeyboardInterrupt
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(kinds, "read_pixels", stopped)
        assert command.main(arguments(tmp_path / "resumed")) == 130
    assert json.loads((tmp_path / "resumed" / "pixels.json").read_text())["filled"] == 4
    seen: list[Path] = []
    with monkeypatch.context() as patch:
        patch.setattr(kinds, "read_pixels", lambda path: seen.append(path) or read(path))
        assert command.main(arguments(tmp_path / "resumed")) == 0
    files = [Path(row["file"]) for row in table(tmp_path / "resumed")]
    assert seen == files[4:]
    for name in ("lightness.npy", "ab.npy", "pixels.json", "photos.csv"):
        assert (pack / name).read_bytes() == (tmp_path / "resumed" / name).read_bytes(), name


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
    for other in (["--exclude", "none.txt"], ["--seed", "1"]):
        line = message(arguments(pack, *other), capsys)
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


@pytest.mark.usefixtures("no_arrays")
def test_photos_of_other_collections_choose(
    arguments: Callable[..., list[str]],
    photos: Any,
    hash_of: Callable[[Path], int],
    tmp_path: Path,
    report: Callable[[Path], dict[str, Any]],
) -> None:
    """All photos of the folders are dev; what is near one, mirrored or not, is not trained on."""
    first, second = tmp_path / "everyday", tmp_path / "street"
    first.mkdir()
    second.mkdir()
    shutil.copy(photos.folder / "rocket.jpg", first)
    mirrored = ImageOps.mirror(Image.open(photos.folder / "motorcycle.png"))
    mirrored.save(second / "mirrored.png")
    Image.fromarray(skimage.data.hubble_deep_field()[:300, :300]).save(second / "secret.png")
    more = ["--dev-photos", str(first), str(second)]
    assert command.main(arguments(tmp_path / "pack", *more)) == 0
    rows = table(tmp_path / "pack")
    dev = {Path(row["file"]).name: row["source"] for row in rows if row["split"] == "dev"}
    assert dev == {"rocket.jpg": "everyday", "mirrored.png": "street"}
    assert {row["source"] for row in rows if row["split"] == "train"} == {"photos"}
    dropped = {Path(file).name: why for file, why in report(tmp_path / "pack")["dropped"].items()}
    assert dropped["motorcycle.png"] == "near a dev photo"
    assert dropped["secret.png"] == "excluded"
    assert len(rows) == len(photos.kept) - 2 + 2


# borders


def test_uniform_borders_are_cut_off(tmp_path: Path) -> None:
    picture = skimage.data.astronaut()[50:250, 100:400]
    boxed = np.full((300, 340, 3), (16, 12, 10), np.uint8)
    boxed[60:260, 20:320] = picture
    assert np.array_equal(without_borders(boxed), picture)
    assert np.array_equal(without_borders(picture), picture)
    Image.fromarray(boxed).save(tmp_path / "boxed.jpg", quality=90)
    arguments = [str(tmp_path), "-o", str(tmp_path / "pack"), "--workers", "0", "--dev", "0"]
    assert command.main(arguments) == 0
    (row,) = table(tmp_path / "pack")
    # JPEG smears the edge of the picture over the block of 16x16 pixels that it lies in.
    assert 200 <= int(row["short_side"]) < 200 + 2 * 16


# what is refused


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY"])
def test_a_damaged_array(
    content: bytes,
    arguments: Callable[..., list[str]],
    pack: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = shutil.copytree(pack, tmp_path / "pack")
    info = json.loads((copy / "pixels.json").read_text())
    (copy / "pixels.json").write_text(json.dumps(info | {"filled": 4}))
    (copy / "ab.npy").write_bytes(content)
    assert message(arguments(copy), capsys).startswith(f"data_prep: {copy / 'ab.npy'}: damaged")


def test_too_little_room(
    arguments: Callable[..., list[str]],
    photos: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = len(photos.kept) * LAYOUT.bytes_per_photo - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1e12, 0, free))
    assert "are free" in message(arguments(tmp_path / "pack"), capsys)
    assert not (tmp_path / "pack" / "pixels.json").exists()
