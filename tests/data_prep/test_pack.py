"""`python -m data_prep`: what becomes of good and of bad photos."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.color
import torch
from PIL import Image

from colorflow.model.features import Features
from colorflow.training.pack import BYTES_PER_ROW, FEATURE_GRIDS, VARIANTS, Pack
from data_prep import __main__ as command

# Python 3.12 and later warn of forks when numeric libraries have threads; the children use none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


Report = Callable[[Path], dict[str, Any]]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "photos.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def names_in(split: str, folder: Path, photos: Path) -> list[str]:
    rows = [row for row in table(folder) if row["split"] == split]
    return [Path(row["file"]).relative_to(photos.resolve()).as_posix() for row in rows]


def message(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command says when it fails."""
    capsys.readouterr()
    assert command.main(arguments) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("data_prep: ")
    return line


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


def test_photos_csv_lists_what_is_kept(
    pack: Path, photos: Any, hash_of: Callable[[Path], int]
) -> None:
    rows = table(pack)
    files = [Path(row["file"]) for row in rows]
    assert [row["index"] for row in rows] == [str(i) for i in range(len(rows))]
    assert [f.relative_to(photos.folder.resolve()).as_posix() for f in files] == photos.kept
    assert all(file.is_absolute() for file in files)
    for file, row in zip(files, rows, strict=True):
        image = Image.open(file)
        assert int(row["short_side"]) == min(image.size)
        assert int(row["hash"], 16) == hash_of(file)
        small = np.asarray(image.convert("RGB").resize((64, 64), Image.Resampling.BOX))
        chroma = np.hypot(*np.moveaxis(skimage.color.rgb2lab(small)[..., 1:], -1, 0)).mean()
        assert abs(float(row["mean_chroma"]) - chroma) < 0.5, file


def test_dev_has_the_asked_size_of_large_photos_and_near_ones_on_one_side(
    pack: Path, photos: Any
) -> None:
    dev = names_in("dev", pack, photos.folder)
    assert len(dev) in (3, 4)
    assert not any(name.startswith("small/") for name in dev)
    assert len({name in dev for name in photos.near}) == 1


def test_rows_are_the_variants_of_every_photo_spread_over_the_pack(pack: Path, photos: Any) -> None:
    made = Pack(pack)
    kinds: dict[int, list[str]] = {}
    for photo, variant in zip(made.photo_of_row, made.variant_of_row, strict=True):
        kinds.setdefault(int(photo), []).append(VARIANTS[variant])
    dev = names_in("dev", pack, photos.folder)
    for index, name in enumerate(photos.kept):
        if name in dev:
            assert kinds[index] == ["whole", "whole_degraded"]
        elif name.startswith("small/"):
            assert kinds[index] == ["whole"]
        else:
            assert kinds[index] == ["whole", "crop_degraded", "crop"]
    first = made.photo_of_row[: len(photos.kept)]
    assert sorted(first) == list(range(len(photos.kept))), "the first round has every photo once"
    assert list(first) != sorted(first), "in no order"


def test_arrays_hold_lightness_chroma_and_features(pack: Path, photos: Any) -> None:
    """A 256x256 PNG needs no resizing: scikit-image says what its rows must be."""
    made = Pack(pack)
    photo = photos.kept.index("astronaut/face.png")
    whole = (made.photo_of_row == photo) & (made.variant_of_row == VARIANTS.index("whole"))
    ab, condition = made.batch(np.flatnonzero(whole))
    pixels = np.asarray(Image.open(photos.folder / "astronaut/face.png"))
    lightness = skimage.color.rgb2lab(pixels)[..., 0]
    mean = lightness.reshape(128, 2, 128, 2).mean((1, 3))
    # Half precision has steps of 1/16 below 128 and of 1/64 below 32.
    assert np.abs(condition.lightness[0, 0].numpy() - mean).max() < 0.05
    blocks = pixels.reshape(64, 4, 64, 4, 3).mean((1, 3)) / 255
    truth = np.moveaxis(skimage.color.rgb2lab(blocks)[..., 1:], -1, 0)
    assert np.abs(ab[0].numpy() - truth).max() < 0.05

    maps = Features()(torch.from_numpy(lightness.astype(np.float32))[None, None])
    assert condition.features.keys() == set(FEATURE_GRIDS)
    for grid, values in condition.features.items():
        assert (values - maps[grid]).abs().max() < 0.02 * maps[grid].abs().max(), grid


def test_every_row_of_every_array_is_filled(pack: Path) -> None:
    made = Pack(pack)
    ab, condition = made.batch(np.arange(len(made)))
    for values in (ab, condition.lightness, *condition.features.values()):
        assert bool(values.isfinite().all())
        assert (values.flatten(1).std(1) > 0.01).all()
    assert condition.lightness.min() >= 0
    assert condition.lightness.max() <= 100


