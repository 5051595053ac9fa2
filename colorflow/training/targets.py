"""What a level and the mean head learn.

A level learns its numbers with noise, given coarser chroma with more noise, and hints. Hints have
true colors. They are random patches in training, and single cells in evaluation.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from colorflow.model.condition import FEATURE_CHANNELS, LATE_BLOCKS_OUTPUTS, Condition
from colorflow.model.config import FINEST_GRID
from colorflow.model.heads import MeanHead
from colorflow.model.level import MEAN_CHANNELS, Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.objective import Objective

NOISE = 1.0
"""Std of the noise on a level's own chroma means, in CIELAB units."""

SMALL_PHOTO_SIDE = {32: 64, 64: 128}
"""Photos whose short side, in pixels, is not above this have no detail on that chroma grid."""

EVALUATED_PHOTO_SIDE = SMALL_PHOTO_SIDE[FINEST_GRID]
"""Evaluation uses photos whose short side is above this, whatever the grid."""

EVALUATED_HINTS = 4
"""Hints of each photo in an evaluation with hints."""
_HINT_SEED = 7

MOST_HINTS = 16
"""Hints of a photo in training."""
LARGEST_PATCH = 5
"""Side of the largest patch, in cells of the 64x64 grid."""


JOINT, MEAN_HEAD = "joint", "mean"
"""Names of the folders, in a run, of levels that learn together, and of the mean head."""


def level_folder(grid: int) -> str:
    """Name of a level's folder in a run."""
    return f"level{grid}"


