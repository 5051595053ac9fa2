"""Principal colorings: means of samples and of their modes, completed, smoothed, and pulled."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.limits import MOST_PRINCIPAL
from colorflow.model import principal
from colorflow.model.condition import Condition
from colorflow.model.principal import (
    LARGEST_GAIN,
    VIVID_SHARE,
    VIVIDNESS,
    follow_lightness,
    principal_colorings,
    principal_points,
)
from colorflow.model.pyramid import ChromaPyramid
from tests.model.conftest import random_condition, small_config

Chroma = NDArray[np.float32]
GRID = 16


def normal(*shape: int, seed: int) -> Chroma:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def pattern(seed: int) -> Chroma:
    """Zero-mean chroma of length 1 in each cell: colors of objects without a tint, (2, 16, 16)."""
    half = normal(2, GRID, GRID // 2, seed=seed)
    half /= np.hypot(half[0], half[1])
    return np.concatenate([half, -half], 2)


def clusters(counts: tuple[int, ...], seed: int) -> tuple[Chroma, NDArray[np.int64], list[Chroma]]:
    """Shuffled samples around clearly separated centers, the center of each, and the centers."""
    rng = np.random.default_rng(seed)
    centers = [
        20 * pattern(10 * seed + i) + rng.uniform(-20, 20, (2, 1, 1)).astype(np.float32)
        for i in range(len(counts))
    ]
    of = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    samples = np.stack(
        [centers[i] + normal(2, GRID, GRID, seed=int(rng.integers(9**9))) for i in of]
    )
    return samples, of, centers


def without_tint(ab: Chroma) -> NDArray[np.float64]:
    wide = ab.astype(np.float64)
    return wide - wide.mean((-2, -1), keepdims=True)


def gain_of(point: Chroma, samples: Chroma) -> float:
    """What the contrast of the mean is multiplied with; fails for another tint or a bad factor."""
    mean = samples.astype(np.float64).mean(0)
    np.testing.assert_allclose(point.mean((1, 2)), mean.mean((1, 2)), atol=1e-3)
    ours, contrast = without_tint(point), without_tint(mean)
    gain = float((ours * contrast).sum() / (contrast * contrast).sum())
    np.testing.assert_allclose(ours, gain * contrast, atol=1e-3)
    assert 1 - 1e-5 <= gain <= LARGEST_GAIN + 1e-5
    return gain


def contrasts(samples: Chroma) -> list[float]:
    """Mean distance of each sample's colors from its tint, sorted."""
    return sorted(float(np.hypot(*one).mean()) for one in without_tint(samples))


# principal points


@pytest.mark.parametrize("spread", [0.0, 0.5, 3, 12, 30, 90])
def test_one_point_is_the_mean_with_a_gain(spread: float) -> None:
    """Towards the samples' contrast, which exceeds a mean's only where samples disagree."""
    tint = np.array([[[7]], [[-4]]], np.float32)
    samples = tint + 15 * pattern(1) + spread * normal(31, 2, GRID, GRID, seed=2)
    (point,), shares = principal_points(samples, 1)
    gain = gain_of(point, samples)
    mean = float(np.hypot(*without_tint(samples.mean(0))).mean())
    own = contrasts(samples)
    most = own[27]  # 0.9 of the way from the first of 31 to the last
    wanted = min(VIVIDNESS * own[15], most)
    assert gain == pytest.approx(min(max(wanted / mean, 1), LARGEST_GAIN), abs=1e-4)
    if spread == 0:
        assert gain == pytest.approx(1, abs=1e-5)
    if spread == 90:
        assert gain == pytest.approx(LARGEST_GAIN, abs=1e-5)
    np.testing.assert_array_equal(shares, [1])
    assert point.dtype == np.float32


def test_no_mode_is_more_vivid_than_most_samples() -> None:
    """A mode of vivid samples, which agree on nothing but being vivid, among calm ones."""
    samples, of, _ = clusters((40, 24), seed=8)
    samples[of == 1] *= 4
    most = float(np.quantile(contrasts(samples), VIVID_SHARE))
    for point, own in zip(principal_points(samples, 3)[0][1:], (0, 1), strict=True):
        mean = without_tint(samples[of == own].mean(0))
        contrast = np.hypot(*without_tint(point)).mean()
        assert contrast <= max(most, float(np.hypot(*mean).mean())) + 1e-3
        gain_of(point, samples[of == own])


def test_samples_that_are_more_vivid_in_part_do_not_raise_the_gain() -> None:
    """The median sample decides, and the mean is never made paler than it is."""
    samples = 20 * pattern(1)[None].repeat(9, 0)
    samples[0] *= 5
    (point,), _ = principal_points(samples, 1)
    np.testing.assert_allclose(point, samples.mean(0), rtol=1e-5)


