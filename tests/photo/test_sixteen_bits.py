"""16 bits in, 16 bits out: read, profiled, measured as lightness, colored, written.

OpenCV and tifffile write the files, and OpenCV reads ours; profiles are checked against the color
spaces' formulas.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import Metadata, Photo, photo_from_image, read_photo, write_image

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 65536, (43, 57)).astype(np.uint16)
COLOR = RNG.integers(0, 65536, (43, 57, 3)).astype(np.uint16)
ALPHA = RNG.integers(0, 65536, (43, 57)).astype(np.uint16)
LAYOUTS = [
    {},
    {"byteorder": ">"},
    {"compression": "zlib"},
    {"compression": "zlib", "byteorder": ">"},
    {"compression": "zlib", "predictor": True},
    {"tile": (16, 32)},
    {"tile": (16, 32), "compression": "zlib", "byteorder": ">"},
    {"rowsperstrip": 5},
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_tiff_of_16_bits(tmp_path: Path, layout: dict[str, object]) -> None:
    path = tmp_path / "p.tif"
    for photometric, expected in (("minisblack", GRAY), ("miniswhite", 65535 - GRAY)):
        tifffile.imwrite(path, GRAY, photometric=photometric, **layout)
        photo = read_photo(path)
        np.testing.assert_array_equal(photo.full_depth, expected)
        np.testing.assert_array_equal(photo.pixels, np.rint(expected / 257))
    tifffile.imwrite(path, COLOR, photometric="rgb", **layout)
    np.testing.assert_array_equal(read_photo(path).full_depth, COLOR)
    planes = np.moveaxis(COLOR, -1, 0)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", **layout)
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.full_depth, COLOR)
    assert (photo.bits, photo.remarks) == (16, ())


@pytest.mark.parametrize("samples", [GRAY, COLOR], ids=["gray", "color"])
def test_orientation(tmp_path: Path, samples: np.ndarray) -> None:
    path = tmp_path / "p.tif"
    photometric = ["minisblack", "rgb"][samples.ndim - 2]
    tifffile.imwrite(path, samples, photometric=photometric, extratags=[(274, "H", 1, 6, True)])
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.full_depth, np.rot90(samples, 3))
    assert photo.full_depth.flags.c_contiguous


@pytest.mark.parametrize("extra", ["unassalpha", "unspecified"])
@pytest.mark.parametrize("kind", ["gray", "interleaved", "planes"])
def test_alpha_of_tiff_and_a_sample_that_is_none(tmp_path: Path, kind: str, extra: str) -> None:
    colors = GRAY if kind == "gray" else COLOR
    samples, path = np.dstack([colors, ALPHA]), tmp_path / "p.tif"
    photometric = "minisblack" if kind == "gray" else "rgb"
    options: dict[str, object] = {"photometric": photometric, "extrasamples": [extra]}
    if kind == "planes":
        tifffile.imwrite(path, np.moveaxis(samples, -1, 0), planarconfig="separate", **options)
    else:
        tifffile.imwrite(path, samples, planarconfig="contig", **options)
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.full_depth, colors)
    if extra == "unspecified":
        assert photo.alpha is None
    else:
        np.testing.assert_array_equal(photo.alpha, np.rint(ALPHA / 257))


def test_colors_multiplied_with_alpha_are_divided(tmp_path: Path) -> None:
    opaque = np.maximum(ALPHA, 20_000)
    multiplied = np.rint(COLOR * (opaque[..., None] / 65535)).astype(np.uint16)
    samples = np.dstack([multiplied, opaque])
    tifffile.imwrite(tmp_path / "p.tif", samples, photometric="rgb", extrasamples=["assocalpha"])
    photo = read_photo(tmp_path / "p.tif")
    assert np.abs(photo.full_depth.astype(int) - COLOR).max() <= 3  # a step, times 65535 / 20000
    np.testing.assert_array_equal(photo.alpha, np.rint(opaque / 257))


def test_tiff_of_12_bits(tmp_path: Path) -> None:
    directory = ImageFileDirectory_v2()
    fields = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: (0,), 277: 1, 278: 1, 279: (6,)}
    for tag, value in fields.items():
        directory[tag] = value
    with open(tmp_path / "p.tif", "wb") as file:
        directory.save(file)
        file.write(bytes([0x00, 0x0F, 0xFF, 0x80, 0x00, 0x01]))
    expected = np.rint(np.array([[0, 4095, 2048, 1]]) * (65535 / 4095))
    np.testing.assert_array_equal(read_photo(tmp_path / "p.tif").full_depth, expected)


@pytest.mark.parametrize("white", [65535, 4095, 256])
@pytest.mark.parametrize("samples", [GRAY, COLOR], ids=["gray", "color"])
def test_binary_pnm_of_16_bits(tmp_path: Path, samples: np.ndarray, white: int) -> None:
    numbers = samples.astype(int) % (white + 1)
    head = f"P{5 if samples.ndim == 2 else 6}\n# a scan\n57 43\n{white}\n".encode()
    path, data = tmp_path / "p.pnm", numbers.astype(">u2").tobytes()
    path.write_bytes(head + data)
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.full_depth, np.rint(numbers * (65535 / white)))
    path.write_bytes(head + data[:-2])
    with pytest.raises(UnreadablePhotoError, match=r"p\.pnm: .*incomplete"):
        read_photo(path)


@pytest.mark.parametrize("dtype", ["i1", "i2", "u4", "f2", "f4", "f8"])
def test_values_without_a_meaning_are_refused(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, np.array([[0, 1]], dtype), photometric="minisblack")
    with pytest.raises(UnreadablePhotoError, match=rf"{path}: .*1 x .* 8 or 16 bits a channel"):
        read_photo(path)


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("name", ["p.png", "p.tif"])
def test_exif_of_either_byte_order_goes_along(tmp_path: Path, name: str, endian: str) -> None:
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F], exif[0x8769] = "Agfa", {0x9003: "1951:06:30 12:00:00"}
    metadata = Metadata(exif=exif.tobytes(), dpi=(300, 200))
    photo = Photo(pixels=np.zeros((43, 57, 3), np.uint8), metadata=metadata)
    path = tmp_path / name
    for pixels in (COLOR, (COLOR >> 8).astype(np.uint8)):
        write_image(path, pixels, photo)
        seen = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(seen[..., ::-1], pixels)
        np.testing.assert_array_equal(read_photo(path).full_depth, pixels)
        with Image.open(path) as image:
            assert [float(v) for v in image.info["dpi"]] == pytest.approx([300, 200], abs=0.1)
            assert image.getexif()[0x010F] == "Agfa"
            assert image.getexif().get_ifd(0x8769)[0x9003] == "1951:06:30 12:00:00"


@pytest.mark.parametrize("name", ["p.png", "p.tif"])
@pytest.mark.parametrize("layout", ["gray", "color"])
def test_lightness_goes_through_a_file_to_the_bit(tmp_path: Path, name: str, layout: str) -> None:
    """Gray in, no chroma: every one of the 65536 grays comes out; of colors the lightness does."""
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    samples = levels if layout == "gray" else np.dstack([levels, levels.T, levels[::-1]])
    path = tmp_path / name
    cv2.imwrite(str(path), samples if layout == "gray" else samples[..., ::-1])
    photo = read_photo(path)
    lightness = lightness_of(photo.full_depth)
    gray = render(lightness, np.zeros((2, 8, 8), np.float32), bits=photo.bits)
    write_image(tmp_path / f"out-{name}", gray, photo)
    seen = cv2.imread(str(tmp_path / f"out-{name}"), cv2.IMREAD_UNCHANGED)
    if layout == "gray":
        np.testing.assert_array_equal(seen, np.repeat(levels[..., None], 3, axis=2))
    else:
        # A step of 16 bits is at most 0.014 in L*, at black.
        np.testing.assert_allclose(lightness_of(seen), lightness, atol=0.008)


def test_arrays_and_pillow_images_of_16_bits_keep_them() -> None:
    np.testing.assert_array_equal(photo_from_image(COLOR).full_depth, COLOR)
    with_alpha = photo_from_image(np.dstack([COLOR, ALPHA]))
    np.testing.assert_array_equal(with_alpha.full_depth, COLOR)
    np.testing.assert_array_equal(with_alpha.alpha, np.rint(ALPHA / 257))
    np.testing.assert_array_equal(photo_from_image(Image.fromarray(GRAY)).full_depth, GRAY)
    assert photo_from_image((COLOR >> 8).astype(np.uint8)).bits == 8
