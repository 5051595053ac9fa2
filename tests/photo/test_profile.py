"""Embedded color profiles, against the color spaces' own formulas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorflow.photo import read_photo
from tests.photo.conftest import Saved
from tests.photo.profiles import (
    ADOBE_TO_XYZ,
    INKS,
    XYZ_TO_SRGB,
    cmyk_profile,
    gray_profile,
    rgb_profile,
    srgb_of_lab,
    srgb_of_linear,
)


def test_adobe_rgb_becomes_srgb_and_alpha_stays(picture: Image.Image, saved: Saved) -> None:
    exponent, image = 563 / 256, picture.copy()  # Adobe RGB (1998)
    image.putalpha(picture.convert("L"))
    photo = read_photo(saved(image, "p.png", icc_profile=rgb_profile(exponent)))
    np.testing.assert_array_equal(photo.alpha, np.asarray(picture.convert("L")))
    linear = (np.asarray(picture) / 255) ** exponent
    expected = srgb_of_linear(linear @ ADOBE_TO_XYZ.T @ XYZ_TO_SRGB.T)
    np.testing.assert_allclose(photo.pixels, expected, atol=2)
    assert np.abs(photo.pixels - np.asarray(picture, int)).max() > 10  # it is no small thing


@pytest.mark.parametrize("name", ["p.jpg", "p.tif", "p.webp", "p.png"])
def test_a_profile_is_found_in_every_format(picture: Image.Image, saved: Saved, name: str) -> None:
    with_profile = read_photo(saved(picture, name, icc_profile=rgb_profile(1.8))).pixels
    without = read_photo(saved(picture, name)).pixels
    assert np.abs(with_profile.astype(int) - without).mean() > 5


@pytest.mark.parametrize("make", [gray_profile, rgb_profile])
@pytest.mark.parametrize("exponent", [1.0, 1.75])
def test_gray_files_with_a_gray_or_an_rgb_profile(
    saved: Saved, make: Callable[[float], bytes], exponent: float
) -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    path = saved(Image.fromarray(ramp), "p.png", icc_profile=make(exponent))
    photo = read_photo(path)
    assert photo.pixels.shape == (1, 256)
    expected = srgb_of_linear((ramp / 255) ** exponent)
    np.testing.assert_allclose(photo.pixels, expected, atol=2)


def test_cmyk_goes_through_its_profile(saved: Saved) -> None:
    ink = 255 * np.array([list(INKS)], dtype=np.uint8)
    image = Image.frombytes("CMYK", (len(INKS), 1), ink.tobytes())
    path = saved(image, "p.tif", icc_profile=cmyk_profile())
    expected = srgb_of_lab(np.array([list(INKS.values())], dtype=float))
    np.testing.assert_allclose(read_photo(path).pixels, expected, atol=3)  # 8-bit Lab in the table


def test_lab_tiff(saved: Saved) -> None:
    lab = np.array([[[50, 30, -40], [80, -20, 40], [20, 0, 0]]], dtype=float)
    bands = [lab[..., 0] * 2.55, lab[..., 1] + 128, lab[..., 2] + 128]
    image = Image.merge("LAB", [Image.fromarray(np.rint(b).astype(np.uint8)) for b in bands])
    np.testing.assert_allclose(read_photo(saved(image, "p.tif")).pixels, srgb_of_lab(lab), atol=3)


def test_an_srgb_profile_leaves_every_pixel_alone(picture: Image.Image, saved: Saved) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = read_photo(saved(picture, "p.png", icc_profile=srgb))
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture))


@pytest.mark.parametrize(
    ("mode", "icc"),
    [
        *[(mode, rgb_profile(1.8)[:150]) for mode in ("RGB", "L", "CMYK")],
        ("RGB", b"not a profile"),
        ("RGB", rgb_profile(1.8)[:128] + bytes(600)),
        ("RGB", gray_profile(1.8)),
        ("RGB", cmyk_profile()),
        ("CMYK", rgb_profile(1.8)),
        ("L", cmyk_profile()),
    ],
)
def test_a_profile_that_is_damaged_or_of_another_color_space_is_ignored(
    picture: Image.Image, saved: Saved, mode: str, icc: bytes
) -> None:
    image = picture.convert(mode)
    ignored = read_photo(saved(image, "p.tif", icc_profile=icc))
    np.testing.assert_array_equal(ignored.pixels, read_photo(saved(image, "q.tif")).pixels)
