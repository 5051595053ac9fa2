"""`train`: levels to their budgets, what it leaves, going on, and starting from weights."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from colorflow.errors import TrainingError
from colorflow.model.config import HINT_PLANES, PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.training import levels as levels_module
from colorflow.training.levels import LevelLoss, give_levels
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import STATE, read_config
from tests.training.conftest import save_random, small_training
from tests.training.runs import Train, curve, raw_state, state_of

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
    assert PyramidConfig.from_dict(written["pyramid"]) == dataclasses.replace(
        shape, extra_planes=HINT_PLANES
    )
    for name in ("joint", "level32"):
        rows = curve(tmp_path, name)
        assert list(rows[0])[:7] == [
            "step", "seconds", "train_nats", "dev_nats", "dev_degraded_nats", "best_dev", "skipped",
        ]  # fmt: skip
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
    clock = SimpleNamespace(monotonic=lambda: float(next(time)))
    monkeypatch.setattr(levels_module, "time", clock)
    go(tmp_path, minutes=1.5, evaluate_every=30.0)
    rows = curve(tmp_path)
    assert [float(row["seconds"]) for row in rows] == [30, 60, 90]
    assert [int(row["step"]) for row in rows] == [3, 6, 9]
    assert go(tmp_path, minutes=1.5, evaluate_every=30.0) == ["joint: goes on at step 9"]


# levels that learn together, and those that learn after them


def test_the_curve_has_the_coarse_levels_and_hints_besides(go: Train, tmp_path: Path) -> None:
    assert "weighted nats a photo" in go(tmp_path, steps=2, levels=(4, 8, 16))[0]
    (row,) = curve(tmp_path)
    assert list(row)[7:] == ["dev4_nats", "dev8_nats", "dev_hints_nats"]
    mean = sum(float(row[name]) for name in ("dev_nats", *list(row)[7:])) / 4
    assert math.isclose(float(row["best_dev"]), mean, abs_tol=1e-3)


@pytest.mark.parametrize("of_run", [True, False])
def test_a_finer_level_learns_on_the_late_blocks_as_they_are(
    go: Train, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, of_run: bool
) -> None:
    """The best ones of the run, or else those of the start."""
    seen, loss = [], LevelLoss.__call__

    def watched(criterion: LevelLoss, *given: Any) -> torch.Tensor:
        assert criterion.pyramid.late_blocks is not None
        seen.append({k: x.clone() for k, x in criterion.pyramid.late_blocks.state_dict().items()})
        return loss(criterion, *given)

    if of_run:
        go(tmp_path, steps=2, start=start)
    monkeypatch.setattr(LevelLoss, "__call__", watched)
    go(tmp_path, steps=2, start=start, levels=(32,))
    wanted = {f"late_blocks.{k}": x for k, x in late_blocks(start).state_dict().items()}
    if of_run:
        best = raw_state(tmp_path)["best"]
        assert any(not torch.equal(x, best[name]) for name, x in wanted.items())
        wanted = best
    assert len(seen) > 2
    for late in seen:
        assert all(torch.equal(x, wanted[f"late_blocks.{name}"]) for name, x in late.items())
    assert not any("late_blocks" in name for name in raw_state(tmp_path, "level32")["level"])


def late_blocks(weights: Path) -> nn.Module:
    found = load_weights(weights).pyramid.late_blocks
    assert found is not None
    return found


def test_fine_levels_need_late_blocks(go: Train, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no late blocks have been trained; train levels up to"):
        go(tmp_path / "run", steps=1, levels=(64,))
    assert not (tmp_path / "run").exists()


# starting from trained weights


@pytest.mark.parametrize("planes", [HINT_PLANES, 0])
def test_step_0_is_the_old_model(
    planes: int, shape: PyramidConfig, pack_folder: Path, tmp_path: Path
) -> None:
    """The same log_prob without hints, to the bit; the same contexts with hints too, as long as
    nothing has been learned from them."""
    old = load_weights(save_random(tmp_path / "old.safetensors", shape)).pyramid
    pack = PixelPack(pack_folder)
    new = ChromaPyramid(dataclasses.replace(old.config, extra_planes=planes)).eval()
    give_levels(new, old, old.config.chroma_grids)
    ab, condition = pack.batch(pack.rows("dev"))
    condition = old.refine(condition)
    new.late_blocks = old.late_blocks
    hinted = dataclasses.replace(condition, planes=torch.ones(len(ab), 3, 64, 64))
    with torch.no_grad():
        assert torch.equal(new.log_prob(ab, condition), old.log_prob(ab, condition))
        if planes:
            for level, of_old in zip(new.levels, old.levels, strict=True):
                context = level.context.of_photo(hinted)
                assert torch.equal(context, of_old.context.of_photo(condition))


def test_training_begins_there(go: Train, shape: PyramidConfig, tmp_path: Path) -> None:
    """Two steps of a warming rate lead not far from the old weights, but the planes are learned."""
    start = save_random(tmp_path / "old.safetensors", shape)
    go(tmp_path, start=start, steps=2, levels=(32,))
    old, new = load_weights(start).pyramid.levels[3].state_dict(), raw_state(tmp_path, "level32")
    extra = new["level"].keys() - old.keys()
    names = ("hidden.weight", "hidden.bias", "out.weight")
    assert extra == {f"context.from_planes.{name}" for name in names}
    assert new["level"]["context.from_planes.out.weight"].any()
    for name, value in old.items():
        assert torch.allclose(new["level"][name], value, atol=2e-3), name
    config = read_config(tmp_path)
    assert config["pyramid"]["extra_planes"] == HINT_PLANES
    assert config["start"] == start.name
