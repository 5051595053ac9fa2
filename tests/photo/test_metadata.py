"""Metadata: remembered, made true for the upright sRGB picture, and written again.

EXIF is read back by Pillow, whose parser shares nothing with ours.
"""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from PIL.ExifTags import IFD, Base

from benchmarks.hostile_kinds import (
    exif_of_many_directories,
    exif_of_shared_values,
    tiff_of_shared_values,
)
from colorflow.errors import PhotoTooLargeError
from colorflow.photo import Metadata, Photo, photo_from_image, read_photo, write_image
from colorflow.photo.exif import block_of
from colorflow.photo.formats import silent_codecs
from colorflow.photo.metadata import upright_exif
from tests.photo.conftest import Saved

MAKER_NOTE = b"offsets into the block live here"
"""Would be wrong in another block."""
THUMBNAIL = b"\xff\xd8 the gray thumbnail \xff\xd9"


def exif_block(orientation: int = 6) -> bytes:
    """EXIF as a camera writes it, with the thumbnail's directory last."""
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    exif[Base.Make] = "Agfa"
    exif[Base.Artist] = "Jürgen Ä.".encode()
    exif[IFD.Exif] = {
        Base.DateTimeOriginal: "1951:06:30 12:00:00",
        Base.ColorSpace: 65535,
        Base.ExifImageWidth: 96,
        Base.ExifImageHeight: 64,
        Base.MakerNote: MAKER_NOTE,
    }
    exif[IFD.GPSInfo] = {1: "N", 2: (52.0, 31.0, 12.0)}
    block = bytearray(exif.tobytes()[6:])
    count = struct.unpack_from(">H", block, 8)[0]
    struct.pack_into(">I", block, 10 + 12 * count, len(block))
    picture = len(block) + 2 + 2 * 12 + 4
    block += struct.pack(">HHHIIHHII", 2, 0x0201, 4, 1, picture, 0x0202, 4, 1, len(THUMBNAIL))
    return b"Exif\0\0" + bytes(block) + bytes(4) + THUMBNAIL


def read_by_pillow(path: Path) -> tuple[Image.Exif, dict[int, object], dict[int, object]]:
    with Image.open(path) as image:
        exif = image.getexif()
        return exif, dict(exif.get_ifd(IFD.Exif)), dict(exif.get_ifd(IFD.GPSInfo))


@pytest.mark.parametrize("order", "<>")
def test_types_and_values_of_entries_stay(order: str) -> None:
    """Also those that Pillow does not know, and unknown lenses, which are 0/0."""
    kinds = {
        0x9C9B: ("B", 1, b"x\0y\0"), 0x4746: ("H", 3, 5), 0xC4A5: ("B", 7, b"PrintIM"),
        0x011A: ("II", 5, (300, 1)),
    }  # fmt: skip
    details = {
        0x9101: ("B", 7, b"\1\2\3\0"), 0x9204: ("ii", 10, (-1, 3)), 0xA432: ("II", 5, (0, 0)),
        0xA300: ("B", 7, b"\3"), 0x8827: ("H", 3, 400), 0xEA1C: ("B", 7, b"padding"),
    }  # fmt: skip

    def directory(fields: dict[int, tuple[str, int, object]], start: int) -> bytes:
        place = start + 2 + 12 * len(fields) + 4
        entries, values = struct.pack(order + "H", len(fields)), b""
        for tag, (layout, kind, value) in sorted(fields.items()):
            numbers = value if isinstance(value, (tuple, bytes)) else (value,)
            size = len(numbers) // len(layout)
            stored = struct.pack(f"{order}{layout[0] * len(numbers)}", *numbers)
            if len(stored) > 4:
                field = struct.pack(order + "I", place + len(values))
                values += stored + bytes(len(stored) % 2)
            else:
                field = stored.ljust(4, b"\0")
            entries += struct.pack(order + "HHI", tag, kind, size) + field
        return entries + bytes(4) + values

    inner = directory(details, 8)
    start = 8 + len(inner)
    main = directory(kinds | {IFD.Exif: ("I", 4, 8)}, start)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", start)
    after = upright_exif(b"Exif\0\0" + head + inner + main, 64, 96)
    assert after is not None
    with tifffile.TiffFile(io.BytesIO(after[6:])) as file:  # another parser
        tags = file.pages.first.tags
        found = {tag.code: (tag.dtype.value, tag.value) for tag in tags if tag.code in kinds}
        exif = tags[IFD.Exif.value].value
    assert found == {tag: (kind, value) for tag, (_, kind, value) in kinds.items()}
    assert exif["ComponentsConfiguration"] == b"\1\2\3\0"
    assert exif["ExposureBiasValue"] == (-1, 3)
    assert exif["LensSpecification"] == (0, 0)
    assert exif["FileSource"] == b"\3"
    assert exif["ISOSpeedRatings"] == 400


