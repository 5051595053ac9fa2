"""Pillow images and arrays to photos."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.damaged_files import by_pillow
from colorflow.errors import UnreadablePhotoError
from colorflow.photo import photo_from_image, read_picture

EIGHT_BITS = np.arange(0, 240, dtype=np.uint8).reshape(4, 5, 12)[..., :4].copy()


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float16", "float32", "float64"])
def test_arrays_of_every_type(channels: int | None, kind: str) -> None:
    eight = EIGHT_BITS[..., 0] if channels is None else EIGHT_BITS[..., :channels]
    array = {"uint8": eight, "uint16": eight.astype(np.uint16) * 257}.get(kind)
    if array is None:
        array = (eight / 255).astype(kind)
    photo = photo_from_image(array)
    expected = eight[..., :3] if channels in (3, 4) else eight.reshape(4, 5)
    np.testing.assert_array_equal(photo.pixels, expected)
    if channels == 4:
        np.testing.assert_array_equal(photo.alpha, eight[..., 3])
    else:
        assert photo.alpha is None
    assert photo.source == "<image>"


def test_values_round_to_the_nearest() -> None:
    np.testing.assert_array_equal(
        photo_from_image(np.array([[128, 129, 385, 386, 65535]], np.uint16)).pixels,
        [[0, 1, 1, 2, 255]],
    )
    np.testing.assert_array_equal(
        photo_from_image(np.array([[-0.0005, 0.4999 / 255, 0.5001 / 255, 1.0005]])).pixels,
        [[0, 0, 1, 255]],
    )


def test_the_photo_is_a_copy() -> None:
    array = np.zeros((3, 4, 3), np.uint8)
    photo = photo_from_image(array)
    array[:] = 9
    assert photo.pixels.max() == 0
    strided = photo_from_image(np.zeros((3, 8, 3), np.uint8)[:, ::-2]).pixels
    assert strided.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "message"),
    [
        *((np.zeros(shape, np.uint8), f"got shape {re.escape(str(shape))}") for shape in (
            (0, 5), (5, 0, 3), (5,), (), (3, 20, 30), (5, 5, 2), (1, 5, 5, 3),
        )),
        (np.zeros((5, 5), complex), r"bool, floats in \[0, 1\], or .* got complex128"),
        (np.full((5, 5), 256), "whole numbers from 0 to 255, got 256 to 256"),
        (np.full((5, 5), -1), "whole numbers from 0 to 255, got -1 to -1"),
        (np.zeros((5, 5), complex), "got complex128"),
        (np.array([["a"]]), "got <U1"),
        (np.full((2, 2), np.nan), r"expected floats in \[0, 1\], got nan to nan"),
        (np.full((2, 2), 128.0), r"expected floats in \[0, 1\], got 128 to 128"),
        (np.array([[0.0, np.inf]]), r"expected floats in \[0, 1\], got 0 to inf"),
        (np.array([[-1.0, 0.5]]), r"expected floats in \[0, 1\], got -1 to 0.5"),
        (Image.fromarray(np.array([[0, 255]], np.float32)), r"expected floats in \[0, 1\]"),
    ],
)  # fmt: skip
def test_other_arrays_are_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        photo_from_image(array)


@pytest.mark.parametrize("thing", [None, "photo.jpg", Path("photo.jpg"), b"\xff\xd8", [[0.5]]])
def test_other_things_are_refused(thing: object) -> None:
    with pytest.raises(ValueError, match="image: expected a Pillow image or an array"):
        photo_from_image(thing)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "La", "RGBa", "PA"]
)
def test_pillow_images_of_every_narrow_mode(picture: Image.Image, mode: str) -> None:
    if mode in ("La", "RGBa", "PA"):
        image = picture.convert({"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}[mode])
        image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    else:
        image = picture.convert(mode)
    photo = photo_from_image(image)
    gray = mode in ("1", "L", "LA", "La")
    whole = image.convert("LA" if gray else "RGBA")
    expected = np.asarray(whole.convert("L" if gray else "RGB"))
    np.testing.assert_allclose(photo.pixels, expected, atol=1)
    assert photo.pixels.shape == ((64, 96) if gray else (64, 96, 3))
    assert (photo.alpha is not None) == (mode in ("LA", "La", "RGBA", "RGBa", "PA"))
    assert photo.metadata.format is None


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_pillows_wide_modes_are_scaled_and_not_clipped(dtype: type) -> None:
    values = np.array([[0, 100, 200, 257, 32900, 65535]])
    scale = 1 / 65535 if dtype == np.float32 else 1
    photo = photo_from_image(Image.fromarray((values * scale).astype(dtype)))
    np.testing.assert_array_equal(photo.pixels, [[0, 0, 1, 1, 128, 255]])
    assert photo.bits == (8 if dtype == np.float32 else 16)


def test_a_pillow_image_is_not_changed(picture: Image.Image) -> None:
    image = picture.copy()
    exif = image.getexif()
    exif[0x0112] = 6
    image.info["exif"] = exif.tobytes()
    photo = photo_from_image(image, source="clipboard")
    assert photo.pixels.shape == (96, 64, 3)
    assert photo.source == "clipboard"
    assert image.size == (96, 64)
    assert image.info["exif"] == exif.tobytes()


def test_an_opened_image_whose_file_is_cut(picture: Image.Image) -> None:
    content = by_pillow(picture, "JPEG")
    image = Image.open(io.BytesIO(content[: len(content) // 2]))
    with pytest.raises(UnreadablePhotoError, match="upload: the picture is damaged"):
        photo_from_image(image, source="upload")


@pytest.mark.parametrize("dtype", [np.int64, np.int16, np.uint32])
def test_whole_numbers_of_any_type_are_taken(dtype: type) -> None:
    values = np.arange(60).reshape(5, 12)
    photo = photo_from_image(values.astype(dtype))
    np.testing.assert_array_equal(photo.pixels, values)
    assert photo.pixels.dtype == np.uint8


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_a_tensor_has_its_channels_first(channels: int) -> None:
    values = torch.rand(*((channels,) if channels else ()), 5, 12, requires_grad=True)
    photo, digest = read_picture(values)
    array = values.detach().numpy()
    want = photo_from_image(np.moveaxis(array, 0, -1) if channels else array)
    np.testing.assert_array_equal(photo.pixels, want.pixels)
    assert (photo.alpha is None, digest) == (channels != 4, None)
