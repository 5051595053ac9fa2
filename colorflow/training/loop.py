"""`colorflow train`: trains levels one after the other, each to its budget, and resumes runs.

The coarse levels learn together with the feature network's late blocks, which they share. A level's
share of the loss is its weight in the gradient of these; its own weights hardly depend on the
share, since AdamW divides by the gradient's size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

from colorflow.device import best_device
from colorflow.errors import TrainingError
from colorflow.model.condition import LATE_BLOCKS_INPUT, Condition, Features, LateBlocks
from colorflow.model.config import HINT_PLANES, PyramidConfig, default_config
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.objective import Objective
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import RunFolder, has_state
from colorflow.training.schedule import Budget
from colorflow.training.targets import (
    EVALUATED_HINTS,
    JOINT,
    LevelObjective,
    MeanHeadObjective,
    level_target,
    with_hints,
)
from colorflow.training.trained import Trained, read_late_blocks
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory
from colorflow.training.until_budget import train_to_budget

SHARE_OF_LOSS = {4: 1.0, 8: 0.5, 16: 0.25}
"""Weights of the levels that can learn together, by the chroma grid that each completes. The coarse
levels decide the colors (docs/experiments.md, "The late blocks learn color")."""


def train(
    pack_folder: Path,
    run_folder: Path,
    *,
    hints: bool = False,
    dropout: float | None = None,
    start: Path | None = None,
    config: TrainConfig,
    budget: Budget,
    levels: Sequence[int] | None = None,
    mean_head: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Trains levels of a pyramid; levels that have used up their budget stay unchanged.

    The levels up to 16 learn together with the model's late blocks, in one budget. Finer levels
    learn after them, each by itself, with the late blocks frozen.

    Args:
        pack_folder: made by `python -m data_prep`.
        run_folder: for checkpoints and curves; an existing run goes on.
        hints: whether the pyramid also takes color hints.
        dropout: share of units dropped in every level, None for that of the start or of new
            weights.
        start: run or weights file to start from, None for new weights.
        config: training settings.
        budget: of each level, or of all levels that learn together.
        levels: chroma grids to train (4, 8, 16, 32, 64), in this order; None for all.
        mean_head: train the mean head alone, on the late blocks of the start, and no level.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        WeightsError: if the weights to start from cannot be read.
        TrainingError: if a level is unknown, the run or its start does not fit, late blocks are
            missing, or losses stay non-finite.
    """
    keep_freed_memory()
    device = torch.device(best_device())
    origin = None if start is None else Trained(start)
    shape = _shape(origin, hints=hints, dropout=dropout)
    shape = replace(shape, mean_head=shape.mean_head or mean_head)
    levels = () if mean_head else levels or shape.chroma_grids
    for name in levels:
        if name not in shape.chroma_grids:
            raise TrainingError(
                f"--levels: no level {name}; this model has {list(shape.chroma_grids)}"
            )
    together = sorted({*levels} & SHARE_OF_LOSS.keys())
    if not (together or has_state(run_folder, JOINT) or (origin and origin.shape.late_blocks)):
        raise TrainingError(
            f"{run_folder}: no late blocks have been trained; train levels up to "
            f"{max(SHARE_OF_LOSS)} first, or name weights that have them with --start"
        )
    torch.manual_seed(config.seed)
    pyramid = ChromaPyramid(shape).to(device)
    pack = PixelPack(pack_folder)
    made_with = {"pyramid": shape.to_dict(), "train": asdict(config)}
    run = RunFolder(run_folder, made_with | ({"start": origin.name} if origin else {}))
    if mean_head:
        _give_late_blocks(pyramid, run_folder, origin)
        assert pyramid.mean_head is not None
        given = origin.heads().get("mean_head") if origin else None
        if origin and given:
            with origin.must_fit("the mean head"):
                pyramid.mean_head.load_state_dict(given)
        head = MeanHeadObjective(pyramid)
        trainer = Trainer(pyramid.mean_head, head, pack, config, device, fit=given is None)
        train_to_budget(trainer, run, budget, say)
    if together:
        _give_late_blocks(pyramid, run_folder, origin)
        if origin is not None and not has_state(run_folder, JOINT):
            give_levels(pyramid, origin, together)
        module, joint = JointModule(pyramid, together), JointObjective(pyramid, together)
        trainer = Trainer(module, joint, pack, config, device, fit=origin is None)
        train_to_budget(trainer, run, budget, say, _other_objectives(pyramid, together))
    for name in [name for name in levels if name not in together]:
        _give_late_blocks(pyramid, run_folder, origin)
        torch.manual_seed(config.seed + name)
        index = shape.chroma_grids.index(name)
        objective, level = LevelObjective(pyramid, index), pyramid.levels[index]
        if origin is not None and not has_state(run_folder, objective.folder):
            give_levels(pyramid, origin, [name])
        trainer = Trainer(level, objective, pack, config, device, fit=origin is None)
        others = {}
        if shape.takes_hints:
            others["dev_hints_nats"] = LevelObjective(pyramid, index, points=EVALUATED_HINTS)
        train_to_budget(trainer, run, budget, say, others)


