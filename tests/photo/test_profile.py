"""Embedded colour profiles, against the colour spaces' own formulas.

The profiles are put together here from the ICC specification (ICC.1:2010); the matrices are those
of Adobe RGB (1998), section 4.3.6, and B. Lindbloom's for sRGB, both relative to D50.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from colorflow.photo import read_photo

Saved = Callable[..., Path]

D50 = np.array([0.9642, 1.0, 0.8249])
ADOBE_TO_XYZ = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
XYZ_TO_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)


def srgb_of_linear(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    signal = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return 255 * signal


def srgb_of_lab(lab: np.ndarray) -> np.ndarray:
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50
    return srgb_of_linear(xyz @ XYZ_TO_SRGB.T)


def s15(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(v * 65536) for v in values))


def profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile of version 2.4."""
    text = b"test\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + text,
        b"wtpt": b"XYZ " + bytes(4) + s15(*D50),
        **tags,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s", 128 + len(table + body), b"", 0x02400000, device, space, connection
    )
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(24) + bytes(4) + s15(*D50)
    return head.ljust(128, b"\0") + table + body


def gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def rgb_profile(exponent: float) -> bytes:
    columns = {
        name: b"XYZ " + bytes(4) + s15(*ADOBE_TO_XYZ[:, i])
        for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))
    }
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(exponent))
    return profile(b"mntr", b"RGB ", b"XYZ ", columns | curves)


def grey_profile(exponent: float) -> bytes:
    return profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": gamma(exponent)})


INKS = {
    (0, 0, 0, 0): (100, 0, 0),
    (1, 0, 0, 0): (60, -20, -30),
    (0, 1, 0, 0): (50, 40, 5),
    (0, 0, 1, 0): (85, 0, 50),
}
"""Lab of single inks, milder than real ones so that they lie within sRGB; mixtures are black."""


def cmyk_profile() -> bytes:
    """A printer whose single inks are `INKS`, as a table with two points a side."""
    identity = bytes(range(256))
    table = b"".join(
        bytes((round(lightness * 2.55), a + 128, b + 128))
        for lightness, a, b in (INKS.get(ink, (0, 0, 0)) for ink in product((0, 1), repeat=4))
    )
    lut = struct.pack(">4s4xBBBx", b"mft1", 4, 3, 2) + s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut += identity * 4 + table + identity * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": lut, b"A2B1": lut})


def test_adobe_rgb_becomes_srgb(picture: Image.Image, saved: Saved) -> None:
    exponent = 563 / 256  # Adobe RGB (1998)
    photo = read_photo(saved(picture, "p.png", icc_profile=rgb_profile(exponent)))
    linear = (np.asarray(picture) / 255) ** exponent
    expected = srgb_of_linear(linear @ ADOBE_TO_XYZ.T @ XYZ_TO_SRGB.T)
    np.testing.assert_allclose(photo.pixels, expected, atol=2)
    assert np.abs(photo.pixels - np.asarray(picture, int)).max() > 10  # it is no small thing


@pytest.mark.parametrize("name", ["p.jpg", "p.tif", "p.webp", "p.png"])
def test_a_profile_is_found_in_every_format(picture: Image.Image, saved: Saved, name: str) -> None:
    with_profile = read_photo(saved(picture, name, icc_profile=rgb_profile(1.8))).pixels
    without = read_photo(saved(picture, name)).pixels
    assert np.abs(with_profile.astype(int) - without).mean() > 5


def test_alpha_does_not_go_through_the_profile(picture: Image.Image, saved: Saved) -> None:
    image = picture.copy()
    image.putalpha(picture.convert("L"))
    photo = read_photo(saved(image, "p.png", icc_profile=rgb_profile(1.8)))
    plain = read_photo(saved(picture, "q.png", icc_profile=rgb_profile(1.8)))
    np.testing.assert_array_equal(photo.alpha, np.asarray(picture.convert("L")))
    np.testing.assert_array_equal(photo.pixels, plain.pixels)


@pytest.mark.parametrize("make", [grey_profile, rgb_profile])
@pytest.mark.parametrize("exponent", [1.0, 1.75])
def test_grey_files_with_a_grey_or_an_rgb_profile(
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


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "icc", [b"not a profile", rgb_profile(1.8)[:150], rgb_profile(1.8)[:128] + bytes(600)]
)
def test_a_damaged_profile_is_ignored(
    picture: Image.Image, saved: Saved, mode: str, icc: bytes
) -> None:
    image = picture.convert(mode)
    ignored = read_photo(saved(image, "p.tif", icc_profile=icc))
    np.testing.assert_array_equal(ignored.pixels, read_photo(saved(image, "q.tif")).pixels)


@pytest.mark.parametrize(
    ("mode", "icc"),
    [
        ("RGB", grey_profile(1.8)),
        ("RGB", cmyk_profile()),
        ("CMYK", rgb_profile(1.8)),
        ("L", cmyk_profile()),
    ],
)
def test_a_profile_of_another_colour_space_is_ignored(
    picture: Image.Image, saved: Saved, mode: str, icc: bytes
) -> None:
    image = picture.convert(mode)
    ignored = read_photo(saved(image, "p.tif", icc_profile=icc))
    np.testing.assert_array_equal(ignored.pixels, read_photo(saved(image, "q.tif")).pixels)
