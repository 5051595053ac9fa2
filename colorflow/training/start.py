"""Trained weights to start a run from: those of another run or of a weights file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from colorflow.errors import TrainingError
from colorflow.model.condition import Condition
from colorflow.model.features import Features
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.training.run_folder import (
    read_config,
    read_evaluated_level,
    read_late_blocks,
    read_mean_head,
)
from colorflow.training.trainer import Trainer

OF_PLANES = "context.from_planes."
"""Prefix of the tensors that weights without extra planes lack."""
_RESIDUAL_ENDS = re.compile(r"context\.trunk\..*(project|feed_forward\.3|second)\.(weight|bias)")
"""Tensors of the last layers of the residual branches of a context's trunk."""


class Start:
    """Trained weights to start from.

    Args:
        path: a run's folder, whose best averaged weights are used, or a weights file.
        late_blocks: whether the new model has late blocks even if the weights have none; they
            start as those of the frozen network.

    Attributes:
        name: name of the folder or the file.
        shape: configuration of the model.
        has_late_blocks: whether the weights have trained late blocks.

    Raises:
        TrainingError: if the folder holds no run.
        WeightsError: if the file cannot be read.
    """

    def __init__(self, path: Path, *, late_blocks: bool = False) -> None:
        self.path, self.name = path, path.resolve().name
        self._file = None if path.is_dir() else load_weights(path).pyramid
        shape = read_config(path) if self._file is None else self._file.config
        self.has_late_blocks = shape.late_blocks
        self.shape = replace(shape, late_blocks=shape.late_blocks or late_blocks)

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

    def give_late_blocks(self, pyramid: ChromaPyramid) -> None:
        """Copies the late blocks to the pyramid, if it has some.

        Raises:
            TrainingError: if the weights lack them or they do not fit.
        """
        if pyramid.late_blocks is None:
            return
        if not self.has_late_blocks:
            pyramid.late_blocks.copy_from(Features())
            return
        pyramid.late_blocks.load_state_dict(self.late_blocks())

    def give_mean_head(self, trainer: Trainer[Condition]) -> None:
        """Copies the mean head to its trainer, if the weights have one.

        Raises:
            TrainingError: if it does not fit.
        """
        if self._file is None:
            weights = read_mean_head(self.path)
        else:
            head = self._file.mean_head
            weights = None if head is None else head.state_dict()
        if weights is not None:
            with self._must_fit("the mean head"):
                trainer.start_from(weights)

    def give_levels(self, pyramid: ChromaPyramid, grids: Sequence[int]) -> None:
        """Copies the weights of levels to the pyramid; new parts start as the identity.

        Raises:
            TrainingError: if weights are missing or do not fit.
        """
        for grid in grids:
            level = pyramid.levels[self._index(grid)]
            with self._must_fit(f"level {grid}"):
                level.load_state_dict(self._extended(level.state_dict(), grid))

    def apply(self, trainer: Trainer[Condition], grid: int) -> None:
        """Copies the weights of a level to its trainer.

        New planes, couplings and context layers start as the identity.

        Raises:
            TrainingError: if weights are missing or do not fit.
        """
        with self._must_fit(trainer.objective.name):
            trainer.start_from(self._extended(trainer.module.state_dict(), grid))

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
