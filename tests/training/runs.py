"""Runs of the tests: how they are made, and what their folders hold."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from colorflow import cli
from colorflow.training.run_folder import read_state
from colorflow.training.trainer import Budget, TrainConfig, Training, train_part

Train = Callable[..., list[str]]


def curve(folder: Path, name: str = "joint") -> list[dict[str, str]]:
    with (folder / name / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def raw_state(folder: Path, name: str = "joint") -> dict[str, Any]:
    """The checkpoint of a loss that has begun."""
    state = read_state(folder, name)
    assert state is not None
    return state


def state_of(folder: Path, name: str = "joint") -> dict[str, Any]:
    """The checkpoint without its clock, tensors as bytes."""

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            return (str(value.dtype), tuple(value.shape), value.numpy().tobytes())
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return {key: plain(x) for key, x in raw_state(folder, name).items() if key != "seconds"}


def trained(training: Training, pack: Path, run: Path, start: Path | None = None) -> None:
    """Trains a part for two steps."""
    config = TrainConfig(batch=4, peak_rate=0.02, evaluate_every=3.0, dev_photos=2)
    train_part(
        training, training.name, pack, run, start=start, config=config, budget=Budget(steps=2),
        say=str,
    )  # fmt: skip


def error_of(arguments: list[object], capsys: pytest.CaptureFixture[str], code: int = 1) -> str:
    """The one line that a command says when it fails."""
    capsys.readouterr()
    assert cli.main([str(argument) for argument in arguments]) == code
    (line,) = capsys.readouterr().err.splitlines()
    return line