@pytest.mark.parametrize("name", ["out.jpg", "out.png", "out.webp", "out.tif"])
@pytest.mark.parametrize("source", ["in.jpg", "in.png", "in.webp", "in.tif"])
def test_exif_is_kept_from_file_to_file(
    picture: Image.Image, saved: Saved, tmp_path: Path, source: str, name: str
) -> None:
    """Without what is no longer true: orientation, sizes, thumbnail, offsets, color space."""
    path, artist = saved(picture, source, exif=exif_block()), "Jürgen Ä.".encode()
    path.write_bytes(path.read_bytes().replace(b"J??rgen ??.", artist))  # TIFF by Pillow
    photo = read_photo(path)
    assert photo.pixels.shape == (96, 64, 3)
    write_image(tmp_path / name, photo.pixels, photo)
    written = (tmp_path / name).read_bytes()
    assert THUMBNAIL in exif_block()
    assert b"thumbnail" not in written
    assert MAKER_NOTE not in written
    exif, details, gps = read_by_pillow(tmp_path / name)
    assert exif.get(Base.Orientation, 1) == 1
    assert exif[Base.Make] == "Agfa"
    assert exif[Base.Artist].encode("latin-1").decode() == "Jürgen Ä."
    assert details[Base.DateTimeOriginal] == "1951:06:30 12:00:00"
    assert (details[Base.ExifImageWidth], details[Base.ExifImageHeight]) == (64, 96)
    assert details[Base.ColorSpace] == 1
    assert gps[2] == (52.0, 31.0, 12.0)
    np.testing.assert_equal(read_photo(tmp_path / name).pixels.shape, (96, 64, 3))


def test_exif_in_imagemagicks_png_text(picture: Image.Image, saved: Saved) -> None:
    info = PngImagePlugin.PngInfo()
    block = exif_block()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block)}\n{block.hex()}\n")
    photo = read_photo(saved(picture, "in.png", pnginfo=info))
    assert photo.pixels.shape == (96, 64, 3)
    assert photo.metadata.exif is not None
    assert photo.metadata.exif == upright_exif(block, 64, 96)
    assert photo.metadata.text == {}


@pytest.mark.parametrize(
    "garbage",
    [
        b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08", exif_block()[:40],
        b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 40,
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["in.jpg", "in.png", "in.webp"])
def test_garbage_is_ignored(picture: Image.Image, saved: Saved, name: str, garbage: bytes) -> None:
    photo = read_photo(saved(picture, name, exif=garbage))
    assert photo.pixels.shape == (64, 96, 3)
    assert photo.metadata.exif is None


@given(st.data())
@settings(max_examples=50)
def test_damaged_blocks_never_raise(data: st.DataObject) -> None:
    block = bytearray(exif_block())
    for _ in range(data.draw(st.integers(1, 6))):
        index = data.draw(st.integers(6, len(block) - 1))
        block[index] = data.draw(st.integers(0, 255))
    damaged = bytes(block[: data.draw(st.integers(0, len(block)))])
    with silent_codecs():
        assert block_of(damaged).orientation in (None, *range(1, 9))
        after = upright_exif(damaged, 64, 96)
    assert after is None or block_of(after).orientation in (None, 1)


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.tif", "p.bmp"])
def test_resolution_is_read_and_turned(picture: Image.Image, saved: Saved, name: str) -> None:
    dpi = (300, 300) if name == "p.bmp" else (300, 200)
    photo = read_photo(saved(picture, name, dpi=dpi))
    assert photo.metadata.dpi == pytest.approx(dpi, abs=0.5)
    if name != "p.bmp":
        turned = read_photo(saved(picture, name, dpi=dpi, exif=exif_block(orientation=8)))
        assert turned.metadata.dpi == pytest.approx((200, 300), abs=0.5)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" rdf:about="" %s</rdf:RDF></x:xmpmeta>'
)
XMP_ATTRIBUTE = XMP % b'tiff:Orientation="6"/>'
XMP_ELEMENT = XMP % b"><tiff:Orientation>6</tiff:Orientation></rdf:Description>"


