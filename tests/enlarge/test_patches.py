"""Packs of patches: splits, positions, low resolution, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from colorflow.enlarge.patches import PatchPack
from colorflow.errors import PackError
from tests.enlarge.made_up_patches import DEV, TRAIN


def test_splits_and_positions(patches_folder: Path) -> None:
    pack = PatchPack(patches_folder)
    assert len(pack) == 4 * (DEV + TRAIN)
    assert pack.rows("dev").tolist() == pack.rows("dev", variant="whole").tolist() == [*range(8)]
    assert pack.rows("train", variant="whole").tolist() == [*range(8, 24)]
    rows = pack.rows("train")
    assert len(rows) == 8 * 4 * TRAIN
    assert (rows % len(pack) >= 4 * DEV).all(), "no dev patch in any position"
    assert len(pack.rows("dev", variant="whole_degraded")) == 0


def test_a_patch_and_its_low_resolution(patches_folder: Path) -> None:
    stored = np.load(patches_folder / "patches.npy")
    high, low = PatchPack(patches_folder).batch(np.array([9]))
    assert np.allclose(high[0, 0].numpy(), stored[2, 1] / 2.55, atol=1e-4)
    cells = stored[2, 1].reshape(64, 2, 64, 2).mean((1, 3)) / 2.55
    assert np.allclose(low[0, 0].numpy(), cells, atol=1e-4)


def test_the_eight_positions_are_those_of_the_square(patches_folder: Path) -> None:
    pack = PatchPack(patches_folder)
    high, _ = pack.batch(9 + len(pack) * np.arange(8))
    upright = high[0, 0]
    expected = [torch.rot90(upright, turn) for turn in range(4)]
    expected += [one.flip(1) for one in expected]
    assert all(torch.equal(one[0], wanted) for one, wanted in zip(high, expected, strict=True))
    assert len({one.numpy().tobytes() for one in high}) == 8


def test_a_reduced_pack_is_coarser(patches_folder: Path) -> None:
    rows = np.array([8, 30])
    high, low = PatchPack(patches_folder, reduced=1).batch(rows)
    fine, coarse = PatchPack(patches_folder).batch(rows)
    assert torch.allclose(high, coarse)
    assert torch.allclose(low, F.avg_pool2d(fine, 4), atol=1e-4)


def test_damage_is_done_to_the_low_resolution_alone(patches_folder: Path) -> None:
    rows = np.arange(8, 24)
    high, low = PatchPack(patches_folder).batch(rows)
    same, damaged = PatchPack(patches_folder, damaged=True).batch(rows)
    assert torch.equal(high, same)
    off = (damaged - low).square().mean((1, 2, 3)).sqrt()
    assert off.max() < 15
    assert (off > 0.5).float().mean() > 0.8
    assert 0 <= damaged.min() <= damaged.max() <= 100
    _, again = PatchPack(patches_folder, damaged=True).batch(rows[::-1].copy())
    assert torch.equal(again.flip(0), damaged), "the damage depends on the row alone"


def test_another_pack_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pixels.json").write_text("{}")
    with pytest.raises(PackError, match=r"no pack of this kind here .*data_prep.* --patches"):
        PatchPack(tmp_path)
