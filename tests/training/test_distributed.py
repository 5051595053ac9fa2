"""Two processes under torchrun, on this machine by gloo."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from colorflow.model.config import PyramidConfig
from colorflow.training import loop, targets
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).with_name("two_processes.py")


@pytest.fixture(scope="module")
def still(shape: PyramidConfig) -> PyramidConfig:
    """The tiny pyramid without dropout: nothing but the noise depends on the rank."""
    levels = tuple(dataclasses.replace(level, dropout=0.0) for level in shape.levels)
    return dataclasses.replace(shape, levels=levels)


@pytest.fixture(scope="module")
def folder(
    pack_folder: Path, still: PyramidConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What the two processes leave."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "pack.txt").write_text(str(pack_folder))
    (folder / "shape.json").write_text(json.dumps(still.to_dict()))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(loop.__file__).parent.parent.parent
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    with subprocess.Popen(
        [*command, str(PROGRAM), str(folder)],
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            errors = process.communicate(timeout=180)[1]
        except subprocess.TimeoutExpired:
            process.terminate()  # torchrun then ends its processes, which may wait for each other
            errors = f"no end in sight\n{process.communicate(timeout=60)[1]}"
    assert process.returncode == 0, errors[-3000:]
    return folder


def states(folder: Path, name: str) -> list[dict[str, Any]]:
    """What each process held at the end of a training."""
    return [torch.load(folder / f"{name}{rank}.pt", weights_only=True) for rank in (0, 1)]


def curve(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name / "level4" / "curve.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["steps", "minutes", "exact"])
def test_both_processes_hold_the_same_weights(name: str, folder: Path) -> None:
    first, second = states(folder, name)
    assert first["step"] == second["step"]
    for part in ("level", "ema"):
        for key, value in first[part].items():
            assert torch.equal(value, second[part][key]), (part, key)
    for index, values in first["optimizer"]["state"].items():
        for key, value in values.items():
            assert torch.equal(value, second["optimizer"]["state"][index][key])


def test_the_first_process_writes_for_both(folder: Path) -> None:
    rows = curve(folder, "steps")
    assert [row["step"] for row in rows] == ["8", "16", "24"]
    saved = torch.load(folder / "steps" / "level4" / "state.pt", weights_only=True)
    first, _ = states(folder, "steps")
    assert all(torch.equal(value, saved["level"][key]) for key, value in first["level"].items())


def test_two_processes_learn(folder: Path) -> None:
    losses = [float(row["train_nats"]) for row in curve(folder, "steps")]
    assert losses[-1] < losses[0] - 5


def test_the_clock_of_the_first_process_ends_both(folder: Path) -> None:
    assert [float(row["seconds"]) for row in curve(folder, "minutes")] == [30, 60]


def test_two_processes_do_what_one_does(
    folder: Path,
    pack_folder: Path,
    still: PyramidConfig,
    make_trainer: Callable[..., Trainer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without noise and dropout, the mean of two halves' gradients is that of the batch."""
    monkeypatch.setattr(targets, "NOISE", 0.0)
    start: dict[str, torch.Tensor] = {}
    whole_level = loop.train_to_budget

    def watched(level: Trainer, *more: Any) -> None:
        start.update({key: value.clone() for key, value in level.module.state_dict().items()})
        whole_level(level, *more)

    monkeypatch.setattr(loop, "train_to_budget", watched)
    config = TrainConfig(batch=8, peak_rate=0.5, evaluate_every=4.0, autocast=False)
    budget = Budget(steps=4)
    loop.train(
        [pack_folder], tmp_path, shape=still, config=config, budget=budget, levels=[4], say=str
    )
    alone = torch.load(tmp_path / "level4" / "state.pt", weights_only=True)["level"]
    together = states(folder, "exact")[0]["level"]
    names = [key for key, value in start.items() if not torch.equal(value, alone[key])]
    assert len(names) > 10

    def flat(weights: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.cat([(weights[name] - start[name]).flatten() for name in names])

    assert (flat(together) - flat(alone)).norm() < 0.02 * flat(alone).norm()
