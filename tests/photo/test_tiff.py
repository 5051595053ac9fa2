"""TIFF files: kinds with 8 bits per channel, and strips that do not hold what they should."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from benchmarks.damaged_files import by_pillow, tiff_of
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import read_photo
from tests.photo.conftest import Saved

COLOR_TAGS = {"BitsPerSample": (8, 8, 8), "SamplesPerPixel": 3, "PhotometricInterpretation": 6}
RGB_TAGS = {**COLOR_TAGS, "PhotometricInterpretation": 2}
GRAY_TAGS = {"BitsPerSample": 8, "PhotometricInterpretation": 1}


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


def test_white_may_be_zero(picture: Image.Image, saved: Saved, tmp_path: Path) -> None:
    """Of alpha it never is."""
    for mode in ("1", "L"):
        gray = np.asarray(picture.convert(mode))
        tifffile.imwrite(tmp_path / "p.tif", ~gray, photometric="miniswhite")
        expected = np.asarray(picture.convert(mode).convert("L"))
        np.testing.assert_array_equal(read_photo(tmp_path / "p.tif").pixels, expected)
    samples = np.tile(np.array([40, 200], np.uint8), (24, 40, 1))
    tags = {"BitsPerSample": (8, 8), "SamplesPerPixel": 2, "PhotometricInterpretation": 0}
    content = tiff_of([samples.tobytes()], (40, 24), Compression=1, ExtraSamples=2, **tags)
    photo = read_photo(saved(content, "p.tif"))
    assert np.unique(photo.pixels) == 215
    assert np.unique(photo.alpha) == 200


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_tiff_that_does_not_say_that_black_is_zero(
    tmp_path: Path, dtype: str, photometric: str
) -> None:
    shape = (2, 3) if photometric == "minisblack" else (2, 3, 3)
    samples = np.linspace(0, np.iinfo(dtype).max, np.prod(shape)).reshape(shape).astype(dtype)
    path, order = tmp_path / "p.tif", ">" if dtype[0] == ">" else "<"
    tifffile.imwrite(path, samples, photometric=photometric, byteorder=order)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.filehandle.seek(file.pages.first.tags[262].offset)
        file.filehandle.write(struct.pack(order + "H", 263))  # Threshholding
    np.testing.assert_array_equal(read_photo(path).full_depth, samples)


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
        (8, 3, {8: 8}),
    ],
    ids=["gray", "RGB", "palette", "CMYK", "Lab"],
)
def test_tiff_of_the_depths_that_the_readme_names(
    saved: Saved, photometric: int, samples: int, depths: dict[int, int]
) -> None:
    tags = {"Compression": 1, "PhotometricInterpretation": photometric, "SamplesPerPixel": samples}
    for bits in (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 24, 32):
        tags["BitsPerSample"] = (bits,) * samples
        tags["ColorMap"] = tuple(range(3 << min(bits, 8)))
        path = saved(tiff_of([bytes(16 * bits * samples // 8 * 4)], (16, 4), **tags), "p.tif")
        if bits in depths:
            assert read_photo(path).bits == depths[bits]
        else:
            with pytest.raises(UnreadablePhotoError, match=f"{samples} x {bits} bits a pixel"):
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


@pytest.mark.parametrize("plan", ["contig", "separate"])
def test_tiff_of_ycbcr_without_jpeg_is_refused(tmp_path: Path, plan: str) -> None:
    samples = np.zeros((16, 16, 3) if plan == "contig" else (3, 16, 16), np.uint8)
    about = {"photometric": "ycbcr", "planarconfig": plan, "subsampling": (1, 1)}
    tifffile.imwrite(tmp_path / "p.tif", samples, **about)
    with pytest.raises(UnreadablePhotoError, match=r"\(YCbCr, 3 x 8 bits a pixel\) is not read"):
        read_photo(tmp_path / "p.tif")


def test_a_preview_is_not_taken_for_the_picture(picture: Image.Image, tmp_path: Path) -> None:
    preview = np.asarray(picture.resize((12, 8)))
    with tifffile.TiffWriter(tmp_path / "raw.tif") as tiff:
        tiff.write(preview, photometric="rgb", subfiletype=1)
        tiff.write(np.asarray(picture), photometric="rgb")
    with pytest.raises(UnreadablePhotoError, match="begins with a small preview"):
        read_photo(tmp_path / "raw.tif")


# Strips that hold fewer rows than they should, or more


def jpeg(image: Image.Image, **options: object) -> bytes:
    return by_pillow(image, "JPEG", subsampling=0, **options)


def assert_ends_early(path: Path) -> None:
    with pytest.raises(UnreadablePhotoError, match=r"ends too early|is damaged"):
        read_photo(path)


@pytest.mark.parametrize(
    ("compression", "codec"),
    [
        (34933, "png"), (50001, "webp"), (34927, "webp"), (50002, "jpegxl"), (52546, "jpegxl"),
        (34887, "lerc"), (34712, "jpeg2k"), (33003, "jpeg2k"), (33004, "jpeg2k"),
        (33005, "jpeg2k"), (34925, "lzma"), (50000, "zstd"), (34926, "zstd"), (8, "zlib"),
        (5, "lzw"), (32773, "packbits"),
    ],
)  # fmt: skip
def test_cut_strips_are_refused(
    picture: Image.Image, saved: Saved, compression: int, codec: str
) -> None:
    pixels, encode = np.asarray(picture), getattr(imagecodecs, f"{codec}_encode")
    is_picture = codec in ("png", "webp", "jpegxl", "lerc", "jpeg2k")
    strip = encode(pixels if is_picture else pixels.tobytes())
    tags = {**RGB_TAGS, "Compression": compression}
    read = read_photo(saved(tiff_of([strip], picture.size, **tags), "p.tif")).pixels
    for size in range(1, len(strip), len(strip) // 9):
        path = saved(tiff_of([strip[:size]], picture.size, **tags), "p.tif")
        with suppress(UnreadablePhotoError):
            assert np.abs(read_photo(path).pixels.astype(int) - read).max() <= 10


@pytest.mark.parametrize(
    ("compression", "codec"),
    [
        (34934, "jpegxr"), (22610, "jpegxr"), (33007, "jpeg8"), (34892, "jpeg8"), (6, None),
        (32809, None), *((f"fax, compression {number}", None) for number in (2, 3, 4)),
    ],
)  # fmt: skip
def test_compressions_whose_decoders_do_not_notice_or_have_no_grays_are_refused(
    picture: Image.Image, saved: Saved, compression: int | str, codec: str | None
) -> None:
    strip = getattr(imagecodecs, f"{codec}_encode")(np.asarray(picture)) if codec else bytes(64)
    number = int(str(compression).split()[-1])
    path = saved(tiff_of([strip], picture.size, **{**RGB_TAGS, "Compression": number}), "p.tif")
    with pytest.raises(UnreadablePhotoError, match=rf"{compression}\) is not read; save it.*LZW"):
        read_photo(path)


@pytest.mark.parametrize("compression", [1, 7])
def test_missing_strips_are_an_error(saved: Saved, compression: int) -> None:
    strip = {1: bytes(8 * 64), 7: jpeg(Image.new("L", (64, 8)))}[compression]
    tags = {"Compression": compression, "RowsPerStrip": 8, **GRAY_TAGS}
    assert read_photo(saved(tiff_of([strip] * 2, (64, 16), **tags), "p.tif")).height == 16
    assert_ends_early(saved(tiff_of([strip] * 2, (64, 24), **tags), "p.tif"))
    nowhere = {"StripOffsets": (8, 0), "StripByteCounts": (len(strip), 0)}
    assert_ends_early(saved(tiff_of([strip], (64, 16), **tags, **nowhere), "p.tif"))


@pytest.mark.parametrize("compression", [8, 32773])
def test_a_strip_that_holds_more_or_less_than_the_picture(saved: Saved, compression: int) -> None:
    """More is hardly ever written, and not read by the decoders."""
    encode = {8: zlib.compress, 32773: imagecodecs.packbits_encode}[compression]
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40), np.uint8)
    tags = {"Compression": compression, "BitsPerSample": 8, "PhotometricInterpretation": 1}
    content = tiff_of([encode(pixels.tobytes())], (40, 24), **tags)
    assert np.array_equal(read_photo(saved(content, "p.tif")).pixels, pixels)
    for stored in (pixels.tobytes() + bytes(80), pixels[:-1].tobytes()):
        with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind"):
            read_photo(saved(tiff_of([encode(stored)], (40, 24), **tags), "p.tif"))


@pytest.mark.parametrize("count", [9, 40, 259])
def test_what_takes_far_more_memory_than_its_pixels_is_refused(saved: Saved, count: int) -> None:
    many = {"BitsPerSample": (8,) * count, "SamplesPerPixel": count, "PhotometricInterpretation": 2}
    content = tiff_of([bytes(40 * 24 * count)], (40, 24), ExtraSamples=(0,) * (count - 3), **many)
    with pytest.raises(UnreadablePhotoError, match=f"{count} x 8 bits a pixel"):
        read_photo(saved(content, "p.tif"))
