"""Levels and late blocks learn together on a pixel pack; finer levels learn on what they made."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from colorflow import cli
from colorflow.errors import TrainingError
from colorflow.model.config import HINT_PLANES, PyramidConfig
from colorflow.model.features import Features, LateBlocks
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights, save_weights
from colorflow.training import export as export_module
from colorflow.training import trainer, tuning
from colorflow.training.export import export
from colorflow.training.joint import SHARE_OF_LOSS, JointModule, JointObjective
from colorflow.training.loop import train
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import read_config, read_level, read_state
from colorflow.training.schedule import Budget
from colorflow.training.targets import LevelObjective
from tests.training.conftest import small_training

pytestmark = pytest.mark.slow

GRIDS = (4, 8, 16)
Go = Callable[..., list[str]]


@pytest.fixture(scope="module")
def start(shape: PyramidConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that take hints."""
    torch.manual_seed(5)
    pyramid = ChromaPyramid(dataclasses.replace(shape, extra_planes=HINT_PLANES))
    path = tmp_path_factory.mktemp("start") / "start.safetensors"
    save_weights(path, pyramid, (0.5,) * 5, {}, torch.float32)
    return path


@pytest.fixture(scope="module")
def go(pixels_folder: Path, start: Path) -> Callable[..., list[str]]:
    """Trains in a folder; returns what was said."""

    def run(folder: Path, steps: int = 2, **changes: Any) -> list[str]:
        said: list[str] = []
        config = small_training(batch=4, peak_rate=0.3, evaluate_every=2.0, dev_photos=2)
        options = {"start": start, "levels": GRIDS, "say": said.append, **changes}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trainer, "FIT_ROWS", 4)
            train([pixels_folder], folder, config=config, budget=Budget(steps=steps), **options)
        return said

    return run


