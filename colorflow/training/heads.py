"""The heads of the model of colors, each trained by itself on maps that stay as they are.

**Mean** and **skin** learn by squared error; skin also, where it is, by cross entropy, from the
labels of segmentation, of which it asks skin alone.

**Likeness** learns which cells of two photos have the same color; no labels are needed: a photo
tells its own colors. It learns by maximum likelihood of a view's colors under the mixture of
`colorflow.model.likeness`,

    p(ab_i) = sum_j p_ij Laplace(ab_i; ab_j, b) + p_i0 Laplace(ab_i; m_i, c),

with j the cells of a reference, m the mean head's colors, a little more vivid, and Laplace(x; m, b)
= exp(-|x - m| / b) / (2 pi b^2) in the two dimensions of ab.

**Segmentation** learns which things are where. Few photos have labels, and each collection names
what it is about and leaves the rest open: so a label is a set of classes, and the loss is the
negative log-likelihood of that set. A teacher that sees color learns from labels and marks many
more photos; the student, which is the head of the model, learns from all marks.

All but the teacher see lightness alone, a share of it degraded like old prints
(`colorflow.training.large_pack`).

Dimensions: B rows, q = 32 the side of the grid of cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from colorflow.device import best_device
from colorflow.errors import TrainingError
from colorflow.model.condition import FEATURE_CHANNELS, LATE_BLOCKS_OUTPUTS, Condition
from colorflow.model.heads import MeanHead, SegmentationHead, SkinHead
from colorflow.model.likeness import CELLS_GRID, LikenessHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.segmentation import CLASSES, EVERY
from colorflow.model.segmentation import SKIN as SKIN_CLASS
from colorflow.model.spatial import contrast_of
from colorflow.model.weights import (
    FORMAT,
    LoadedWeights,
    load_weights,
    save_with_head,
    write_tensors,
)
from colorflow.training.large_pack import LabeledPack, LargePack, Pair, PairPack
from colorflow.training.pack import EVALUATED_PHOTO_SIDE
from colorflow.training.trainer import (
    Dataset,
    Loss,
    TrainConfig,
    Trainer,
    Training,
)

FROZEN_MAPS = tuple(sorted(set(FEATURE_CHANNELS) - set(LATE_BLOCKS_OUTPUTS)))
"""Sides of the maps that the late blocks do not make."""
CELLS = 256
"""Cells of a view that the likeness head's loss is of."""
VIVID = 1.3
"""The mean head's colors are paler than those that people see, by about this factor."""
CONTRAST_SHARE, MOST_PHOTOS = 0.67, 500
"""The share of the contrast of dev photos that the gain of the mean head gives, and photos that
tell it. More is more colorful and farther from the truth (docs/experiments.md)."""
TEACHER_FORMAT = "colorflow-teacher-3"
CLASS_WEIGHTS = {"skin": 2.0, "hair": 2.0, "hat": 3.0, "accessory": 1.2}
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


def head_training(
    name: str,
    make: Callable[[], nn.Module],
    loss: Callable[[ChromaPyramid], Loss],
    dataset: Callable[[Path], Dataset],
    *,
    batch: int,
    dev_photos: int = 1000,
    finish: Callable[[nn.Module, ChromaPyramid, Path | None], dict[str, Any]] | None = None,
) -> Training:
    """How weights with a new head come about.

    A head that the model has is trained on. The file is that of the model, all else as it was.

    Args:
        name: in commands, and of its folder in a run; NAME_head in the model.
        make: makes what is trained: the head, or a module that has it as `head`.
        loss: of the head of a model.
        dataset: opens what it learns from, given the folder of the pack.
        batch: rows a step, by default.
        dev_photos: of an evaluation, at most.
        finish: completes a trained head, given its model and the folder of the pack; returns what
            the file says about that.
    """
    attribute = f"{name}_head"

    def trainer(
        part: str, pack_folder: Path, run: Path, start: Path | None, config: TrainConfig
    ) -> Trainer:
        device = best_device()
        pyramid = _model_of(start).pyramid.to(device)
        module, given = make(), getattr(pyramid, attribute)
        if given is not None:
            getattr(module, "head", module).load_state_dict(given.state_dict())
        rows, is_new = dataset(pack_folder), given is None
        return Trainer(module.to(device), loss(pyramid), rows, config, fit=is_new)

    def write(
        run: Path, weights: Path, start: Path | None, pack_folder: Path | None
    ) -> dict[str, Any]:
        loaded, module = _model_of(start), make()
        history = training.load(run, name, module)
        head = getattr(module, "head", module)
        if finish is not None:
            history |= finish(head, loaded.pyramid, pack_folder)
        save_with_head(weights, loaded, attribute, head, history)
        return {attribute: history}

    training = Training(
        name=name,
        settings={name: name},
        format=FORMAT,
        batch=batch,
        dev_photos=dev_photos,
        trainer=trainer,
        write=write,
    )
    return training


