"""`colorflow train`: trains levels one after the other, each to its budget, and resumes runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorflow.device import best_device
from colorflow.errors import TrainingError
from colorflow.model.condition import Condition, Features
from colorflow.model.config import HINT_PLANES, PyramidConfig, default_config
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.training.joint import SHARE_OF_LOSS, JointModule, JointObjective
from colorflow.training.objective import Objective
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import (
    RunFolder,
    has_state,
    read_config,
    read_evaluated_level,
    read_late_blocks,
    read_mean_head,
    run_config,
)
from colorflow.training.schedule import Budget
from colorflow.training.targets import (
    EVALUATED_HINTS,
    JOINT,
    LevelObjective,
    MeanHeadObjective,
)
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory
from colorflow.training.until_budget import train_to_budget


def train(
    pack_folder: Path,
    run_folder: Path,
    *,
    hints: bool = False,
    dropout: float | None = None,
    level_changes: Mapping[str, Any] | None = None,
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
        run_folder: for checkpoints, curves and previews; an existing run goes on.
        hints: whether the pyramid also takes color hints.
        dropout: share of units dropped in every level, None for that of the start or of new
            weights.
        level_changes: fields of the trained levels that differ from the start's, such as more
            couplings; new layers start as the identity.
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
    origin = None if start is None else Start(start)
    shape = _shape(origin, hints=hints, dropout=dropout)
    shape = replace(shape, mean_head=shape.mean_head or mean_head)
    levels = () if mean_head else levels or shape.chroma_grids
    shape = _with_changed_levels(shape, levels, level_changes or {})
    together = sorted({*levels} & SHARE_OF_LOSS.keys())
    if not (together or has_state(run_folder, JOINT) or (origin and origin.has_late_blocks)):
        raise TrainingError(
            f"{run_folder}: no late blocks have been trained; train levels up to "
            f"{max(SHARE_OF_LOSS)} first, or name weights that have them with --start"
        )
    torch.manual_seed(config.seed)
    pyramid = ChromaPyramid(shape).to(device)
    pack = PixelPack(pack_folder)
    run = RunFolder(run_folder, run_config(shape, config, origin.name if origin else None))
    if mean_head:
        _give_late_blocks(pyramid, run, origin)
        assert pyramid.mean_head is not None
        given = origin is not None and origin.give_mean_head(pyramid)
        head = MeanHeadObjective(pyramid)
        trainer = Trainer(pyramid.mean_head, head, pack, config, device, fit=not given)
        train_to_budget(trainer, run, budget, say)
    if together:
        _give_late_blocks(pyramid, run, origin)
        if origin is not None and not run.has_begun(JOINT):
            origin.give_levels(pyramid, together)
        module, joint = JointModule(pyramid, together), JointObjective(pyramid, together)
        trainer = Trainer(module, joint, pack, config, device, fit=origin is None)
        train_to_budget(trainer, run, budget, say, _other_objectives(pyramid, together))
    for name in [name for name in levels if name not in together]:
        _give_late_blocks(pyramid, run, origin)
        torch.manual_seed(config.seed + name)
        index = shape.chroma_grids.index(name)
        objective, level = LevelObjective(pyramid, index), pyramid.levels[index]
        if origin is not None and not run.has_begun(objective.folder):
            origin.give_levels(pyramid, [name])
        trainer = Trainer(level, objective, pack, config, device, fit=origin is None)
        others = {}
        if shape.takes_hints:
            others["dev_hints_nats"] = LevelObjective(pyramid, index, points=EVALUATED_HINTS)
        train_to_budget(trainer, run, budget, say, others)


def _give_late_blocks(pyramid: ChromaPyramid, run: RunFolder, origin: Start | None) -> None:
    """Loads the late blocks of the run, or else of the start or the frozen network."""
    assert pyramid.late_blocks is not None
    own = read_late_blocks(run.folder)
    if own is None and origin is not None and origin.has_late_blocks:
        own = origin.late_blocks()
    if own is None:
        pyramid.late_blocks.copy_from(Features())
    else:
        pyramid.late_blocks.load_state_dict(own)


def _other_objectives(
    pyramid: ChromaPyramid, grids: Sequence[int]
) -> dict[str, Objective[Condition]]:
    """Further objectives that choose the best weights of levels that learn together.

    All but the finest level count once more, since coarse levels decide the colors and overfit
    first.
    """
    others: dict[str, Objective[Condition]] = {
        f"dev{grid}_nats": JointObjective(pyramid, grids, shares={grid: 1.0}) for grid in grids[:-1]
    }
    if pyramid.config.takes_hints:
        others["dev_hints_nats"] = JointObjective(pyramid, grids, points=EVALUATED_HINTS)
    return others


def _shape(origin: Start | None, *, hints: bool, dropout: float | None) -> PyramidConfig:
    """The shape of the start, or of new weights; with late blocks."""
    shape = replace(default_config(), late_blocks=True) if origin is None else origin.shape
    if dropout is not None:
        shape = shape.with_dropout(dropout)
    return replace(shape, extra_planes=HINT_PLANES) if hints else shape


def _with_changed_levels(
    shape: PyramidConfig, levels: Sequence[int], changes: Mapping[str, Any]
) -> PyramidConfig:
    """The shape with other fields in some levels.

    Raises:
        TrainingError: if a level is unknown or a field is out of range.
    """
    for name in levels:
        if name not in shape.chroma_grids:
            raise TrainingError(
                f"--levels: no level {name}; this model has {list(shape.chroma_grids)}"
            )
    try:
        return shape.with_levels(levels, **changes)
    except ValueError as error:
        names = ", ".join(map(str, levels))
        raise TrainingError(f"--levels {names}: cannot be changed so ({error})") from error


_RESIDUAL_ENDS = re.compile(r"context\.trunk\..*(project|feed_forward\.3|second)\.(weight|bias)")
"""Tensors of the last layers of the residual branches of a context's trunk."""


