"""The segmentation head: which things are where, and the chroma of skin; and its teacher.

Few photos have labels, and each collection names what it is about and leaves the rest open: so a
label is a set of classes, and the loss is the negative log-likelihood of that set. A teacher that
sees color learns from labels and marks many more photos; the student, which is the head of the
model, learns from all marks and sees lightness alone, half of the time degraded like old prints.
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
from colorflow.model.heads import SegmentationHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.segmentation import CLASSES, EVERY, SKIN
from colorflow.model.weights import write_tensors
from colorflow.training.heads import FROZEN_MAPS, head_recipe
from colorflow.training.large_pack import LabeledPack
from colorflow.training.objective import Objective
from colorflow.training.parts import Lesson, Recipe

TEACHER_FORMAT = "colorflow-teacher-2"
WEIGHTS = {"skin": 2.0, "hair": 2.0, "hat": 3.0, "accessory": 1.2}
"""How much a cell counts whose class is known; of the others 1."""
OPEN_WEIGHT = 0.5
"""How much a cell counts of whose class something is known."""
BORDER, BORDER_WEIGHT = 3, 2.5
"""Cells that are as near to another label count this many times: outlines are small and matter."""
CHROMA_ERROR = 20.0
"""CIELAB units of chroma that count as much as one nat of which things are where."""
MOST_TONES, LEAST_CELLS = 2000, 130
"""Photos that tell the distribution of tones, and cells of skin that such a photo has at least."""
LEAST_PHOTOS = 3
"""Photos with skin that a distribution of tones in two dimensions takes."""
LEAST_SHARE = 0.6
"""Cells of the grid of chroma with less skin than this do not tell which chroma skin has."""


class SegmentationObjective(Objective[SegmentationHead, Condition]):
    """The negative log-likelihood of the sets of classes, and the squared error of skin's chroma.

    Args:
        pyramid: the model whose late blocks make the student's coarse maps; None for the teacher,
            who reads the frozen network's maps of the photo in color, and learns no chroma.
    """

    unit = "nats a cell"
    stream = 300

    def __init__(self, pyramid: ChromaPyramid | None) -> None:
        self.pyramid = pyramid
        self.name = self.folder = "teacher" if pyramid is None else "segmentation"
        self.maps = tuple(sorted(FEATURE_CHANNELS)) if pyramid is None else FROZEN_MAPS

    def fit(
        self, module: SegmentationHead, target: Tensor, condition: Condition, noise: Generator
    ) -> None:
        """Sets the statistics of the features."""
        module.fit(self._seen(condition))

    def loss(
        self, module: SegmentationHead, target: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """(B,); see the class. `target` holds sets of classes, a and b, (B, 3, 192, 192)."""
        log_odds, chroma = self.found(module, condition)
        labels = target[:, 0].int()
        allowed = (
            labels[:, None] >> torch.arange(len(CLASSES), device=labels.device)[:, None, None]
        ) & 1
        unlikely = torch.where(allowed == 1, 0.0, -1e4)
        log_p = log_odds.log_softmax(1)
        nats = -torch.logsumexp(log_p + unlikely, 1)
        weight = _weight_of(labels, allowed)
        loss = (weight * nats).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
        if self.pyramid is None:
            return loss
        share, ab = skin_of(target, chroma.shape[-1])
        sure = share * (share > LEAST_SHARE)
        error = (sure * (chroma - ab).square()).mean((1, 2, 3))
        return loss + error / CHROMA_ERROR**2 / sure.mean((1, 2, 3)).clamp(min=0.01)

    def found(self, module: SegmentationHead, condition: Condition) -> tuple[Tensor, Tensor]:
        """Log odds of classes and chroma of skin, as of `SegmentationHead`."""
        return module(self._seen(condition))

    def _seen(self, condition: Condition) -> Condition:
        return condition if self.pyramid is None else self.pyramid.refine(condition)


def _weight_of(labels: Tensor, allowed: Tensor) -> Tensor:
    """How much each cell counts, (B, g, g)."""
    own = torch.tensor([WEIGHTS.get(name, 1.0) for name in CLASSES], device=labels.device)
    count = allowed.sum(1)
    weight = torch.where(count == 1, (allowed * own[:, None, None]).sum(1), OPEN_WEIGHT)
    weight = weight * ((labels != 0) & (labels != EVERY))
    size = 2 * BORDER + 1
    most, least = (
        sign * F.max_pool2d(sign * labels[:, None].float(), size, 1, BORDER) for sign in (1, -1)
    )
    return weight * torch.where((most != least)[:, 0], BORDER_WEIGHT, 1.0)


def skin_of(target: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Share of skin (B, 1, side, side) and ab of a target."""
    share = (target[:, :1] == 1 << SKIN).float()
    return F.adaptive_avg_pool2d(share, side), F.adaptive_avg_pool2d(target[:, 1:], side)


