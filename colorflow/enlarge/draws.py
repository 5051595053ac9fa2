"""Which results are made of a photo: the mean first, then samples.

The mean is the safest single picture: judges call it plainly broken less often than samples
(docs/enlarge.md, "What the eye says"). Samples show what else the detail could be.
"""

from __future__ import annotations

from dataclasses import dataclass

from colorflow.limits import DETAIL_TEMPERATURE, check_seed


@dataclass(frozen=True, slots=True)
class Draw:
    """One result.

    Attributes:
        label: ``mean``, or ``s`` and the seed.
        temperature: factor on what the sample adds to the mean.
        seed: of the sample; 0 for the mean, which has none.
    """

    label: str
    temperature: float
    seed: int

    def label_of(self, scale: int, *, restored: bool) -> str:
        """Label of a file with it, such as ``x2_mean``, or ``x2_restored_s1``."""
        return f"x{scale}_{'restored_' if restored else ''}{self.label}"


MEAN = Draw("mean", 0.0, 0)
"""The mean of all samples."""


def draws(n: int, temperature: float | None, seed: int) -> list[Draw]:
    """The n results that are asked for.

    Args:
        n: how many.
        temperature: of all of them; by default the first is the mean, and the others are samples at
            `DETAIL_TEMPERATURE`.
        seed: sample i has `seed + i`; after the mean, samples are counted from 1.

    Raises:
        ValueError: if the seed is out of range.
    """
    check_seed(seed)
    if temperature is not None:
        return [Draw(f"s{seed + i}", temperature, seed + i) for i in range(n)]
    samples = [Draw(f"s{seed + i}", DETAIL_TEMPERATURE, seed + i) for i in range(1, n)]
    return [MEAN, *samples][:n]
