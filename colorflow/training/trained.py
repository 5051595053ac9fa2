"""What a pyramid has learned so far: parts of a run's folder, or of a weights file.

A run's levels may have learned together, with the late blocks, or each by itself; a run may lack
some of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from colorflow.errors import TrainingError
from colorflow.model.config import HEADS, PyramidConfig
from colorflow.model.weights import load_weights
from colorflow.training.run_folder import has_state, read_best, read_state
from colorflow.training.targets import JOINT, MEAN_HEAD, level_folder

State = dict[str, Tensor]
"""Weights of a module, by their names in it."""


class Trained:
    """Trained parts of a pyramid.

    Args:
        path: a run's folder, whose best averaged weights are used, or a weights file.

    Attributes:
        name: name of the folder or the file.
        shape: configuration of the model.

    Raises:
        TrainingError: if the folder holds no run.
        WeightsError: if the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.resolve().name
        self._file = None if path.is_dir() else load_weights(path)
        self.shape = read_config(path) if self._file is None else self._file.pyramid.config

    def has_level(self, grid: int) -> bool:
        """Whether the level that completes a chroma grid has begun to learn."""
        return self._file is not None or self._is_single(grid) or grid in _joint_grids(self.path)

    def level(self, grid: int) -> tuple[State, dict[str, Any]]:
        """Weights of the level that completes a chroma grid, and how they were trained.

        The weights of a run were chosen by `dev_nats`: with color hints, the mean over dev with
        and without hints. Levels that learned together share one value; `joint` lists them. If
        such a level was also trained by itself, that counts.

        Raises:
            TrainingError: if the run has no evaluated weights of the level, or is damaged.
        """
        if self._file is not None:
            told = {entry["level"]: entry for entry in self._file.training.get("levels", [])}
            weights = self._file.pyramid.levels[self.shape.chroma_grids.index(grid)].state_dict()
            return weights, {"level": grid, **told.get(grid, {}), "from": self._file.digest}
        joint = [] if self._is_single(grid) else _joint_grids(self.path)
        folder = JOINT if grid in joint else level_folder(grid)
        command = f"colorflow train PACK -o {self.path} --levels {grid}"
        state = read_best(self.path, folder, f"level {grid}", command)
        history = {
            "level": grid,
            "steps": state["step"],
            "minutes": round(state["seconds"] / 60, 1),
            "dev_nats": round(state["best_dev"], 3),
            "skipped_steps": state["skipped"],
        }
        if grid not in joint:
            return state["best"], history
        return _part(state["best"], f"levels.{grid}."), {**history, "joint": joint}

    def late_blocks(self) -> State | None:
        """The trained late blocks; None if there are none of its own."""
        if self._file is not None:
            return _state_of(self._file.pyramid.late_blocks)
        return read_late_blocks(self.path)

    def heads(self) -> dict[str, State]:
        """The heads that there are, by their names in the model; runs have a mean head at most."""
        if self._file is None:
            found = {"mean_head": _best(self.path, MEAN_HEAD)}
        else:
            found = {name: _state_of(getattr(self._file.pyramid, name)) for name in HEADS}
        return {name: state for name, state in found.items() if state}

    @contextmanager
    def must_fit(self, what: str) -> Iterator[None]:
        """Says that weights from here do not fit, where they are loaded.

        Raises:
            TrainingError: if they do not.
        """
        try:
            yield
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"{self.path}: its weights do not fit {what} as it is now; train it again, or "
                "choose others"
            ) from error

    def _is_single(self, grid: int) -> bool:
        return has_state(self.path, level_folder(grid))


def read_late_blocks(folder: Path) -> State | None:
    """The best averaged weights of a run's late blocks, or None if it has trained none.

    Raises:
        TrainingError: if the file is damaged.
    """
    best = _best(folder, JOINT)
    return None if best is None else _part(best, "late_blocks.")


def read_config(folder: Path) -> PyramidConfig:
    """Configuration of the model of a run.

    Raises:
        TrainingError: if there is no run.
    """
    try:
        return PyramidConfig.from_dict(_config_of(folder)["pyramid"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TrainingError(f"{folder}: no training run here ({error})") from error


def read_start(folder: Path) -> str | None:
    """Name of the weights that a run's levels started from, None for new weights."""
    return _config_of(folder).get("start")


def _config_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


def _joint_grids(folder: Path) -> list[int]:
    """Chroma grids of the levels that learned together in a run, ascending."""
    state = read_state(folder, JOINT)
    names = [name.split(".") for name in state["level"]] if state else []
    return sorted({int(parts[1]) for parts in names if parts[0] == "levels"})


def _best(folder: Path, name: str) -> State | None:
    state = read_state(folder, name)
    return state["best"] if state and state["best"] else None


def _state_of(module: nn.Module | None) -> State | None:
    return None if module is None else module.state_dict()


def _part(weights: State, prefix: str) -> State:
    """The weights of a submodule, by their names in it."""
    return {k.removeprefix(prefix): x for k, x in weights.items() if k.startswith(prefix)}
