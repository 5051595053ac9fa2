"""Central intervals against numpy's and known coverage; the energy score against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.model.intervals import (
    central_interval,
    check_sample_count,
    energy_score,
    in_half_widths,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n", "level"), [(64, 0.9), (64, 0.5), (19, 0.9), (3, 0.5), (100, 0.8)])
def test_ends_are_those_of_numpy(n: int, level: float) -> None:
    samples = normal(n, 2, 5, 5).double()
    middle, half_width = central_interval(samples, level)
    shares = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(samples.numpy(), shares, axis=0, method="weibull")
    np.testing.assert_allclose(middle - half_width, low, atol=1e-9)
    np.testing.assert_allclose(middle + half_width, high, atol=1e-9)


@pytest.mark.parametrize("n", [19, 64])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_coverage_is_nominal_where_samples_and_truth_are_alike(n: int, level: float) -> None:
    """Exactly so in expectation for uniform numbers, from any number of samples."""
    generator = torch.Generator().manual_seed(0)
    samples = torch.rand(n, 20_000, generator=generator)
    distance = in_half_widths(samples, torch.rand(20_000, generator=generator), level)
    assert float((distance <= 1).double().mean()) == pytest.approx(level, abs=0.01)


def test_distances_are_in_half_widths() -> None:
    samples = torch.linspace(-1, 1, 39)[:, None].repeat(1, 5)  # 0.9 of it: the 2nd to the 38th
    half_width = 18 / 19
    truth = torch.tensor([0.0, half_width, -half_width, 3 * half_width, -0.1])
    got = in_half_widths(samples, truth, 0.9)
    np.testing.assert_allclose(got, [0, 1, 1, 3, 0.1 / half_width], atol=1e-5)


def test_an_interval_of_no_width_holds_its_middle_alone() -> None:
    got = in_half_widths(torch.full((64, 2), 5.0), torch.tensor([5.0, 5.1]), 0.9)
    assert got.tolist() == [0, float("inf")]


@pytest.mark.parametrize(("n", "level"), [(18, 0.9), (2, 0.5), (0, 0.5)])
def test_too_few_samples(n: int, level: float) -> None:
    least = rf"at least {n + 1} " if n else "a whole number of at least 1,"
    with pytest.raises(ValueError, match=rf"^n: expected {least}.*{n}$"):
        check_sample_count(n, level)
    check_sample_count(n + 1 if n else 3, level)


@pytest.mark.parametrize("level", [0.0, 1.0, 90, float("nan")])
def test_a_level_out_of_range(level: float) -> None:
    with pytest.raises(ValueError, match=r"^level: expected a share between 0 and 1, got"):
        central_interval(torch.zeros(64, 1), level)


# the energy score


def brute_force(samples: np.ndarray, truth: np.ndarray) -> list[float]:
    """Every pair by itself, in double precision; norms are root mean squares."""
    scores = []
    for photo, target in zip(samples.astype(float), truth.astype(float), strict=True):
        n = len(photo)
        to_truth = [np.sqrt(np.mean((sample - target) ** 2)) for sample in photo]
        pairs = [
            np.sqrt(np.mean((photo[i] - photo[j]) ** 2))
            for i in range(n)
            for j in range(n)
            if i != j
        ]
        scores.append(np.mean(to_truth) - np.mean(pairs) / 2)
    return scores


@pytest.mark.parametrize("sizes", [(3, 2, 1), (2, 8, 2, 8, 8), (2, 40, 2, 4, 4)])
def test_energy_score_is_brute_force(sizes: tuple[int, ...]) -> None:
    samples = 20 * normal(*sizes)
    truth = 5 + 20 * normal(sizes[0], *sizes[2:], seed=1)
    scores = energy_score(samples, truth)
    assert scores.shape == (sizes[0],)
    assert np.allclose(scores.numpy(), brute_force(samples.numpy(), truth.numpy()), atol=1e-3)


def expected_score(mean: float, std: float, n: int = 8, count: int = 40_000) -> float:
    """Mean score of n samples of N(mean, std^2) against a truth of N(0, 1), one number each."""
    samples = mean + std * normal(count, n, 1)
    return float(energy_score(samples, normal(count, 1, seed=1)).mean())


def test_the_energy_score_is_proper() -> None:
    """No other distribution of samples scores better than that of the truth."""
    right = expected_score(0, 1)
    for mean, std in [(0, 0), (0, 0.6), (0, 1.6), (0.5, 1), (-0.5, 0.8)]:
        assert expected_score(mean, std) > right + 0.01, (mean, std)
