"""Levels and late blocks learn together; finer levels learn on what they made."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from colorflow.errors import TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from colorflow.training import export as export_module
from colorflow.training import tuning
from colorflow.training.export import export
from colorflow.training.loop import SHARE_OF_LOSS, JointModule, JointObjective
from colorflow.training.pixels import PixelPack
from colorflow.training.targets import LevelObjective
from colorflow.training.trained import read_config
from tests.training.runs import Train, curve, raw_state

pytestmark = pytest.mark.slow

GRIDS = (4, 8, 16)


@pytest.fixture(scope="module")
def joint_run(go: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps with new weights. Read it only."""
    folder = tmp_path_factory.mktemp("joint_run")
    assert "weighted nats a photo" in go(folder, steps=2, levels=GRIDS, hints=True)[0]
    return folder


@pytest.fixture(scope="module")
def late_weights(joint_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file with the best late blocks and levels of the joint run."""
    pyramid = ChromaPyramid(read_config(joint_run))
    JointModule(pyramid, GRIDS).load_state_dict(raw_state(joint_run)["best"])
    path = tmp_path_factory.mktemp("late_weights") / "late.safetensors"
    save_weights(path, pyramid, (0.5,) * 5, {}, torch.float32)
    return path


def test_the_loss_is_the_weighted_sum_of_the_levels_own(
    pack_folder: Path, shape: PyramidConfig, randomize: Callable[..., nn.Module]
) -> None:
    pyramid, pack = ChromaPyramid(shape), PixelPack(pack_folder)
    randomize(pyramid, gain=0.2)
    ab, condition = pack.batch(pack.rows("dev"))
    module = JointModule(pyramid, GRIDS).eval()
    for points in (0, 4):
        noise = torch.Generator().manual_seed(1)
        found = JointObjective(pyramid, GRIDS, points).loss(module, ab, condition, noise)
        noise = torch.Generator().manual_seed(1)
        own = [
            LevelObjective(pyramid, index, points).loss(level, ab, condition, noise)
            for index, level in enumerate(pyramid.levels[:3])
        ]
        wanted = own[0] + own[1] / 2 + own[2] / 4
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-2)
    assert list(SHARE_OF_LOSS.values()) == [1, 1 / 2, 1 / 4]


def test_the_curve_has_the_coarse_levels_and_hints_besides(joint_run: Path) -> None:
    (row,) = curve(joint_run)
    assert list(row)[7:] == ["dev4_nats", "dev8_nats", "dev_hints_nats"]
    mean = sum(float(row[name]) for name in ("dev_nats", *list(row)[7:])) / 4
    assert math.isclose(float(row["best_dev"]), mean, abs_tol=1e-3)


def test_a_finer_level_learns_on_the_late_blocks_as_they_are(
    go: Train, joint_run: Path, late_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    loss = LevelObjective.loss

    def watched(objective: LevelObjective, *given: Any) -> torch.Tensor:
        assert objective.pyramid.late_blocks is not None
        seen.append({k: x.clone() for k, x in objective.pyramid.late_blocks.state_dict().items()})
        return loss(objective, *given)

    monkeypatch.setattr(LevelObjective, "loss", watched)
    go(tmp_path / "fine", steps=2, start=late_weights, levels=(32,))
    own = raw_state(joint_run)["best"]
    assert len(seen) > 2
    for late in seen:
        assert all(torch.equal(x, own[f"late_blocks.{name}"]) for name, x in late.items())
    assert not any(
        "late_blocks" in name for name in raw_state(tmp_path / "fine", "level32")["level"]
    )
    assert not (tmp_path / "fine" / "joint").exists()


def test_fine_levels_need_late_blocks(go: Train, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no late blocks have been trained; train levels up to"):
        go(tmp_path / "run", steps=1, levels=(64,))
    assert not (tmp_path / "run").exists()


# export


def test_export_takes_the_run_and_the_rest(
    joint_run: Path,
    late_weights: Path,
    pack_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calibrate, few = tuning.calibrate, {"photos": 2, "samples": 20}
    monkeypatch.setattr(export_module, "calibrate", lambda *x, **y: calibrate(*x, **{**y, **few}))
    path = tmp_path / "new.safetensors"
    options = {"pack_folder": pack_folder, "temperatures": (0.5,) * 5, "gain": 1.0, "say": str}
    export(joint_run, path, fallback=late_weights, **options)  # type: ignore[arg-type]
    loaded, best = load_weights(path), raw_state(joint_run)["best"]
    assert loaded.pyramid.config == read_config(joint_run)
    stored, rest = loaded.pyramid.state_dict(), load_weights(late_weights).pyramid.state_dict()
    for name, value in best.items():
        parts = name.split(".", 2)
        own = f"levels.{GRIDS.index(int(parts[1]))}.{parts[2]}" if parts[0] == "levels" else name
        assert torch.equal(stored[own], value.half().float()), name
    for name, value in rest.items():
        if name.startswith(("levels.3.", "levels.4.")):
            assert torch.equal(stored[name], value.half().float()), name
    told = loaded.training["levels"]
    assert [entry.get("joint") for entry in told] == [[4, 8, 16]] * 3 + [None] * 2
    assert "from" in told[3]
    assert loaded.interval_factors.keys() == {0.5, 0.9}


def test_what_export_cannot_put_together(
    joint_run: Path, start: Path, late_weights: Path, pack_folder: Path, go: Train, tmp_path: Path
) -> None:
    path = tmp_path / "new.safetensors"
    options = {"pack_folder": pack_folder, "temperatures": (0.5,) * 5, "gain": 1.0, "say": str}
    with pytest.raises(TrainingError, match="level 32 has no evaluated weights"):
        export(joint_run, path, **options)  # type: ignore[arg-type]
    go(tmp_path / "fine", steps=1, start=late_weights, levels=(32,))
    with pytest.raises(TrainingError, match="late blocks came from elsewhere"):
        export(tmp_path / "fine", path, **options)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="late blocks came from elsewhere"):
        go(tmp_path / "finer", steps=1, start=tmp_path / "fine", levels=(64,))
