"""Statistics of the training photos' colors; weights files carry them for the evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from colorflow.errors import PackError
from colorflow.training.pixels import AnyPack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE

BLOW_UP_QUANTILE = 0.999

_ROWS_AT_ONCE = 256


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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the header of a weights file, where the limit has its first name."""
        return {"mean_ab": list(self.mean_ab), "largest_chroma": self.blow_up_chroma}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingColors:
        """Reads the result of `to_dict`."""
        a, b = values["mean_ab"]
        return cls(mean_ab=(a, b), blow_up_chroma=values["largest_chroma"])


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
    return TrainingColors(mean_ab=(float(a), float(b)), blow_up_chroma=blow_up_chroma(pack))


def blow_up_chroma(pack: AnyPack) -> float:
    """The mean chroma that one of 1,000 training photos exceeds, CIELAB units."""
    return float(np.quantile(pack.train_chroma, BLOW_UP_QUANTILE))
