"""Where a run starts that does not start from nothing: trained weights, of a run or of a file."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from colorflow.errors import TrainingError
from colorflow.model.pyramid import Level
from colorflow.model.weights import load_weights
from colorflow.training.run import read_config, read_evaluated_level
from colorflow.training.trainer import Trainer

OF_PLANES = "context.from_planes."
"""Names of what weights without extra planes lack begin so."""
_ENDS = re.compile(r"context\.trunk\..*(project|feed_forward\.3|second)\.(weight|bias)")
"""Names of the last layers of the residual branches of a context's trunk."""


class Start:
    """Trained weights to start from.

    Args:
        path: a run's folder, whose best averaged weights count, or a weights file.

    Attributes:
        name: the folder's or the file's.
        shape: of the model.

    Raises:
        TrainingError: if the folder holds no run.
        WeightsError: if the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.resolve().name
        self._file = None if path.is_dir() else load_weights(path).pyramid
        self.shape = read_config(path) if self._file is None else self._file.config

    def weights(self, grid: int) -> dict[str, Tensor]:
        """State of the level that completes a chroma grid.

        Raises:
            TrainingError: if the run has no evaluated weights of the level.
        """
        if self._file is None:
            state: dict[str, Tensor] = read_evaluated_level(self.path, grid)["best"]
            return state
        return self._file.levels[self._file.config.chroma_grids.index(grid)].state_dict()

    def _names(self, grid: int) -> set[str]:
        """Of all tensors of a level as it was."""
        index = self.shape.chroma_grids.index(grid)
        level, planes = self.shape.levels[index], self.shape.extra_planes
        return set(Level(level, first=index == 0, extra_planes=planes).state_dict())

    def apply(self, trainer: Trainer, grid: int) -> None:
        """Puts the weights in place. What the weights lack changes nothing at first.

        New planes, couplings and layers of the context begin as the identity.

        Raises:
            TrainingError: if there are none or they do not fit.
        """
        state, weights = trainer.module.state_dict(), self.weights(grid)
        for name in state.keys() - weights.keys():
            if _ENDS.fullmatch(name):
                state[name] = torch.zeros_like(state[name])
        state |= weights
        try:
            if missing := self._names(grid) - weights.keys():
                raise ValueError(f"no {min(missing)}")
            trainer.start_from(state)
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{self.path}: its weights do not fit {trainer.task.name} as it is now; "
                "start from others"
            ) from error
