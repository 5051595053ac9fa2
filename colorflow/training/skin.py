"""The skin head: where skin is, and which chroma it has; and its teacher.

Few photos have labels. So a teacher that sees color learns from them and marks the skin of many
more; the student, which is the skin head of the model, learns from all marks and sees lightness
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
from colorflow.model.condition import FEATURE_CHANNELS, Condition
from colorflow.model.heads import SkinHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import write_tensors
from colorflow.training.heads import FROZEN_MAPS, head_recipe
from colorflow.training.objective import Objective
from colorflow.training.parts import Lesson, Recipe
from colorflow.training.skin_pack import SkinPack

TEACHER_FORMAT = "colorflow-skin-teacher-1"
RARITY = 2.0
"""How much more skin counts than what is not skin."""
CHROMA_ERROR = 5.0
"""CIELAB units of chroma that count as much as one nat of where skin is."""
MOST_TONES, LEAST_CELLS = 2000, 60
"""Photos that tell the distribution of tones, and cells of skin that such a photo has at least."""
LEAST_PHOTOS = 3
"""Photos with skin that a distribution of tones in two dimensions takes."""
LEAST_SHARE = 0.6
"""Cells with less skin than this do not tell which chroma skin has."""


class SkinObjective(Objective[SkinHead, Condition]):
    """Cross entropy of where skin is, and the squared error of its chroma.

    Args:
        pyramid: the model whose late blocks make the student's coarse maps; None for the teacher,
            who reads the frozen network's maps of the photo in color, and learns no chroma.
    """

    unit = "nats a cell"
    stream = 300

    def __init__(self, pyramid: ChromaPyramid | None) -> None:
        self.pyramid = pyramid
        self.name = self.folder = "teacher" if pyramid is None else "skin"
        self.maps = tuple(sorted(FEATURE_CHANNELS)) if pyramid is None else FROZEN_MAPS

    def fit(self, module: SkinHead, target: Tensor, condition: Condition, noise: Generator) -> None:
        """Sets the statistics of the features."""
        module.fit(self._seen(condition))

    def loss(
        self, module: SkinHead, target: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """(B,); see the class. `target` holds share of skin, weight, a and b, (B, 4, 64, 64)."""
        share, weight, ab = target[:, :1], target[:, 1:2], target[:, 2:]
        log_odds, chroma = self.found(module, condition)
        where = F.binary_cross_entropy_with_logits(
            log_odds, share, weight, reduction="none", pos_weight=log_odds.new_tensor(RARITY)
        )
        loss = where.mean((1, 2, 3))
        if self.pyramid is None:
            return loss
        sure = (weight * share * (share > LEAST_SHARE)).expand_as(ab)
        error = (sure * (chroma - ab).square()).mean((1, 2, 3))
        return loss + error / CHROMA_ERROR**2

    def found(self, module: SkinHead, condition: Condition) -> tuple[Tensor, Tensor]:
        """Log odds and chroma of skin, as of `SkinHead`."""
        return module(self._seen(condition))

    def _seen(self, condition: Condition) -> Condition:
        return condition if self.pyramid is None else self.pyramid.refine(condition)


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
    pack = SkinPack(pack_folder)
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
    head: SkinHead, pack: SkinPack, objective: SkinObjective, rows: NDArray[np.int64]
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
        sure = (target[:, 1] * (target[:, 0] > LEAST_SHARE)).flatten(1)
        truth, mean = (
            torch.complex(ab[:, 0], ab[:, 1]).flatten(1)
            for ab in (target[:, 2:], objective.found(head, condition)[1])
        )
        ratio = (sure * mean.conj() * truth).sum(1) / (sure * mean.abs().square()).sum(1)
        ratio = ratio[sure.sum(1) >= LEAST_CELLS]
        tones.append(torch.stack([ratio.abs().log(), ratio.angle()], 1))
    return torch.cat(tones)


def _teacher_lesson(
    part: str, pack_folder: Path, run: Path, start: Path | None
) -> Lesson[Condition]:
    pack, head = SkinPack(pack_folder, in_color=True), SkinHead(sees_color=True)
    return Lesson(module=head, objective=SkinObjective(None), pack=pack)


def _write_teacher(
    run: Path, weights: Path, start: Path | None, pack_folder: Path | None
) -> dict[str, Any]:
    head = SkinHead(sees_color=True)
    training = {TEACHER.name: TEACHER.load(run, TEACHER.name, head)}
    write_tensors(weights, head, TEACHER_FORMAT, {"training": training})
    return training


SKIN = head_recipe("skin", SkinHead, SkinObjective, SkinPack, batch=24, finish=_with_tones)
TEACHER = Recipe(
    name="teacher",
    settings={"teacher": "skin"},
    format=TEACHER_FORMAT,
    batch=24,
    lesson=_teacher_lesson,
    write=_write_teacher,
)
"""Writes weights for `python -m data_prep --teacher`."""
