"""What looks alike gets the same color: the colors that reference photos give to a photo.

The likeness head describes the 32x32 cells of a photo by unit vectors z, from the feature maps that
the model computes anyway, of the whole photo and of the large one. A cell i of the photo has the
color of cell j of reference r, or, with j = 0, the color that the model gives it, because no
reference has anything alike, with probabilities

    p_ij ~ w_r exp(s z_i . z_j - 20 |skin_i - skin_j|),    p_i0 ~ w_0 exp(n_i + 1.5).

z, s and n are learned by the likelihood of the photo's own colors, where the reference is another
view of the photo, or another photo (`colorflow.training.heads`). The shares w of the photo that
each reference tells are estimated from the photo itself, by empirical Bayes: a reference that shows
something else matches few cells well, so its w goes to 0, and then even what looks alike by chance
changes nothing. Skin is like skin, and never like cloth.

Where p_i0 is large nothing changes at all; elsewhere a cell gets the mean color of what is like it.

Reference: Welsh, Ashikhmin & Mueller 2002 (colors from where another photo looks alike); Vinyals,
Fortunato & Jaitly 2015 (a distribution over the places of another input); He et al. 2018 (colors of
a reference through features of a network); Dempster, Laird & Rubin 1977 (shares of a mixture).

Dimensions: g = 64 the grid's side, q = 32 that of the cells, D = 64 channels of a description, R
references.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.color.grid import block_means
from colorflow.flows.networks import zero_initialized
from colorflow.model.condition import FEATURE_CHANNELS, Condition
from colorflow.model.config import FINEST_GRID

Array = NDArray[np.float32]

LIKENESS_SIZE = 512
"""Side in pixels of the large photo that the likeness head reads."""
CELLS_GRID = 32
"""Side of the grid of cells."""
SKIN = 20.0
"""How much less likely skin is to be like what is none, as a logarithm."""
CAUTION = 1.5
"""How much likelier than in training a cell is to be like nothing, as a logarithm: training has
three views of the same photo to one of another."""
PSEUDO_CELLS, STEPS = 10.0, 20
"""The prior of the shares w is Dirichlet, as if this many cells had been seen of each; and steps of
expectation and maximization."""
FROM, TO = 0.35, 0.75
"""A cell takes color where it is as likely as the first to be like a cell of a reference, and all
of it from the second on."""

TONES = 8.0
"""Scale of the difference in L* across which colors do not spread between cells."""

_MAPS = (32, 16)
"""Sides of the maps that describe a cell, for photos of 256x256 pixels."""
_DESCRIPTION, _HIDDEN = 64, 128
_SHARPNESS, _NOTHING = 2.7, 8.0
"""Of an untrained head: the logarithm of s, and n."""


class LikenessHead(nn.Module):
    """Describes the cells of a photo, so that those of the same color are alike.

    Args:
        dropout: share of channels dropped in training.
    """

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        channels = 2 * sum(FEATURE_CHANNELS[g] for g in _MAPS) + 16
        self.dropout = nn.Dropout2d(dropout)
        self.hidden = nn.Conv2d(channels, _HIDDEN, 1)
        self.out = nn.Conv2d(_HIDDEN, _DESCRIPTION, 1)
        self.direct = nn.Conv2d(channels, _DESCRIPTION, 1, bias=False)
        self.nothing = zero_initialized(nn.Conv2d(_DESCRIPTION, 1, 1))
        nn.init.constant_(self.nothing.bias, _NOTHING)  # type: ignore[arg-type]
        self.sharpness = nn.Parameter(torch.tensor(_SHARPNESS))

    def forward(self, condition: Condition, large: Condition) -> tuple[Tensor, Tensor]:
        """Describes the cells of B photos.

        Args:
            condition: of the photos.
            large: of the photos at twice the side.

        Returns:
            Unit vectors z times the square root of s, (B, D, q^2), and n, (B, q^2).
        """
        x = self.dropout(_standardized(_maps(condition, large)))
        h = self.out(F.gelu(self.hidden(x))) + self.direct(x)
        cells = F.normalize(h.flatten(2).float(), dim=1) * (0.5 * self.sharpness).exp()
        return cells, self.nothing(h).flatten(1).float()


class Described(NamedTuple):
    """What the cells of one photo look like.

    Attributes:
        cells: (q^2, D), see `LikenessHead`.
        nothing: (q^2,), logarithm of how likely no cell of a reference is like it.
        skin: (q^2,) how far each is skin, in [0, 1].
        lightness: (g, g) L*.
        ab: (2, g, g) colors of a reference, CIELAB units; None for the photo that gets colors.
    """

    cells: Array
    nothing: Array
    skin: Array
    lightness: Array
    ab: Array | None = None


@torch.inference_mode()
def describe(head: LikenessHead, condition: Condition, large: Condition, skin: Array) -> Described:
    """Describes the cells of one photo.

    Args:
        head: of the model.
        condition: of the photo.
        large: of the photo at twice the side.
        skin: (g, g) weight of skin, in [0, 1].
    """
    cells, nothing = head(condition, large)
    lightness = F.adaptive_avg_pool2d(condition.lightness, FINEST_GRID)[0, 0]
    return Described(
        cells=cells[0].T.cpu().numpy(),
        nothing=nothing[0].cpu().numpy(),
        skin=_cells_of(skin[None])[:, 0],
        lightness=lightness.cpu().numpy(),
    )


def overview(condition: Condition) -> Array:
    """Describes one photo as a whole: mean and std of each feature of its things, (224,)."""
    things = condition.features[16][0].flatten(1)
    return torch.cat([things.mean(1), things.std(1)]).cpu().numpy()


class Likeness:
    """The colors that references give to one photo.

    Args:
        own: what the photo looks like.
        references: what they look like, at least one; all their cells compete.

    Attributes:
        weight: (g, g) where the references have something to say, in [0, 1].
        ab: (2, g, g) the colors that they give there, CIELAB units.
        shares: (R,) of the photo, to which each reference gives its color.
    """

    def __init__(self, own: Described, references: Sequence[Described]) -> None:
        skin = np.concatenate([one.skin for one in references])
        colors = np.concatenate([_cells_of(one.ab) for one in references if one.ab is not None])
        log_odds = own.cells @ np.concatenate([one.cells for one in references]).T
        log_odds -= SKIN * np.abs(own.skin[:, None] - skin) + (own.nothing[:, None] + CAUTION)
        # Odds of each reference, and of nothing, before their shares: (q^2, R + 1).
        most = log_odds.max(1, initial=0.0)[:, None]
        odds = np.exp(log_odds - most)
        told = np.hstack([odds.reshape(len(odds), len(references), -1).sum(2), np.exp(-most)])
        shares = _shares(told)
        odds *= np.repeat(shares[:-1], CELLS_GRID**2)
        total = odds.sum(1)
        alike = total / (told @ shares)
        rising = ((alike - FROM) / (TO - FROM)).clip(0, 1)
        weight = (rising * rising * (3 - 2 * rising))[:, None]
        carried = odds @ colors / np.maximum(total, 1e-30)[:, None]
        of_each = odds.reshape(len(odds), len(references), -1).sum(2)
        self.shares = (weight * of_each / np.maximum(total, 1e-30)[:, None]).mean(0)
        planes = np.concatenate([weight, weight * carried], 1).T
        self.weight, *ab = _enlarged(planes.reshape(-1, CELLS_GRID, CELLS_GRID), own.lightness)
        self.ab: Array = np.stack(ab) / np.maximum(self.weight, 1e-6)

    def painted(self, ab: Array, strength: float) -> Array:
        """Gives chroma (n, 2, g, g) the colors of what looks alike, as far as the strength says."""
        return np.asarray(ab + strength * self.weight * (self.ab - ab), np.float32)


def _shares(told: Array) -> Array:
    """The shares (k,) of a mixture whose components have likelihoods (n, k)."""
    shares = np.full(told.shape[1], 1 / told.shape[1], np.float32)
    for _ in range(STEPS):
        likely = told * shares
        counts = (likely / likely.sum(1, keepdims=True)).sum(0) + PSEUDO_CELLS
        shares = counts / counts.sum()
    return shares


def _maps(condition: Condition, large: Condition) -> Tensor:
    """(B, C, q, q) of all maps that describe a cell, and the lightness of its 4x4 parts."""
    size = (CELLS_GRID, CELLS_GRID)
    parts = []
    for one in (condition, large):
        for grid in _MAPS:
            x = one.features[grid]
            smaller = x.shape[-1] > CELLS_GRID
            parts.append(
                F.adaptive_avg_pool2d(x, size)
                if smaller
                else F.interpolate(x, size, mode="bilinear", align_corners=False)
            )
    parts.append(
        F.pixel_unshuffle(condition.lightness / 25, condition.lightness.shape[-1] // CELLS_GRID)
    )
    return torch.cat(parts, 1)


def _standardized(x: Tensor) -> Tensor:
    """(B, C, q, q) with mean 0 and about std 1 in each channel of a photo: exposure counts less."""
    return (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), keepdim=True) + 0.05)


def _cells_of(planes: Array) -> Array:
    """(n, g, g) -> (q^2, n), means."""
    return block_means(planes, CELLS_GRID).reshape(len(planes), -1).T


def _enlarged(planes: Array, lightness: Array) -> Array:
    """(n, q, q) -> (n, g, g), bilinear, but from cells that are as light: colors end at outlines.

    Reference: Kopf et al. 2007 (joint bilateral upsampling).
    """
    light = _cells_of(lightness[None]).reshape(1, CELLS_GRID, CELLS_GRID)
    near = np.pad(np.concatenate([light, planes]), ((0, 0), (1, 1), (1, 1)), mode="edge")
    large = np.empty((len(planes), *lightness.shape), np.float32)
    for row, column in np.ndindex(2, 2):  # of the four parts of each cell
        own, total, weights = lightness[row::2, column::2], 0.0, 0.0
        for down, across in np.ndindex(2, 2):  # of the four cells nearest to it
            top, left = row + down, column + across
            cells = near[:, top : top + CELLS_GRID, left : left + CELLS_GRID]
            share = (0.25 + 0.5 * (row != down)) * (0.25 + 0.5 * (column != across))
            weight = share * np.exp(-((cells[0] - own) ** 2) / (2 * TONES**2)) + 1e-6
            total, weights = total + weight * cells[1:], weights + weight
        large[:, row::2, column::2] = total / weights
    return large
