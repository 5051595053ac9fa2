"""Photos to files: pixels, transparency, and all or nothing."""

from __future__ import annotations

import errno
import os
import struct
import tracemalloc
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from colorflow.errors import WritePhotoError
from colorflow.photo import Metadata, Photo, photo_from_image, read_photo, write_image
from tests.photo.conftest import Saved

NAMES = ["out.jpg", "out.png", "out.webp", "out.tif"]


@pytest.fixture
def photo(picture: Image.Image) -> Photo:
    return photo_from_image(picture)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_by_us_and_by_others(
    picture: Image.Image, tmp_path: Path, name: str, dtype: type, channels: int
) -> None:
    """Gray stays gray, 16 bits and alpha stay where the format has them; white lies under JPEG."""
    path, white = tmp_path / name, np.iinfo(dtype).max
    colors = np.asarray(picture.convert("L" if channels < 3 else "RGB"))
    colors = np.tile(colors.astype(dtype)[::-1] * (white // 255), (5, 1, 1)[: colors.ndim])
    if dtype == np.uint16:
        colors += np.random.default_rng(channels).integers(0, 257, colors.shape, np.uint16)
    alpha = None if channels % 2 else np.tile(np.arange(0, 255, 2.66).astype(np.uint8), (320, 1))
    photo = Photo(pixels=np.zeros(colors.shape, np.uint8), alpha=alpha)
    write_image(path, colors, photo)
    read = read_photo(path)
    seen = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if name in ("out.png", "out.tif"):
        np.testing.assert_array_equal(read.full_depth, colors, strict=True)
        if channels % 2 or (name, channels) == ("out.png", 4):  # others OpenCV does not show so
            shown = seen if channels == 1 else seen[..., 2::-1]
            np.testing.assert_array_equal(shown, colors, strict=True)
    else:
        opacity = 1 if alpha is None or name == "out.webp" else alpha / 255
        opacity = opacity if channels < 3 else np.atleast_3d(opacity)
        pixels = read.pixels if read.pixels.ndim == colors.ndim else read.pixels[..., 0]
        assert (read.pixels.ndim, read.bits) == (2 if channels < 3 and name == "out.jpg" else 3, 8)
        expected = 255 - (255 - colors / (white / 255)) * opacity
        assert np.abs(pixels - expected).mean() < 3
    np.testing.assert_array_equal(read.alpha, None if name == "out.jpg" else alpha)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", ["out.jpg", "out.tif", "out.png", "out.webp"])
def test_colors_say_that_they_are_srgb_and_grays_say_nothing(
    picture: Image.Image, saved: Saved, tmp_path: Path, name: str, bits: int
) -> None:
    """By the profile that littlecms makes, whatever that of the input and the time are."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    photo = read_photo(saved(picture, "in.png", icc_profile=lab))
    pixels = photo.pixels.astype(np.uint16) * 257 if bits == 16 else photo.pixels
    write_image(tmp_path / name, pixels, photo)
    with Image.open(tmp_path / name) as image:
        icc = image.info.get("icc_profile")
        assert name != "out.png" or image.info["srgb"] == 0
    if name in ("out.png", "out.webp"):
        assert icc is None
    else:
        made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        assert icc is not None
        assert icc[:24] + icc[36:] == made[:24] + made[36:]
        assert struct.unpack(">6H", icc[24:36]) == (2000, 1, 1, 0, 0, 0)
    if name in ("out.tif", "out.png"):  # what was written is read without a loss
        read = read_photo(tmp_path / name)
        np.testing.assert_array_equal(read.full_depth, pixels)
    write_image(tmp_path / name, np.ascontiguousarray(pixels[..., 0]), photo)
    with Image.open(tmp_path / name) as image:
        assert "icc_profile" not in image.info


@pytest.mark.parametrize("name", ["out.jpg", "out.webp"])
def test_the_quality_is_that_of_pillow(photo: Photo, tmp_path: Path, name: str) -> None:
    options: list[dict[str, int]] = [{"quality": 10}, {"quality": 100}, {}]
    for given in options:
        write_image(tmp_path / name, photo.pixels, photo, **given)
        Image.fromarray(photo.pixels).save(
            tmp_path / f"ref_{name}", quality=given.get("quality", 95), subsampling=0
        )
        with Image.open(tmp_path / name) as image, Image.open(tmp_path / f"ref_{name}") as expected:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))


@pytest.mark.parametrize(
    ("name", "dtype", "most"),
    [("out.png", np.uint8, 0.3), ("out.png", np.uint16, 0.5), ("out.tif", np.uint16, 1.3)],
)
def test_a_file_is_not_in_memory_as_a_whole(
    tmp_path: Path, name: str, dtype: type, most: float
) -> None:
    """TIFF begins with the sizes of all its strips, which are in memory once.

    How many strips are at work at a time is up to the threads, so one of them is little here.
    """
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (4000, 250, 3), dtype)
    photo = Photo(pixels=np.zeros(pixels.shape, np.uint8))
    tracemalloc.start()
    write_image(tmp_path / name, pixels, photo)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < most * pixels.nbytes
    np.testing.assert_array_equal(read_photo(tmp_path / name).full_depth, pixels)


def test_exif_too_long_for_jpeg_is_left_out_there(photo: Photo, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 70_000
    long = Photo(pixels=photo.pixels, metadata=Metadata(exif=exif.tobytes()))
    for name, kept in (("out.jpg", False), ("out.png", True)):
        write_image(tmp_path / name, long.pixels, long)
        with Image.open(tmp_path / name) as image:
            assert ("exif" in image.info) == kept
        assert read_photo(tmp_path / name).metadata.exif is None, "more than 64 kB is not kept"


@pytest.mark.parametrize("fault", ["write", "fsync", "replace", "interrupt"])
def test_whatever_fails_an_existing_file_stays_and_nothing_is_left(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    target = tmp_path / "out.png"
    target.write_bytes(b"the old picture")
    is_interrupt = fault == "interrupt"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    fail = mock.Mock(side_effect=KeyboardInterrupt if is_interrupt else full)
    places = {"write": "builtins.open", "replace": "os.replace"}
    monkeypatch.setattr(places.get(fault, "os.fsync"), fail)
    told = None if is_interrupt else r"out\.png: .*No space left on device"
    with pytest.raises(KeyboardInterrupt if is_interrupt else WritePhotoError, match=told):
        write_image(target, photo.pixels, photo)
    monkeypatch.undo()
    assert target.read_bytes() == b"the old picture"
    assert os.listdir(tmp_path) == ["out.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("out.gif", r"out\.gif: cannot write '\.gif' files; choose \.jpg"),
        ("out", r"out: cannot write '' files"),
        ("missing/out.png", r"missing/out\.png: there is no such folder"),
        ("folder.png", r"folder\.png: the file cannot be written"),
        ("nul\0.png", "the file cannot be written"),
        ("x" * 300 + ".png", "the file cannot be written"),
    ],
)
def test_files_that_cannot_be_written(
    photo: Photo, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(WritePhotoError, match=message):
        write_image(tmp_path / name, photo.pixels, photo)
    assert os.listdir(tmp_path) == ["folder.png"]


@pytest.mark.parametrize(("name", "width"), [("out.jpg", 65_501), ("out.webp", 16_384)])
def test_pictures_too_large_for_a_format(tmp_path: Path, name: str, width: int) -> None:
    too_wide = Photo(pixels=np.zeros((1, width, 3), np.uint8))
    with pytest.raises(WritePhotoError, match=r"pixels a side.*choose \.png or \.tif"):
        write_image(tmp_path / name, too_wide.pixels, too_wide)
    write_image(tmp_path / "out.png", too_wide.pixels, too_wide)
    fits = Photo(pixels=too_wide.pixels[:, 1:])
    write_image(tmp_path / name, fits.pixels, fits)


@pytest.mark.parametrize(
    "rgb",
    [np.zeros((64, 96, 3)), np.zeros((96, 64), np.uint8), np.zeros((96, 64, 3), np.uint8)],
)
def test_arrays_that_do_not_fit_the_photo(photo: Photo, tmp_path: Path, rgb: np.ndarray) -> None:
    with pytest.raises(
        ValueError, match=r"pixels: expected uint8 or uint16 of shape \(64, 96\) or \(64, 96, 3\), "
    ):
        write_image(tmp_path / "out.png", rgb, photo)
    assert os.listdir(tmp_path) == []


def test_an_enlarged_photo_has_its_transparency_and_its_size_in_exif(photo: Photo) -> None:
    exif = Image.Exif()
    exif[IFD.Exif] = {Base.ExifImageWidth: 96, Base.ExifImageHeight: 64}
    alpha = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    metadata = Metadata(exif=exif.tobytes(), dpi=(300, 300))
    small = Photo(pixels=photo.pixels, alpha=alpha, metadata=metadata)
    large = small.enlarged(np.zeros((128, 192), np.uint16))
    assert (large.height, large.width, large.bits, large.metadata.dpi) == (128, 192, 16, (300, 300))
    assert large.alpha is not None
    assert np.abs(large.alpha[::2, ::2].astype(int) - alpha).max() <= 2
    found = Image.Exif()
    found.load(large.metadata.exif)
    assert found.get_ifd(IFD.Exif)[Base.ExifImageWidth] == 192
