"""Pictures of which a part is missing, though the file looks whole, are refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import skimage.data
from PIL import Image

from benchmarks.damaged_files import by_pillow, tiff_of
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import read_photo

COLOR = Image.fromarray(skimage.data.chelsea()).resize((50, 35))
END = b"\xff\xd9"


def read(content: bytes, folder: Path) -> np.ndarray | None:
    """The pixels of a file; None if it is refused."""
    path = folder / "input"
    path.write_bytes(content)
    try:
        return read_photo(path).pixels
    except UnreadablePhotoError:
        return None


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("blocks", [1, 3, 5])
def test_jpeg_with_restarts_that_is_cut_and_closed(
    tmp_path: Path, subsampling: int, blocks: int
) -> None:
    """Only a cut within the last 16 x 16 pixels goes unnoticed."""
    whole = by_pillow(
        COLOR, "JPEG", quality=50, subsampling=subsampling, restart_marker_blocks=blocks
    )
    pixels = read(whole, tmp_path)
    assert pixels is not None
    start = whole.index(b"\xff\xda") + 14
    for size in (*range(start, len(whole) - 40, 23), *range(len(whole) - 40, len(whole) - 2, 3)):
        found = read(whole[:size] + END, tmp_path)
        if found is not None:
            found[-16:, -16:] = pixels[-16:, -16:]
            np.testing.assert_array_equal(found, pixels, str(size))


@pytest.mark.parametrize("size", [(8, 8), (17, 16), (129, 65)])
@pytest.mark.parametrize(
    ("mode", "subsampling"), [("L", 0), ("RGB", 0), ("RGB", 1), ("RGB", 2), ("CMYK", 2)]
)
@pytest.mark.parametrize("progressive", [False, True])
def test_whole_jpeg_with_restarts_is_read(
    tmp_path: Path, size: tuple[int, int], mode: str, subsampling: int, progressive: bool
) -> None:
    image = COLOR.resize(size).convert(mode)
    for restarts in ({"restart_marker_blocks": 2}, {"restart_marker_rows": 1}):
        options = {"progressive": progressive, "subsampling": subsampling, **restarts}
        assert read(by_pillow(image, "JPEG", **options), tmp_path) is not None


def test_jpeg_with_arithmetic_coding_is_refused(tmp_path: Path) -> None:
    data = bytearray(by_pillow(COLOR, "JPEG"))
    data[data.index(b"\xff\xc0") + 1] = 0xC9
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(UnreadablePhotoError, match="arithmetic coding"):
        read_photo(tmp_path / "a.jpg")


def _strip(encode: Callable[[np.ndarray], bytes], compression: int) -> tuple[bytes, dict]:
    tags = {
        "Compression": compression, "BitsPerSample": (8, 8, 8), "SamplesPerPixel": 3,
        "PhotometricInterpretation": 2,
    }  # fmt: skip
    return encode(np.asarray(COLOR)), tags


@pytest.mark.parametrize(
    ("compression", "codec"),
    [
        (34933, "png"), (50001, "webp"), (34927, "webp"), (50002, "jpegxl"), (52546, "jpegxl"),
        (34887, "lerc"), (34712, "jpeg2k"), (33003, "jpeg2k"), (33004, "jpeg2k"),
        (33005, "jpeg2k"), (34925, "lzma"), (50000, "zstd"), (34926, "zstd"), (8, "zlib"),
        (5, "lzw"), (32773, "packbits"), (7, "jpeg8"),
    ],
)  # fmt: skip
def test_cut_strips_of_tiff_are_refused(tmp_path: Path, compression: int, codec: str) -> None:
    def encode(pixels: np.ndarray) -> bytes:
        is_picture = codec in ("png", "webp", "jpegxl", "lerc", "jpeg2k", "jpeg8")
        return getattr(imagecodecs, f"{codec}_encode")(pixels if is_picture else pixels.tobytes())

    strip, tags = _strip(encode, compression)
    pixels = read(tiff_of([strip], COLOR.size, **tags), tmp_path)
    assert pixels is not None
    for size in range(1, len(strip), len(strip) // 9):
        found = read(tiff_of([strip[:size]], COLOR.size, **tags), tmp_path)
        assert found is None or np.abs(found.astype(int) - pixels).max() <= 10


@pytest.mark.parametrize(
    ("compression", "codec"),
    [(34934, "jpegxr"), (22610, "jpegxr"), (33007, "jpeg8"), (34892, "jpeg8")],
)
def test_tiff_whose_decoders_do_not_notice_is_refused(
    tmp_path: Path, compression: int, codec: str
) -> None:
    strip, tags = _strip(getattr(imagecodecs, f"{codec}_encode"), compression)
    (tmp_path / "a.tif").write_bytes(tiff_of([strip], COLOR.size, **tags))
    with pytest.raises(UnreadablePhotoError, match=rf"\(compression {compression}\).*LZW"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("raw", [False, True])
def test_jpeg_2000_with_tiles_missing_is_refused(tmp_path: Path, raw: bool) -> None:
    whole = by_pillow(COLOR, "JPEG2000", tile_size=(16, 16), no_jp2=raw)
    assert read(whole, tmp_path) is not None
    start = place = whole.index(b"\xff\x90")
    tiles = []
    while whole[place : place + 2] == b"\xff\x90":
        (length,) = struct.unpack_from(">I", whole, place + 6)
        tiles.append(whole[place : place + length])
        place += length
    assert len(tiles) == 12
    for number in range(12):
        left = tiles[:number] + tiles[number + 1 :]
        assert read(whole[:start] + b"".join(left) + END, tmp_path) is None, number
        assert read(whole[:start] + b"".join(tiles[:number]) + END, tmp_path) is None, number


def test_jpeg_2000_that_names_too_many_tiles_is_refused(tmp_path: Path) -> None:
    data = bytearray(by_pillow(COLOR, "JPEG2000", no_jp2=True))
    struct.pack_into(">II", data, data.index(b"\xff\x51") + 22, 1, 1)
    assert read(bytes(data), tmp_path) is None
