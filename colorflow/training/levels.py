"""The levels of the model of colors: what they learn, and `colorflow train` for them.

A level learns its numbers with noise, given coarser chroma with more noise, and hints. Hints have
true colors. They are random patches in training, and single cells in evaluation.

The coarse levels learn together with the feature network's late blocks, which they share. A level's
share of the loss is its weight in the gradient of these; its own weights hardly depend on the
share, since AdamW divides by the gradient's size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from colorflow.device import best_device, keep_freed_memory
from colorflow.errors import OptionError, TrainingError
from colorflow.model.condition import LATE_BLOCKS_INPUT, Condition, Features, LateBlocks
from colorflow.model.config import FINEST_GRID, HINT_PLANES, PyramidConfig, default_config
from colorflow.model.level import MEAN_CHANNELS, Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.training.pack import EVALUATED_PHOTO_SIDE
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import RunFolder, best_of, has_state
from colorflow.training.trainer import (
    Budget,
    Loss,
    TrainConfig,
    Trainer,
    train_to_budget,
)

NOISE = 1.0
"""Std of the noise on a level's own chroma means, in CIELAB units."""

SMALL_PHOTO_SIDE = {32: 64, FINEST_GRID: EVALUATED_PHOTO_SIDE}
"""Photos whose short side, in pixels, is not above this have no detail on that chroma grid."""

EVALUATED_HINTS = 4
"""Hints of each photo in an evaluation with hints."""
_HINT_SEED = 7

MOST_HINTS = 16
"""Hints of a photo in training."""
LARGEST_PATCH = 5
"""Side of the largest patch, in cells of the 64x64 grid."""

JOINT = "joint"
"""Name of the folder, in a run, of levels that learn together."""
SHARE_OF_LOSS = {4: 1.0, 8: 0.5, 16: 0.25}
"""Weights of the levels that can learn together, by the chroma grid that each completes. The coarse
levels decide the colors (docs/experiments.md, "The late blocks learn color")."""


