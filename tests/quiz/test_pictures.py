"""What judges and players see: sizes, sides, and pixels without anything beside them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from colorflow.quiz.pictures import (
    GAP,
    balanced_sides,
    write_pair,
)


def test_a_pair_is_one_jpeg_of_quality_92_with_nothing_but_its_pixels(tmp_path: Path) -> None:
    left, right = (
        np.full((16, 24, 3), value, np.uint8) for value in ((200, 40, 40), (40, 40, 200))
    )
    write_pair(tmp_path / "pair.jpg", left, right)
    picture = Image.open(tmp_path / "pair.jpg")
    assert picture.format == "JPEG"
    assert not picture.getexif()
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "icc_profile"}
    reference = io.BytesIO()
    Image.fromarray(left).save(reference, "JPEG", quality=92, subsampling=0)
    assert picture.quantization == Image.open(reference).quantization
    assert picture.layer == Image.open(reference).layer, "chroma is as fine as lightness"
    pixels = np.asarray(picture).astype(int)
    assert pixels.shape == (16, 24 + GAP + 24, 3)
    assert np.abs(pixels[:, :20] - (200, 40, 40)).max() < 12
    assert np.abs(pixels[:, -20:] - (40, 40, 200)).max() < 12
    gap = skimage.color.rgb2lab(pixels[:, 32:40].astype(np.uint8))
    assert np.abs(gap - [50, 0, 0]).max() < 0.6


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_sides_are_balanced(n: int) -> None:
    counts = {balanced_sides(n, np.random.default_rng(seed)).count("left") for seed in range(20)}
    assert counts == {n // 2, n - n // 2}