def save_with_xmp(image: Image.Image, path: Path, xmp: bytes, **options: object) -> None:
    if path.suffix == ".png":
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
        image.save(path, pnginfo=texts, **options)
    elif path.suffix == ".tif":
        image.save(path, tiffinfo={700: xmp}, **options)
    else:
        image.save(path, xmp=xmp, **options)


@pytest.mark.parametrize("xmp", [XMP_ATTRIBUTE, XMP_ELEMENT])
@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.webp", "p.tif"])
def test_an_orientation_that_only_xmp_says_is_applied(
    picture: Image.Image, tmp_path: Path, name: str, xmp: bytes
) -> None:
    save_with_xmp(picture, tmp_path / name, xmp, dpi=(300, 150))
    photo = read_photo(tmp_path / name)
    expected = np.rot90(np.asarray(picture).astype(int), -1)
    assert photo.pixels.shape == expected.shape
    assert np.abs(photo.pixels - expected).mean() < 6
    if name != "p.webp":  # it has no place for the resolution but EXIF
        np.testing.assert_allclose(photo.metadata.dpi, (150, 300), atol=0.5)
    write_image(tmp_path / "out.png", photo.pixels, photo)
    assert read_photo(tmp_path / "out.png").pixels.shape == expected.shape


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.webp", "p.avif"])
def test_exif_and_the_container_of_avif_are_believed_before_xmp(
    picture: Image.Image, tmp_path: Path, name: str
) -> None:
    options = {} if name == "p.avif" else {"exif": exif_block(orientation=3)}
    save_with_xmp(picture, tmp_path / name, XMP_ATTRIBUTE, **options)
    assert read_photo(tmp_path / name).pixels.shape == (64, 96, 3)


@pytest.mark.parametrize(
    "dpi", [(0, 0), (1, 1), (float("nan"), 72), (float("inf"), 72), (-300, 300), 72, ("a", "b")]
)
def test_a_resolution_that_is_none_is_dropped(picture: Image.Image, dpi: object) -> None:
    image = picture.copy()
    image.info["dpi"] = dpi
    assert photo_from_image(image).metadata.dpi is None


def test_png_texts_are_kept_within_bounds_and_inner_data_is_not(
    picture: Image.Image, saved: Saved, tmp_path: Path
) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Großmutter")
    info.add_itxt("Description", "家族の写真", lang="ja")
    info.add_text("Comment", "x" * 65_536, zip=True)
    info.add_text("XML:com.adobe.xmp", "<x tiff:Orientation='6'/>")
    info.add_text("long", "x" * 65_537)
    for number in range(9):
        info.add_text(str(number), "y" * 30_000)
    photo = read_photo(saved(picture, "in.png", pnginfo=info))
    kept = {"Title": "Großmutter", "Description": "家族の写真", "Comment": "x" * 65_536}
    kept |= {str(number): "y" * 30_000 for number in range(6)}
    assert photo.metadata.text == kept
    write_image(tmp_path / "out.png", photo.pixels, photo)
    with Image.open(tmp_path / "out.png") as image:
        image.load()
        assert {key: str(value) for key, value in image.text.items()} == kept


def test_files_without_metadata_say_so(picture: Image.Image, saved: Saved) -> None:
    assert read_photo(saved(picture, "p.png")).metadata == Metadata(format="PNG")
    assert photo_from_image(np.asarray(picture)).metadata == Metadata()


def test_photos_that_cannot_be_are_refused() -> None:
    good = {"pixels": np.zeros((4, 5, 3), np.uint8)}
    for name, shape, dtype, expected in (
        ("pixels16", (4, 5), np.uint16, r"uint16 of shape \(4, 5, 3\)"),
        ("alpha", (5, 4), np.uint8, r"uint8 of shape \(4, 5\)"),
        ("pixels", (4, 5, 3), float, "uint8 of shape"), ("pixels", (4, 5, 2), np.uint8, "uint8"),
        ("pixels", (0, 5, 3), np.uint8, "uint8"), ("pixels", (3,), np.uint8, "uint8"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"{name}: expected {expected}"):
            Photo(**{**good, name: np.zeros(shape, dtype)})


@pytest.mark.parametrize(
    "make", [exif_of_shared_values, exif_of_many_directories, tiff_of_shared_values]
)
def test_blocks_of_very_large_values_take_what_a_child_may(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    (tmp_path / "input").write_bytes(make())
    with contextlib.suppress(PhotoTooLargeError):
        assert read_photo(tmp_path / "input", isolated=True).width == 8