def train(
    pack_folder: Path,
    run_folder: Path,
    *,
    dropout: float | None = None,
    start: Path | None = None,
    config: TrainConfig,
    budget: Budget,
    levels: Sequence[int] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Trains levels of a pyramid; levels that have used up their budget stay unchanged.

    The levels up to 16 learn together with the model's late blocks, in one budget. Finer levels
    learn after them, each by itself, with the late blocks frozen.

    Args:
        pack_folder: made by `python -m data_prep`.
        run_folder: for checkpoints and curves; an existing run goes on.
        dropout: share of units dropped in every level, None for that of the start or of new
            weights.
        start: weights file to start from, None for new weights.
        config: training settings.
        budget: of each level, or of all levels that learn together.
        levels: chroma grids to train (4, 8, 16, 32, 64), in this order; None for all.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        WeightsError: if the weights to start from cannot be read.
        OptionError: if a level is unknown.
        TrainingError: if the run does not fit, late blocks are missing, or losses stay non-finite.
    """
    keep_freed_memory()
    origin = None if start is None else load_weights(start).pyramid
    shape = _shape(origin, dropout)
    levels = levels or shape.chroma_grids
    for name in levels:
        if name not in shape.chroma_grids:
            raise OptionError(
                f"--levels: no level {name}; this model has {list(shape.chroma_grids)}"
            )
    together = sorted({*levels} & SHARE_OF_LOSS.keys())
    if not (together or has_state(run_folder, JOINT) or (origin and origin.late_blocks)):
        raise TrainingError(
            f"{run_folder}: no late blocks have been trained; train levels up to "
            f"{max(SHARE_OF_LOSS)} first, or name weights that have them with --start"
        )
    torch.manual_seed(config.seed)
    pyramid = ChromaPyramid(shape).to(best_device())
    pack = PixelPack(pack_folder)
    made_with = {"pyramid": shape.to_dict(), "train": asdict(config)}
    run = RunFolder(run_folder, made_with | ({"start": start.resolve().name} if start else {}))
    alone = [[grid] for grid in levels if grid not in together]
    for grids in [together, *alone] if together else alone:
        _give_late_blocks(pyramid, run_folder, origin)
        module, loss, others = _losses(pyramid, grids)
        if origin is not None and not has_state(run_folder, loss.folder):
            give_levels(pyramid, origin, grids)
        trainer = Trainer(
            module, loss, pack, config, clock=time.monotonic, fit=origin is None, others=others
        )
        train_to_budget(trainer, run, budget, say)


def _give_late_blocks(
    pyramid: ChromaPyramid, run_folder: Path, origin: ChromaPyramid | None
) -> None:
    """Loads the late blocks of the run, or else of the start or the frozen network."""
    assert pyramid.late_blocks is not None
    if own := best_of(run_folder, JOINT, "late_blocks."):
        pyramid.late_blocks.load_state_dict(own)
    elif origin is not None and origin.late_blocks is not None:
        pyramid.late_blocks.load_state_dict(origin.late_blocks.state_dict())
    else:
        pyramid.late_blocks.copy_from(Features())


def _losses(
    pyramid: ChromaPyramid, grids: Sequence[int]
) -> tuple[nn.Module, Loss, dict[str, Loss]]:
    """What learns on some grids, its loss, and further ones that choose the best weights.

    Of levels that learn together, all but the finest count once more, since coarse levels decide
    the colors and overfit first.
    """
    if grids[0] not in SHARE_OF_LOSS:
        index = pyramid.config.chroma_grids.index(grids[0])
        hinted: dict[str, Loss] = {
            "dev_hints_nats": LevelLoss(pyramid, index, points=EVALUATED_HINTS)
        }
        return pyramid.levels[index], LevelLoss(pyramid, index), hinted
    others: dict[str, Loss] = {
        f"dev{grid}_nats": JointLoss(pyramid, grids, shares={grid: 1.0}) for grid in grids[:-1]
    }
    others["dev_hints_nats"] = JointLoss(pyramid, grids, points=EVALUATED_HINTS)
    return JointModule(pyramid, grids), JointLoss(pyramid, grids), others


def _shape(origin: ChromaPyramid | None, dropout: float | None) -> PyramidConfig:
    """The shape of the start, or of new weights; with late blocks, and taking color hints."""
    shape = origin.config if origin else default_config()
    if dropout is not None:
        shape = shape.with_levels(shape.chroma_grids, dropout=dropout)
    return replace(shape, late_blocks=True, extra_planes=HINT_PLANES)


def give_levels(pyramid: ChromaPyramid, start: ChromaPyramid, grids: Sequence[int]) -> None:
    """Copies trained weights of levels to a pyramid; new planes start as if they were not there."""
    for grid in grids:
        index = start.config.chroma_grids.index(grid)
        state = pyramid.levels[index].state_dict()
        pyramid.levels[index].load_state_dict(state | start.levels[index].state_dict())


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


class LevelLoss(Loss):
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
        self.name = f"level {self.grid}"
        self.maps = pyramid.config.maps_of_photo(index)
        self.small_photo_side = SMALL_PHOTO_SIDE.get(self.grid, 0)

    def fit(self, module: Level, ab: Tensor, condition: Condition, noise: Generator) -> None:
        """Standardization of the level's numbers and of the features."""
        x, _ = level_target(self.pyramid, self.grid, ab, noise)
        module.fit(x, self.pyramid.refine(condition))

    def __call__(self, module: Level, ab: Tensor, condition: Condition, noise: Generator) -> Tensor:
        """Negative log-likelihood of the level's own numbers, nats per photo, (B,)."""
        x, coarse = level_target(self.pyramid, self.grid, ab, noise)
        condition = with_hints(condition, self.pyramid, module, ab, noise, self.points)
        return -module(x, self.pyramid.refine(condition), coarse)


class JointModule(nn.Module):
    """The late blocks and the levels that learn with them.

    Args:
        pyramid: model with late blocks.
        grids: chroma grids that the levels complete.
    """

    late_blocks: LateBlocks

    def __init__(self, pyramid: ChromaPyramid, grids: Sequence[int]) -> None:
        super().__init__()
        assert pyramid.late_blocks is not None
        self.late_blocks = pyramid.late_blocks
        names = pyramid.config.chroma_grids
        self.levels = nn.ModuleDict({str(g): pyramid.levels[names.index(g)] for g in grids})

    def forward(
        self, parts: Mapping[str, tuple[Tensor, Tensor | None]], condition: Condition
    ) -> Tensor:
        """log p of each level's numbers, nats per photo, (levels, B).

        Args:
            parts: numbers and coarser chroma of each level, by its grid.
            condition: of the B photos, not refined.
        """
        refined = condition.refined_by(self.late_blocks)
        return torch.stack(
            [self.levels[name](x, refined, coarse) for name, (x, coarse) in parts.items()]
        )


class JointLoss(Loss):
    """The weighted negative log-likelihood of several levels.

    Args:
        pyramid: the model.
        grids: chroma grids that the levels complete, ascending.
        points: hints of true color of each photo in evaluation, always the same ones.
        shares: weights of the loss, by grid; a level without a share is left out.
    """

    unit = "weighted nats a photo"
    stream = 100
    maps = (LATE_BLOCKS_INPUT,)
    name = JOINT

    def __init__(
        self,
        pyramid: ChromaPyramid,
        grids: Sequence[int],
        points: int = 0,
        shares: Mapping[int, float] = SHARE_OF_LOSS,
    ) -> None:
        self.pyramid, self.points = pyramid, points
        self.shares = {grid: shares[grid] for grid in grids if grid in shares}

    def fit(self, module: JointModule, ab: Tensor, condition: Condition, noise: Generator) -> None:
        """Standardization of each level's numbers and of the features."""
        condition = condition.refined_by(module.late_blocks)
        for grid in self.shares:
            level = cast(Level, module.levels[str(grid)])
            level.fit(level_target(self.pyramid, grid, ab, noise)[0], condition)

    def __call__(
        self, module: JointModule, ab: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """Weighted sum of the levels' negative log-likelihoods, nats, (B,)."""
        parts = {str(grid): level_target(self.pyramid, grid, ab, noise) for grid in self.shares}
        condition = with_hints(condition, self.pyramid, module, ab, noise, self.points)
        log_probs: Tensor = module(parts, condition)
        return -(log_probs.new_tensor(list(self.shares.values())) @ log_probs)
