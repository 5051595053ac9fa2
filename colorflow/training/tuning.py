"""What weights are shipped with: interval factors chosen on dev photos, and measurements.

Interval factors make the coverage nominal. Statistics of the training photos' colors go along for
the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from colorflow.errors import PackError
from colorflow.model.intervals import NOMINAL_LEVELS, in_half_widths
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.pixels import PixelPack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE

BLOW_UP_QUANTILE = 0.999
_ROWS_AT_ONCE = 256


def energy_score(samples: Tensor, truth: Tensor) -> Tensor:
    """Energy score of samples, lower is better; a proper score of their distribution.

    E|X - y| - E|X - X'| / 2, with the root mean square over all numbers as the norm.

    Args:
        samples: (B, n, ...) with n at least 2.
        truth: (B, ...).

    Returns:
        (B,) in the unit of the samples.

    Reference: Gneiting & Raftery 2007, section 4.3.
    """
    flat, target = samples.flatten(2), truth.flatten(1)
    scale = flat.shape[-1] ** 0.5
    n = flat.shape[1]
    to_truth = (flat - target[:, None]).norm(dim=-1).mean(1)
    pairs = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")  # exact
    between = pairs.sum((1, 2)) / (n * (n - 1))
    return (to_truth - between / 2) / scale


@torch.no_grad()
def calibrate(
    pyramid: ChromaPyramid,
    pack: PixelPack,
    photos: int = 300,
    samples: int = 64,
    say: Callable[[str], None] = print,
) -> dict[float, float]:
    """Factors of the half-widths of central intervals that make their coverage nominal on dev.

    The intervals are those of samples at std 1, for every number of the 64x64 grid; the coverage
    is the share of all numbers of all photos.

    Args:
        pyramid: trained model.
        pack: whose dev split is used, large whole photos, clean.
        photos: number of dev photos.
        samples: samples of each photo, at least 64 for stable ends of the intervals.
        say: gets a line an interval.

    Returns:
        By nominal coverage; above 1 where the model is overconfident.
    """
    rows = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    rows = np.random.default_rng(8).permutation(rows)[:photos]
    generator = torch.Generator().manual_seed(9)
    std1 = [1.0] * len(pyramid.levels)
    distances: dict[float, list[Tensor]] = {level: [] for level in NOMINAL_LEVELS}
    for row in rows:
        ab, condition = pack.batch(np.array([row]))
        sampled = pyramid.sample(condition, samples, std1, generator)[0]
        for level, found in distances.items():
            found.append(in_half_widths(sampled, ab[0], level))
    factors = {}
    for level, found in distances.items():
        values = torch.stack(found).numpy()
        factors[level] = round(float(np.quantile(values, level)), 4)
        say(
            f"central {level:.0%} interval at std 1: covers {(values <= 1).mean():.3f} of dev, "
            f"factor {factors[level]:g}"
        )
    return factors


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingColors:
    """Statistics of the colors of the training photos.

    Attributes:
        mean_ab: the mean chroma of large photos, (a, b) in CIELAB units.
        blow_up_chroma: the 99.9th percentile of the photos' mean chroma, CIELAB units; a sample
            beyond it is a blow-up.
    """

    mean_ab: tuple[float, float]
    blow_up_chroma: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingColors:
        """Reads the result of `asdict`, or of files that call the limit `largest_chroma`."""
        a, b = values["mean_ab"]
        name = "blow_up_chroma" if "blow_up_chroma" in values else "largest_chroma"
        return cls(mean_ab=(a, b), blow_up_chroma=values[name])


def training_colors(pack: PixelPack) -> TrainingColors:
    """Measures the colors of a pack's training photos.

    Raises:
        PackError: if the pack has no large training photo.
    """
    rows = pack.rows("train", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    if len(rows) == 0:
        raise PackError(f"{pack.folder}: no large photo among train to measure colors on")
    total = np.zeros(2)
    for part in np.array_split(rows, -(-len(rows) // _ROWS_AT_ONCE)):
        total += pack.batch(part, maps=())[0].double().mean((2, 3)).sum(0).numpy()
    a, b = total / len(rows)
    return TrainingColors(mean_ab=(float(a), float(b)), blow_up_chroma=blow_up_chroma(pack))


def blow_up_chroma(pack: PixelPack) -> float:
    """The mean chroma that one of 1,000 training photos exceeds, CIELAB units."""
    return float(np.quantile(pack.train_chroma, BLOW_UP_QUANTILE))
