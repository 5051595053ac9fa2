"""Every format that archives hold: what is in the file comes out, and what is left out is said."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image

from benchmarks.damaged_files import by_pillow, png_of
from colorflow.errors import PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo import read_photo, write_image
from tests.photo.conftest import Saved

SEVERAL = "the file holds several pictures (pages or frames); the first was taken"
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6


CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}


ADAM7 = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)
)  # fmt: skip
"""First row and column, and steps, of the passes of an interlaced PNG (PNG 8.1)."""


def png(
    samples: np.ndarray, color_type: int, bits: int, *, interlaced: bool = False, **chunks: bytes
) -> bytes:
    """A PNG file of any depth, (H, W, C) samples as they are stored."""
    height, width, _ = samples.shape
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(
        row for y, x, dy, dx in passes for row in packed_rows(samples[y::dy, x::dx], bits)
    )
    head = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, interlaced)
    parts = [("IHDR", head), *chunks.items(), ("IDAT", zlib.compress(rows)), ("IEND", b"")]
    return png_of(*((name.encode(), data) for name, data in parts))


def packed_rows(samples: np.ndarray, bits: int) -> Iterator[bytes]:
    """Rows of an image of one pass, each behind filter 0."""
    if samples.size == 0:
        return
    for row in samples.reshape(len(samples), -1):
        if bits == 16:
            yield b"\0" + row.astype(">u2").tobytes()
        else:
            digits = row.astype(np.uint8)[:, None] >> np.arange(bits)[::-1] & 1
            yield b"\0" + np.packbits(digits.reshape(-1)).tobytes()


@pytest.mark.parametrize(
    ("interlaced", "size"), [(False, (13, 21)), (True, (1, 1)), (True, (13, 21))]
)
@pytest.mark.parametrize(
    ("color_type", "bits"),
    [
        *[(GRAY, bits) for bits in (1, 2, 4, 8, 16)],
        *[(PALETTE, bits) for bits in (1, 2, 4, 8)],
        *[(kind, bits) for kind in (RGB, GRAY_ALPHA, RGBA) for bits in (8, 16)],
    ],
)
def test_png_of_every_depth(
    saved: Saved, color_type: int, bits: int, size: tuple[int, int], interlaced: bool
) -> None:
    rng = np.random.default_rng(bits)
    samples = rng.integers(0, 2**bits, (*size, CHANNELS[color_type]))
    palette = rng.integers(0, 256, (2**bits, 3), dtype=np.uint8)
    chunks = {"PLTE": palette.tobytes()} if color_type == PALETTE else {}
    content = png(samples, color_type, bits, interlaced=interlaced, **chunks)
    photo = read_photo(saved(content, "p.png"))
    white = 2**photo.bits - 1
    assert photo.bits == (16 if bits == 16 else 8)
    if color_type == PALETTE:
        expected = palette[samples[..., 0]]
    else:
        expected = samples * white // (2**bits - 1)
        if color_type in (GRAY_ALPHA, RGBA):
            assert photo.alpha is not None
            alpha = samples[..., -1] * 255 / (2**bits - 1)
            assert np.abs(photo.alpha - alpha).max() <= 0.5
            expected = expected[..., :-1]
    if expected.shape[2] == 1:
        expected = expected[..., 0]
    np.testing.assert_array_equal(photo.full_depth, expected)
    seen = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    if bits < 16 and color_type in (RGB, PALETTE):
        np.testing.assert_array_equal(photo.pixels, seen)


@pytest.mark.parametrize(
    ("kind", "bits", "samples", "chosen", "alpha"),
    [
        (GRAY, 1, [[0], [1], [1]], (1,), [255, 0, 0]),
        (GRAY, 8, [[0], [1], [255]], (1,), [255, 0, 255]),
        (GRAY, 16, [[0], [1], [65535]], (1,), [255, 0, 255]),
        (RGB, 16, [[1, 2, 3], [1, 2, 4], [1 << 8, 2, 3]], (1, 2, 3), [0, 255, 255]),
    ],
)
def test_one_transparent_color_of_a_png(
    saved: Saved, kind: int, bits: int, samples: object, chosen: tuple[int, ...], alpha: object
) -> None:
    content = png(np.array([samples]), kind, bits, tRNS=struct.pack(f">{len(chosen)}H", *chosen))
    np.testing.assert_array_equal(read_photo(saved(content, "p.png")).alpha, [alpha])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("p.png", {}),
        ("p.webp", {"lossless": True}),
        ("p.tif", {}),
        ("p.gif", {}),
        ("p.avif", {"quality": 100, "subsampling": "4:4:4"}),
    ],
)
def test_of_several_frames_the_first_is_taken_and_it_is_said(
    picture: Image.Image, saved: Saved, name: str, options: dict[str, object]
) -> None:
    picture = picture.quantize(64) if name == "p.gif" else picture
    options = {"save_all": True, "append_images": [picture.rotate(180)], **options}
    many, one = read_photo(saved(picture, f"many-{name}", **options)), saved(picture, name)
    assert (many.remarks, read_photo(one).remarks) == ((SEVERAL,), ())
    assert np.abs(many.pixels.astype(int) - np.asarray(picture.convert("RGB"))).mean() < 1.5


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize("name", ["p.jp2", "p.j2k"])
def test_jpeg_2000(picture: Image.Image, saved: Saved, mode: str, name: str) -> None:
    image = picture.convert(mode)
    photo = read_photo(saved(image, name))
    expected = np.asarray(image)
    if mode == "RGBA":
        assert photo.alpha is not None
        expected = expected[..., :3]
    np.testing.assert_array_equal(photo.pixels, expected)
    assert photo.metadata.format == "JPEG2000"


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", ["p.avif", "p.heic"])
def test_avif_and_heic_are_turned_by_their_orientation(
    picture: Image.Image, tmp_path: Path, name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Agfa"
    image = pillow_heif.from_pillow(picture) if name == "p.heic" else picture
    image.save(tmp_path / name, quality=95, exif=exif.tobytes())
    photo = read_photo(tmp_path / name)
    assert photo.metadata.format == ("HEIF" if name == "p.heic" else "AVIF")
    expected = np.rot90(np.asarray(picture).astype(int), -1 if orientation == 6 else 0)
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels - expected).mean() < 4
    write_image(tmp_path / "out.jpg", photo.pixels, photo)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif().get(0x0112, 1) == 1
        assert image.getexif()[0x010F] == "Agfa"


def test_containers_are_told_apart_by_their_brands(saved: Saved, picture: Image.Image) -> None:
    general_first = by_pillow(picture, "AVIF").replace(b"ftypavif", b"ftypmif1", 1)
    assert read_photo(saved(general_first, "p.avif")).pixels.shape == (64, 96, 3)
    video = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(100)
    with pytest.raises(UnreadablePhotoError, match="the file is a video"):
        read_photo(saved(video, "p.mp4"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"P1\n# a comment\n3 1\n1 0 1\n", [[0, 255, 0]]),
        (b"P2\n3 1\n255\n0 128 255\n", [[0, 128, 255]]),
        (b"P3\n1 1\n255\n1 2 3\n", [[[1, 2, 3]]]),
        (b"P4\n3 1\n\xa0", [[0, 255, 0]]),
        (b"P5\n3 1\n255\n\x00\x80\xff", [[0, 128, 255]]),
        (b"P6\n1 1\n255\n\x01\x02\x03", [[[1, 2, 3]]]),
        (b"P5\n2 1\n65535\n\x01\x02\xff\xff", [[0x0102, 65535]]),
        (b"P5\n2 1\n1023\n\x00\x00\x03\xff", [[0, 65535]]),
    ],
)
def test_pnm(saved: Saved, content: bytes, expected: list[object]) -> None:
    np.testing.assert_array_equal(read_photo(saved(content, "p.pnm")).full_depth, expected)


@pytest.mark.parametrize("name", ["p.gif", "p.jp2", "p.avif", "p.ppm", "p.tif", "p.webp", "p.png"])
def test_the_limit_holds_for_every_format(picture: Image.Image, saved: Saved, name: str) -> None:
    path = saved(picture, name)
    assert read_photo(path, max_pixels=96 * 64).width == 96
    with pytest.raises(PhotoTooLargeError, match="96 x 64 pixels"):
        read_photo(path, max_pixels=96 * 64 - 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_damaged_tiff_data_writes_nothing_to_stderr(
    picture: Image.Image, tmp_path: Path, capfd: pytest.CaptureFixture[str], dtype: type
) -> None:
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, np.asarray(picture, dtype), photometric="rgb", compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[0].dataoffsets[0]
    content[start + 20 : start + 2000] = bytes(1980)
    path.write_bytes(content)
    with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind"):
        read_photo(path)
    assert capfd.readouterr().err == ""
    if dtype == np.uint8:
        with Image.open(path) as image, pytest.raises(OSError, match="decoder error"):
            image.load()
        assert "Decoding error" in capfd.readouterr().err  # as Pillow alone would have it