def _give_late_blocks(pyramid: ChromaPyramid, run_folder: Path, origin: Trained | None) -> None:
    """Loads the late blocks of the run, or else of the start or the frozen network."""
    assert pyramid.late_blocks is not None
    own = read_late_blocks(run_folder)
    if own is None and origin is not None and origin.shape.late_blocks:
        own = origin.late_blocks()
        if own is None:
            raise TrainingError(
                f"{origin.path}: its late blocks came from elsewhere; start from the weights that "
                "it started from"
            )
    if own is None:
        pyramid.late_blocks.copy_from(Features())
    else:
        pyramid.late_blocks.load_state_dict(own)


def _other_objectives(
    pyramid: ChromaPyramid, grids: Sequence[int]
) -> dict[str, Objective[Any, Condition]]:
    """Further objectives that choose the best weights of levels that learn together.

    All but the finest level count once more, since coarse levels decide the colors and overfit
    first.
    """
    others: dict[str, Objective[Any, Condition]] = {
        f"dev{grid}_nats": JointObjective(pyramid, grids, shares={grid: 1.0}) for grid in grids[:-1]
    }
    if pyramid.config.takes_hints:
        others["dev_hints_nats"] = JointObjective(pyramid, grids, points=EVALUATED_HINTS)
    return others


def _shape(origin: Trained | None, *, hints: bool, dropout: float | None) -> PyramidConfig:
    """The shape of the start, or of new weights; with late blocks."""
    shape = replace(origin.shape if origin else default_config(), late_blocks=True)
    if dropout is not None:
        shape = shape.with_levels(shape.chroma_grids, dropout=dropout)
    return replace(shape, extra_planes=HINT_PLANES) if hints else shape


def give_levels(pyramid: ChromaPyramid, start: Trained, grids: Sequence[int]) -> None:
    """Copies trained weights of levels to a pyramid; new planes start as if they were not there.

    Raises:
        TrainingError: if weights are missing or do not fit.
    """
    for grid in grids:
        index = start.shape.chroma_grids.index(grid)
        weights, _ = start.level(grid)
        with start.must_fit(f"level {grid}"):
            shape, planes = start.shape.levels[index], start.shape.extra_planes
            expected = Level(shape, first=index == 0, extra_planes=planes).state_dict()
            if missing := expected.keys() - weights.keys():
                raise ValueError(f"no {min(missing)}")
            state = pyramid.levels[index].state_dict()
            pyramid.levels[index].load_state_dict(state | weights)


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


class JointObjective(Objective[JointModule, Condition]):
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
    name = folder = JOINT

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
        for grid, level in self._levels(module).items():
            level.fit(level_target(self.pyramid, grid, ab, noise)[0], condition)

    def loss(
        self, module: JointModule, ab: Tensor, condition: Condition, noise: Generator
    ) -> Tensor:
        """Weighted sum of the levels' negative log-likelihoods, nats, (B,)."""
        parts = {str(grid): level_target(self.pyramid, grid, ab, noise) for grid in self.shares}
        condition = with_hints(condition, self.pyramid, module, ab, noise, self.points)
        log_probs: Tensor = module(parts, condition)
        return -(log_probs.new_tensor(list(self.shares.values())) @ log_probs)

    def _levels(self, module: JointModule) -> dict[int, Level]:
        return {grid: cast(Level, module.levels[str(grid)]) for grid in self.shares}
