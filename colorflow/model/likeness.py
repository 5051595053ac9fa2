"""What looks alike gets the same color: the colors that reference photos give to a photo.

Each cell of a photo is described by the features that the model computes anyway, of the whole photo
and of the large one. A cell takes the mean color of the cells of all references that look like it,

    ab_i = sum_j p_ij ab_j,    p_ij ~ exp(s_ij / 0.06),    s_ij = cos_ij - |skin_i - skin_j|,

as far as the best of them, max_j s_ij, is between 0.4 and 0.6: skin is like skin, and never like
cloth. The spatial operator brings color and weight to the outlines of things. Where no reference
has anything alike the weight is 0, and nothing changes.

Reference: Welsh, Ashikhmin & Mueller 2002 (colors from where another photo looks alike); He et al.
2018 (the same with features of a network).

Dimensions: g = 64 the grid's side, q = 32 that of the cells, C channels of a description.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.model.condition import Condition
from colorflow.model.config import FINEST_GRID
from colorflow.model.spatial import SpatialOperator, by_plane

Array = NDArray[np.float32]

CELLS_GRID = 32
"""Side of the grid of cells."""
FINE, THINGS, TONE = 0.6, 0.7, 1.5
"""Weights of the parts of a description: the fine map, either map of things, and lightness."""
SHARPNESS = 0.06
"""Scale of the softmax over likenesses."""
ALIKE, SURE = 0.4, 0.6
"""Likenesses from which on a cell takes color, and takes all of it."""
LEAST = 0.05
"""Weight below which nothing changes, after the operator has spread it."""


class Described(NamedTuple):
    """What the cells of one photo look like.

    Attributes:
        cells: (q^2, C) unit vectors.
        skin: (q^2,) how far each is skin, in [0, 1].
        ab: (2, g, g) colors of a reference, CIELAB units; None for the photo that gets colors.
    """

    cells: Array
    skin: Array
    ab: Array | None = None


@torch.inference_mode()
def describe(condition: Condition, large: Condition, skin: Array) -> Described:
    """Describes the cells of one photo.

    Args:
        condition: of the photo.
        large: of the photo at twice the side.
        skin: (g, g) weight of skin, in [0, 1].
    """
    size = (CELLS_GRID, CELLS_GRID)
    things = F.interpolate(condition.features[16], size, mode="bilinear", align_corners=False)
    parts = (
        (FINE, condition.features[32]),
        (THINGS, things),
        (THINGS, large.features[16]),
        (TONE, F.adaptive_avg_pool2d(condition.lightness, size)),
    )
    described = torch.cat([weight * _standardized(part[0]) for weight, part in parts])
    cells = F.normalize(described.flatten(1).T).cpu().numpy()
    return Described(cells, _cells_of(skin[None])[:, 0])


def overview(condition: Condition) -> Array:
    """Describes one photo as a whole: mean and std of each feature of its things, (224,)."""
    things = condition.features[16][0].flatten(1)
    return torch.cat([things.mean(1), things.std(1)]).cpu().numpy()


class Likeness:
    """The colors that references give to one photo.

    Args:
        own: what the photo looks like.
        references: what they look like, at least one; all their cells compete.
        operator: of the photo.

    Attributes:
        weight: (g, g) where the references have something to say, in [0, 1].
        ab: (2, g, g) the colors that they give there, CIELAB units.
    """

    def __init__(
        self, own: Described, references: Sequence[Described], operator: SpatialOperator
    ) -> None:
        others = np.concatenate([one.cells for one in references])
        skin = np.concatenate([one.skin for one in references])
        colors = np.concatenate([_cells_of(one.ab) for one in references if one.ab is not None])
        alike = own.cells @ others.T - np.abs(own.skin[:, None] - skin)
        best = alike.max(1, keepdims=True)
        share = np.exp((alike - best) / SHARPNESS)
        carried = share @ colors / share.sum(1, keepdims=True)
        sure = ((best - ALIKE) / (SURE - ALIKE)).clip(0, 1)
        planes = np.concatenate([sure, sure * carried], 1).T.reshape(-1, CELLS_GRID, CELLS_GRID)
        weight, *ab = operator.assigned(_enlarged(planes))
        self.weight: Array = ((weight - LEAST) / (1 - LEAST)).clip(0, 1)
        self.ab: Array = np.stack(ab) / np.maximum(weight, LEAST)

    def painted(self, ab: Array, strength: float) -> Array:
        """Gives chroma (n, 2, g, g) the colors of what looks alike, as far as the strength says."""
        return np.asarray(ab + strength * self.weight * (self.ab - ab), np.float32)


def _standardized(x: Tensor) -> Tensor:
    """(C, q, q) with mean 0 and std 1 in each channel."""
    return (x - x.mean((1, 2), keepdim=True)) / (x.std((1, 2), keepdim=True) + 1e-3)


def _cells_of(planes: Array) -> Array:
    """(n, g, g) -> (q^2, n), means."""
    n, q = len(planes), CELLS_GRID
    step = FINEST_GRID // q
    return planes.reshape(n, q, step, q, step).mean((2, 4)).reshape(n, -1).T


def _enlarged(planes: Array) -> Array:
    """(n, q, q) -> (n, g, g), bilinear."""
    size = (FINEST_GRID, FINEST_GRID)
    return by_plane(lambda plane: cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR), planes)
