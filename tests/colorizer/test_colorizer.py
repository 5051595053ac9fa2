"""The Colorizer: seeds, sizes, files, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import torch

from colorflow.colorizer import Colorizer
from colorflow.photo import Photo, photo_from_image
from colorflow.recipe import Hint
from tests.batch.results import difference
from tests.colorizer.made import ByHand, chroma, model_chroma, pixels, sampled
from tests.small_weights import GAIN, TEMPERATURES
from tests.statements import colors_of


def test_a_sample_depends_on_its_seed_alone(colorizer: Colorizer, photo: Photo) -> None:
    nine = pixels(sampled(colorizer, photo, n=9, seed=10))
    for index in (0, 3, 8):
        (alone,) = pixels(sampled(colorizer, photo, n=1, seed=10 + index))
        assert difference(alone, nine[index]) <= 1
    assert difference(nine[0], nine[1]) > 10


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 300), (333, 257)])
def test_every_size_keeps_its_size_and_its_lightness(
    colorizer: Colorizer, shape: tuple[int, int]
) -> None:
    gray = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    photo = photo_from_image(gray)
    (rgb,) = pixels(colorizer.colorize(photo, n=1, force=True))
    assert rgb.shape == (*shape, 3)
    assert rgb.dtype == np.uint8
    want = skimage.color.rgb2lab(np.repeat(gray[..., None], 3, -1))[..., 0]
    got = skimage.color.rgb2lab(rgb)[..., 0]
    assert np.abs(want - got).max() <= 0.5


def test_saturation_changes_chroma_alone_and_is_stated(
    colorizer: Colorizer, gray: Photo, tmp_path: Path
) -> None:
    (plain,) = colorizer.colorize(gray, n=1)
    strong = plain.saturated(2.0).saturated(0.5, pale=0.9)
    assert np.allclose(plain.saturated(0.5).ab, 0.5 * plain.ab)
    assert np.abs(strong.ab).max() < 0.5 * np.abs(plain.ab).max(), "the last call counts"
    assert np.array_equal(strong.model_ab, plain.model_ab)
    assert strong.log_prob == plain.log_prob
    strong.save(tmp_path / "strong.png")
    colors = plain.recipe.colors
    assert colors
    assert colors_of(tmp_path / "strong.png") == replace(colors, saturation=0.5, pale=0.9)
    half = plain.saturated(0.5).render()
    lab, want = skimage.color.rgb2lab(half), skimage.color.rgb2lab(plain.render())
    assert np.abs(lab - want)[..., 0].max() < 1
    assert np.abs(lab[..., 1:] - want[..., 1:] / 2).mean() < 1
    with pytest.raises(ValueError, match="saturation: expected 0 to 2, got 3"):
        plain.saturated(3)


def test_a_sample_is_what_its_seed_says(
    colorizer: Colorizer, photo: Photo, by_hand: ByHand
) -> None:
    got = model_chroma(sampled(colorizer, photo, 1, 0.9, seed=6))
    want, _ = by_hand.sample(photo, [6], [0.9 * std for std in TEMPERATURES], gain=GAIN)
    np.testing.assert_array_equal(got, want)


def test_hints_change_the_colors_and_none_are_none(
    colorizer: Colorizer, photo: Photo, by_hand: ByHand
) -> None:
    """In pixels of the photo: 90 rows and 130 columns, cell (63, 0) is the last row's first."""
    assert colorizer.takes_hints
    plain = chroma(sampled(colorizer, photo, n=2, seed=3))
    none = chroma(sampled(colorizer, photo, n=2, seed=3, hints=[]))
    np.testing.assert_array_equal(none, plain)
    hinted = sampled(colorizer, photo, n=2, seed=3, hints=[Hint(89, 1, 40, -20)])
    assert (np.abs(chroma(hinted) - plain).max((1, 2, 3)) > 0.5).all()
    planes = torch.zeros(1, 3, 64, 64)
    planes[0, :, 63, 0] = torch.tensor([1.0, 40.0, -20.0])
    condition = replace(by_hand.condition(photo), planes=planes)
    want, _ = by_hand.sample(photo, [3], TEMPERATURES, condition, GAIN)
    np.testing.assert_allclose(hinted[0].model_ab, want[0], atol=0.05)
