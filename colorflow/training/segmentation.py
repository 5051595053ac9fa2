"""The segmentation head: which things are where; and its teacher.

Few photos have labels, and each collection names what it is about and leaves the rest open: so a
label is a set of classes, and the loss is the negative log-likelihood of that set. A teacher that
sees color learns from labels and marks many more photos; the student, which is the head of the
model, learns from all marks and sees lightness alone, half of the time degraded like old prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from colorflow.model.condition import FEATURE_CHANNELS, Condition
from colorflow.model.heads import SegmentationHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.segmentation import CLASSES, EVERY
from colorflow.model.weights import write_tensors
from colorflow.training.heads import FROZEN_MAPS, head_recipe
from colorflow.training.large_pack import LabeledPack
from colorflow.training.objective import Objective
from colorflow.training.parts import Lesson, TrainingPart

TEACHER_FORMAT = "colorflow-teacher-3"
WEIGHTS = {"skin": 2.0, "hair": 2.0, "hat": 3.0, "accessory": 1.2}
"""How much a cell counts whose class is known; of the others 1."""
OPEN_WEIGHT = 0.5
"""How much a cell counts of whose class something is known."""
BORDER, BORDER_WEIGHT = 3, 2.5
"""Cells that are as near to another label count this many times: outlines are small and matter."""


OUTLINE, OUTLINE_WEIGHT = 1, 3.0
"""Cells on both sides that an outline has, and how much they count."""
GAP = 2
"""Cells of which nothing is known that an outline may have."""
MOST_CLASSES = 3
"""Of the set of a thing; "no person" is no thing."""


class SegmentationObjective(Objective[SegmentationHead, Condition]):
    """The negative log-likelihood of the sets of classes, and of where things end.

    Args:
        pyramid: the model whose late blocks make the student's coarse maps; None for the teacher,
            who reads the frozen network's maps of the photo in color.
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
        """(B,); see the class. `target` holds sets of classes, values, a, b, (B, 4, 192, 192)."""
        labels = target[:, 0].int()
        allowed = (
            labels[:, None] >> torch.arange(len(CLASSES), device=labels.device)[:, None, None]
        ) & 1
        unlikely = torch.where(allowed == 1, 0.0, -1e4)
        log_odds, outline = module(self._seen(condition))
        log_p = log_odds.log_softmax(1)
        nats = -torch.logsumexp(log_p + unlikely, 1)
        weight = _weight_of(labels, allowed)
        loss = (weight * nats).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
        is_outline, is_told = _outlines_of(target[:, 1:2], allowed.sum(1, keepdim=True))
        told = F.binary_cross_entropy_with_logits(outline, is_outline, is_told, reduction="none")
        return loss + (told.sum((1, 2, 3)) / is_told.sum((1, 2, 3)).clamp(min=1))

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


def _outlines_of(values: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Where outlines are, and how much each cell tells, (B, 1, g, g) both.

    Between two values there is an outline, even if a gap of nothing known is between them. There is
    none inside a value if it is that of a thing, whose set of classes has few.

    Args:
        values: (B, 1, g, g), 0 where nothing is known.
        sizes: of the sets of classes, (B, 1, g, g).
    """

    def most(x: Tensor, reach: int) -> Tensor:
        return F.max_pool2d(x, 2 * reach + 1, 1, reach)

    closed = torch.where(values == 0, most(values, GAP), values)
    highest = most(closed, OUTLINE)
    lowest = -most(torch.where(closed == 0, -1e4, -closed), OUTLINE)
    is_outline = (highest != lowest) & (highest > 0)
    is_open = (values == 0) | (sizes > MOST_CLASSES)
    is_inside = most((is_open | is_outline).float(), OUTLINE) == 0
    return is_outline.float(), is_outline * OUTLINE_WEIGHT + is_inside.float()


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
)
TEACHER = TrainingPart(
    name="teacher",
    settings={"teacher": "segmentation"},
    format=TEACHER_FORMAT,
    batch=12,
    lesson=_teacher_lesson,
    write=_write_teacher,
    dev_photos=300,
)
"""Writes weights for `python -m data_prep --teacher`."""
