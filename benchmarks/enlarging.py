"""Measures enlarging on the middle 256x256 pixels of photos (docs/enlarge.md, "Measured").

    python -m benchmarks.enlarging PHOTOS [--scale 4] [--limit 60] [--damaged]

The square is reduced by area averaging, enlarged again in several ways, and compared with the
photo's lightness. Columns: bicubic and Lanczos interpolation, ours at five temperatures (0 is the
mean), and the photo itself. `--damaged` gives blur, noise and compression to the reduced photo, as
in training, and measures what restores.

PSNR and SSIM are of the first sample. LR_PSNR: of the reduced result against what was given.
energy_score: of eight samples, L* units. power_octave: power in the three highest octaves of
frequency over the photo's. kd_lite2: kernel distance of the judge's features. bits_per_dim: of the
photo with Gaussian noise of std 0.2 on every pixel, per L* unit, at twice the resolution.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn
from torch.nn import functional as F

from benchmarks.measuring import SEED, print_machine
from colorflow.color.full_resolution import lightness_of, render
from colorflow.enlarge.model import DEQUANTIZATION_STD, in_range
from colorflow.enlarge.patches import damage
from colorflow.enlarge.weights import FIRST, LAST, RESTORE, load_enlarge_weights
from colorflow.evaluation.bootstrap import Bootstrap, mean_of, mean_of_pairs, ratio_of
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.judge import Judge, square_picture
from colorflow.evaluation.metrics import coverage, kernel_terms
from colorflow.evaluation.report import table_lines
from colorflow.files import ENLARGE_WEIGHTS, default_weights
from colorflow.limits import DETAIL_TEMPERATURE
from colorflow.model.intervals import energy_score
from colorflow.photo import read_photo

SIDE = 256
BORDER = 16
"""Pixels at the edges of the square that are left out: they lack their surroundings."""
SAMPLES = 8
OCTAVES = 3
TRUTH = "truth"

Lightness = NDArray[np.float32]
Enlarge = Callable[[Lightness, int, torch.Generator], Lightness]
"""From (H, W) L*, a number of samples and a generator to (n, sH, sW) L*."""


@dataclass(slots=True)
class Measures:
    """Of one column on one photo: numbers by metric, power by octave, the judge's features."""

    values: dict[str, float]
    spectrum: NDArray[np.float64]
    features: NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2)
    parser.add_argument("--limit", type=int, metavar="N", help="photos, evenly spread")
    parser.add_argument("--damaged", action="store_true")
    parser.add_argument("--weights", type=Path, default=default_weights(ENLARGE_WEIGHTS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    scale, judge, weights = options.scale, Judge(), load_enlarge_weights(options.weights)
    models = weights.models
    exact = [models[LAST]] if scale == 2 else [models[FIRST], models[LAST]]
    columns = {
        "bicubic": interpolation(scale, Image.Resampling.BICUBIC),
        "Lanczos": interpolation(scale, Image.Resampling.LANCZOS),
    }
    if options.damaged:
        columns |= doublings("exact", exact, (0.0,))
        restoring = [models[RESTORE], models[LAST]][: scale // 2]
        columns |= doublings("restored", restoring, (0.0, DETAIL_TEMPERATURE, 1.0))
    else:
        columns |= doublings("ours", exact, (0.0, DETAIL_TEMPERATURE, 0.8, 0.9, 1.0))
    records: dict[str, list[Measures]] = {name: [] for name in [*columns, TRUTH]}
    for number, file in enumerate(photos_of(options.folder, options.limit)):
        lightness = lightness_of(read_photo(file, isolated=True).pixels)
        if min(lightness.shape) < SIDE:
            print(f"{file}: smaller than {SIDE} x {SIDE} pixels, left out")
            continue
        top, left = ((side - SIDE) // 2 for side in lightness.shape)
        truth = lightness[top : top + SIDE, left : left + SIDE]
        low, generator = reduced(truth, scale), torch.Generator().manual_seed(SEED + number)
        if options.damaged:
            low = damage(low, np.random.default_rng(SEED + number))
        for name, enlarge in columns.items():
            found = measures_of(enlarge(low, SAMPLES, generator), truth, scale, judge)
            if scale == 2 and name == "ours, 1":
                found.values |= measures_of_density(models[LAST], truth, generator)
            records[name].append(found)
        records[TRUTH].append(measures_of(truth[None], truth, scale, judge))
    print_machine()
    print(f"{len(records[TRUTH])} photos, weights {weights.digest}\n")
    print("\n".join(table_lines(f"x{scale}", table_of(records))))


def interpolation(scale: int, filter_: Image.Resampling) -> Enlarge:
    def enlarge(low: Lightness, n: int, _: torch.Generator) -> Lightness:
        size = (scale * low.shape[1], scale * low.shape[0])
        return np.asarray(Image.fromarray(low).resize(size, filter_), np.float32)[None].clip(0, 100)

    return enlarge


def doublings(
    name: str, models: Sequence[nn.Module], temperatures: Sequence[float]
) -> dict[str, Enlarge]:
    """One doubling after the other, by name and temperature; ours in range as users get them."""

    @torch.inference_mode()
    def enlarge(
        low: Lightness, n: int, generator: torch.Generator, temperature: float
    ) -> Lightness:
        n = n if temperature else 1
        x = torch.from_numpy(np.ascontiguousarray(low)).expand(n, 1, *low.shape)
        for model in models:
            high = model.sample(x, temperature, generator)
            x = in_range(high)
        return x[:, 0].numpy()

    return {
        f"{name}, {temperature:g}": lambda low, n, generator, temperature=temperature: enlarge(
            low, n, generator, temperature
        )
        for temperature in temperatures
    }


def reduced(lightness: Lightness, scale: int) -> Lightness:
    """Reduces (..., H, W) by area averaging."""
    *rest, height, width = lightness.shape
    cells = lightness.reshape(*rest, height // scale, scale, width // scale, scale)
    return np.asarray(cells.mean((-3, -1)), np.float32)


def measures_of(samples: Lightness, truth: Lightness, scale: int, judge: Judge) -> Measures:
    """Compares samples (n, S, S) with the truth (S, S)."""
    inner = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    inside, true = samples[inner], truth[inner]
    first = np.ascontiguousarray(inside[0].clip(0, 100))
    gray = render(first, np.zeros((2, 1, 1), np.float32))
    low, again = reduced(true, scale), reduced(inside[0], scale)
    ssim = structural_similarity(
        true, inside[0], data_range=100.0, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    values = {
        "PSNR": psnr(true, inside[0]),
        "SSIM": float(ssim),
        "LR_PSNR": psnr(low, again),
        "energy_score": float(np.sqrt(np.square(inside[0] - true).mean())),
    }
    if len(samples) > 1:
        sampled, target = torch.from_numpy(inside), torch.from_numpy(true)
        values["energy_score"] = float(energy_score(sampled[None], target[None]))
        values["coverage_90"] = coverage(sampled, target, 0.9)
    features = judge.look(square_picture(gray)[None]).features[0].numpy()
    return Measures(values, octaves_of(inside[0]), features)


@torch.inference_mode()
def measures_of_density(
    flow: nn.Module, truth: Lightness, generator: torch.Generator
) -> dict[str, float]:
    """Bits per pixel of the photo at twice the resolution, and the largest inverse error, in L*.

    The model leaves out the means of the cells, which are given but for their noise; the density of
    that noise is known and counted.
    """
    high = torch.from_numpy(np.ascontiguousarray(truth))[None, None]
    low = F.avg_pool2d(high, 2)
    noisy = high + DEQUANTIZATION_STD * torch.randn(high.shape, generator=generator)
    noise, std = F.avg_pool2d(noisy, 2) - low, DEQUANTIZATION_STD / 2
    per_mean = 0.5 * (noise / std) ** 2 + math.log(std) + 0.5 * math.log(2 * math.pi)
    of_means = float((per_mean + math.log(2)).sum())  # log 2: the Haar step's
    nats = of_means - float(flow(noisy, low))
    # What is decoded has the given means, without the noise.
    noisy = noisy - F.interpolate(noise, scale_factor=2)
    again = flow.decode(flow.encode(noisy, low), low)
    return {
        "bits_per_dim": nats / (high.numel() * math.log(2)),
        "inverse_error": float((again - noisy).abs().max()),
    }


def octaves_of(lightness: Lightness) -> NDArray[np.float64]:
    """Power in the highest octaves of spatial frequency, (3,), the highest first.

    An octave contains the frequencies whose larger component lies between half of its upper end,
    which is 0.5 cycles a pixel for the highest, and that end.
    """
    window = np.outer(*(np.hanning(side) for side in lightness.shape))
    power = np.abs(np.fft.fft2((lightness - lightness.mean()) * window)) ** 2
    rows, columns = (np.abs(np.fft.fftfreq(side)) for side in lightness.shape)
    larger = np.maximum(rows[:, None], columns[None])
    ends = [0.5 / 2**octave for octave in range(OCTAVES + 1)]
    octaves = itertools.pairwise(ends)
    return np.array([power[(larger <= high) & (larger > low)].sum() for high, low in octaves])


def psnr(true: Lightness, other: Lightness) -> float:
    """dB for a range of 100; at most 120, for equal pictures."""
    if np.abs(true - other).max() < 1e-4:
        return 120.0
    return float(peak_signal_noise_ratio(true, other, data_range=100.0))


def table_of(records: dict[str, list[Measures]]) -> dict:
    """Means over photos with their standard errors, by column and metric."""
    truth = records[TRUTH]
    bootstrap = Bootstrap(len(truth), SEED)
    features = np.stack([one.features for one in truth])
    power = np.stack([one.spectrum for one in truth], 1)
    table: dict = {}
    for name, measured in records.items():
        own = {
            metric: mean_of(np.array([one.values[metric] for one in measured]))
            for metric in measured[0].values
        }
        for octave, ours in enumerate(np.stack([one.spectrum for one in measured], 1)):
            own[f"power_octave_{octave + 1}"] = ratio_of(mean_of(ours), mean_of(power[octave]))
        if len(truth) > 1:
            terms = kernel_terms(features, np.stack([one.features for one in measured]))
            own["kd_lite2"] = mean_of_pairs(terms)
        table[name] = {metric: bootstrap.estimate(statistic) for metric, statistic in own.items()}
    return table


if __name__ == "__main__":
    main()
