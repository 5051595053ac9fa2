"""The run's folder: checkpoints, curves and sample grids of all its levels.

    config.json            shape of the pyramid and the recipe
    level4/state.pt        training state of the level that completes chroma on the 4x4 grid
    level4/curve.csv       step, seconds, train and dev negative log-likelihood, skipped steps
    level4/tensorboard/    the same curves
    level4/grid.png        grey, truth, and draws of this level given the true coarser chroma

Levels are independent: several processes may train different levels of one run.
"""

from __future__ import annotations

import csv
import json
import os
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from colorflow.errors import TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.training.trainer import TrainConfig

CURVE = ("step", "seconds", "train_nats", "dev_nats", "dev_degraded_nats", "best_dev", "skipped")

STATE = frozenset(
    ("level", "ema", "optimiser", "step", "seconds", "skipped", "best_dev", "best"),
)
"""What a level's training state holds (`LevelTrainer.state_dict`)."""
_DAMAGE = (
    OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError,
    pickle.UnpicklingError,
)  # fmt: skip
"""What torch raises on files that are no checkpoints."""


class Run:
    """A run's folder.

    Args:
        folder: made if missing.
        pyramid: shape of the model.
        train: the recipe.

    Raises:
        TrainingError: if the folder cannot be written or holds a run of another shape or recipe.
    """

    def __init__(self, folder: Path, pyramid: PyramidConfig, train: TrainConfig) -> None:
        self.folder, self.pyramid, self.train = folder, pyramid, train
        config = {"pyramid": pyramid.to_dict(), "train": asdict(train)}
        path = folder / "config.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _write(path, json.dumps(config, indent=1).encode())
            made_with = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingError(f"{folder}: not a folder for a training run ({error})") from error
        if made_with != json.loads(json.dumps(config)):
            raise TrainingError(
                f"{folder}: holds a run of another shape or recipe (config.json); "
                "choose another folder"
            )

    def level(self, name: int) -> Path:
        """Folder of one level, made if missing."""
        folder = self.folder / f"level{name}"
        folder.mkdir(exist_ok=True)
        return folder

    def save(self, name: int, state: dict[str, Any]) -> None:
        """Writes a level's training state in one step.

        Raises:
            TrainingError: if it cannot be written; the state before stays.
        """
        path = self.level(name) / "state.pt"
        temporary = path.with_suffix(".tmp")
        try:
            torch.save(state, temporary)
            os.replace(temporary, path)
        except (OSError, RuntimeError) as error:
            temporary.unlink(missing_ok=True)
            raise TrainingError(f"{path}: the checkpoint cannot be written ({error})") from error

    def load(self, name: int) -> dict[str, Any] | None:
        """A level's training state, or None if it has not begun."""
        return read_state(self.folder, name)

    def log(self, name: int, row: dict[str, float]) -> None:
        """Adds a row to the level's curve, as CSV and for TensorBoard."""
        path = self.level(name) / "curve.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, CURVE)
            if new:
                writer.writeheader()
            writer.writerow({key: round(row[key], 4) for key in CURVE})
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self.level(name) / "tensorboard")) as board:
            for key in CURVE[2:]:
                board.add_scalar(f"level{name}/{key}", row[key], int(row["step"]))


def read_state(folder: Path, name: int) -> dict[str, Any] | None:
    """A level's training state from a run's folder, or None if it has not begun.

    Raises:
        TrainingError: if the file is damaged.
    """
    path = folder / f"level{name}" / "state.pt"
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if missing := STATE - state.keys():
            raise ValueError(f"no {', '.join(sorted(missing))}")
    except _DAMAGE as error:
        raise TrainingError(
            f"{path}: the checkpoint is damaged ({type(error).__name__}); delete it to start over"
        ) from error
    return state


def read_config(folder: Path) -> PyramidConfig:
    """Shape of the model of a run's folder.

    Raises:
        TrainingError: if there is no run.
    """
    path = folder / "config.json"
    try:
        return PyramidConfig.from_dict(json.loads(path.read_text(encoding="utf-8"))["pyramid"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{folder}: no training run here ({error})") from error


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)