def _model_of(start: Path | None) -> LoadedWeights:
    """The model that a head is a part of.

    Raises:
        TrainingError: if there is none, or it has no late blocks.
        WeightsError: if it cannot be read.
    """
    if start is None:
        raise TrainingError("a head needs its model: name the weights file with --start")
    loaded = load_weights(start)
    if loaded.pyramid.late_blocks is None:
        raise TrainingError(f"{start}: has no late blocks, on whose maps heads learn")
    return loaded


class HeadLoss(Loss):
    """What the losses of heads have in common that learn on one photo's maps.

    Args:
        pyramid: the model whose late blocks make the coarse maps, which stay as they are; None for
            the frozen network's maps alone.
    """

    maps = FROZEN_MAPS

    def __init__(self, pyramid: ChromaPyramid | None) -> None:
        self.pyramid = pyramid

    def fit(self, module: Any, target: Tensor, condition: Condition, noise: Generator) -> None:
        """Sets the statistics of the features."""
        module.fit(self.seen(condition))

    def seen(self, condition: Condition) -> Condition:
        """The condition with the maps of the model's late blocks."""
        return condition if self.pyramid is None else self.pyramid.refine(condition)


class MeanHeadLoss(HeadLoss):
    """The squared error of the mean."""

    name = "mean"
    unit = "squared CIELAB units"
    stream = 200
    small_photo_side = EVALUATED_PHOTO_SIDE

    def __call__(
        self, module: MeanHead, ab: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """Mean squared error of ab, (B,)."""
        return (module(self.seen(condition)) - ab).square().mean((1, 2, 3))


class LikenessLoss(Loss):
    """The negative log-likelihood of the colors of cells; see the module.

    Args:
        pyramid: the model whose late blocks make the coarse maps, and whose mean head tells the
            colors without a reference.

    Raises:
        TrainingError: if it has none.
    """

    name = "likeness"
    unit = "nats a cell"
    stream = 400

    def __init__(self, pyramid: ChromaPyramid) -> None:
        if pyramid.mean_head is None:
            raise TrainingError(
                "--start: the model has no mean head, which tells the colors without a reference"
            )
        self.pyramid = pyramid

    def __call__(
        self, module: _Mixture, target: Tensor, condition: Pair, noise: Generator
    ) -> Tensor:
        """(B,); `target` holds ab of views and references, (B, 2, 2, q, q)."""
        pair = condition.refined(self.pyramid)
        own, other = target.flatten(3).unbind(1)
        mean = F.avg_pool2d(VIVID * self.pyramid.predict(pair.own), 2).flatten(2)
        cells, nothing = module.head(pair.own, pair.own_large)
        chosen = torch.randperm(CELLS_GRID**2, generator=noise)[:CELLS].to(own.device)
        cells, nothing, own, mean = (x[..., chosen] for x in (cells, nothing, own, mean))
        log_odds = cells.mT @ module.head(pair.other, pair.other_large)[0]
        shares = F.log_softmax(torch.cat([log_odds, nothing[..., None]], 2), 2)
        away = torch.cat([torch.cdist(own.mT, other.mT), (own - mean).norm(dim=1)[..., None]], 2)
        log_scale = torch.cat(
            [module.log_scales[:1].expand(log_odds.shape[-1]), module.log_scales[1:]]
        )
        density = -away / log_scale.exp() - 2 * log_scale - math.log(2 * math.pi)
        return -torch.logsumexp(shares + density, 2).mean(1)


class _Mixture(nn.Module):
    """The head, and the scales b and c of the mixture, which training alone needs."""

    def __init__(self) -> None:
        super().__init__()
        self.head = LikenessHead()
        self.log_scales = nn.Parameter(torch.tensor([1.6, 2.5]))


class SegmentationLoss(HeadLoss):
    """The negative log-likelihood of the sets of classes, and of where things end.

    Args:
        pyramid: the model whose late blocks make the student's coarse maps; None for the teacher,
            who reads the frozen network's maps of the photo in color.
    """

    unit = "nats a cell"
    stream = 300

    def __init__(self, pyramid: ChromaPyramid | None) -> None:
        super().__init__(pyramid)
        self.name = "teacher" if pyramid is None else "segmentation"
        self.maps = tuple(sorted(FEATURE_CHANNELS)) if pyramid is None else FROZEN_MAPS

    def __call__(
        self, module: SegmentationHead, target: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """(B,); see the class. `target` holds sets of classes, values, a, b, (B, 4, 192, 192)."""
        labels = target[:, 0].int()
        allowed = (
            labels[:, None] >> torch.arange(len(CLASSES), device=labels.device)[:, None, None]
        ) & 1
        unlikely = torch.where(allowed == 1, 0.0, -1e4)
        log_odds, outline = module(self.seen(condition))
        log_p = log_odds.log_softmax(1)
        nats = -torch.logsumexp(log_p + unlikely, 1)
        weight = _weight_of(labels, allowed)
        loss = (weight * nats).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1)
        is_outline, is_told = _outlines_of(target[:, 1:2], allowed.sum(1, keepdim=True))
        told = F.binary_cross_entropy_with_logits(outline, is_outline, is_told, reduction="none")
        return loss + (told.sum((1, 2, 3)) / is_told.sum((1, 2, 3)).clamp(min=1))


def _weight_of(labels: Tensor, allowed: Tensor) -> Tensor:
    """How much each cell counts, (B, g, g)."""
    own = torch.tensor([CLASS_WEIGHTS.get(name, 1.0) for name in CLASSES], device=labels.device)
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


class SkinLoss(HeadLoss):
    """Cross entropy of where skin is, and the squared error of its chroma."""

    name = "skin"
    unit = "nats a cell"
    stream = 300

    def __call__(
        self, module: SkinHead, target: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """(B,); see the class. `target` holds sets of classes, values, a, b, (B, 4, 192, 192)."""
        log_odds, chroma = module(self.seen(condition))
        share, weight, ab = skin_of(target, chroma.shape[-1])
        where = F.binary_cross_entropy_with_logits(
            log_odds, share, weight, reduction="none", pos_weight=log_odds.new_tensor(RARITY)
        )
        sure = (weight * share * (share > LEAST_SHARE)).expand_as(ab)
        error = (sure * (chroma - ab).square()).mean((1, 2, 3))
        return where.mean((1, 2, 3)) + error / CHROMA_ERROR**2


def skin_of(target: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Share of skin and how much it counts, (B, 1, side, side), and ab of a target."""
    labels = target[:, :1].int()
    skin = labels == 1 << SKIN_CLASS
    known = skin | ((labels != 0) & (labels & 1 << SKIN_CLASS == 0))
    share, sure, ab = (F.adaptive_avg_pool2d(x.float(), side) for x in (skin, known, target[:, 2:]))
    return share / sure.clamp(min=1e-3), (sure > LEAST_KNOWN).float(), ab


@torch.no_grad()
def _with_gain(head: nn.Module, pyramid: ChromaPyramid, pack_folder: Path | None) -> dict[str, Any]:
    """Takes the gain from the dev photos of a pack, for `CONTRAST_SHARE` of their contrast.

    Raises:
        TrainingError: if there is no pack, or it has no dev photos.
    """
    assert isinstance(head, MeanHead)
    if pack_folder is None:
        raise TrainingError("--pack: name the pack that the head was trained on, for its contrast")
    pack = LargePack(pack_folder)
    rows = pack.rows("dev", variant="whole")[:MOST_PHOTOS]
    if len(rows) == 0:
        raise TrainingError(f"{pack_folder}: holds out no photos, whose contrast tells the gain")
    contrasts = []
    for first in range(0, len(rows), 32):
        ab, condition = pack.batch(rows[first : first + 32], FROZEN_MAPS)
        mean = head(pyramid.refine(condition))
        contrasts.append([float(contrast_of(one.numpy()).sum()) for one in (ab, mean)])
    photos, means = np.sum(contrasts, 0)
    head.gain.fill_(max(1.0, CONTRAST_SHARE * photos / max(means, 1e-6)))
    return {"gain": float(head.gain)}


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
    tones = tones_of_photos(head, pack, pyramid, rows)
    if len(tones) < LEAST_PHOTOS:
        raise TrainingError(
            f"{pack_folder}: only {len(tones)} training photos show enough skin to tell its tones, "
            f"which takes {LEAST_PHOTOS}; name the pack that the head was trained on"
        )
    head.fit_tones(tones)
    return {"photos_with_skin": len(tones)}


@torch.no_grad()
def tones_of_photos(
    head: SkinHead, pack: LabeledPack, pyramid: ChromaPyramid, rows: NDArray[np.int64]
) -> Tensor:
    """How the skin of photos differs from the head's mean: logarithm of its strength, and turn.

    The complex number that the mean a + ib is multiplied by, least squares over the cells of skin.

    Args:
        head: the student.
        pack: the photos.
        pyramid: its model.
        rows: whole photos; `MOST_TONES` of them count.

    Returns:
        (N, 2), of the photos with `LEAST_CELLS` cells of skin or more.
    """
    rows, tones = np.random.default_rng(6).permutation(rows)[:MOST_TONES], []
    for part in np.array_split(rows, -(-len(rows) // 32)):
        target, condition = pack.batch(part, FROZEN_MAPS)
        chroma = head(pyramid.refine(condition))[1]
        share, weight, ab = skin_of(target, chroma.shape[-1])
        sure = (weight * (share > LEAST_SHARE)).flatten(1)
        truth, mean = (torch.complex(x[:, 0], x[:, 1]).flatten(1) for x in (ab, chroma))
        ratio = (sure * mean.conj() * truth).sum(1) / (sure * mean.abs().square()).sum(1)
        ratio = ratio[sure.sum(1) >= LEAST_CELLS]
        tones.append(torch.stack([ratio.abs().log(), ratio.angle()], 1))
    return torch.cat(tones)


def _teacher_trainer(
    part: str, pack_folder: Path, run: Path, start: Path | None, config: TrainConfig
) -> Trainer:
    pack, head = LabeledPack(pack_folder, in_color=True), SegmentationHead(sees_color=True)
    head, loss = head.to(best_device()), SegmentationLoss(None)
    return Trainer(head, loss, pack, config)


def _write_teacher(
    run: Path, weights: Path, start: Path | None, pack_folder: Path | None
) -> dict[str, Any]:
    head = SegmentationHead(sees_color=True)
    training = {TEACHER.name: TEACHER.load(run, TEACHER.name, head)}
    write_tensors(weights, head, TEACHER_FORMAT, {"training": training})
    return training


MEAN = head_training("mean", MeanHead, MeanHeadLoss, LargePack, batch=16, finish=_with_gain)
LIKENESS = head_training("likeness", _Mixture, LikenessLoss, PairPack, batch=8, dev_photos=100)
SKIN = head_training("skin", SkinHead, SkinLoss, LabeledPack, batch=12, finish=_with_tones)
SEGMENTATION = head_training(
    "segmentation",
    SegmentationHead,
    SegmentationLoss,
    LabeledPack,
    batch=12,
    dev_photos=300,
)
TEACHER = Training(
    name="teacher",
    settings={"teacher": "segmentation"},
    format=TEACHER_FORMAT,
    batch=12,
    trainer=_teacher_trainer,
    write=_write_teacher,
    dev_photos=300,
)
"""Writes weights for `python -m data_prep --teacher`."""
