"""Packs whose maps are averaged to 8x8 or 16x16: for the coarsest levels alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from colorflow.errors import PackError, TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.training.export import export
from colorflow.training.loop import train
from colorflow.training.pack import (
    FEATURE_GRIDS,
    Pack,
    Packs,
    array_shapes,
    bytes_per_row,
    open_packs,
)
from colorflow.training.run import read_state
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer

NAMES = ("lightness", *(f"features{grid}" for grid in FEATURE_GRIDS))


def averaged(values: np.ndarray, side: int) -> np.ndarray:
    factor = values.shape[-1] // side
    blocks = values.astype(np.float64).reshape(*values.shape[:-2], side, factor, side, factor)
    return blocks.mean((-3, -1))


def coarsened(pack: Path, finest_map: int) -> Path:
    """The pack itself, its maps averaged."""
    for name in NAMES:
        values = np.load(pack / f"{name}.npy")
        side = 4 * finest_map if name == "lightness" else min(finest_map, values.shape[-1])
        np.save(pack / f"{name}.npy", averaged(values, side).astype(np.float16))
    info = json.loads((pack / "pack.json").read_text())
    (pack / "pack.json").write_text(json.dumps(info | {"finest_map": finest_map}))
    return pack


@pytest.fixture
def coarse_pack(own_pack: Path) -> Path:
    return coarsened(own_pack, 8)


def test_shapes_and_need_of_disk() -> None:
    assert array_shapes(16)["features16"] == (112, 16, 16)
    assert array_shapes(16)["features32"] == (40, 16, 16)
    assert array_shapes(16)["lightness"] == (1, 64, 64)
    assert bytes_per_row(16) < 0.65 * bytes_per_row()
    assert array_shapes(8) == {
        "lightness": (1, 32, 32),
        "ab": (2, 64, 64),
        "features8": (320, 8, 8),
        "features16": (112, 8, 8),
        "features32": (40, 8, 8),
    }
    assert bytes_per_row(8) == 2 * (32**2 + 2 * 64**2 + 472 * 8**2)
    assert bytes_per_row(8) < 0.4 * bytes_per_row()


def test_the_coarsest_level_sees_the_same(
    coarse_pack: Path, pack_folder: Path, make_trainer: Callable[..., Trainer]
) -> None:
    """Level 4 looks at maps of 8x8 whatever the pack has. Without tails, which the model cuts
    before it averages, only halves are rounded otherwise."""
    level = make_trainer(0).module.eval()
    rows = np.arange(12)
    fine = Pack(pack_folder).batch(rows)[1]
    coarse = Pack(coarse_pack, 8).batch(rows)[1]
    assert coarse.features[32].shape[-2:] == (8, 8)
    with torch.no_grad():
        expected, result = level.context.of_photo(fine), level.context.of_photo(coarse)
    assert (expected - result).abs().max() < 1e-3 * expected.abs().max()


@pytest.mark.parametrize("levels", [[8, 16], [4, 64], None])
def test_finer_levels_are_refused(
    coarse_pack: Path,
    shape: PyramidConfig,
    make_config: Callable[..., TrainConfig],
    tmp_path: Path,
    levels: list[int] | None,
) -> None:
    with pytest.raises(PackError, match="at most 8 x 8 cells and what is to be trained") as caught:
        train(
            [coarse_pack], tmp_path / "run", shape=shape, config=make_config(),
            budget=Budget(steps=1), levels=levels, say=str,
        )  # fmt: skip
    assert str(caught.value).startswith(f"{coarse_pack}: ")
    assert f"needs {16 if levels == [8, 16] else 32};" in str(caught.value)
    assert "--finest-map" in str(caught.value)


@pytest.fixture
def begun(
    pack_folder: Path, shape: PyramidConfig, make_config: Callable[..., TrainConfig], tmp_path: Path
) -> Path:
    """A run of level 4 on the whole pack."""
    run, budget = tmp_path / "begun", Budget(steps=1)
    train([pack_folder], run, shape=shape, config=make_config(), budget=budget, levels=[4], say=str)
    return run


def test_the_coarsest_levels_go_on(
    coarse_pack: Path, begun: Path, make_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    """With the statistics of whole maps, which the start has."""
    run, budget = tmp_path / "run", Budget(steps=1)
    said: list[str] = []
    train(
        [coarse_pack], run, start=begun, config=make_config(), budget=budget, levels=[4],
        say=said.append,
    )  # fmt: skip
    assert said[-1].startswith("level 4: step 1")
    assert (run / "level4" / "grid.png").stat().st_size > 0
    of_start, of_run = (read_state(folder, "level4") for folder in (begun, run))
    assert of_start is not None
    assert of_run is not None
    statistics = [key for key in of_run["level"] if ".standardize." in key]
    assert statistics
    for key in statistics:
        assert torch.equal(of_run["level"][key], of_start["level"][key])


def test_new_weights_need_a_whole_pack(
    coarse_pack: Path, shape: PyramidConfig, make_config: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="name them with --start") as caught:
        train(
            [coarse_pack], tmp_path / "run", shape=shape, config=make_config(),
            budget=Budget(steps=1), levels=[4], say=str,
        )  # fmt: skip
    assert str(caught.value).startswith(f"{coarse_pack}: ")
    assert not (tmp_path / "run").exists()


def test_the_coarse_pack_is_named_wherever_it_stands(
    coarse_pack: Path,
    pack_folder: Path,
    shape: PyramidConfig,
    make_config: Callable[..., TrainConfig],
    tmp_path: Path,
) -> None:
    with pytest.raises(TrainingError, match="name them with --start") as caught:
        train(
            [pack_folder, coarse_pack], tmp_path / "run", shape=shape, config=make_config(),
            budget=Budget(steps=1), levels=[4], say=str,
        )  # fmt: skip
    assert str(caught.value).startswith(f"{coarse_pack}: ")


def test_what_needs_the_whole_maps_refuses_it(coarse_pack: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="a coarse pack"):
        export(tmp_path, tmp_path / "x.safetensors", pack_folder=coarse_pack)
    with pytest.raises(PackError, match="a coarse pack"):
        open_packs([coarse_pack])


@pytest.mark.parametrize("finest_map", [8, 16])
@pytest.mark.parametrize("first", [0, 1])
def test_beside_a_coarse_pack_all_look_as_coarse(
    own_pack: Path, pack_folder: Path, first: int, finest_map: int
) -> None:
    folders = [pack_folder, coarsened(own_pack, finest_map)]
    packs = open_packs([folders[first], folders[1 - first]], finest_map)
    assert isinstance(packs, Packs)
    assert packs.finest_map == finest_map
    rows = np.array([40, 3, 71, 8])
    ab, condition = packs.batch(rows)
    of_coarse = Pack(folders[1], finest_map).batch(rows % 36)
    assert torch.equal(ab, of_coarse[0])
    assert condition.lightness.shape[-1] == 4 * finest_map
    pairs = [(condition.lightness, of_coarse[1].lightness)]
    pairs += [(condition.features[g], of_coarse[1].features[g]) for g in FEATURE_GRIDS]
    for mixed, coarse in pairs:
        assert mixed.shape == coarse.shape
        assert (mixed - coarse).abs().max() < 2e-3 * coarse.abs().max()


def test_a_coarse_pack_among_whole_ones_is_too_coarse_for_fine_levels(
    coarse_pack: Path, pack_folder: Path
) -> None:
    with pytest.raises(PackError, match="a coarse pack") as caught:
        open_packs([pack_folder, coarse_pack], 16)
    assert str(caught.value).startswith(f"{coarse_pack}: ")


@pytest.mark.parametrize("value", [0, 12, 64, -8, "x"])
def test_another_finest_map(coarse_pack: Path, value: object) -> None:
    info = json.loads((coarse_pack / "pack.json").read_text())
    (coarse_pack / "pack.json").write_text(json.dumps(info | {"finest_map": value}))
    with pytest.raises(PackError, match="not a pack description"):
        Pack(coarse_pack, 8)
