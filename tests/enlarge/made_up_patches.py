"""A pack of patches of scikit-image's pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage.data

from data_prep.kinds import patches_of
from tests.training.made_up_pixels import write_pack

DEV, TRAIN = 2, 4


def pictures() -> list[np.ndarray]:
    """`DEV` + `TRAIN` parts of photos, (H, W, 3)."""
    return [
        getattr(skimage.data, name)()[:, left : left + 300]
        for name in ("astronaut", "coffee", "rocket")
        for left in (0, 200)
    ]


def write_patches(folder: Path) -> None:
    """Two dev photos, then four training photos; four patches each."""
    rng = np.random.default_rng(0)
    patches = np.stack([patches_of(picture, rng) for picture in pictures()])
    write_pack(folder, "patches", {"patches": patches}, DEV, [300] * (DEV + TRAIN))
