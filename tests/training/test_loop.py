"""`train`: levels to their budgets, what it leaves in the folder, and going on."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path

import pytest
import torch

from colorflow.model.config import PyramidConfig
from colorflow.training import loop
from colorflow.training.run_folder import CURVE, STATE
from colorflow.training.trained import read_config
from colorflow.training.trainer import Trainer
from tests.training.conftest import small_training
from tests.training.runs import Train, curve, state_of

pytestmark = pytest.mark.slow

# what it leaves


def test_a_run_leaves_curves_and_checkpoints(
    go: Train, shape: PyramidConfig, tmp_path: Path
) -> None:
    said = go(tmp_path, steps=4, levels=(4, 8, 32))
    assert [line.split(",")[0] for line in said] == [
        "joint: step 3", "joint: step 4", "level 32: step 3", "level 32: step 4",
    ]  # fmt: skip
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["train"] == dataclasses.asdict(small_training(batch=4, dev_photos=2))
    assert read_config(tmp_path) == shape
    for name in ("joint", "level32"):
        rows = curve(tmp_path, name)
        assert tuple(rows[0])[:7] == CURVE
        assert [row["step"] for row in rows] == ["3", "4"]
        assert all(0 < float(row["dev_nats"]) < 1e5 for row in rows)
        assert all(0 < float(row["dev_degraded_nats"]) < 1e5 for row in rows)
        assert [row["skipped"] for row in rows] == ["0", "0"]
        assert float(rows[1]["best_dev"]) <= float(rows[0]["best_dev"])
        assert not list((tmp_path / name).glob("*.tmp"))
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "joint", "level32"}


# going on


def test_an_interrupted_run_goes_on_to_the_same_bits(go: Train, tmp_path: Path) -> None:
    """6 steps at once, and 3 + 3 with the program ended in between."""
    straight = go(tmp_path / "straight", steps=6, levels=(4, 8, 32))

    def end_after_the_first(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "resumed", steps=6, levels=(4, 8, 32), say=end_after_the_first)
    assert state_of(tmp_path / "resumed")["step"] == 3
    torch.manual_seed(99)
    rest = go(tmp_path / "resumed", steps=6, levels=(4, 8, 32))
    assert rest[0] == "joint: goes on at step 3"
    assert len(rest) == len(straight)
    for level in ("joint", "level32"):
        whole, parts = (state_of(tmp_path / name, level) for name in ("straight", "resumed"))
        assert whole.keys() == parts.keys() == STATE - {"seconds"} | {"pack"}
        for key in whole:
            assert whole[key] == parts[key], (level, key)
    curves = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in curve(tmp_path / name)]
        for name in ("straight", "resumed")
    ]
    assert curves[0] == curves[1]


def test_levels_trained_alone_are_the_same_to_the_bit(
    go: Train, start: Path, tmp_path: Path
) -> None:
    go(tmp_path / "both", steps=2, levels=(32, 64), start=start)
    go(tmp_path / "alone", steps=2, levels=(64,), start=start)
    assert state_of(tmp_path / "both", "level64") == state_of(tmp_path / "alone", "level64")


def test_a_level_that_is_done_is_left_alone_until_it_may_go_on(go: Train, tmp_path: Path) -> None:
    go(tmp_path, steps=3)
    path = tmp_path / "joint" / "state.pt"
    before = path.read_bytes()
    assert go(tmp_path, steps=3) == ["joint: goes on at step 3"]
    assert path.read_bytes() == before
    go(tmp_path, steps=5)
    assert state_of(tmp_path)["step"] == 5


# budgets


def test_minutes_end_by_the_clock(
    go: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is looked at once before training goes on and once a step: 10 s each time."""
    time = iter(range(0, 10_000, 10))
    monkeypatch.setattr(loop, "Trainer", partial(Trainer, clock=lambda: float(next(time))))
    go(tmp_path, minutes=1.5, evaluate_every=30.0)
    rows = curve(tmp_path)
    assert [float(row["seconds"]) for row in rows] == [30, 60, 90]
    assert [int(row["step"]) for row in rows] == [3, 6, 9]
    assert go(tmp_path, minutes=1.5, evaluate_every=30.0) == ["joint: goes on at step 9"]
