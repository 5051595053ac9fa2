"""Files to pixels: every format and mode, orientation, transparency, first frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageChops

from benchmarks.damaged_files import by_pillow
from colorflow.photo import photo_from_image, read_photo
from tests.photo.conftest import Saved

# EXIF 2.32, tag 274: where the stored rows begin and where the stored columns begin, on the
# upright picture.
ORIENTATIONS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """How a camera held in some way stores the upright picture."""
    first_row, first_column = ORIENTATIONS[orientation]
    array = upright if first_row in ("top", "bottom") else upright.swapaxes(0, 1)
    if first_row in ("bottom", "right"):
        array = array[::-1]
    if first_column in ("bottom", "right"):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def with_orientation(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize(
    ("mode", "name", "options"),
    [
        ("RGB", "p.png", {}),
        ("L", "p.png", {}),
        ("RGB", "p.webp", {"lossless": True}),  # WebP has no gray mode
        ("RGB", "p.tif", {}),
        ("L", "p.tif", {}),
        ("RGB", "p.tif", {"compression": "tiff_lzw"}),
        ("L", "p.tif", {"compression": "tiff_adobe_deflate"}),
        ("RGB", "p.bmp", {}),
        ("L", "p.bmp", {}),
    ],
)
def test_lossless_formats_give_the_pixels_back(
    picture: Image.Image, saved: Saved, mode: str, name: str, options: dict[str, object]
) -> None:
    image = picture.convert(mode)
    photo = read_photo(saved(image, name, **options))
    np.testing.assert_array_equal(photo.pixels, np.asarray(image))
    assert photo.alpha is None
    assert photo.pixels.flags.c_contiguous
    assert photo.pixels.flags.writeable
    assert (photo.width, photo.height) == (96, 64)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
def test_jpeg_matches_opencv(
    picture: Image.Image, saved: Saved, mode: str, options: dict[str, object]
) -> None:
    path = saved(picture.convert(mode), "p.jpg", **options)
    expected = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if mode == "RGB":
        expected = expected[..., ::-1]
    actual = read_photo(path).pixels
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected).max() <= 2  # two builds of libjpeg-turbo


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["p.png", "p.tif"])
def test_orientation_of_lossless_files(
    picture: Image.Image, saved: Saved, name: str, orientation: int
) -> None:
    upright = np.dstack([np.asarray(picture), np.asarray(picture.convert("L"))])
    image = Image.fromarray(stored(upright, orientation))
    photo = read_photo(saved(image, name, exif=with_orientation(orientation)))
    np.testing.assert_array_equal(photo.pixels, upright[..., :3])
    np.testing.assert_array_equal(photo.alpha, upright[..., 3])


@pytest.mark.parametrize(
    ("name", "transparency"), [("p.png", 1), ("p.png", bytes([255, 0, 128])), ("p.gif", 1)]
)
def test_transparent_palette_entries(saved: Saved, name: str, transparency: int | bytes) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    photo = read_photo(saved(image, name, transparency=transparency))
    np.testing.assert_array_equal(photo.pixels, [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    last = 255 if transparency == 1 else 128
    np.testing.assert_array_equal(photo.alpha, [[255, 0, last]])


def test_cmyk_jpeg_of_adobe(picture: Image.Image, saved: Saved) -> None:
    cmyk = picture.convert("CMYK")
    photo = read_photo(saved(cmyk, "p.jpg", quality=100, subsampling=0))
    ink = np.asarray(cmyk).astype(int)
    expected = (255 - ink[..., :3]) * (255 - ink[..., 3:]) / 255
    assert np.abs(photo.pixels - expected).mean() < 2
    assert np.abs(photo.pixels - expected).max() < 16  # JPEG at quality 100


def test_cmyk_jpeg_without_adobes_marker_holds_ink(picture: Image.Image, saved: Saved) -> None:
    cmyk = picture.convert("CMYK")
    content = by_pillow(ImageChops.invert(cmyk), "JPEG", quality=100, subsampling=0)
    start = content.index(b"\xff\xee")
    assert content[start + 4 : start + 9] == b"Adobe"
    length = int.from_bytes(content[start + 2 : start + 4], "big")
    photo = read_photo(saved(content[:start] + content[start + 2 + length :], "p.jpg"))
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture)).mean() < 2


def test_the_content_decides_and_not_the_suffix(picture: Image.Image, saved: Saved) -> None:
    photo = read_photo(saved(picture, "p.jpg", format="PNG"))
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture))
    assert photo.metadata.format == "PNG"


def test_a_file_and_its_opened_image_give_the_same(picture: Image.Image, saved: Saved) -> None:
    path = saved(picture, "p.jpg", exif=with_orientation(8), dpi=(300, 200))
    from_file = read_photo(path)
    with Image.open(path) as image:
        from_memory = photo_from_image(image)
    np.testing.assert_array_equal(from_memory.pixels, from_file.pixels)
    assert from_memory.metadata == from_file.metadata
