"""The skin head: where skin is, and which chroma it has there.

It learns from the labels of the segmentation head, of which it asks skin alone, and sees lightness
alone, half of the time degraded like that of old prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from colorflow.errors import TrainingError
from colorflow.model.condition import Condition
from colorflow.model.heads import SkinHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.segmentation import SKIN as SKIN_CLASS
from colorflow.training.heads import FROZEN_MAPS, head_recipe
from colorflow.training.large_pack import LabeledPack
from colorflow.training.objective import Objective

RARITY = 2.0
"""How much more skin counts than what is not skin."""
CHROMA_ERROR = 5.0
"""CIELAB units of chroma that count as much as one nat of where skin is."""
MOST_TONES, LEAST_CELLS = 2000, 130
"""Photos that tell the distribution of tones, and cells of skin that such a photo has at least."""
LEAST_PHOTOS = 3
"""Photos with skin that a distribution of tones in two dimensions takes."""
LEAST_KNOWN = 0.9
"""Share of a cell of which it must be known whether it is skin."""
LEAST_SHARE = 0.6
"""Cells with less skin than this do not tell which chroma skin has."""


class SkinObjective(Objective[SkinHead, Condition]):
    """Cross entropy of where skin is, and the squared error of its chroma.

    Args:
        pyramid: the model, whose late blocks make the coarse maps.
    """

    name = folder = "skin"
    unit = "nats a cell"
    stream = 300
    maps = FROZEN_MAPS

    def __init__(self, pyramid: ChromaPyramid) -> None:
        self.pyramid = pyramid

    def fit(self, module: SkinHead, target: Tensor, condition: Condition, noise: Generator) -> None:
        """Sets the statistics of the features."""
        module.fit(self.pyramid.refine(condition))

    def loss(
        self, module: SkinHead, target: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """(B,); see the class. `target` holds sets of classes, values, a, b, (B, 4, 192, 192)."""
        log_odds, chroma = self.found(module, condition)
        share, weight, ab = skin_of(target, chroma.shape[-1])
        where = F.binary_cross_entropy_with_logits(
            log_odds, share, weight, reduction="none", pos_weight=log_odds.new_tensor(RARITY)
        )
        sure = (weight * share * (share > LEAST_SHARE)).expand_as(ab)
        error = (sure * (chroma - ab).square()).mean((1, 2, 3))
        return where.mean((1, 2, 3)) + error / CHROMA_ERROR**2

    def found(self, module: SkinHead, condition: Condition) -> tuple[Tensor, Tensor]:
        """Log odds and chroma of skin, as of `SkinHead`."""
        return module(self.pyramid.refine(condition))


def skin_of(target: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Share of skin and how much it counts, (B, 1, side, side), and ab of a target."""
    labels = target[:, :1].int()
    skin = labels == 1 << SKIN_CLASS
    known = skin | ((labels != 0) & (labels & 1 << SKIN_CLASS == 0))
    share, sure, ab = (F.adaptive_avg_pool2d(x.float(), side) for x in (skin, known, target[:, 2:]))
    return share / sure.clamp(min=1e-3), (sure > LEAST_KNOWN).float(), ab


def _with_tones(
    head: nn.Module, pyramid: ChromaPyramid, pack_folder: Path | None
) -> dict[str, Any]:
    """Takes the distribution of tones from the training photos of a pack.

    Raises:
        TrainingError: if there is no pack, or it shows too little skin.
    """
    assert isinstance(head, SkinHead)
    if pack_folder is None:
        raise TrainingError("--pack: name the pack that the head was trained on, for skin's tones")
    pack = LabeledPack(pack_folder)
    rows = pack.rows("train", variant="whole")
    tones = tones_of_photos(head, pack, SkinObjective(pyramid), rows)
    if len(tones) < LEAST_PHOTOS:
        raise TrainingError(
            f"{pack_folder}: only {len(tones)} training photos show enough skin to tell its tones, "
            f"which takes {LEAST_PHOTOS}; name the pack that the head was trained on"
        )
    head.fit_tones(tones)
    return {"photos_with_skin": len(tones)}


@torch.no_grad()
def tones_of_photos(
    head: SkinHead, pack: LabeledPack, objective: SkinObjective, rows: NDArray[np.int64]
) -> Tensor:
    """How the skin of photos differs from the head's mean: logarithm of its strength, and turn.

    The complex number that the mean a + ib is multiplied by, least squares over the cells of skin.

    Args:
        head: the student.
        pack: the photos.
        objective: of the student.
        rows: whole photos; `MOST_TONES` of them count.

    Returns:
        (N, 2), of the photos with `LEAST_CELLS` cells of skin or more.
    """
    rows, tones = np.random.default_rng(6).permutation(rows)[:MOST_TONES], []
    for part in np.array_split(rows, -(-len(rows) // 32)):
        target, condition = pack.batch(part, objective.maps)
        chroma = objective.found(head, condition)[1]
        share, weight, ab = skin_of(target, chroma.shape[-1])
        sure = (weight * (share > LEAST_SHARE)).flatten(1)
        truth, mean = (torch.complex(x[:, 0], x[:, 1]).flatten(1) for x in (ab, chroma))
        ratio = (sure * mean.conj() * truth).sum(1) / (sure * mean.abs().square()).sum(1)
        ratio = ratio[sure.sum(1) >= LEAST_CELLS]
        tones.append(torch.stack([ratio.abs().log(), ratio.angle()], 1))
    return torch.cat(tones)


SKIN = head_recipe("skin", SkinHead, SkinObjective, LabeledPack, batch=12, finish=_with_tones)
