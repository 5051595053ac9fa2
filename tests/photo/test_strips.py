"""TIFF files whose strips hold fewer rows than they should: an error, never what memory held."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps, TiffImagePlugin
from PIL.ExifTags import Base

from benchmarks.damaged_files import by_pillow, tiff_of
from benchmarks.fuzz_decode import FIND, REFUSED, Readers
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import read_photo

Saved = Callable[..., Path]

COLOR = {"BitsPerSample": (8, 8, 8), "SamplesPerPixel": 3, "PhotometricInterpretation": 6}
GRAY = {"BitsPerSample": 8, "PhotometricInterpretation": 1}


def strips_of(content: bytes) -> tuple[list[bytes], TiffImagePlugin.ImageFileDirectory_v2]:
    tags = Image.open(io.BytesIO(content)).tag_v2
    pieces = zip(tags[Base.StripOffsets], tags[Base.StripByteCounts], strict=True)
    return [content[start : start + size] for start, size in pieces], tags


def jpeg(image: Image.Image, **options: object) -> bytes:
    return by_pillow(image, "JPEG", subsampling=0, **options)


def assert_ends_early(path: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match=r"ends too early|is damaged"):
        read_photo(path)


def test_nothing_of_the_memory_is_shown(readers: Readers) -> None:
    picture = jpeg(Image.new("L", (64, 32), 77))
    files = {
        "JPEG": tiff_of([picture], (64, 90), Compression=7, **GRAY),
        "JPEG that is too narrow": tiff_of([picture], (90, 32), Compression=7, **GRAY),
        "old JPEG": tiff_of([picture], (64, 90), Compression=6, JpegIFOffset=8, **COLOR),
    }
    for name, content in files.items():
        status, reason, _ = readers.outcome_of(content)
        assert status != FIND, f"{name}: {reason}"
        assert status == REFUSED, name


@pytest.mark.parametrize("compression", [6, 7])
@pytest.mark.parametrize("progressive", [False, True])
def test_an_embedded_jpeg_that_is_cut_off_is_refused(
    picture: Image.Image, saved: Saved, compression: int, progressive: bool
) -> None:
    whole = jpeg(picture, progressive=progressive)
    tags = {"Compression": compression, **COLOR}
    if compression == 6:
        tags["JpegIFOffset"] = 8
    read = read_photo(saved(tiff_of([whole], picture.size, **tags), "p.tif"))
    assert np.abs(read.pixels.astype(int) - np.asarray(picture)).mean() < 4
    start = whole.index(b"\xff\xda") + 20
    for cut in range(start, len(whole) - 60, 97):
        if 0xFF in whole[cut - 1 : cut + 1]:
            continue  # perhaps between two scans
        for end in (b"", b"\xff\xd9"):
            content = tiff_of([whole[:cut] + end], picture.size, **tags)
            with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind"):
                read_photo(saved(content, "p.tif"))


def test_a_jpeg_in_strips_with_common_tables(picture: Image.Image, saved: Saved) -> None:
    path = saved(picture, "p.tif", compression="jpeg", quality=95, tiffinfo={278: 16})
    strips, tags = strips_of(path.read_bytes())
    assert len(strips) == 4
    assert Base.JPEGTables in tags
    assert np.abs(read_photo(path).pixels.astype(int) - np.asarray(picture)).mean() < 4


def test_old_style_jpeg_whose_strips_follow_its_tables(picture: Image.Image, saved: Saved) -> None:
    whole = jpeg(picture, restart_marker_rows=1)
    interval = whole.index(b"\xff\xdd")
    scan = whole.index(b"\xff\xda")
    header = whole[:interval] + whole[interval + 6 : scan]
    strips, rest = [], whole[scan:].removesuffix(b"\xff\xd9")
    for number in range(7):
        strip, rest = rest.split(bytes([0xFF, 0xD0 + number]))
        strips.append(strip)
    strips.append(rest)
    starts = tuple(8 + len(header) + sum(map(len, strips[:number])) for number in range(8))
    content = tiff_of(
        [header, *strips], picture.size, Compression=6, RowsPerStrip=8, JpegIFOffset=8,
        JpegIFByteCount=len(header), StripOffsets=starts, YCbCrSubSampling=(1, 1),
        StripByteCounts=tuple(map(len, strips)), **COLOR,
    )  # fmt: skip
    expected = np.asarray(Image.open(io.BytesIO(whole)))
    np.testing.assert_array_equal(read_photo(saved(content, "p.tif")).pixels, expected)


@pytest.mark.parametrize("compression", [1, 7])
def test_missing_strips_are_an_error(saved: Saved, compression: int) -> None:
    strip = {1: bytes(8 * 64), 7: jpeg(Image.new("L", (64, 8)))}[compression]
    tags = {"Compression": compression, "RowsPerStrip": 8, **GRAY}
    assert read_photo(saved(tiff_of([strip] * 2, (64, 16), **tags), "p.tif")).height == 16
    assert_ends_early(saved(tiff_of([strip] * 2, (64, 24), **tags), "p.tif"))
    nowhere = {"StripOffsets": (8, 0), "StripByteCounts": (len(strip), 0)}
    assert_ends_early(saved(tiff_of([strip], (64, 16), **tags, **nowhere), "p.tif"))


@pytest.mark.parametrize("compression", ["tiff_ccitt", "group3", "group4"])
def test_fax_data_is_refused(saved: Saved, compression: str) -> None:
    """It has no grays, and its decoders return white rows where data is missing."""
    path = saved(by_pillow(Image.new("1", (64, 32)), "TIFF", compression=compression), "p.tif")
    with pytest.raises(UnreadablePhotoError, match=r"\(fax, compression \d\) is not read; save it"):
        read_photo(path)


def test_old_style_jpeg_without_a_jpeg_file_in_it_is_refused(saved: Saved) -> None:
    content = tiff_of([jpeg(Image.new("RGB", (64, 8)))], (64, 8), Compression=6, **COLOR)
    with pytest.raises(UnreadablePhotoError, match=r"\(old-style JPEG .*\) is not read; save it"):
        read_photo(saved(content, "p.tif"))


@pytest.mark.parametrize("extra_rows", [0, 3])
@pytest.mark.parametrize("is_whole", [True, False], ids=["whole stream", "cut stream"])
def test_a_deflated_strip_with_more_rows_than_the_picture(
    saved: Saved, extra_rows: int, *, is_whole: bool
) -> None:
    """What stands after the last row, and the end of the stream, may be missing."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40), np.uint8)
    stored = np.vstack([pixels, np.zeros((extra_rows + 1, 40), np.uint8)])
    data = zlib.compress(stored.tobytes())
    tags = {"Compression": 8, "BitsPerSample": 8, "PhotometricInterpretation": 1}
    content = tiff_of([data if is_whole else data[:-6]], (40, 24), **tags)
    assert np.array_equal(read_photo(saved(content, "p.tif")).pixels, pixels)
    short = zlib.compress(pixels[:-1].tobytes())
    with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind"):
        read_photo(saved(tiff_of([short], (40, 24), **tags), "p.tif"))