def _with_tones(
    head: nn.Module, pyramid: ChromaPyramid, pack_folder: Path | None
) -> dict[str, Any]:
    """Takes the distribution of tones from the training photos of a pack.

    Raises:
        TrainingError: if there is no pack, or it shows too little skin.
    """
    assert isinstance(head, SegmentationHead)
    if pack_folder is None:
        raise TrainingError("--pack: name the pack that the head was trained on, for skin's tones")
    pack = LabeledPack(pack_folder)
    rows = pack.rows("train", variant="whole")
    tones = tones_of_photos(head, pack, SegmentationObjective(pyramid), rows)
    if len(tones) < LEAST_PHOTOS:
        raise TrainingError(
            f"{pack_folder}: only {len(tones)} training photos show enough skin to tell its tones, "
            f"which takes {LEAST_PHOTOS}; name the pack that the head was trained on"
        )
    head.fit_tones(tones)
    return {"photos_with_skin": len(tones)}


@torch.no_grad()
def tones_of_photos(
    head: SegmentationHead,
    pack: LabeledPack,
    objective: SegmentationObjective,
    rows: NDArray[np.int64],
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
        share, ab = skin_of(target, chroma.shape[-1])
        sure = (share > LEAST_SHARE).float().flatten(1)
        truth, mean = (torch.complex(x[:, 0], x[:, 1]).flatten(1) for x in (ab, chroma))
        ratio = (sure * mean.conj() * truth).sum(1) / (sure * mean.abs().square()).sum(1)
        ratio = ratio[sure.sum(1) >= LEAST_CELLS]
        tones.append(torch.stack([ratio.abs().log(), ratio.angle()], 1))
    return torch.cat(tones)


def _teacher_lesson(
    part: str, pack_folder: Path, run: Path, start: Path | None
) -> Lesson[Condition]:
    pack, head = LabeledPack(pack_folder, in_color=True), SegmentationHead(sees_color=True)
    return Lesson(module=head, objective=SegmentationObjective(None), pack=pack)


def _write_teacher(
    run: Path, weights: Path, start: Path | None, pack_folder: Path | None
) -> dict[str, Any]:
    head = SegmentationHead(sees_color=True)
    training = {TEACHER.name: TEACHER.load(run, TEACHER.name, head)}
    write_tensors(weights, head, TEACHER_FORMAT, {"training": training})
    return training


SEGMENTATION = head_recipe(
    "segmentation",
    SegmentationHead,
    SegmentationObjective,
    LabeledPack,
    batch=12,
    dev_photos=300,
    finish=_with_tones,
)
TEACHER = Recipe(
    name="teacher",
    settings={"teacher": "segmentation"},
    format=TEACHER_FORMAT,
    batch=12,
    lesson=_teacher_lesson,
    write=_write_teacher,
    dev_photos=300,
)
"""Writes weights for `python -m data_prep --teacher`."""