@pytest.fixture(scope="module")
def joint_run(go: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A joint run of two steps. Read it only."""
    folder = tmp_path_factory.mktemp("joint_run")
    assert "weighted nats a photo" in go(folder)[0]
    return folder


@pytest.fixture(scope="module")
def late_weights(joint_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file with the best late blocks and levels of the joint run."""
    pyramid = ChromaPyramid(read_config(joint_run))
    JointModule(pyramid, GRIDS).load_state_dict(state_of(joint_run)["best"])
    path = tmp_path_factory.mktemp("late_weights") / "late.safetensors"
    save_weights(path, pyramid, (0.5,) * 5, {}, torch.float32)
    return path


def state_of(folder: Path, name: str = "joint") -> dict[str, Any]:
    state = read_state(folder, name)
    assert state is not None
    return state


# what is learned


def test_the_loss_is_the_weighted_sum_of_the_levels_own(
    pixels_folder: Path, start: Path, randomize: Callable[..., nn.Module]
) -> None:
    shape = load_weights(start).pyramid.config
    pyramid = ChromaPyramid(dataclasses.replace(shape, late_blocks=True))
    randomize(pyramid, gain=0.2)
    assert pyramid.late_blocks is not None
    pyramid.late_blocks.copy_from(Features())
    pack = PixelPack(pixels_folder)
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


def test_late_blocks_and_levels_learn_and_nothing_else(
    joint_run: Path, start: Path, pixels_folder: Path
) -> None:
    old, state = load_weights(start).pyramid.state_dict(), state_of(joint_run)
    late = LateBlocks()
    late.copy_from(Features())
    learned = state["level"]
    for name, value in late.state_dict().items():
        change = (learned[f"late_blocks.{name}"] - value).abs().max()
        assert 0 < change < 0.01, name
    assert {name.split(".")[0] for name in learned} == {"late_blocks", "levels"}
    assert {name.split(".")[1] for name in learned if name.startswith("levels.")} == {
        "4",
        "8",
        "16",
    }
    assert not torch.equal(learned["levels.8.context.position"], old["levels.1.context.position"])
    assert read_config(joint_run).late_blocks
    assert state["pack"] == PixelPack(pixels_folder).digest


def test_the_curve_has_the_coarse_levels_and_hints_besides(joint_run: Path) -> None:
    with (joint_run / "joint" / "curve.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row)[7:] == ["dev4_nats", "dev8_nats", "dev_hints_nats"]
    mean = sum(float(row[name]) for name in ("dev_nats", *list(row)[7:])) / 4
    assert math.isclose(float(row["best_dev"]), mean, abs_tol=1e-3)
    assert (joint_run / "joint" / "grid.png").stat().st_size > 0


def test_it_resumes_to_the_bit(go: Go, tmp_path: Path) -> None:
    def end_after_the_first(_: str) -> None:
        raise KeyboardInterrupt

    go(tmp_path / "straight", steps=4)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "resumed", steps=4, say=end_after_the_first)
    torch.manual_seed(99)
    assert go(tmp_path / "resumed", steps=4)[0] == "joint: goes on at step 2"
    straight, resumed = state_of(tmp_path / "straight"), state_of(tmp_path / "resumed")
    for part in ("level", "ema", "best"):
        for name, value in straight[part].items():
            assert torch.equal(resumed[part][name], value), (part, name)


def test_weights_with_late_blocks_are_a_start(
    go: Go, joint_run: Path, late_weights: Path, tmp_path: Path
) -> None:
    """Of a run, or of a file; what moves in one step of warm-up is little."""
    best = state_of(joint_run)["best"]
    for name, origin in (("a", joint_run), ("b", late_weights)):
        go(tmp_path / name, start=origin, steps=1)
        learned = state_of(tmp_path / name)["best"]
        assert learned.keys() == best.keys()
        assert all(torch.allclose(x, best[key], atol=5e-3) for key, x in learned.items())


def test_a_finer_level_learns_on_the_late_blocks_as_they_are(
    go: Go, joint_run: Path, late_weights: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    seen = []
    loss = LevelObjective.loss

    def watched(objective: LevelObjective, *given: Any) -> torch.Tensor:
        assert objective.pyramid.late_blocks is not None
        seen.append({k: x.clone() for k, x in objective.pyramid.late_blocks.state_dict().items()})
        return loss(objective, *given)

    monkeypatch.setattr(LevelObjective, "loss", watched)
    go(tmp_path / "fine", start=late_weights, levels=(32,))
    go(tmp_path / "both", levels=(32, *GRIDS))
    own = state_of(tmp_path / "both")["best"]
    before = state_of(joint_run)["best"]
    assert all(x.equal(before[name]) for name, x in own.items())
    assert len(seen) > 4
    for late in seen:
        assert all(torch.equal(x, own[f"late_blocks.{name}"]) for name, x in late.items())
    for name in ("fine", "both"):
        state = read_level(tmp_path / name, 32)
        assert state is not None
        assert "joint" not in state
        assert not any("late_blocks" in name for name in state["level"])
    assert not (tmp_path / "fine" / "joint").exists()


# what is refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"start": None}, "name them with --start"),
        ({"levels": (64,)}, "no late blocks have been trained; train levels up to 16 first"),
    ],
)
def test_what_a_pixel_pack_cannot_be_trained_for(
    changes: dict[str, Any], reason: str, go: Go, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=reason):
        go(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_two_packs(
    pixels_folder: Path, pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for packs in ([pixels_folder, pack_folder], [pack_folder, pixels_folder]):
        arguments = ["train", *map(str, packs), "-o", str(tmp_path / "run"), "--steps", "1"]
        assert cli.main(arguments) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "name one pack" in line


def test_another_pixel_pack(go: Go, joint_run: Path, own_pack: Path, tmp_path: Path) -> None:
    state = state_of(joint_run)
    (tmp_path / "run" / "joint").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_bytes((joint_run / "config.json").read_bytes())
    torch.save(state | {"pack": "other"}, tmp_path / "run" / "joint" / "state.pt")
    with pytest.raises(TrainingError, match="was trained on another pack"):
        go(tmp_path / "run", steps=3)


# export


@pytest.fixture
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "CANDIDATES", (0.25, 0.75))
    monkeypatch.setattr(tuning, "SAMPLES", 2)
    calibrate = tuning.calibrate
    few = {"photos": 2, "samples": 20}
    monkeypatch.setattr(export_module, "calibrate", lambda *x, **y: calibrate(*x, **{**y, **few}))


@pytest.mark.usefixtures("_little")
def test_export_takes_the_run_and_the_rest(
    joint_run: Path, start: Path, pixels_folder: Path, tmp_path: Path
) -> None:
    path, said = tmp_path / "new.safetensors", list[str]()
    export(joint_run, path, pack_folder=pixels_folder, fallback=start, say=said.append)
    loaded, best = load_weights(path), state_of(joint_run)["best"]
    assert loaded.pyramid.config == read_config(joint_run)
    stored, rest = loaded.pyramid.state_dict(), load_weights(start).pyramid.state_dict()
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
    assert loaded.training["bits_per_dim"].keys() == {"dev", "train", "dev_degraded"}
    assert loaded.training.keys() >= {"coarsest_nats", "blow_ups", "colors"}
    assert set(loaded.temperatures) <= {0.25, 0.75}
    assert loaded.interval_factors.keys() == {0.5, 0.9}


def test_what_export_cannot_put_together(
    joint_run: Path, start: Path, late_weights: Path, pixels_folder: Path, go: Go, tmp_path: Path
) -> None:
    path = tmp_path / "new.safetensors"
    with pytest.raises(TrainingError, match="level 32 has no evaluated weights"):
        export(joint_run, path, pack_folder=pixels_folder, say=str)
    go(tmp_path / "fine", start=late_weights, levels=(32,), steps=1)
    with pytest.raises(TrainingError, match="late blocks came from elsewhere"):
        export(tmp_path / "fine", path, pack_folder=pixels_folder, fallback=start, say=str)
    with pytest.raises(TrainingError, match="late blocks came from elsewhere"):
        go(tmp_path / "finer", start=tmp_path / "fine", levels=(64,))