class Start:
    """Trained weights to start from.

    Args:
        path: a run's folder, whose best averaged weights are used, or a weights file.

    Attributes:
        name: name of the folder or the file.
        shape: configuration of the model, which has late blocks.
        has_late_blocks: whether the weights have trained late blocks.

    Raises:
        TrainingError: if the folder holds no run.
        WeightsError: if the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.resolve().name
        self._file = None if path.is_dir() else load_weights(path).pyramid
        shape = read_config(path) if self._file is None else self._file.config
        self.has_late_blocks = shape.late_blocks
        self.shape = replace(shape, late_blocks=True)

    def weights(self, grid: int) -> dict[str, Tensor]:
        """State of the level that completes a chroma grid.

        Raises:
            TrainingError: if the run has no evaluated weights of the level.
        """
        if self._file is None:
            state: dict[str, Tensor] = read_evaluated_level(self.path, grid)["best"]
            return state
        return self._file.levels[self._index(grid)].state_dict()

    def late_blocks(self) -> dict[str, Tensor]:
        """State of the trained late blocks.

        Raises:
            TrainingError: if the run has none of its own.
        """
        own = read_late_blocks(self.path) if self._file is None else self._file.late_blocks
        if own is None:
            raise TrainingError(
                f"{self.path}: its late blocks came from elsewhere; start from the weights that it "
                "started from"
            )
        return own if isinstance(own, dict) else own.state_dict()

    def give_mean_head(self, pyramid: ChromaPyramid) -> bool:
        """Copies the mean head to the pyramid; returns whether the weights have one.

        Raises:
            TrainingError: if it does not fit.
        """
        if self._file is None:
            weights = read_mean_head(self.path)
        else:
            head = self._file.mean_head
            weights = None if head is None else head.state_dict()
        if weights is None:
            return False
        assert pyramid.mean_head is not None
        with self._must_fit("the mean head"):
            pyramid.mean_head.load_state_dict(weights)
        return True

    def give_levels(self, pyramid: ChromaPyramid, grids: Sequence[int]) -> None:
        """Copies the weights of levels to the pyramid; new parts start as the identity.

        Raises:
            TrainingError: if weights are missing or do not fit.
        """
        for grid in grids:
            level = pyramid.levels[self._index(grid)]
            with self._must_fit(f"level {grid}"):
                level.load_state_dict(self._extended(level.state_dict(), grid))

    def _extended(self, state: dict[str, Tensor], grid: int) -> dict[str, Tensor]:
        """A level's new state with the trained weights in it and its new parts as the identity."""
        weights = self.weights(grid)
        for name in state.keys() - weights.keys():
            if _RESIDUAL_ENDS.fullmatch(name):
                state[name] = torch.zeros_like(state[name])
        index = self._index(grid)
        level, planes = self.shape.levels[index], self.shape.extra_planes
        expected = Level(level, first=index == 0, extra_planes=planes).state_dict()
        if missing := expected.keys() - weights.keys():
            raise ValueError(f"no {min(missing)}")
        return state | weights

    def _index(self, grid: int) -> int:
        return self.shape.chroma_grids.index(grid)

    @contextmanager
    def _must_fit(self, what: str) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{self.path}: its weights do not fit {what} as it is now; start from others"
            ) from error
