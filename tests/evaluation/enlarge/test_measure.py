"""Measurements: golden values from elsewhere, and faults that must show."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from skimage import data
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.color.full_resolution import lightness_of
from colorflow.enlarge.model import DEQUANTIZATION_STD
from colorflow.evaluation.enlarge.columns import Density, DetailColumn
from colorflow.evaluation.enlarge.measure import (
    BORDER,
    SAMPLES,
    SIDE,
    measure,
    measures_of,
    measures_of_density,
    octaves_of,
    reduced,
    square_of,
)
from colorflow.evaluation.judge import Verdict
from colorflow.training.allocator import PeakMemory

TRUTH = square_of(lightness_of(data.camera()))


class BlindJudge:
    """Mean and std of a picture for features."""

    def look(self, pictures: np.ndarray) -> Verdict:
        flat = torch.from_numpy(pictures).float().flatten(1)
        return Verdict(torch.zeros(len(flat), 1000), torch.stack([flat.mean(1), flat.std(1)], 1))


def measured(samples: np.ndarray, scale: int = 2) -> dict[str, float]:
    return measures_of(samples.astype(np.float32), TRUTH, scale, BlindJudge()).values  # type: ignore[arg-type]


def test_the_truth_is_perfect() -> None:
    values = measured(TRUTH[None])
    assert values["PSNR"] == values["LR_PSNR"] == 120
    assert values["SSIM"] == pytest.approx(1)
    assert values["energy_score"] == 0
    assert values["LR_off_after_rounding"] < 0.4, "rounding to 8 bits"
    assert "coverage_90" not in values, "a single result has no interval"


def test_noise_of_a_known_std() -> None:
    rng = np.random.default_rng(0)
    other = TRUTH + rng.normal(0, 2, TRUTH.shape)
    values = measured(other[None])
    assert values["PSNR"] == pytest.approx(20 * math.log10(100 / 2), abs=0.1)
    assert values["energy_score"] == pytest.approx(2, rel=0.02)
    assert values["LR_PSNR"] == pytest.approx(20 * math.log10(100 / 1), abs=0.15)
    assert measured(other[None], 4)["LR_PSNR"] == pytest.approx(20 * math.log10(200), abs=0.2)
    assert values["SSIM"] < 0.97


def test_samples_of_the_truths_own_distribution_cover_it() -> None:
    """Truth and samples are noise about one picture: 90 % of the pixels, by exchangeability."""
    rng = np.random.default_rng(1)
    center = TRUTH + rng.normal(0, 3, TRUTH.shape)
    right = measured(center + rng.normal(0, 3, (SAMPLES, *TRUTH.shape)))
    assert right["coverage_90"] == pytest.approx(0.9, abs=0.01)
    assert right["diversity"] == pytest.approx(3 * 0.965, rel=0.02)  # of 8: c4 = 0.965
    narrow = measured(center + rng.normal(0, 1, (SAMPLES, *TRUTH.shape)))
    assert narrow["coverage_90"] < 0.8
    assert narrow["energy_score"] > right["energy_score"]


def test_the_border_does_not_count() -> None:
    other = TRUTH.copy()
    other[:BORDER] = 0
    assert measured(other[None])["PSNR"] == 120


@pytest.mark.parametrize(("cycles", "octave"), [(0.4, 0), (0.2, 1), (0.1, 2)])
def test_a_wave_is_in_its_octave(cycles: float, octave: int) -> None:
    wave = np.sin(2 * np.pi * cycles * np.arange(128))
    power = octaves_of(np.tile(wave, (128, 1)).astype(np.float32))
    assert power.argmax() == octave
    assert power[octave] > 100 * np.delete(power, octave).max()


def test_memory_is_that_of_one_megapixel() -> None:
    def enlarge(low: np.ndarray, n: int, _: torch.Generator) -> np.ndarray:
        taken = np.ones(200 * n * SIDE * SIDE, np.uint8)
        return np.repeat(TRUTH[None], n, 0) + taken[:1]

    column = DetailColumn(name="one", enlarge=enlarge, random=True)
    with PeakMemory() as memory:
        pass
    if memory.peak is None:
        pytest.skip("memory cannot be measured here")
    found, samples = measure(column, reduced(TRUTH, 2), TRUTH, torch.Generator(), BlindJudge())  # type: ignore[arg-type]
    assert samples.shape == (SAMPLES, SIDE, SIDE)
    assert found.values["megabytes_per_megapixel"] == pytest.approx(208, rel=0.05)


def test_reduction_is_by_area() -> None:
    assert np.allclose(reduced(TRUTH, 4)[3, 5], TRUTH[12:16, 20:24].mean(), atol=1e-3)
    assert square_of(TRUTH).shape == (SIDE, SIDE)


class Normal(nn.Module):
    """Every modeled number is N(its value without noise, std)."""

    def __init__(self, high: Tensor, std: float, *, of_details: bool) -> None:
        super().__init__()
        self.high, self.std, self.of_details = high, std, of_details

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        off = (high - self.high).numpy()
        if self.of_details:  # orthonormal details: all but the mean of a cell
            means = off.reshape(1, 1, SIDE // 2, 2, SIDE // 2, 2).mean((3, 5))
            numbers, squares = 3 * means.size, (off**2).sum() - 4 * (means**2).sum()
        else:
            numbers, squares = off.size, (off**2).sum()
        log_prob = -squares / (2 * self.std**2) - numbers * (
            math.log(self.std) + 0.5 * math.log(2 * math.pi)
        )
        return torch.tensor([log_prob])

    def encode(self, high: Tensor, low: Tensor) -> Tensor:
        return high

    def decode(self, latents: Tensor, low: Tensor) -> Tensor:
        """One pixel is wrong; where the means are given, they come back without noise."""
        back = latents.clone()
        if self.of_details:
            back += F.interpolate(low - F.avg_pool2d(back, 2), scale_factor=2)
        back[0, 0, 3, 5] += 0.25
        return back


@pytest.mark.parametrize("of_details", [False, True])
def test_bits_per_dim_of_the_noise_itself(*, of_details: bool) -> None:
    """A density that knows the photo has the entropy of the noise, whichever numbers it models."""
    high = torch.from_numpy(TRUTH)[None, None]
    density = Density(
        flow=Normal(high, DEQUANTIZATION_STD, of_details=of_details), of_details=of_details
    )
    found = measures_of_density(density, TRUTH, torch.Generator().manual_seed(0))
    entropy = float(stats.norm(scale=DEQUANTIZATION_STD).entropy()) / math.log(2)
    assert found["bits_per_dim"] == pytest.approx(entropy, abs=0.01)
    assert found["inverse_error"] == pytest.approx(0.25, abs=1e-3)
