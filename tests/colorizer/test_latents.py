"""Latents from seeds, the arc between two of them, and the signs that a photo gives them."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import scipy.stats
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from colorflow.color.grid import square_lightness
from colorflow.model.level import sample_latents, signs_of_photo, slerp

SHAPES = [(2, 4, 4), (6, 4, 4), (6, 8, 8), (6, 16, 16), (6, 32, 32)]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_one_seed_for_all_levels_is_one_generator() -> None:
    generator = torch.Generator().manual_seed(5)
    want = [torch.randn(shape, generator=generator) for shape in SHAPES]
    got = sample_latents(SHAPES, [5] * 5)
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


def test_the_numbers_of_a_level_depend_on_its_own_seed_alone() -> None:
    before = torch.get_rng_state()
    plain = {seed: sample_latents(SHAPES, [seed] * 5) for seed in (1, 2, 3)}
    mixed = sample_latents(SHAPES, [2, 3, 1, 2, 3])
    for index, seed in enumerate((2, 3, 1, 2, 3)):
        assert torch.equal(mixed[index], plain[seed][index])
    assert not torch.equal(plain[1][0], plain[2][0])
    assert torch.equal(before, torch.get_rng_state())


def angle(a: Tensor, b: Tensor) -> float:
    x, y = a.double().flatten(), b.double().flatten()
    return math.acos(float(x @ y / x.norm() / y.norm()))


@pytest.mark.parametrize("share", [0.1, 0.7])
def test_directions_turn_and_lengths_change_at_a_constant_rate(share: float) -> None:
    a, b = normal(6, 8, 8), 0.3 * normal(6, 8, 8, seed=1) + 0.1
    middle = slerp(a, b, share)
    assert middle.shape == a.shape
    assert middle.dtype == a.dtype
    assert angle(a, middle) == pytest.approx(share * angle(a, b), abs=1e-4)
    assert angle(middle, b) == pytest.approx((1 - share) * angle(a, b), abs=1e-4)
    length = (1 - share) * float(a.norm()) + share * float(b.norm())
    assert float(middle.norm()) == pytest.approx(length, rel=1e-5)


def test_the_ends_are_exact_and_their_own() -> None:
    a, b = normal(2, 4, 4), normal(2, 4, 4, seed=1)
    for share, end in ((0.0, a), (1.0, b), (0, a), (1, b)):
        got = slerp(a, b, share)
        assert torch.equal(got, end)
        assert got.data_ptr() != end.data_ptr()


def test_where_there_is_no_arc_the_way_is_straight() -> None:
    a, zero = normal(2, 4, 4), torch.zeros(2, 4, 4)
    torch.testing.assert_close(slerp(zero, a, 0.25), 0.25 * a)
    torch.testing.assert_close(slerp(a, zero, 0.25), 0.75 * a)
    torch.testing.assert_close(slerp(a, 2 * a, 0.25), 1.25 * a)
    torch.testing.assert_close(slerp(a, a, 0.4), a)
    torch.testing.assert_close(slerp(a, -a, 0.25), 0.5 * a)
    torch.testing.assert_close(slerp(zero, zero, 0.25), zero)


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match=r"^share: expected 0 to 1, got"):
        slerp(torch.ones(2), torch.ones(2), share)


PHOTOS = ("astronaut", "moon")


def lightness(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(square_lightness(pixels))[None, None]


def coarse(signs: list[Tensor]) -> Tensor:
    """Of the first two levels: 128 numbers."""
    return torch.cat([own.flatten() for own in signs[:2]])


def kept(first: Tensor, second: Tensor) -> float:
    """Share of the signs in which two photos agree."""
    a, b = (coarse(signs_of_photo(x, SHAPES)) for x in (first, second))
    return float((a == b).float().mean())


@pytest.mark.parametrize("name", PHOTOS)
def test_only_the_two_coarsest_levels_have_signs(name: str) -> None:
    photo = lightness(getattr(skimage.data, name)())
    signs = signs_of_photo(photo, SHAPES)
    assert [tuple(own.shape) for own in signs] == SHAPES
    assert set(coarse(signs).tolist()) == {-1, 1}
    for own in signs[:2]:
        assert 0.25 < float((own > 0).float().mean()) < 0.75
    for own in signs[2:]:
        assert torch.equal(own, torch.ones_like(own))
    again = signs_of_photo(photo, SHAPES)
    assert all(torch.equal(a, b) for a, b in zip(signs, again, strict=True))


def test_latents_with_signs_are_standard_normal() -> None:
    signs = signs_of_photo(lightness(skimage.data.coffee()), SHAPES)
    sampled = [sample_latents(SHAPES, [seed] * 5) for seed in range(100)]
    for level in (0, 1):
        z = torch.stack([signs[level] * latents[level] for latents in sampled]).flatten(1).numpy()
        assert scipy.stats.kstest(z.ravel(), "norm").pvalue > 0.01
        correlation = np.corrcoef(z.T)[~np.eye(z.shape[1], dtype=bool)]
        assert np.abs(correlation.mean()) < 0.01
        assert correlation.std() == pytest.approx(1 / math.sqrt(len(sampled)), rel=0.15)


@pytest.mark.parametrize("degrees", [45, 150])
def test_agreement_falls_with_the_angle_between_photos(degrees: int) -> None:
    """Two vectors at an angle t share 1 - t / pi of the signs of random projections."""
    rng = np.random.default_rng(degrees)
    first, second = rng.normal(size=(2, 256))
    first, second = first - first.mean(), second - second.mean()
    first /= np.linalg.norm(first)
    second -= (second @ first) * first
    second /= np.linalg.norm(second)
    angle = math.radians(degrees)
    turned = math.cos(angle) * first + math.sin(angle) * second
    shapes = [(2, 32, 32), (2, 32, 32)]
    a, b = (
        signs_of_photo(torch.from_numpy(50 + 100 * x).view(1, 1, 16, 16), shapes)
        for x in (first, turned)
    )
    agreed = float((coarse(a) == coarse(b)).float().mean())
    assert agreed == pytest.approx(1 - degrees / 180, abs=0.03)


@pytest.mark.parametrize("name", PHOTOS)
def test_one_photo_keeps_its_signs(name: str) -> None:
    """At other sizes, as a JPEG, with noise, darker, and paler."""
    pixels = getattr(skimage.data, name)()
    photo, picture = lightness(pixels), Image.fromarray(pixels)
    for size in ((150, 200), (333, 257), (1000, 800)):
        assert kept(photo, lightness(np.asarray(picture.resize(size)))) >= 0.95
    file = io.BytesIO()
    picture.save(file, "jpeg", quality=75)
    assert kept(photo, lightness(np.asarray(Image.open(file)))) >= 0.95
    noise = 2 * torch.rand(photo.shape, generator=torch.Generator().manual_seed(0)) - 1
    assert kept(photo, photo + noise) >= 0.95
    assert kept(photo, 0.5 * photo + 20) >= 0.99
    assert kept(photo, 100 - photo) <= 0.01
