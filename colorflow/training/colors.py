"""What evaluation must know about the colors of the training photos; weights carry it along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from colorflow.errors import PackError
from colorflow.training.pixels import AnyPack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE

BLOW_UP_QUANTILE = 0.999

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingColors:
    """Two facts about the training photos.

    Attributes:
        mean_ab: the mean chroma of large photos, (a, b) in CIELAB units.
        largest_chroma: the 99.9th percentile of the photos' mean chroma, CIELAB units; a draw
            beyond it is a blow-up.
    """

    mean_ab: tuple[float, float]
    largest_chroma: float


def training_colors(pack: AnyPack) -> TrainingColors:
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
    return TrainingColors(mean_ab=(float(a), float(b)), largest_chroma=largest_chroma(pack))


def largest_chroma(pack: AnyPack) -> float:
    """The mean chroma that only one of 1,000 training photos exceeds, CIELAB units."""
    return float(np.quantile(pack.train_chroma, BLOW_UP_QUANTILE))
