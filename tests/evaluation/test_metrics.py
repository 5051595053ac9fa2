"""What is measured of one photo's colorings, by hand, by brute force and by other packages."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import scipy.stats
import skimage.color
import skimage.data
import skimage.metrics
import torch

from colorflow.evaluation.metrics import (
    colorfulness,
    colors,
    coverage,
    diversity,
    kernel_terms,
    nearest_mode,
    psnr,
    seam_steps,
    share_differences,
    squared_error_of_best_pixels,
    squared_errors,
    thing_steps,
    variance,
)

RNG = np.random.default_rng(0)


# colors on the grid


def test_colors_are_scikit_images_where_srgb_has_them() -> None:
    lab = np.stack([RNG.uniform(40, 70, (3, 6, 7)), *RNG.uniform(-15, 15, (2, 3, 6, 7))], axis=-1)
    want = skimage.color.lab2rgb(lab)
    for index, one in enumerate(lab):
        ab = np.moveaxis(lab[..., 1:], -1, 1).astype(np.float32)
        found = colors(one[..., 0].astype(np.float32), torch.from_numpy(ab))
        assert np.abs(np.moveaxis(found[index], 0, -1) - want[index]).max() < 1e-4


def test_colors_beyond_srgb_keep_their_lightness_and_the_samples_are_left_alone() -> None:
    lightness = RNG.uniform(20, 90, (8, 8)).astype(np.float32)
    ab = torch.full((2, 2, 8, 8), 90.0)
    rgb = colors(lightness, ab)
    assert (ab == 90).all()
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    for one in rgb:
        shown = skimage.color.rgb2lab(np.moveaxis(one, 0, -1))
        assert np.abs(shown[..., 0] - lightness).max() < 0.2
        assert np.abs(shown[..., 1] - shown[..., 2]).max() < 1  # the hue is kept


# errors


def test_squared_errors_by_hand() -> None:
    truth = np.zeros((3, 1, 2), np.float32)
    rgb = np.zeros((2, 3, 1, 2), np.float32)
    rgb[0, 0, 0, 0] = 0.6  # 0.36 in one of six numbers
    rgb[1] = 0.5
    assert squared_errors(rgb, truth) == pytest.approx([0.06, 0.25])
    # The first sample is right everywhere but at one number, where the second is nearer: 0.25 / 6.
    assert squared_error_of_best_pixels(rgb, truth) == pytest.approx(0.25 / 6)


def test_variance_has_no_bias() -> None:
    """Samples of std 0.1, few of them, many pixels."""
    rgb = RNG.normal(0.5, 0.1, (3, 3, 150, 150)).astype(np.float32)
    assert variance(rgb) == pytest.approx(0.01, rel=0.02)


# colorfulness


def test_colorfulness_by_hand() -> None:
    gray = np.full((1, 3, 4, 4), 0.4, np.float32)
    assert colorfulness(gray) == pytest.approx(0, abs=1e-4)
    red = np.zeros((1, 3, 4, 4), np.float32)
    red[:, 0] = 1  # rg = 255, yb = 127.5 everywhere
    assert colorfulness(red) == pytest.approx(0.3 * 255 * np.sqrt(1.25), rel=1e-6)
    half = red.copy()
    half[..., :2] = 0  # half of it black: deviations and means are half of 255 and of 127.5
    assert colorfulness(half) == pytest.approx(1.3 * 127.5 * np.sqrt(1.25), rel=1e-6)


# samples


def test_diversity_against_brute_force() -> None:
    samples = torch.randn(4, 2, 3, 5)
    pairs = [
        np.hypot(*(first - second).numpy()).mean()
        for first, second in itertools.combinations(samples, 2)
    ]
    assert diversity(samples) == pytest.approx(np.mean(pairs), rel=1e-5)


def test_seam_steps_against_brute_force() -> None:
    """Borders are those between cells 15 and 16, 31 and 32, 47 and 48, across and down."""
    samples = torch.randn(3, 2, 64, 64, generator=torch.Generator().manual_seed(2))
    ab = samples.double().numpy()
    seams, others = [], []
    for one in ab:
        for i, j in itertools.product(range(64), range(1, 64)):
            kind = seams if j in (16, 32, 48) else others
            kind.append(np.hypot(*(one[:, i, j] - one[:, i, j - 1])))
            kind.append(np.hypot(*(one[:, j, i] - one[:, j - 1, i])))
    assert seam_steps(samples) == pytest.approx((np.mean(seams), np.mean(others)), rel=1e-6)


@pytest.mark.parametrize("level", [0.5, 0.9])
@pytest.mark.parametrize(
    ("n", "mean", "std"),
    [(64, 0, 1), (63, 0, 1), (5, 0, 1), (8, 0, 1), (800, 0, 0.5), (800, 0, 2), (800, 1, 1)],
)
def test_coverage_of_perfect_and_imperfect_samplers(
    n: int, mean: float, std: float, level: float
) -> None:
    """The share of a standard normal truth in the central interval of N(mean, std); also for so few
    samples of a perfect one that no pair of order statistics has the level."""
    generator = torch.Generator().manual_seed(n)
    samples = mean + std * torch.randn(n, 2, 60, 60, generator=generator)
    truth = torch.randn(2, 60, 60, generator=generator)
    low, high = scipy.stats.norm.interval(level, mean, std)
    want = scipy.stats.norm.cdf(high) - scipy.stats.norm.cdf(low)
    assert abs(coverage(samples, truth, level) - want) < 0.024  # 4 standard errors of 7,200


# kernel distance


def test_kernel_distance_against_an_independent_implementation() -> None:
    """The unbiased estimator of Gretton et al. 2012 (eq. 4) in loops, over i != j."""
    x, y = RNG.normal(size=(6, 9)), RNG.normal(0.3, 1.5, size=(6, 9))

    def k(p: np.ndarray, q: np.ndarray) -> float:
        return float((p @ q / 9 + 1) ** 3)

    want = np.mean(
        [
            k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(x[j], y[i])
            for i, j in itertools.permutations(range(6), 2)
        ]
    )
    terms = kernel_terms(x, y)
    assert terms == pytest.approx(terms.T)
    assert (terms.sum() - np.trace(terms)) / 30 == pytest.approx(want, rel=1e-10)


# things


def test_steps_within_things_and_at_outlines_by_hand() -> None:
    """A truth of two halves 20 apart; a coloring with a patch in the left one."""
    truth = torch.zeros(2, 64, 64)
    truth[0, :, 32:] = 20
    flat, true = thing_steps(truth, truth)
    assert flat == 0
    assert true == pytest.approx(20 / 10)  # over the contrast, which is the distance from the mean
    patchy = truth.clone()
    patchy[1, :32, :32] = 12
    flat, true = thing_steps(patchy, truth)
    steps = []
    for y in range(64):
        for x in range(64):
            for other in ((y + 6, x), (y, x + 6)):
                if max(other) < 64 and (truth[:, y, x] - truth[:, *other]).norm() < 3:
                    steps.append(float((patchy[:, y, x] - patchy[:, *other]).norm()))
    contrast = float((patchy - patchy.mean((1, 2), keepdim=True)).norm(dim=0).mean())
    assert flat == pytest.approx(np.mean(steps) / contrast, rel=1e-5)
    assert 0 < true < 2
    assert thing_steps(2 * patchy, truth) == pytest.approx((flat, true), rel=1e-5)


def test_psnr_is_scikit_images() -> None:
    first, second = skimage.data.astronaut(), skimage.data.astronaut()[:, ::-1]
    want = skimage.metrics.peak_signal_noise_ratio(first, second)
    assert psnr(first, second) == pytest.approx(want)
    assert psnr(first, first) == math.inf


# shares


@pytest.mark.parametrize("power", [1.0, 2.0, 0.5])
def test_shares_that_are_true_or_say_too_much_or_too_little(power: float) -> None:
    """The frequency in a bin is the mean of the true probabilities there.

    The nearest modes of 2,000 truths are sampled with them; a bin has an error of 1.2 points.
    """
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([2.0] * 4, 2000)
    nearest = (rng.uniform(size=(2000, 1)) > probabilities.cumsum(1)).sum(1)
    shares = probabilities**power
    shares /= shares.sum(1, keepdims=True)
    want = [
        100 * (probabilities.flat[part].mean() - shares.flat[part].mean())
        for part in np.array_split(np.argsort(shares, axis=None), 5)
    ]
    found = share_differences(shares, nearest)
    np.testing.assert_allclose(found, want, atol=4)
    low, high = {1.0: (-4, 4), 2.0: (-100, -8), 0.5: (8, 100)}[power]
    assert low < found[-1] < high, "large shares say too much, or too little"


def test_few_photos_have_bins_too() -> None:
    """Six modes in five bins: 0.1 and 0.3 (no hit), 0.4 (hit), 0.6, 0.7 and 0.9."""
    shares = np.array([[0.7, 0.3], [0.6, 0.4], [0.9, 0.1]])
    found = share_differences(shares, np.array([0, 1, 0]))
    assert found == pytest.approx([-20, 60, -60, 30, 10])


def test_the_nearest_mode_by_hand() -> None:
    modes = torch.zeros(3, 2, 64, 64)
    modes[1, 0] = 10
    modes[2, 1, :32] = 8
    truth = torch.zeros(2, 64, 64)
    assert nearest_mode(modes, truth) == 0
    truth[0] = 5.1
    assert nearest_mode(modes, truth) == 1
    truth[0], truth[1, :32] = 0, 4.1
    assert nearest_mode(modes, truth) == 2