@pytest.mark.parametrize("counts", [(33, 20, 11), (5, 40, 12, 7), (3, 6, 13, 21, 34)])
@pytest.mark.parametrize("grid", [16, 32])
def test_modes_are_found_in_the_order_of_their_shares(counts: tuple[int, ...], grid: int) -> None:
    samples, of, _ = clusters(counts, seed=len(counts))
    samples = samples.repeat(grid // GRID, 2).repeat(grid // GRID, 3)
    points, shares = principal_points(samples, len(counts) + 1)
    gain_of(points[0], samples)
    order = sorted(range(len(counts)), key=lambda i: -counts[i])
    for point, i in zip(points[1:], order, strict=True):
        gain_of(point, samples[of == i])
    np.testing.assert_allclose(shares, [1, *(counts[i] / len(samples) for i in order)])


def test_two_points_are_the_mean_and_the_larger_of_two_modes() -> None:
    samples, of, _ = clusters((20, 44), seed=3)
    points, shares = principal_points(samples, 2)
    assert points.shape == (2, 2, GRID, GRID)
    gain_of(points[1], samples[of == 1])
    np.testing.assert_allclose(shares, [1, 44 / 64])


@pytest.mark.parametrize(("ratio", "by_tint"), [(1.8, False), (2.2, True)])
def test_tint_weighs_half(ratio: float, by_tint: bool) -> None:
    """Two tints and two colorings of objects: the mode is split by what weighs more."""
    tint = np.broadcast_to(np.array([0.6, -0.8], np.float32)[:, None, None], (2, GRID, GRID))
    which = np.random.default_rng(0).permutation(np.repeat(np.arange(4), (17, 17, 16, 14)))
    tinted, colored = which % 2, which // 2
    samples = np.stack(
        [
            8 * (ratio * (2 * t - 1) * tint + (2 * c - 1) * pattern(5)) + 30 * pattern(6)
            for t, c in zip(tinted, colored, strict=True)
        ]
    )
    samples = (samples + 0.1 * normal(*samples.shape, seed=4)).astype(np.float32)
    split = tinted if by_tint else colored
    points, _ = principal_points(samples, 3)
    order = sorted((0, 1), key=lambda i: -np.count_nonzero(split == i))
    for point, i in zip(points[1:], order, strict=True):
        gain_of(point, samples[split == i])


@pytest.mark.parametrize("k", [1, 2, 5, 16])
@pytest.mark.parametrize("scale", [0.0, 20.0])
def test_identical_samples_are_their_own_points(k: int, scale: float) -> None:
    samples = scale * pattern(1)[None].repeat(20, 0)
    points, shares = principal_points(samples, k)
    assert points.shape == (k, 2, GRID, GRID)
    np.testing.assert_allclose(points, samples[:k], atol=1e-4)
    assert shares[0] == 1
    if k > 2:
        assert shares[1:].sum() == pytest.approx(1)
    assert (np.diff(shares) <= 0).all()


@pytest.mark.parametrize(("n", "k"), [(64, 0), (64, -1), (64, MOST_PRINCIPAL + 1), (3, 4)])
def test_numbers_out_of_range(n: int, k: int) -> None:
    most = min(n, 16)
    with pytest.raises(ValueError, match=f"^k: expected 1 to {most}, got {k}"):
        principal_points(normal(n, 2, GRID, GRID, seed=0), k)


def test_points_repeat_in_every_thread_and_after_other_random_numbers() -> None:
    """Of samples without modes, where the result hangs on k-means' own random start."""
    samples = 10 * normal(64, 2, GRID, GRID, seed=0)
    given = samples.copy()
    want, shares = principal_points(samples, 7)

    def again(seed: int) -> tuple[Chroma, NDArray[np.float64]]:
        cv2.setRNGSeed(seed)
        cv2.randu(np.zeros(seed, np.float32), 0, 1)
        torch.manual_seed(seed)
        np.random.seed(seed)
        return principal_points(samples, 7)

    with ThreadPoolExecutor(4) as threads:
        results = [again(5), *threads.map(again, range(1, 9))]
    for points, own in results:
        np.testing.assert_array_equal(points, want)
        np.testing.assert_array_equal(own, shares)
    np.testing.assert_array_equal(samples, given)


# the filter


def brute_force(ab: Chroma, lightness: Chroma, row: int, column: int) -> NDArray[np.float64]:
    """The guided filter at one cell, mirrored at the border: (k, 2).

    A line through lightness and chroma in each window; the mean of all lines whose windows hold the
    cell (He, Sun & Tang 2013, equations 4 to 8).
    """
    reach, guide = principal._WINDOW // 2, lightness.astype(np.float64) / 100

    def window(y: int, x: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        windows = (np.arange(center - reach, center + reach + 1) for center in (y, x))
        rows, columns = (63 - abs(63 - abs(one)) for one in windows)
        return np.ix_(rows, columns)

    def line(y: int, x: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        own, chroma = guide[window(y, x)], ab[:, :, *window(y, x)].astype(np.float64)
        means = chroma.mean((2, 3))
        covariance = (own * chroma).mean((2, 3)) - own.mean() * means
        slope = covariance / (own.var() + principal._FLATNESS)
        return slope, means - slope * own.mean()

    rows, columns = (axis.ravel() for axis in window(row, column))
    lines = [line(int(y), int(x)) for y in rows for x in columns]
    slope, offset = (np.mean([one[part] for one in lines], 0) for part in (0, 1))
    return slope * guide[row, column] + offset


@pytest.mark.parametrize("cell", [(0, 0), (2, 61), (63, 63), (30, 5), (33, 32)])
def test_the_filter_by_brute_force(cell: tuple[int, int]) -> None:
    ab, lightness = 20 * normal(3, 2, 64, 64, seed=1), 50 + 4 * normal(64, 64, seed=2)
    got = follow_lightness(torch.from_numpy(ab), torch.from_numpy(lightness)[None, None])
    assert got.shape == (3, 2, 64, 64)
    want = brute_force(ab, lightness, *cell)
    np.testing.assert_allclose(got[:, :, cell[0], cell[1]], want, atol=1e-3)


def test_constant_chroma_stays() -> None:
    ab = torch.tensor([30.0, -20.0, 0.0, 5.0]).view(2, 2, 1, 1).expand(-1, -1, 64, 64)
    lightness = 100 * torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(follow_lightness(ab, lightness), ab, rtol=0, atol=1e-4)


def test_seams_on_flat_lightness_shrink_and_borders_of_things_stay() -> None:
    """A seam of the 4x4 grid at column 16, a border in lightness and chroma at column 40."""
    ab, lightness = torch.full((1, 2, 64, 64), -10.0), torch.full((1, 1, 64, 64), 30.0)
    ab[..., 16:], ab[..., 40:], lightness[..., 40:] = 10.0, 50.0, 80.0
    row = follow_lightness(ab, lightness)[0, 0, 20]
    steps = row.diff()
    assert steps[:39].max() < 0.2 * 20
    assert float(row[39]) == pytest.approx(10, abs=1)
    assert float(row[40]) == pytest.approx(50, abs=1)


# of a pyramid


@pytest.mark.parametrize("k", [1, 4])
def test_colorings_of_a_pyramid_step_by_step(
    k: int,
    make_pyramid: Callable[..., ChromaPyramid],
) -> None:
    """Coarse chroma of both halves, points, fine levels at zero, filter, hints of the photo."""
    pyramid, photo = make_pyramid(small_config(extra_planes=3)), random_condition(1, planes=3)
    mirrored = dataclasses.replace(random_condition(1, planes=3, seed=1), lightness=photo.lightness)
    tensors = zip(*(c.features.values() for c in (photo, mirrored)), strict=True)
    assert photo.planes is not None
    assert mirrored.planes is not None
    both = Condition(
        lightness=torch.cat([photo.lightness, mirrored.lightness]),
        features=dict(zip(photo.features, map(torch.cat, tensors), strict=True)),
        planes=torch.cat([photo.planes, mirrored.planes]),
    )
    latents = [torch.from_numpy(normal(10, *s, seed=7)) for s in pyramid.latent_shapes()]
    got, shares = principal_colorings(pyramid, latents, both, k, gain=1.3)
    with torch.no_grad():
        first = pyramid.decode([z[:5] for z in latents[: principal.POOL_LEVELS]], photo, 1.3)
        second = pyramid.decode(
            [z[5:] for z in latents[: principal.POOL_LEVELS]], mirrored, 1.3
        ).flip(3)
        deviations = torch.cat([first - first.mean(0), second - second.mean(0)]).numpy()
        points, want_shares = principal_points(torch.cat([first, second]).numpy(), k, deviations)
        cells = photo.lightness.unflatten(2, (64, 2)).unflatten(4, (64, 2)).mean((3, 5))
        smooth = follow_lightness(pyramid.complete(torch.from_numpy(points), photo), cells)
        want: Tensor = pyramid.pull_to_hints(smooth, photo)
    assert got.shape == (k, 2, 64, 64)
    assert not got.requires_grad
    torch.testing.assert_close(got, want, rtol=0, atol=0.02)
    np.testing.assert_array_equal(shares, want_shares)
