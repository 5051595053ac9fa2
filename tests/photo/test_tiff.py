"""Kinds of TIFF with 8 bits per channel."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from benchmarks.damaged_files import tiff_of
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import read_photo
from colorflow.photo.ifd import Block

Saved = Callable[..., Path]


GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"compression": "zlib"}])
def test_tiff_in_planes(picture: Image.Image, tmp_path: Path, options: dict[str, object]) -> None:
    planes = np.moveaxis(np.asarray(picture), -1, 0)
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", **options)
    np.testing.assert_array_equal(read_photo(path).pixels, np.asarray(picture))


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"rowsperstrip": 7}])
def test_tiff_of_ycbcr(picture: Image.Image, tmp_path: Path, options: dict[str, object]) -> None:
    path = tmp_path / "p.tif"
    samples = np.asarray(picture.convert("YCbCr"))
    tifffile.imwrite(path, samples, photometric="ycbcr", subsampling=(1, 1), **options)
    assert np.abs(read_photo(path).pixels.astype(int) - np.asarray(picture)).max() <= 4


def test_tiff_of_ycbcr_with_a_quarter_of_the_chroma(saved: Saved) -> None:
    color = np.array([[[10, 200, 90]]], np.uint8)
    luma, blue, red = np.asarray(Image.fromarray(color).convert("YCbCr"))[0, 0].tolist()
    tags = {"Compression": 1, "PhotometricInterpretation": 6, "SamplesPerPixel": 3}
    tags |= {"BitsPerSample": (8, 8, 8), "YCbCrSubSampling": (2, 2)}
    blocks = bytes([luma] * 4 + [blue, red]) * 8
    photo = read_photo(saved(tiff_of([blocks], (8, 4), **tags), "p.tif"))
    np.testing.assert_allclose(photo.pixels, np.broadcast_to(color, (4, 8, 3)), atol=2)


def test_tiff_with_a_palette_and_alpha(saved: Saved) -> None:
    samples = bytes([0, 255, 1, 128, 2, 0])
    colors = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.uint8)
    table = np.zeros((3, 256), int)
    table[:, :3] = colors.T.astype(int) * 257
    tags = {"Compression": 1, "PhotometricInterpretation": 3, "SamplesPerPixel": 2}
    tags |= {"BitsPerSample": (8, 8), "ExtraSamples": 2, "ColorMap": tuple(table.ravel().tolist())}
    photo = read_photo(saved(tiff_of([samples], (3, 1), **tags), "p.tif"))
    np.testing.assert_array_equal(photo.pixels, [colors])
    np.testing.assert_array_equal(photo.alpha, [[255, 128, 0]])


def test_tiff_whose_last_strip_holds_more_rows_than_the_picture(saved: Saved) -> None:
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    strips = [zlib.compress(gray[:4].tobytes()), zlib.compress(gray[4:].tobytes())]
    tags = {"Compression": 8, "PhotometricInterpretation": 1, "BitsPerSample": 8, "RowsPerStrip": 4}
    photo = read_photo(saved(tiff_of(strips, (8, 7), **tags), "p.tif"))
    np.testing.assert_array_equal(photo.pixels, gray[:7])


def test_a_tiff_compression_that_is_not_read(saved: Saved) -> None:
    content = tiff_of([bytes(64)], (8, 8), Compression=32809)
    with pytest.raises(UnreadablePhotoError, match=r"\(compression 32809\) is not read; save it"):
        read_photo(saved(content, "p.tif"))


@pytest.mark.parametrize("bits", [1, 8])
def test_tiff_with_white_as_zero(picture: Image.Image, tmp_path: Path, bits: int) -> None:
    gray = np.asarray(picture.convert("1" if bits == 1 else "L"))
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, ~gray, photometric="miniswhite")
    white = np.uint8(255 if bits == 1 else 1)
    np.testing.assert_array_equal(read_photo(path).pixels, gray * white)


@pytest.mark.parametrize(
    ("dtype", "white", "colors"),
    [
        ("b1", 1, 1),
        *[
            (integers, 2 ** (8 * int(integers[-1])) - 1, colors)
            for integers in ("u1", "<u2", ">u2")
            for colors in (1, 3)
        ],
        *[(floats, 1, colors) for floats in ("f4", "f8") for colors in (1, 3)],
    ],
)
def test_tiff_that_does_not_say_that_black_is_zero(
    tmp_path: Path, dtype: str, white: int, colors: int
) -> None:
    ramp = np.linspace(0, 1, 6 * colors).reshape((2, 3) if colors == 1 else (2, 3, 3)) * white
    samples = (ramp if dtype[0] == "f" else np.rint(ramp)).astype(dtype)
    path = tmp_path / "p.tif"
    order = ">" if dtype[0] == ">" else "<"
    photometric = "rgb" if colors == 3 else "minisblack"
    tifffile.imwrite(path, samples, photometric=photometric, byteorder=order)
    stated = read_photo(path)
    block = Block(path.read_bytes())
    block.begin_with(block.rewrite(block.directory(block.first), {262: None}))
    path.write_bytes(block.data)
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.full_depth, stated.full_depth)
    assert photo.pixels.reshape(-1)[[0, -1]].tolist() == [0, 255]


def test_tiff_of_cmyk_with_16_bits_is_read_with_8(tmp_path: Path) -> None:
    ink = np.array([[[65535, 0, 0, 0], [0, 0, 0, 32896]]], np.uint16)
    tifffile.imwrite(tmp_path / "p.tif", ink, photometric="separated")
    photo = read_photo(tmp_path / "p.tif")
    np.testing.assert_allclose(photo.pixels, [[[0, 255, 255], [127, 127, 127]]], atol=1)
    assert photo.bits == 8


@pytest.mark.parametrize(
    ("photometric", "samples", "depths"),
    [
        (1, 1, {1: 8, 2: 8, 4: 8, 8: 8, 12: 16, 16: 16}),
        (2, 3, {8: 8, 16: 16}),
        (3, 1, {1: 8, 2: 8, 4: 8, 8: 8}),
        (5, 4, {8: 8, 16: 8}),
        (6, 3, {8: 8}),
        (8, 3, {8: 8}),
    ],
    ids=["gray", "RGB", "palette", "CMYK", "YCbCr", "Lab"],
)
def test_tiff_of_the_depths_that_the_readme_names(
    saved: Saved, photometric: int, samples: int, depths: dict[int, int]
) -> None:
    tags = {"Compression": 1, "PhotometricInterpretation": photometric, "SamplesPerPixel": samples}
    tags["YCbCrSubSampling"] = (1, 1)
    for bits in (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 24, 32):
        tags["BitsPerSample"] = (bits,) * samples
        tags["ColorMap"] = tuple(range(3 << min(bits, 8)))
        path = saved(tiff_of([bytes(16 * bits * samples // 8 * 4)], (16, 4), **tags), "p.tif")
        if bits in depths:
            assert read_photo(path).bits == depths[bits]
        else:
            with pytest.raises(
                UnreadablePhotoError, match=f"{samples} x {bits} bits a pixel|whole"
            ):
                read_photo(path)


@pytest.mark.parametrize("order", "<>")
def test_a_big_tiff(picture: Image.Image, tmp_path: Path, order: str) -> None:
    """With its description, resolution and orientation, whatever the order of its bytes."""
    about = {"description": "Ada", "software": "scanner", "resolution": (300, 150)}
    turned = [(274, 3, 1, 6, True)]
    tifffile.imwrite(
        tmp_path / "p.tif", np.asarray(picture), photometric="rgb", bigtiff=True, byteorder=order,
        metadata=None, resolutionunit="inch", extratags=turned, **about,
    )  # fmt: skip
    photo = read_photo(tmp_path / "p.tif")
    np.testing.assert_array_equal(photo.pixels, np.rot90(np.asarray(picture), -1))
    assert photo.metadata.dpi == (150, 300)
    exif = Image.Exif()
    exif.load(photo.metadata.exif or b"")
    assert (exif[270], exif[305]) == ("Ada", "scanner")


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"rowsperstrip": 7}, {"tile": (32, 32)}]
)
def test_tiff_of_ycbcr_in_planes(
    picture: Image.Image, tmp_path: Path, options: dict[str, object]
) -> None:
    path = tmp_path / "p.tif"
    planes = np.moveaxis(np.asarray(picture.convert("YCbCr")), -1, 0)
    about = {"photometric": "ycbcr", "planarconfig": "separate", "subsampling": (1, 1)}
    tifffile.imwrite(path, planes, **about, **options)
    assert np.abs(read_photo(path).pixels.astype(int) - np.asarray(picture)).max() <= 4
    path.write_bytes(path.read_bytes()[:-99])
    with pytest.raises(UnreadablePhotoError, match="its data ends too early"):
        read_photo(path)


def test_tiff_of_ycbcr_in_planes_of_different_sizes(saved: Saved) -> None:
    tags = {"Compression": 1, "PhotometricInterpretation": 6, "SamplesPerPixel": 3}
    tags |= {"BitsPerSample": (8, 8, 8), "YCbCrSubSampling": (2, 2), "PlanarConfiguration": 2}
    content = tiff_of([bytes(32), bytes(8), bytes(8)], (8, 4), **tags)
    message = r"\(planes of YCbCr, those of chroma with fewer pixels\) is not read; save it as gray"
    with pytest.raises(UnreadablePhotoError, match=message):
        read_photo(saved(content, "p.tif"))


def test_a_volume_is_called_one(tmp_path: Path) -> None:
    slices = np.zeros((5, 64, 64), np.uint8)
    tifffile.imwrite(tmp_path / "v.tif", slices, volumetric=True, photometric="minisblack")
    message = r"v\.tif: the file holds a volume of 5 slices, not a photo; save one of them"
    with pytest.raises(UnreadablePhotoError, match=message):
        read_photo(tmp_path / "v.tif")


def test_a_preview_is_not_taken_for_the_picture(picture: Image.Image, tmp_path: Path) -> None:
    preview = np.asarray(picture.resize((12, 8)))
    with tifffile.TiffWriter(tmp_path / "raw.tif") as tiff:
        tiff.write(preview, photometric="rgb", subfiletype=1)
        tiff.write(np.asarray(picture), photometric="rgb")
    with pytest.raises(UnreadablePhotoError, match="begins with a small preview"):
        read_photo(tmp_path / "raw.tif")
