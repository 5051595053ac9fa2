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
from colorflow.photo.fax import fax_rows

Saved = Callable[..., Path]

RLE, GROUP_3, GROUP_4 = 2, 3, 4
NAMES = {RLE: "tiff_ccitt", GROUP_3: "group3", GROUP_4: "group4"}
FAXES = [(RLE, 0), (GROUP_3, 0), (GROUP_3, 1), (GROUP_3, 4), (GROUP_3, 5), (GROUP_4, 0)]
"""Compression and T4Options: rows told by the row above, and ends of lines at whole bytes."""
COLOR = {"BitsPerSample": (8, 8, 8), "SamplesPerPixel": 3, "PhotometricInterpretation": 6}
GRAY = {"BitsPerSample": 8, "PhotometricInterpretation": 1}


def strips_of(content: bytes) -> tuple[list[bytes], TiffImagePlugin.ImageFileDirectory_v2]:
    tags = Image.open(io.BytesIO(content)).tag_v2
    pieces = zip(tags[Base.StripOffsets], tags[Base.StripByteCounts], strict=True)
    return [content[start : start + size] for start, size in pieces], tags


def fax(image: Image.Image, compression: int, options: int, rows: int | None = None) -> bytes:
    """A TIFF file by libtiff; Pillow stores white as 1, which fax data calls black."""
    tags = {int(Base.RowsPerStrip): rows or image.height, int(Base.T4Options): options}
    return by_pillow(image, "TIFF", compression=NAMES[compression], tiffinfo=tags)


def noise(width: int, height: int, ink: float) -> Image.Image:
    return Image.fromarray(np.random.default_rng(width).random((height, width)) > ink)


def staircase(width: int) -> Image.Image:
    """Runs of every length up to the width, in white and in black."""
    return Image.fromarray(np.tri(width, width, -1, dtype=bool))


def jpeg(image: Image.Image, **options: object) -> bytes:
    return by_pillow(image, "JPEG", subsampling=0, **options)


def assert_ends_early(path: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match=r"ends too early|is damaged"):
        read_photo(path)


@pytest.mark.parametrize(("compression", "options"), FAXES)
def test_fax_is_read_as_libtiff_reads_it(saved: Saved, compression: int, options: int) -> None:
    images = [noise(width, 9, ink) for width in (1, 7, 8, 9, 2701) for ink in (0.01, 0.5, 0.99)]
    images += [staircase(330), staircase(330).transpose(Image.Transpose.ROTATE_180)]
    for image in images:
        path = saved(fax(image, compression, options, rows=4), "p.tif")
        np.testing.assert_array_equal(read_photo(path).pixels, np.asarray(image) * np.uint8(255))


@pytest.mark.parametrize("color", ["white", "black"])
def test_every_code_of_a_run(color: str) -> None:
    widths = [*range(1, 65), *range(64, 2600, 61), 2560, 2623, 2624, 5200]
    for width in widths:
        image = Image.new("1", (width, 1), color)
        strips, _ = strips_of(fax(image, RLE, 0))
        ink = np.unpackbits(fax_rows(strips[0], width, 1, RLE, 0), axis=1)[0, :width]
        assert ink.tolist() == [color == "white"] * width


def test_fax_with_the_lowest_bit_first_and_white_as_zero(saved: Saved) -> None:
    image = noise(50, 20, 0.5)
    strips, _ = strips_of(fax(image, GROUP_4, 0))
    turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in strips[0])
    content = tiff_of([turned], image.size, FillOrder=2)
    pixels = np.asarray(image) * np.uint8(255)
    np.testing.assert_array_equal(read_photo(saved(content, "p.tif")).pixels, 255 - pixels)


def test_fax_in_tiles_that_is_turned(saved: Saved) -> None:
    image = noise(40, 24, 0.5)
    tiles = [
        strips_of(fax(image.crop((x, y, x + 16, y + 16)), GROUP_4, 0))[0][0]
        for y in (0, 16) for x in (0, 16, 32)
    ]  # fmt: skip
    size = {"TileWidth": 16, "TileLength": 16, "Orientation": 6, "PhotometricInterpretation": 1}
    starts = tuple(8 + sum(map(len, tiles[:number])) for number in range(6))
    offsets = {"TileOffsets": starts, "TileByteCounts": tuple(map(len, tiles))}
    photo = read_photo(saved(tiff_of(tiles, image.size, **size, **offsets), "p.tif"))
    np.testing.assert_array_equal(photo.pixels, np.rot90(np.asarray(image) * np.uint8(255), -1))


@pytest.mark.parametrize(("compression", "options"), FAXES)
def test_fax_that_ends_early_is_refused(saved: Saved, compression: int, options: int) -> None:
    image = noise(61, 40, 0.5)
    strips, tags = strips_of(fax(image, compression, options))
    rest = {"Compression": compression, "T4Options": options}
    rest["PhotometricInterpretation"] = tags[Base.PhotometricInterpretation]
    for cut in range(1, len(strips[0]) - 24, 7):  # behind the last row, ends of lines may follow
        assert_ends_early(saved(tiff_of([strips[0][:cut]], image.size, **rest), "p.tif"))
    ended = strips[0][: len(strips[0]) // 2] + bytes.fromhex("001001") * 3
    assert_ends_early(saved(tiff_of([ended], image.size, **rest), "p.tif"))
    assert_ends_early(saved(tiff_of(strips, (61, 41), **rest), "p.tif"))


def test_fax_that_lacks_its_last_bit_is_refused(saved: Saved) -> None:
    whole = saved(tiff_of([b"\x31\x00"], (6, 1)), "p.tif")  # horizontal, white 3, black 3
    np.testing.assert_array_equal(read_photo(whole).pixels, [[255, 255, 255, 0, 0, 0]])
    assert_ends_early(saved(tiff_of([b"\x31"], (6, 1)), "p.tif"))


def test_nothing_of_the_memory_is_shown(readers: Readers) -> None:
    picture = jpeg(Image.new("L", (64, 32), 77))
    group_3 = strips_of(fax(noise(64, 9, 0.5), GROUP_3, 0))[0]
    files = {
        "Group 4": tiff_of([b"\xff"], (64, 3000)),
        "Group 4 that says its end": tiff_of([b"\xff\x00\x10\x01"], (64, 3000)),
        "Group 3": tiff_of(group_3, (64, 99), Compression=3),
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


@pytest.mark.parametrize("compression", [1, 4, 7])
def test_missing_strips_are_an_error(saved: Saved, compression: int) -> None:
    strip = {1: bytes(8 * 64), 4: b"\xff", 7: jpeg(Image.new("L", (64, 8)))}[compression]
    tags = {"Compression": compression, "RowsPerStrip": 8, **({} if compression == 4 else GRAY)}
    assert read_photo(saved(tiff_of([strip] * 2, (64, 16), **tags), "p.tif")).height == 16
    assert_ends_early(saved(tiff_of([strip] * 2, (64, 24), **tags), "p.tif"))
    nowhere = {"StripOffsets": (8, 0), "StripByteCounts": (len(strip), 0)}
    assert_ends_early(saved(tiff_of([strip], (64, 16), **tags, **nowhere), "p.tif"))


def test_more_fax_data_than_is_decoded_in_seconds_is_refused(saved: Saved) -> None:
    content = tiff_of([bytes(5 << 20)], (64, 64))
    with pytest.raises(
        UnreadablePhotoError, match=r"\(more than 4 MB of fax data\) is not read; save it"
    ):
        read_photo(saved(content, "p.tif"))


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
