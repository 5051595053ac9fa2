"""Measurements of enlarged lightness on one square of each photo.

Dimensions: S the side of the square, n samples.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch.nn import functional as F

from colorflow.color.full_resolution import lightness_of, render
from colorflow.enlarge.model import DEQUANTIZATION_STD
from colorflow.evaluation.enlarge.columns import Density, DetailColumn, Lightness
from colorflow.evaluation.judge import Judge, square_picture
from colorflow.evaluation.metrics import coverage
from colorflow.training.allocator import PeakMemory
from colorflow.training.tuning import energy_score

SIDE = 256
"""Pixels of the square in the middle of a photo that is measured."""
BORDER = 16
"""Pixels at its edges that are left out: what is enlarged there lacks its surroundings."""
SAMPLES = 8
"""Samples of a random column."""
OCTAVES = 3
_RANGE = 100.0
"""Of L*."""
_NOMINAL = 0.9


@dataclass(slots=True, kw_only=True)
class Measures:
    """What is measured of one column on one photo.

    Attributes:
        values: by the metric's name, a number.
        spectrum: (3,) power in the highest three octaves of frequency, the highest first.
        features: (1280,) the judge's.
    """

    values: dict[str, float]
    spectrum: NDArray[np.float64]
    features: NDArray[np.float32]


def square_of(lightness: Lightness) -> Lightness:
    """The square in the middle, (S, S); both sides of the photo must be at least S."""
    top, left = ((side - SIDE) // 2 for side in lightness.shape)
    return lightness[top : top + SIDE, left : left + SIDE]


def reduced(lightness: Lightness, scale: int) -> Lightness:
    """Reduces (..., H, W) by area averaging."""
    *rest, height, width = lightness.shape
    cells = lightness.reshape(*rest, height // scale, scale, width // scale, scale)
    return np.asarray(cells.mean((-3, -1)), np.float32)


def measure(
    column: DetailColumn,
    low: Lightness,
    truth: Lightness,
    generator: torch.Generator,
    judge: Judge,
) -> tuple[Measures, Lightness]:
    """Measures a column on one square; also returns its samples (n, S, S).

    PSNR and SSIM are those of the first sample.

    Args:
        column: a way of enlarging.
        low: the square at the low resolution, as it is given.
        truth: (S, S), what the samples should be.
        generator: source of randomness.
        judge: for the features.
    """
    with PeakMemory() as memory:
        began = time.perf_counter()
        samples = column.enlarge(low, SAMPLES if column.random else 1, generator)
        seconds = time.perf_counter() - began
    found = measures_of(samples, truth, len(truth) // len(low), judge)
    found.values["seconds_per_megapixel"] = 1e6 * seconds / samples.size
    if memory.peak is not None:
        found.values["megabytes_per_megapixel"] = memory.peak / samples.size
    return found, samples


def measures_of(samples: Lightness, truth: Lightness, scale: int, judge: Judge) -> Measures:
    """Compares samples (n, S, S) with the truth (S, S)."""
    inner = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    inside, true = samples[inner], truth[inner]
    low, again = reduced(true, scale), reduced(inside[0], scale)
    rounded = reduced(lightness_of(_gray(inside[0])), scale)
    values = {
        "PSNR": _psnr(true, inside[0]),
        "SSIM": float(
            structural_similarity(
                true,
                inside[0],
                data_range=_RANGE,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        ),
        "LR_PSNR": _psnr(low, again),
        "LR_off_after_rounding": float(np.abs(rounded - low).max()),
        "energy_score": _energy_score(inside, true),
    }
    if len(samples) > 1:
        sampled = torch.from_numpy(inside)
        values["diversity"] = float(sampled.std(0).mean())
        values["coverage_90"] = coverage(sampled, torch.from_numpy(true), _NOMINAL)
    picture = square_picture(np.repeat(_gray(inside[0])[..., None], 3, 2))
    return Measures(
        values=values,
        spectrum=octaves_of(inside[0]),
        features=judge.look(picture[None]).features[0].numpy(),
    )


@torch.inference_mode()
def measures_of_density(
    density: Density, truth: Lightness, generator: torch.Generator
) -> dict[str, float]:
    """Bits per pixel of the photo at twice the resolution, and the largest inverse error, in L*.

    The density is that of the photo with Gaussian noise of std 0.2 on every pixel, per L* unit. A
    flow of details does not model the means of the cells, which are given but for their noise; the
    density of that noise is known and counted.
    """
    high = torch.from_numpy(truth)[None, None]
    low = torch.from_numpy(reduced(truth, 2))[None, None]
    noisy = high + DEQUANTIZATION_STD * torch.randn(high.shape, generator=generator)
    nats = -float(density.flow(noisy, low))
    if density.of_details:
        noise = torch.from_numpy(reduced((noisy - high)[0, 0].numpy(), 2))
        std = DEQUANTIZATION_STD / 2
        per_mean = 0.5 * (noise / std) ** 2 + math.log(std) + 0.5 * math.log(2 * math.pi)
        nats += float((per_mean + math.log(2)).sum())  # log 2: the Haar step's
        # What is decoded has the given means, without the noise.
        noisy = noisy - F.interpolate(F.avg_pool2d(noisy, 2) - low, scale_factor=2)
    again = density.flow.decode(density.flow.encode(noisy, low), low)
    return {
        "bits_per_dim": nats / (high.numel() * math.log(2)),
        "inverse_error": float((again - noisy).abs().max()),
    }


def octaves_of(lightness: Lightness) -> NDArray[np.float64]:
    """Power in the highest octaves of spatial frequency, (3,), the highest first.

    An octave contains the frequencies whose larger component lies between half of its upper end,
    which is 0.5 cycles a pixel for the highest, and that end.
    """
    height, width = lightness.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.fft2((lightness - lightness.mean()) * window)) ** 2
    larger = np.maximum(
        np.abs(np.fft.fftfreq(height))[:, None], np.abs(np.fft.fftfreq(width))[None]
    )
    ends = [0.5 / 2**octave for octave in range(OCTAVES + 1)]
    return np.array(
        [
            power[(larger <= upper) & (larger > lower)].sum()
            for upper, lower in itertools.pairwise(ends)
        ]
    )


def _energy_score(samples: Lightness, truth: Lightness) -> float:
    """In L* units; for a single result the root mean square error."""
    sampled, target = torch.from_numpy(samples)[None], torch.from_numpy(truth)[None]
    if len(samples) == 1:
        return float((sampled[0, 0] - target[0]).square().mean().sqrt())
    return float(energy_score(sampled, target))


def _psnr(true: Lightness, other: Lightness) -> float:
    """dB for a range of 100; at most 120, for equal pictures."""
    if np.abs(true - other).max() < 1e-4:
        return 120.0
    return float(peak_signal_noise_ratio(true, other, data_range=_RANGE))


def _gray(lightness: Lightness) -> NDArray[np.uint8]:
    """(H, W) as the Enlarger writes it."""
    inside = np.ascontiguousarray(lightness.clip(0, 100))
    return render(inside, np.zeros((2, 1, 1), np.float32))[..., 0]
