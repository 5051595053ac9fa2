"""The pages of TIFF files: which of them are photos, and each read as one."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

from benchmarks.hostile_kinds import tiff_of_shared_pages
from colorflow.errors import PhotoTooLargeError, UnreadablePhotoError
from colorflow.photo import read_pages, read_photo
from colorflow.photo.find import MOST_PAGES

Page = tuple[np.ndarray, dict[str, object]]


def written(path: Path, *content: Page, **options: object) -> Path:
    with tifffile.TiffWriter(path, **options) as tiff:
        for pixels, about in content:
            tiff.write(pixels, **{"contiguous": False, "metadata": None, **about})
    return path


def piece(number: int, side: int = 128) -> np.ndarray:
    """A piece of a photo, each number another one."""
    left = 50 * number
    return skimage.data.astronaut()[left : left + side, left : left + side]


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}], ids=str)
def test_each_page_is_read_as_a_photo_of_its_own(tmp_path: Path, options: dict[str, bool]) -> None:
    deep = np.arange(64 * 32, dtype=np.uint16).reshape(32, 64) * 31
    about = {"description": "the second", "resolution": (300, 300), "resolutionunit": "inch"}
    path = written(
        tmp_path / "p.tif", (piece(0), {"description": "the first"}), (deep, about),
        (piece(2), {"compression": "jpeg", "photometric": "rgb"}), **options,
    )  # fmt: skip
    assert read_pages(path) == (1, 2, 3)
    for isolated in (False, True):
        first, second, third = (read_photo(path, page=n, isolated=isolated) for n in (1, 2, 3))
        np.testing.assert_array_equal(first.pixels, piece(0))
        np.testing.assert_array_equal(second.full_depth, deep)
        assert np.abs(third.pixels.astype(int) - piece(2)).mean() < 5
        assert first.remarks == second.remarks == third.remarks == ()
        assert second.metadata.dpi == (300, 300)
        said = [bytes(one.metadata.exif or b"") for one in (first, second)]
        assert [b"the first" in one for one in said] == [True, False]
        assert b"the second" in said[1]
        with pytest.raises(UnreadablePhotoError, match="the file has no page 4"):
            read_photo(path, page=4, isolated=isolated)
    assert read_photo(path).remarks == (
        "the file holds several pictures (pages or frames); the first was taken",
    )


def test_smaller_versions_and_masks_are_no_pages(tmp_path: Path) -> None:
    """If they say so; two photos of two sizes are pages."""
    smaller: Page = (piece(0, 64), {"subfiletype": 1})
    mask: Page = (np.zeros((128, 128), bool), {"subfiletype": 4})
    content = [(piece(0), {}), smaller, mask, (piece(2), {}), smaller, (piece(4, 64), {})]
    for options in ({}, {"bigtiff": True}, {"byteorder": ">"}):
        assert read_pages(written(tmp_path / "p.tif", *content, **options)) == (1, 4, 6)


def test_a_file_of_one_page_or_of_none_has_no_pages(tmp_path: Path) -> None:
    for name, options in (("a.tif", {}), ("b.tif", {"bigtiff": True})):
        assert read_pages(written(tmp_path / name, (piece(0), {}), **options)) == ()
    Image.fromarray(piece(0)).save(tmp_path / "png.tif", "PNG")
    (tmp_path / "cut.tif").write_bytes(b"II*\0\x08")
    (tmp_path / "far.tif").write_bytes(b"MM\0+" + b"\xff" * 30)
    for name in ("png.tif", "cut.tif", "far.tif"):
        assert read_pages(tmp_path / name) == ()


def test_pages_are_bounded(tmp_path: Path) -> None:
    many: list[Page] = [(np.full((4, 4), 90, np.uint8), {})] * (MOST_PAGES + 1)
    assert len(read_pages(written(tmp_path / "p.tif", *many[1:]))) == MOST_PAGES
    with pytest.raises(PhotoTooLargeError, match="more than 200 pages; divide it into several"):
        read_pages(written(tmp_path / "q.tif", *many))


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}], ids=str)
@pytest.mark.parametrize("rows", [128, 2])
@pytest.mark.parametrize("shift", [0, 1])
def test_pages_that_share_their_data_are_refused(
    tmp_path: Path, rows: int, shift: int, options: dict[str, bool]
) -> None:
    """At the same place, or one behind the other, together longer than the file."""
    about = {"rowsperstrip": rows, "compression": "zlib"}
    path = written(tmp_path / "p.tif", *[(piece(n), about) for n in range(3)], **options)
    assert read_pages(path) == (1, 2, 3)
    with tifffile.TiffFile(path, mode="r+") as file:
        first = file.pages[0]
        assert isinstance(first, tifffile.TiffPage)
        for page in file.pages[1:]:
            assert isinstance(page, tifffile.TiffPage)
            offsets = [first.dataoffsets[0] + shift * page.index] * len(page.dataoffsets)
            page.tags["StripOffsets"].overwrite(offsets)
            sizes = [2 * size for size in first.databytecounts]
            page.tags["StripByteCounts"].overwrite(sizes)
    with pytest.raises(PhotoTooLargeError, match="pages of the file share their data"):
        read_pages(path)


def test_a_hostile_file_of_such_pages(tmp_path: Path) -> None:
    (tmp_path / "p.tif").write_bytes(tiff_of_shared_pages(64, 3))
    assert [read_photo(tmp_path / "p.tif", page=number).width for number in (1, 2, 3)] == [64] * 3
    with pytest.raises(PhotoTooLargeError, match="pages of the file share their data"):
        read_pages(tmp_path / "p.tif")


def test_pages_that_go_round_are_counted_once(tmp_path: Path) -> None:
    path = written(tmp_path / "p.tif", (piece(0), {}), (piece(2), {}))
    with tifffile.TiffFile(path) as tiff:
        first, second = tiff.pages.first.offset, tiff.pages[1].offset
    content = bytearray(path.read_bytes())
    (tags,) = struct.unpack_from("<H", content, second)
    struct.pack_into("<I", content, second + 2 + 12 * tags, first)
    path.write_bytes(content)
    assert read_pages(path) == (1, 2)


def test_a_page_that_cannot_be_read_is_one_all_the_same(tmp_path: Path) -> None:
    """It fails by name when its turn comes, rather than being left out."""
    strange: Page = (piece(0, 64).astype(np.float32), {"photometric": "rgb"})
    path = written(tmp_path / "p.tif", (piece(0), {}), strange)
    assert read_pages(path) == (1, 2)
    with pytest.raises(UnreadablePhotoError, match="signed or floats"):
        read_photo(path, page=2, isolated=True)
