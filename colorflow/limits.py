"""Limits of what users may ask for, shared by Python, the commands, the page, and the models.

Importing this module loads nothing, so that `--help` can name the limits at once.
"""

import math
from numbers import Integral, Real

LARGEST_SEED = 2**32 - 1
"""Largest seed that may be asked for; the further samples of a call count on from it."""

MOST_PRINCIPAL = 16
"""Principal colorings of one photo: clusters of 64 samples that still hold several of them each."""

MOST_SAMPLES = 1000
"""Samples of one photo; they are sampled together, at 32 kB each."""

EXTENSIONS = ("auto", "jpg", "png", "webp", "tiff")
"""Suffixes of results; ``auto`` is jpg for a JPEG, and png otherwise."""

QUALITY = 95
"""Of JPEG and WebP, from 1 to 100."""

SCALES = (2, 4)
"""How many times larger a photo may become on each side."""

LARGEST_TEMPERATURE = 10.0
"""Factor on the spread of colorings at most; from 2 on colors are hardly those of photos."""

LARGEST_SATURATION, LARGEST_PALE = 2.0, 3.0
"""Factors on the chroma of a finished coloring at most: on all of it, and where colors are pale."""

REFERENCE_STRENGTH, STYLE_STRENGTH = 1.0, 0.7
"""How far colors go by default, in [0, 1]: towards those of what looks alike in references, and
towards the latents of a photo whose style is wanted."""

DETAIL_TEMPERATURE, LARGEST_DETAIL_TEMPERATURE = 0.5, 2.0
"""Factor on what a sample of detail adds to the mean: of the samples that are shown after the mean,
and at most. At 1 the spread is that of the model, and results of four times look scratched
(docs/enlarge.md)."""

SENSITIVITIES = (-2, -1, 0, 1, 2)
"""Of repair, from what is surely damage to all that may be."""


def check_range(name: str, value: float, least: float, most: float, of: str = "") -> None:
    """Raises `ValueError` for an argument out of its range, or that is no number."""
    if not (isinstance(value, Real) and least <= value <= most):
        raise ValueError(f"{name}: expected {least:g} to {most:g}{of and ' '}{of}, got {value!r}")


def check_whole(name: str, value: int, least: int, most: float = math.inf) -> None:
    """Raises `ValueError` for an argument that is no whole number, or out of its range."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (is_whole and least <= value <= most):
        among = f"of at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name}: expected a whole number {among}, got {value!r}")


def check_seed(seed: int) -> None:
    """Raises `ValueError` if a seed that is asked for is no whole number, or out of range."""
    check_whole("seed", seed, 0, LARGEST_SEED)