def test_the_need_of_disk_is_said_beforehand_and_right(
    photos: Any,
    arguments: Callable[..., list[str]],
    pack: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrays = [path for path in pack.glob("*.npy") if path.name != "rows.npy"]
    size = sum(path.stat().st_size for path in arrays)
    rows = len(Pack(pack))
    assert 0 <= size - rows * BYTES_PER_ROW < 1000 * len(arrays)  # headers

    free = rows * BYTES_PER_ROW - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1e12, 0, free))
    line = message(arguments(tmp_path / "pack"), capsys)
    assert str(tmp_path / "pack") in line
    assert "GB are free" in line
    assert not list((tmp_path / "pack").glob("features*"))
    assert not (tmp_path / "pack" / "pack.json").exists()

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1e12, 0, free + 1))
    monkeypatch.setattr(command, "fill", lambda *_: iter([(0, 0)]))
    assert command.main(arguments(tmp_path / "pack")) == 0
    assert f"{len(photos.kept)} photos" in capsys.readouterr().out


# bad input


@pytest.mark.usefixtures("no_features")
class TestBadInput:
    def test_no_such_photos(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        line = message([str(tmp_path / "none"), "-o", str(tmp_path / "pack")], capsys)
        assert str(tmp_path / "none") in line

    def test_no_photo_in_the_folder(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "empty").mkdir()
        line = message([str(tmp_path / "empty"), "-o", str(tmp_path / "pack")], capsys)
        assert f"{tmp_path / 'empty'}: no photo found" in line

    def test_no_photo_that_can_be_used(
        self, photos: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bad = [str(photos.folder / "bad" / name) for name in ("gray.png", "cut.jpg", "empty.png")]
        line = message([*bad, "-o", str(tmp_path / "pack")], capsys)
        assert "none of the 3 photos can be used" in line
        assert "'corrupt': 2" in line
        assert not (tmp_path / "pack" / "pack.json").exists()

    @pytest.mark.parametrize("text", [None, "ff\nphoto.jpg\n"])
    def test_hash_file(
        self, text: str | None, photos: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "hashes.txt"
        if text:
            path.write_text(text)
        given = [str(photos.folder / "cat.jpeg"), "-o", str(tmp_path / "pack")]
        assert str(path) in message([*given, "--exclude", str(path)], capsys)
        assert not (tmp_path / "pack" / "pack.json").exists()

    def test_output_is_a_file(
        self, photos: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "pack").write_text("mine")
        line = message([str(photos.folder), "-o", str(tmp_path / "pack")], capsys)
        assert str(tmp_path / "pack") in line
        assert (tmp_path / "pack").read_text() == "mine"

    @pytest.mark.parametrize("file", ["pack.json", "settings.json", "photos.csv", "rows.npy"])
    @pytest.mark.parametrize("content", [None, b"", b"{", b"\x93NUMPY", b"[]"])
    def test_damaged_pack(
        self,
        file: str,
        content: bytes | None,
        arguments: Callable[..., list[str]],
        pack: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for name in ("pack.json", "settings.json", "photos.csv", "rows.npy"):
            shutil.copy(pack / name, tmp_path / name)
        if content is None:
            (tmp_path / file).unlink()
        else:
            (tmp_path / file).write_bytes(content)
        if (file, content) == ("pack.json", None):
            assert command.main(arguments(tmp_path)) == 0  # as if it had not begun
        else:
            assert str(tmp_path) in message(arguments(tmp_path), capsys)

    @pytest.mark.parametrize(
        "option", ["--dev=-1", "--variants=0", "--seed=-1", "--workers=-1", "--dev=x"]
    )
    def test_numbers_out_of_range_are_wrong_usage(
        self, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as end:
            command.main([str(tmp_path), "-o", str(tmp_path / "pack"), option])
        assert end.value.code == 2
        assert option.partition("=")[0] in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"\x93NUMPY", "short"])
def test_a_damaged_array_is_named(
    content: bytes | str | None,
    arguments: Callable[..., list[str]],
    pack: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("pack.json", "settings.json", "photos.csv", "rows.npy"):
        shutil.copy(pack / name, tmp_path / name)
    info = json.loads((tmp_path / "pack.json").read_text())
    (tmp_path / "pack.json").write_text(json.dumps(info | {"filled": 8}))
    for path in pack.glob("[!r]*.npy"):
        shutil.copy(path, tmp_path / path.name)
    if content is None:
        (tmp_path / "ab.npy").unlink()
    elif isinstance(content, bytes):
        (tmp_path / "ab.npy").write_bytes(content)
    else:
        np.save(tmp_path / "ab.npy", np.load(tmp_path / "ab.npy")[:-1])
    assert str(tmp_path) in message(arguments(tmp_path), capsys)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_a_photo_that_is_gone_or_damaged_since_the_scan_is_named(
    workers: int, photos: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat.jpeg", "motorcycle.png"):
        shutil.copy(photos.folder / name, folder)
    given = [str(folder), "-o", str(tmp_path / "pack"), "--workers", str(workers)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "fill", lambda *_: iter([(0, 0)]))
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
    given = [str(folder), "-o", str(tmp_path / "pack"), "--variants", "1", "--workers", "0"]
    assert command.main(given) == 0
    assert Pack(tmp_path / "pack").photos.files == [
        str(folder.resolve() / os.fsdecode(b"caf\xe9.jpg"))
    ]


@pytest.mark.slow
def test_the_module_runs_and_fails_without_a_traceback(tmp_path: Path) -> None:
    root = Path(command.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "data_prep", str(tmp_path / "none"), "-o", str(tmp_path / "pack")],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"data_prep: {tmp_path / 'none'}: ")
    assert len(done.stderr.splitlines()) == 1