def level_target(
    pyramid: ChromaPyramid, grid: int, ab: Tensor, generator: Generator
) -> tuple[Tensor, Tensor | None]:
    """Noisy numbers of one level and the coarser chroma that conditions them.

    Noise of std `NOISE` is added to the chroma means of the level's own grid. The coarser means
    that condition the level get the same noise once more, so that the level tolerates samples of
    the coarser level (conditioning augmentation, Ho et al. 2022, cascaded diffusion).

    Args:
        pyramid: for its bounded range and its grids.
        grid: of chroma, that the level completes.
        ab: (B, 2, 64, 64) CIELAB units.
        generator: source of the noise.

    Returns:
        x (B, C, g, g), and coarse (B, 2, g, g) or None for the first level.
    """
    means = F.avg_pool2d(pyramid.bounded(ab)[0], FINEST_GRID // grid)
    means = with_noise(means, generator)
    if grid == pyramid.config.chroma_grids[0]:
        return means, None
    coarse, details = pyramid.haar(means)[0].split([MEAN_CHANNELS, 3 * MEAN_CHANNELS], 1)
    return details, with_noise(coarse, generator)


def with_noise(x: Tensor, generator: Generator) -> Tensor:
    """x with Gaussian noise of std `NOISE`, generated on the CPU: the same for every device."""
    return x + NOISE * torch.randn(x.shape, generator=generator).to(x)


def with_hints(
    condition: Condition,
    pyramid: ChromaPyramid,
    module: nn.Module,
    ab: Tensor,
    noise: Generator,
    points: int,
) -> Condition:
    """The condition with color hints, if the pyramid takes them.

    Args:
        condition: of B photos.
        pyramid: the model.
        module: the trained module; in training mode the hints are random.
        ab: (B, 2, 64, 64) the true colors, CIELAB units.
        noise: source of randomness in training.
        points: hints of each photo in evaluation, always the same ones.
    """
    if not pyramid.config.takes_hints or not (module.training or points):
        return condition
    if module.training:
        return replace(condition, planes=random_hints(ab, noise))
    # A separate generator keeps the noise the same with and without hints.
    source = torch.Generator().manual_seed(_HINT_SEED)
    return replace(condition, planes=true_points(ab, points, source))


def random_hints(ab: Tensor, generator: Generator) -> Tensor:
    """Hints for training: none in half of the photos, 1 to `MOST_HINTS` in the others.

    Their number is log-uniform. Half of them are single cells, half are square patches of 2x2 to
    `LARGEST_PATCH` squared cells, anywhere on the grid, with the mean of the true colors in them.
    The later of two hints in one cell wins.

    Args:
        ab: (B, 2, 64, 64) the true colors, CIELAB units.
        generator: source of randomness, on the CPU.

    Returns:
        (B, 3, 64, 64): mask in {0, 1}, a and b in CIELAB units, 0 where there is no hint.
    """
    batch, side = len(ab), ab.shape[-1]
    with_hints, count = _uniform(generator, 2, batch)
    single, size, top, left = _uniform(generator, 4, batch, MOST_HINTS)
    counts = torch.exp(count * math.log(MOST_HINTS + 1)).long().clamp(max=MOST_HINTS)
    counts *= with_hints < 0.5
    sizes = torch.where(single < 0.5, 1, 2 + (size * (LARGEST_PATCH - 1)).long())
    tops, lefts = ((position * (side - sizes + 1)).long() for position in (top, left))
    truth = ab.detach().cpu().numpy()  # so many small slices are faster there
    planes = torch.zeros(batch, 3, side, side, dtype=ab.dtype)
    painted = planes.numpy()
    for photo in range(batch):
        for hint in range(int(counts[photo])):
            y, x, n = int(tops[photo, hint]), int(lefts[photo, hint]), int(sizes[photo, hint])
            color = truth[photo, :, y : y + n, x : x + n].mean((1, 2), keepdims=True)
            painted[photo, 0, y : y + n, x : x + n] = 1
            painted[photo, 1:, y : y + n, x : x + n] = color
    return planes.to(ab.device)


def true_points(ab: Tensor, count: int, generator: Generator) -> Tensor:
    """The same number of single-cell hints for every photo; a smaller set is part of a larger one.

    Args:
        ab: (B, 2, 64, 64) the true colors, CIELAB units.
        count: hints per photo, in different cells.
        generator: source of randomness, on the CPU.

    Returns:
        (B, 3, 64, 64) as `random_hints` gives them.
    """
    cells = torch.rand(len(ab), ab[0, 0].numel(), generator=generator).argsort(1)[:, :count]
    mask = torch.zeros(len(ab), ab[0, 0].numel()).scatter_(1, cells, 1)
    mask = mask.unflatten(1, ab.shape[2:])[:, None].to(ab)
    return torch.cat([mask, mask * ab], 1)


def _uniform(generator: Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)


class LevelObjective(Objective[Level, Condition]):
    """One level of the pyramid learns its numbers.

    A pyramid that takes color hints is trained with random ones.

    Args:
        pyramid: the model.
        index: of the level, coarse to fine.
        points: hints of true color of each photo in evaluation, always the same ones.
    """

    unit = "nats a photo"

    def __init__(self, pyramid: ChromaPyramid, index: int, points: int = 0) -> None:
        self.pyramid, self.stream, self.points = pyramid, index, points
        self.grid = pyramid.config.chroma_grids[index]
        self.name, self.folder = f"level {self.grid}", level_folder(self.grid)
        self.maps = pyramid.config.maps_of_photo(index)
        self.small_photo_side = SMALL_PHOTO_SIDE.get(self.grid, 0)

    def fit(self, module: Level, ab: Tensor, condition: Condition, noise: Generator) -> None:
        """Standardization of the level's numbers and of the features."""
        x, _ = level_target(self.pyramid, self.grid, ab, noise)
        module.fit(x, self.pyramid.refine(condition))

    def loss(self, module: Level, ab: Tensor, condition: Condition, noise: Generator) -> Tensor:
        """Negative log-likelihood of the level's own numbers, nats per photo, (B,)."""
        x, coarse = level_target(self.pyramid, self.grid, ab, noise)
        condition = with_hints(condition, self.pyramid, module, ab, noise, self.points)
        log_prob: Tensor = module(x, self.pyramid.refine(condition), coarse)
        return -log_prob


class MeanHeadObjective(Objective[MeanHead, Condition]):
    """The squared error of the mean, on the maps of late blocks, which stay as they are.

    Args:
        pyramid: the model, whose late blocks make the coarse maps.
    """

    name, folder = "mean head", MEAN_HEAD
    unit = "squared CIELAB units"
    stream = 200
    small_photo_side = 128
    maps = tuple(sorted(set(FEATURE_CHANNELS) - set(LATE_BLOCKS_OUTPUTS)))

    def __init__(self, pyramid: ChromaPyramid) -> None:
        self.pyramid = pyramid

    def fit(self, module: MeanHead, ab: Tensor, condition: Condition, noise: Generator) -> None:
        """Sets the statistics of the features."""
        module.fit(self.pyramid.refine(condition))

    def loss(self, module: MeanHead, ab: Tensor, condition: Condition, noise: Generator) -> Tensor:
        """Mean squared error of ab, (B,)."""
        mean: Tensor = module(self.pyramid.refine(condition))
        return (mean - ab).square().mean((1, 2, 3))
