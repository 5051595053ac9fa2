"""Pictures that are too large are refused before a pixel of them is decoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from unittest import mock

import pytest
from PIL import Image, ImageFile

from benchmarks.damaged_files import by_pillow, png_of, tiff_of
from colorflow.errors import PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo import read_photo
from tests.photo.conftest import Saved


def huge_png(side: int) -> bytes:
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return png_of((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))


def huge_jpeg(side: int) -> bytes:
    content = bytearray(by_pillow(Image.new("RGB", (96, 64)), "JPEG"))
    frame = content.index(b"\xff\xc0")
    struct.pack_into(">HH", content, frame + 5, side, side)
    return bytes(content)


def huge_tiff(side: int) -> bytes:
    return tiff_of([bytes(100)], (side, side), BitsPerSample=8, Compression=5)


def huge_bmp(side: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 0, 0, 54, 40, side, side, 1, 24, *[0] * 6)


@pytest.mark.parametrize("make", [huge_png, huge_jpeg, huge_tiff, huge_bmp])
def test_a_decompression_bomb_is_refused_from_its_header(
    saved: Saved, make: Callable[[int], bytes]
) -> None:
    path = saved(make(30_000), "bomb.jpg")
    with pytest.raises(PhotoTooLargeError, match=r"30000 x 30000 pixels.*200 million"):
        read_photo(path)
    # Between Pillow's own two limits (89 and 179 megapixels) and ours: an error of the content.
    if make is huge_jpeg:
        return  # decodes, in seconds, before it is found out
    with pytest.raises(UnreadablePhotoError, match="damaged, incomplete, or of a kind"):
        read_photo(saved(make(10_001), "no bomb.jpg"))


def test_no_memory(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", mock.Mock(side_effect=MemoryError))
    with pytest.raises(PhotoTooLargeError, match="does not fit into memory"):
        read_photo(saved(Image.new("L", (8, 8)), "photo.png"))
