"""Where a run starts that does not start from nothing: trained weights, of a run or of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from colorflow.errors import TrainingError
from colorflow.model.features import Features
from colorflow.model.pyramid import ChromaPyramid, Level
from colorflow.model.weights import load_weights
from colorflow.training.run import read_config, read_evaluated_level, read_late_blocks
from colorflow.training.trainer import Trainer

_OF_LAST_BLOCKS = "context.last_blocks."
OF_PLANES = "context.from_planes."
"""Names of what weights without extra planes lack begin so."""
_ENDS = re.compile(r"context\.trunk\..*(project|feed_forward\.3|second)\.(weight|bias)")
"""Names of the last layers of the residual branches of a context's trunk."""


class Start:
    """Trained weights to start from.

    Args:
        path: a run's folder, whose best averaged weights count, or a weights file.
        late_blocks: whether the model gets late blocks if it has none: the frozen network's, but
            for its coarsest level's last blocks, which move there.

    Attributes:
        name: the folder's or the file's.
        shape: of the model.

    Raises:
        TrainingError: if the folder holds no run.
        WeightsError: if the file cannot be read.
    """

    def __init__(self, path: Path, *, late_blocks: bool = False) -> None:
        self.path, self.name = path, path.resolve().name
        self._file = None if path.is_dir() else load_weights(path).pyramid
        self._own_shape = read_config(path) if self._file is None else self._file.config
        self.shape = self._own_shape.with_late_blocks() if late_blocks else self._own_shape

    def weights(self, grid: int) -> dict[str, Tensor]:
        """State of the level that completes a chroma grid.

        Raises:
            TrainingError: if the run has no evaluated weights of the level.
        """
        weights = self._own_weights(grid)
        if self.shape.levels[self.shape.chroma_grids.index(grid)].last_blocks:
            return weights
        return {name: x for name, x in weights.items() if not name.startswith(_OF_LAST_BLOCKS)}

    def _own_weights(self, grid: int) -> dict[str, Tensor]:
        if self._file is None:
            state: dict[str, Tensor] = read_evaluated_level(self.path, grid)["best"]
            return state
        return self._file.levels[self._file.config.chroma_grids.index(grid)].state_dict()

    def give_late_blocks(self, pyramid: ChromaPyramid) -> None:
        """Puts the late blocks in place, if the pyramid has some.

        Raises:
            TrainingError: if there are none or they do not fit.
        """
        if pyramid.late_blocks is None:
            return
        if not self._own_shape.late_blocks:
            pyramid.late_blocks.take(Features())
            if self._own_shape.levels[0].last_blocks:
                weights = self._own_weights(self._own_shape.chroma_grids[0])
                last = {
                    name.removeprefix(_OF_LAST_BLOCKS): x
                    for name, x in weights.items()
                    if name.startswith(_OF_LAST_BLOCKS)
                }
                pyramid.late_blocks.take_last(last)
            return
        own = read_late_blocks(self.path) if self._file is None else self._file.late_blocks
        if own is None:
            raise TrainingError(
                f"{self.path}: its late blocks came from elsewhere; start from the weights that it "
                "started from"
            )
        pyramid.late_blocks.load_state_dict(own if isinstance(own, dict) else own.state_dict())

    def give_levels(self, pyramid: ChromaPyramid, grids: Sequence[int]) -> None:
        """Puts the weights of levels in place. What the weights lack changes nothing at first.

        Raises:
            TrainingError: if there are none or they do not fit.
        """
        for grid in grids:
            level = pyramid.levels[pyramid.config.chroma_grids.index(grid)]
            with self._must_fit(f"level {grid}"):
                level.load_state_dict(self._grown(level.state_dict(), grid))

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
        with self._must_fit(trainer.objective.name):
            trainer.start_from(self._grown(trainer.module.state_dict(), grid))

    def _grown(self, state: dict[str, Tensor], grid: int) -> dict[str, Tensor]:
        """State of a level with the start's weights in it, and what is new as the identity."""
        weights = self.weights(grid)
        for name in state.keys() - weights.keys():
            if _ENDS.fullmatch(name):
                state[name] = torch.zeros_like(state[name])
        if missing := self._names(grid) - weights.keys():
            raise ValueError(f"no {min(missing)}")
        return state | weights

    @property
    def has_late_blocks(self) -> bool:
        """Whether the weights have trained late blocks."""
        return self._own_shape.late_blocks

    @contextmanager
    def _must_fit(self, what: str) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{self.path}: its weights do not fit {what} as it is now; start from others"
            ) from error