def test_subsampled_chroma_that_ends_early_is_refused(saved: Saved) -> None:
    """libtiff would fill what is missing."""
    blocks = np.random.default_rng(0).integers(0, 256, 12 * 20 * 6, np.uint8).tobytes()
    tags = {
        "BitsPerSample": (8, 8, 8), "SamplesPerPixel": 3, "PhotometricInterpretation": 6,
        "YCbCrSubSampling": (2, 2),
    }  # fmt: skip
    for compression, data in ((1, blocks), (8, zlib.compress(blocks))):
        content = tiff_of([data], (40, 24), Compression=compression, **tags)
        assert read_photo(saved(content, "p.tif")).pixels.std() > 10
    for compression, data in ((1, blocks[:-60]), (8, zlib.compress(blocks[:-60]))):
        content = tiff_of([data], (40, 24), Compression=compression, **tags)
        with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind"):
            read_photo(saved(content, "p.tif"))


@pytest.mark.parametrize(
    ("compression", "encode"),
    [(32773, imagecodecs.packbits_encode), (50000, imagecodecs.zstd_encode)],
    ids=["PackBits", "Zstandard"],
)
def test_other_strips_with_more_than_the_picture(
    saved: Saved, compression: int, encode: Callable[[bytes], bytes]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40), np.uint8)
    tags = {"Compression": compression, "BitsPerSample": 8, "PhotometricInterpretation": 1}
    content = tiff_of([encode(pixels.tobytes() + bytes(80))], (40, 24), **tags)
    assert np.array_equal(read_photo(saved(content, "p.tif")).pixels, pixels)
    with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind"):
        read_photo(saved(tiff_of([encode(pixels[:-1].tobytes())], (40, 24), **tags), "p.tif"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_subsampled_chroma_is_turned_once(saved: Saved, orientation: int) -> None:
    luma = np.linspace(20, 235, 24 * 40).reshape(12, 2, 20, 2).transpose(0, 2, 1, 3)
    blocks = np.full((12, 20, 6), 128, np.uint8)
    blocks[..., :4] = luma.reshape(12, 20, 4)
    tags = {
        "BitsPerSample": (8, 8, 8), "SamplesPerPixel": 3, "PhotometricInterpretation": 6,
        "YCbCrSubSampling": (2, 2), "Orientation": orientation, "Compression": 1,
    }  # fmt: skip
    read = read_photo(saved(tiff_of([blocks.tobytes()], (40, 24), **tags), "p.tif")).pixels
    as_stored = Image.fromarray(np.linspace(20, 235, 24 * 40).reshape(24, 40).astype(np.uint8))
    as_stored.getexif()[Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(as_stored))
    assert read.shape[:2] == expected.shape
    assert np.abs(read.mean(-1) - expected).max() < 30  # another range of luma


def test_white_is_zero_leaves_alpha_alone(saved: Saved) -> None:
    samples = np.dstack([np.full((24, 40), 40, np.uint8), np.full((24, 40), 200, np.uint8)])
    tags = {"BitsPerSample": (8, 8), "SamplesPerPixel": 2, "PhotometricInterpretation": 0}
    content = tiff_of([samples.tobytes()], (40, 24), Compression=1, ExtraSamples=2, **tags)
    photo = read_photo(saved(content, "p.tif"))
    assert (photo.pixels == 215).all()
    assert photo.alpha is not None
    assert (photo.alpha == 200).all()


def test_what_takes_far_more_memory_than_its_pixels_is_refused(
    picture: Image.Image, saved: Saved
) -> None:
    many = {"BitsPerSample": (8,) * 40, "SamplesPerPixel": 40, "PhotometricInterpretation": 2}
    content = tiff_of([bytes(40 * 24 * 40)], (40, 24), ExtraSamples=(0,) * 37, **many)
    with pytest.raises(UnreadablePhotoError, match="40 x 8 bits a pixel"):
        read_photo(saved(content, "p.tif"))
    large = jpeg(picture.resize((1600, 1600)))
    content = tiff_of([large], (16, 16), Compression=7, **COLOR)
    with pytest.raises(UnreadablePhotoError, match="JPEG data is of another size"):
        read_photo(saved(content, "p.tif"))
    bomb = zlib.compress(bytes(50_000_000))
    tags = {"BitsPerSample": (8, 8, 8), "SamplesPerPixel": 3, "PhotometricInterpretation": 6}
    path = saved(tiff_of([bomb], (40, 24), Compression=8, YCbCrSubSampling=(2, 2), **tags), "p.tif")
    tracemalloc.start()
    try:
        with contextlib.suppress(UnreadablePhotoError):
            read_photo(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
