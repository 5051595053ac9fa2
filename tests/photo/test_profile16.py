"""Color profiles applied to 16 bits, against littlecms."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ImageCms

from colorflow.color import cie
from colorflow.photo import Photo, read_photo
from tests.photo.profiles import (
    ADOBE_TO_XYZ,
    XYZ_TO_SRGB,
    cmyk_profile,
    gamma,
    profile,
    rgb_profile,
    rgb_profile_of,
    s15,
    srgb_of_linear,
)

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 65536, (43, 57)).astype(np.uint16)
COLOR = RNG.integers(0, 65536, (43, 57, 3)).astype(np.uint16)


def with_profile(path: Path, samples: np.ndarray, icc: bytes) -> Photo:
    photometric = "minisblack" if samples.ndim == 2 else "rgb"
    tifffile.imwrite(path, samples, photometric=photometric, iccprofile=icc)
    return read_photo(path)


def curve(values: np.ndarray) -> bytes:
    points = np.rint(values * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(points)) + points.tobytes()


def parametric(function: int, *numbers: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", function, 0) + s15(*numbers)


SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
SAMPLED = np.linspace(0, 1, 1025) ** 1.8


@pytest.mark.parametrize(
    ("tag", "to_linear"),
    [
        (gamma(563 / 256), lambda v: v ** (563 / 256)),
        (b"curv" + bytes(8), lambda v: v),
        (curve(SAMPLED), lambda v: v**1.8),
        (parametric(0, 1.8), lambda v: v**1.8),
        (
            parametric(3, *SRGB_CURVE),
            lambda v: np.where(v >= 0.04045, ((v + 0.055) / 1.055) ** 2.4, v / 12.92),
        ),
    ],
    ids=["gamma", "linear", "sampled", "para 0", "para 3"],
)
def test_curves_and_matrices_to_16_bits(
    tmp_path: Path, tag: bytes, to_linear: Callable[[np.ndarray], np.ndarray]
) -> None:
    photo = with_profile(tmp_path / "p.tif", COLOR, rgb_profile_of(tag))
    black = to_linear(np.zeros(1))  # which the black point compensation makes 0

    def compensated(values: np.ndarray) -> np.ndarray:
        return (to_linear(values / 65535) - black) / (1 - black)

    linear = compensated(COLOR) @ ADOBE_TO_XYZ.T @ XYZ_TO_SRGB.T
    assert photo.bits == 16
    # In linear light, since the published matrices of sRGB differ by 3e-4.
    np.testing.assert_allclose(
        cie.srgb_to_linear(photo.full_depth / 65535), np.clip(linear, 0, 1), atol=5e-4
    )
    assert np.abs(photo.full_depth - COLOR.astype(int)).max() > 1000  # it is no small thing
    gray = profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": tag})
    of_gray = with_profile(tmp_path / "p.tif", GRAY, gray)
    expected = srgb_of_linear(compensated(GRAY)) * 257
    assert np.abs(of_gray.full_depth - expected).max() < 20


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("icc", [SRGB, b"no profile", rgb_profile(1.8)[:150], cmyk_profile()])
def test_a_profile_of_no_use_or_of_srgb_leaves_every_bit_alone(tmp_path: Path, icc: bytes) -> None:
    for samples in (COLOR, GRAY):
        photo = with_profile(tmp_path / "p.tif", samples, icc)
        np.testing.assert_array_equal(photo.full_depth, samples)
        assert photo.remarks == ()


def test_a_profile_of_tables_is_applied(tmp_path: Path) -> None:
    grid = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = bytes(v for r, g, b in grid for v in (round(255 * (r + g + b) / 3), 128, 128))
    identity = bytes(range(256))
    table = struct.pack(">4s4xBBBx", b"mft1", 3, 3, 2) + s15(1, 0, 0, 0, 1, 0, 0, 0, 1)
    tags = dict.fromkeys((b"A2B0", b"A2B1"), table + identity * 3 + lab + identity * 3)
    photo = with_profile(tmp_path / "p.tif", COLOR, profile(b"scnr", b"RGB ", b"Lab ", tags))
    assert (photo.bits, photo.remarks) == (16, ())
    red, green, blue = np.moveaxis(photo.pixels16.astype(int), -1, 0)
    assert max(np.abs(red - green).max(), np.abs(blue - green).max()) < 40  # a gray for every color
    lightness = cie.rgb_to_lab(photo.pixels16 / 65535)[..., 0]
    np.testing.assert_allclose(lightness, COLOR.mean(axis=-1) / 655.35, atol=0.5)
