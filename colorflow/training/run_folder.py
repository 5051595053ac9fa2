"""The folder of a run: checkpoints and curves of everything trained in it.

    config.json            what is trained, such as the shape of the pyramid, and the settings
    level4/state.pt        training state of the level that completes chroma on the 4x4 grid
    level4/curve.csv       step, seconds, train and dev negative log-likelihood, skipped steps, and
                           where the model takes color hints dev with some of them
    joint/                 the same for levels that learned together, with the late blocks

The folder of a module is `Loss.folder` of what it learns. Modules are independent: several
processes may train different levels, or different architectures, of one run.
"""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorflow.errors import TrainingError
from colorflow.files import locked, remove_leftovers, whole_file, write_whole

STATE = frozenset(
    ("level", "ema", "optimizer", "step", "seconds", "skipped", "best_dev", "best", "pack"),
)
"""Keys of a training state (`Trainer.state_dict`)."""
_CHANGED = ("state.pt", "curve.csv")
"""Files in the folder of a module that further training replaces or continues."""
_DAMAGE = (
    OSError, RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError,
    pickle.UnpicklingError,
)  # fmt: skip
"""Exceptions of torch for files that are no checkpoints."""


class RunFolder:
    """The folder of a run.

    Args:
        folder: made if missing.
        config: settings that all trainings in it share, plain values for JSON.

    Raises:
        TrainingError: if the folder cannot be written, holds a run with another config, or files
            of another origin that a run would change.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        path = folder / "config.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                _check_free(folder)
                write_whole(path, json.dumps(config, indent=1).encode(), None)
            made_with = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise TrainingError(
                f"{folder}: not a folder for a training run ({error}); choose another folder"
            ) from error
        if made_with != as_json(config):
            raise TrainingError(
                f"{folder}: holds a run of another shape or with other settings (config.json); "
                "choose another folder"
            )

    def part(self, name: str) -> Path:
        """The folder of one module, created if missing."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Locks a module against training by other processes.

        Raises:
            TrainingError: if another process trains it.
        """
        folder = self.part(name)
        busy = TrainingError(
            f"{folder}: another process is training here; "
            "wait until it has ended, or choose another folder with -o"
        )
        with locked(folder, busy):
            remove_leftovers(folder)
            yield

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Writes a module's training state in one step.

        Raises:
            TrainingError: if it cannot be written; the previous state stays.
        """
        path = self.part(name) / "state.pt"
        try:
            with whole_file(path, None) as file:
                torch.save(state, file)
        except (OSError, RuntimeError) as error:
            raise TrainingError(f"{path}: the checkpoint cannot be written ({error})") from error

    def log(self, name: str, row: dict[str, float]) -> None:
        """Appends a row to the module's curve, as CSV."""
        path = self.part(name) / "curve.csv"
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow({column: round(value, 4) for column, value in row.items()})


def _check_free(folder: Path) -> None:
    """Raises a TrainingError if a folder without a config has files that a run would change."""
    for name in _CHANGED:
        for path in folder.glob(f"*/{name}"):
            raise TrainingError(
                f"{path}: would be changed, but is of no run, since {folder} has no config.json; "
                "choose another folder"
            )


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they are read from a JSON file."""
    return json.loads(json.dumps(values))


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json of a run says.

    Raises:
        TrainingError: if there is no run.
    """
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config.keys()  # or it is no object
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise TrainingError(f"{folder}: no training run here ({error})") from error
    return config


def has_state(folder: Path, name: str) -> bool:
    """Whether a run's folder has a training state of a module."""
    return _state_file(folder, name).exists()


def read_state(folder: Path, name: str) -> dict[str, Any] | None:
    """A module's training state from a run's folder, or None if it has not begun.

    Raises:
        TrainingError: if the file is damaged.
    """
    path = _state_file(folder, name)
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = STATE - state.keys()
        problem = f"no {', '.join(sorted(missing))}" if missing else ""
    except _DAMAGE as error:
        problem = type(error).__name__
    if problem:
        raise TrainingError(
            f"{path}: the checkpoint is damaged ({problem}); delete it to start over"
        )
    return state


def best_of(folder: Path, name: str, prefix: str) -> dict[str, Tensor] | None:
    """The best averaged weights of a part of a module, None if it has none.

    Args:
        folder: of the run.
        name: of the module's folder.
        prefix: of the part in the module, such as ``late_blocks.``.

    Raises:
        TrainingError: if the file is damaged.
    """
    best = (read_state(folder, name) or {"best": {}})["best"]
    return part_of(best, prefix) or None


def part_of(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of a submodule, by their names in it."""
    return {k.removeprefix(prefix): x for k, x in weights.items() if k.startswith(prefix)}


def read_best(folder: Path, name: str, what: str, command: str) -> dict[str, Any]:
    """The training state of a module that has been evaluated.

    Args:
        folder: of the run.
        name: of the module's folder.
        what: is trained, for the message.
        command: that trains it.

    Raises:
        TrainingError: if it has not been evaluated yet, or the file is damaged.
    """
    state = read_state(folder, name)
    if state is None or not state["best"]:
        raise TrainingError(
            f"{folder}: {what} has no evaluated weights yet; train it with `{command}`"
        )
    return state


def history_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a weights file says of how its weights were trained."""
    return {
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "skipped_steps": state["skipped"],
    }


def _state_file(folder: Path, name: str) -> Path:
    return folder / name / "state.pt"
