"""The heads of the model of colors, each trained by itself on maps that stay as they are.

The mean head learns by squared error. The likeness head learns which cells of two photos have the
same color; no labels are needed: a photo tells its own colors. It learns by maximum likelihood of a
view's colors under the mixture of `colorflow.model.likeness`,

    p(ab_i) = sum_j p_ij Laplace(ab_i; ab_j, b) + p_i0 Laplace(ab_i; m_i, c),

with j the cells of a reference, m the mean head's colors, a little more vivid, and Laplace(x; m, b)
= exp(-|x - m| / b) / (2 pi b^2) in the two dimensions of ab. `colorflow.training.segmentation`
and `skin` have the other heads.

Dimensions: B rows, q = 32 the side of the grid of cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from colorflow.device import best_device
from colorflow.errors import TrainingError
from colorflow.model.condition import FEATURE_CHANNELS, LATE_BLOCKS_OUTPUTS, Condition
from colorflow.model.heads import MeanHead
from colorflow.model.likeness import CELLS_GRID, LikenessHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.spatial import contrast_of
from colorflow.model.weights import FORMAT, LoadedWeights, load_weights, save_with_head
from colorflow.training.large_pack import LargePack, Pair, PairPack
from colorflow.training.objective import Objective, TrainingData
from colorflow.training.parts import Lesson, TrainingPart
from colorflow.training.targets import EVALUATED_PHOTO_SIDE

FROZEN_MAPS = tuple(sorted(set(FEATURE_CHANNELS) - set(LATE_BLOCKS_OUTPUTS)))
"""Sides of the maps that the late blocks do not make."""
CELLS = 256
"""Cells of a view that the likeness head's loss is of."""
VIVID = 1.3
"""The mean head's colors are paler than those that people see, by about this factor."""
CONTRAST_SHARE, MOST_PHOTOS = 0.67, 500
"""The share of the contrast of dev photos that the gain of the mean head gives, and photos that
tell it. More is more colorful and farther from the truth (docs/experiments.md)."""


def head_recipe(
    name: str,
    make: Callable[[], nn.Module],
    objective: Callable[[ChromaPyramid], Objective[Any, Any]],
    pack: Callable[[Path], TrainingData[Any]],
    *,
    batch: int,
    dev_photos: int = 1000,
    finish: Callable[[nn.Module, ChromaPyramid, Path | None], dict[str, Any]] | None = None,
) -> TrainingPart:
    """How weights with a new head come about.

    A head that the model has is trained on. The file is that of the model, all else as it was.

    Args:
        name: in commands, and of its folder in a run; NAME_head in the model.
        make: makes what is trained: the head, or a module that has it as `head`.
        objective: of the head of a model.
        pack: opens what it learns from, given its folder.
        batch: rows a step, by default.
        dev_photos: of an evaluation, at most.
        finish: completes a trained head, given its model and the folder of the pack; returns what
            the file says about that.
    """
    attribute = f"{name}_head"

    def lesson(part: str, pack_folder: Path, run: Path, start: Path | None) -> Lesson[Any]:
        pyramid = _model_of(start).pyramid.to(best_device())
        module, given = make(), getattr(pyramid, attribute)
        if given is not None:
            getattr(module, "head", module).load_state_dict(given.state_dict())
        rows, is_new = pack(pack_folder), given is None
        return Lesson(module=module, objective=objective(pyramid), pack=rows, fit=is_new)

    def write(
        run: Path, weights: Path, start: Path | None, pack_folder: Path | None
    ) -> dict[str, Any]:
        loaded, module = _model_of(start), make()
        training = recipe.load(run, name, module)
        head = getattr(module, "head", module)
        if finish is not None:
            training |= finish(head, loaded.pyramid, pack_folder)
        save_with_head(weights, loaded, attribute, head, training)
        return {attribute: training}

    recipe = TrainingPart(
        name=name,
        settings={name: name},
        format=FORMAT,
        batch=batch,
        dev_photos=dev_photos,
        lesson=lesson,
        write=write,
    )
    return recipe


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


class MeanHeadObjective(Objective[MeanHead, Condition]):
    """The squared error of the mean, on the maps of late blocks, which stay as they are.

    Args:
        pyramid: the model, whose late blocks make the coarse maps.
    """

    name = folder = "mean"
    unit = "squared CIELAB units"
    stream = 200
    small_photo_side = EVALUATED_PHOTO_SIDE
    maps = FROZEN_MAPS

    def __init__(self, pyramid: ChromaPyramid) -> None:
        self.pyramid = pyramid

    def fit(self, module: MeanHead, ab: Tensor, condition: Condition, noise: Generator) -> None:
        """Sets the statistics of the features."""
        module.fit(self.pyramid.refine(condition))

    def loss(self, module: MeanHead, ab: Tensor, condition: Condition, noise: Generator) -> Tensor:
        """Mean squared error of ab, (B,)."""
        return (module(self.pyramid.refine(condition)) - ab).square().mean((1, 2, 3))


class LikenessObjective(Objective["_Mixture", Pair]):
    """The negative log-likelihood of the colors of cells; see the module.

    Args:
        pyramid: the model whose late blocks make the coarse maps, and whose mean head tells the
            colors without a reference.

    Raises:
        TrainingError: if it has none.
    """

    name = folder = "likeness"
    unit = "nats a cell"
    stream = 400

    def __init__(self, pyramid: ChromaPyramid) -> None:
        if pyramid.mean_head is None:
            raise TrainingError(
                "--start: the model has no mean head, which tells the colors without a reference"
            )
        self.pyramid = pyramid

    def fit(self, module: _Mixture, target: Tensor, condition: Pair, noise: Generator) -> None:
        """Nothing: each photo is standardized by itself."""

    def loss(self, module: _Mixture, target: Tensor, condition: Pair, noise: Generator) -> Tensor:
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


@torch.no_grad()
def _with_gain(head: nn.Module, pyramid: ChromaPyramid, pack_folder: Path | None) -> dict[str, Any]:
    """Takes the gain from the dev photos of a pack, for `CONTRAST_SHARE` of their contrast.

    Raises:
        TrainingError: if there is no pack, or it has no dev photos.
    """
    assert isinstance(head, MeanHead)
    if pack_folder is None:
        raise TrainingError("--pack: name the pack that the head was trained on, for its contrast")
    pack, objective = LargePack(pack_folder), MeanHeadObjective(pyramid)
    rows = pack.rows("dev", variant="whole")[:MOST_PHOTOS]
    if len(rows) == 0:
        raise TrainingError(f"{pack_folder}: holds out no photos, whose contrast tells the gain")
    contrasts = []
    for first in range(0, len(rows), 32):
        ab, condition = pack.batch(rows[first : first + 32], objective.maps)
        mean = head(pyramid.refine(condition))
        contrasts.append([float(contrast_of(one.numpy()).sum()) for one in (ab, mean)])
    photos, means = np.sum(contrasts, 0)
    head.gain.fill_(max(1.0, CONTRAST_SHARE * photos / max(means, 1e-6)))
    return {"gain": float(head.gain)}


MEAN = head_recipe("mean", MeanHead, MeanHeadObjective, LargePack, batch=16, finish=_with_gain)
LIKENESS = head_recipe("likeness", _Mixture, LikenessObjective, PairPack, batch=8, dev_photos=100)
