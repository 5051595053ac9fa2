"""Several packs as one: rows of all to train on, dev rows of the first alone."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from colorflow.errors import PackError
from colorflow.model.config import PyramidConfig
from colorflow.training.loop import train
from colorflow.training.pack import FEATURE_GRIDS, Pack, Packs, open_packs
from colorflow.training.run_folder import read_state
from colorflow.training.schedule import Budget
from colorflow.training.trainer import Trainer
from tests.training.conftest import small_training
from tests.training.made_up_pack import DEV, TRAIN

FAR = 0xFFFF_FFFF_0000_0000
"""Difference of hashes that makes other photos of those of the made-up pack."""


def change_table(folder: Path, change: Callable[[dict[str, str]], None]) -> None:
    path = folder / "photos.csv"
    with path.open(newline="", encoding="utf-8") as file:
        photos = list(csv.DictReader(file))
    for photo in photos:
        change(photo)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, photos[0])
        writer.writeheader()
        writer.writerows(photos)


def of_other_photos(photo: dict[str, str]) -> None:
    photo["hash"] = f"{int(photo['hash'], 16) ^ FAR:016x}"
    photo["mean_chroma"] = str(100 + float(photo["mean_chroma"]))


@pytest.fixture
def folders(pack_folder: Path, own_pack: Path) -> list[Path]:
    """Two packs of other photos: the second's arrays are the first's with another sign."""
    change_table(own_pack, of_other_photos)
    for name in ("ab", "lightness", *(f"features{grid}" for grid in FEATURE_GRIDS)):
        np.save(own_pack / f"{name}.npy", -np.load(own_pack / f"{name}.npy"))
    return [pack_folder, own_pack]


@pytest.fixture
def packs(folders: list[Path]) -> Packs:
    return Packs([Pack(folder) for folder in folders])


def test_training_rows_of_all_and_dev_rows_of_the_first(packs: Packs) -> None:
    first = packs.packs[0]
    assert len(packs) == 72
    train, dev = packs.rows("train"), packs.rows("dev")
    own = first.rows("train")
    assert np.array_equal(train, [*own, *(36 + own)])
    assert np.array_equal(dev, first.rows("dev"))
    whole = packs.rows("train", variant="whole", larger_than=64)
    own = first.rows("train", variant="whole", larger_than=64)
    assert len(own) == TRAIN
    assert np.array_equal(whole, [*own, *(36 + own)])
    degraded = packs.rows("dev", variant="whole_degraded")
    assert np.array_equal(degraded, first.rows("dev", variant="whole_degraded"))
    assert len(degraded) == DEV


def test_several_are_others_than_one_and_than_another_order(packs: Packs) -> None:
    first, second = packs.packs
    digests = {first.digest, packs.digest, Packs([second, first]).digest}
    assert len(digests) == 3
    assert Packs([first, second]).digest == packs.digest


def test_what_messages_and_blow_ups_need(packs: Packs, pack_folder: Path) -> None:
    assert packs.folder == pack_folder
    chroma = Pack(pack_folder).train_chroma
    assert np.allclose(packs.train_chroma, [*chroma, *(100 + chroma)])


@pytest.mark.parametrize(
    "rows", [[3], [40], [70, 2, 36, 35, 40, 0], [5, 41, 5, 41], list(range(71, -1, -1))]
)
def test_a_batch_keeps_the_given_order(packs: Packs, rows: list[int]) -> None:
    ab, condition = packs.batch(np.array(rows), (8, 32))
    assert condition.features.keys() == {8, 32}
    assert condition.planes is None
    folder = packs.folder
    sign = np.array([1 if row < 36 else -1 for row in rows])[:, None, None, None]
    given = {"ab": ab, "lightness": condition.lightness}
    given |= {f"features{grid}": values for grid, values in condition.features.items()}
    for name, values in given.items():
        own = np.load(folder / f"{name}.npy")[np.array(rows) % 36].astype(np.float32)
        assert values.dtype == torch.float32
        assert np.array_equal(values.numpy(), sign * own), name


def test_photos_that_are_nearly_dev_photos_of_the_first_are_left_out(
    folders: list[Path], own_pack: Path
) -> None:
    """Six bits are near and seven are not, upright or mirrored; the first keeps all of its own."""
    dev = TRAIN + 1  # a photo of the first pack's dev

    def as_dev(photo: dict[str, str]) -> None:
        photo["mirrored_hash"] = f"{~int(photo['hash'], 16) & (2**64 - 1):016x}"
        bits = {"2": 0, "5": 0b11_1111 << 40, "7": 0b111_1111 << 40}
        for name, first in (("hash", 0), ("mirrored_hash", 1)):
            index = str(int(photo["index"]) - first)
            if index in bits:
                photo[name] = f"{dev ^ bits[index]:016x}"

    change_table(own_pack, as_dev)
    packs = Packs([Pack(folder) for folder in folders])
    first, second = packs.packs
    rows = packs.rows("train")
    assert np.array_equal(rows[rows < 36], first.rows("train"))
    left = set(second.photo_of_row[second.rows("train")])
    assert set(second.photo_of_row[rows[rows >= 36] - 36]) == left - {2, 5, 3, 6}


def test_dev_photos_of_a_later_pack_are_neither_trained_on_nor_measured(packs: Packs) -> None:
    second = packs.packs[1]
    used = {*packs.rows("train"), *packs.rows("dev")}
    assert not used & set(36 + second.rows("dev"))


def test_one_pack_is_itself(pack_folder: Path) -> None:
    assert isinstance(open_packs([pack_folder]), Pack)


def test_a_pack_that_is_none_is_named(pack_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no training pack here") as caught:
        open_packs([pack_folder, tmp_path])
    assert str(caught.value).startswith(f"{tmp_path}: ")


@pytest.mark.parametrize("value", ["", "xyz", "-1", "1" + 16 * "0"])
def test_hashes_that_are_none(own_pack: Path, value: str) -> None:
    change_table(own_pack, lambda photo: photo.update(hash=value))
    with pytest.raises(PackError, match="damaged"):
        Pack(own_pack)


def test_training_on_several(
    folders: list[Path],
    pack_folder: Path,
    shape: PyramidConfig,
    make_trainer: Callable[..., Trainer],
    tmp_path: Path,
) -> None:
    """Rows of both are trained on; dev is what it is with the first alone."""
    seen: set[int] = set()
    read = Pack.batch

    def watch(pack: Pack, rows: np.ndarray, *more: object) -> object:
        seen.update((0 if pack.folder == folders[0] else 36) + rows)
        return read(pack, rows, *more)  # type: ignore[arg-type]

    both = tmp_path / "both"
    config, budget = small_training(evaluate_every=1.0), Budget(steps=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pack, "batch", watch)
        train(folders, both, shape=shape, config=config, budget=budget, levels=[4], say=str)
    assert {*Pack(pack_folder).rows("train"), *(36 + Pack(pack_folder).rows("train"))} <= seen
    assert not seen & set(36 + Pack(pack_folder).rows("dev"))
    state = read_state(both, "level4")
    assert state is not None
    alone = make_trainer(0)
    alone.ema.load_state_dict(state["ema"])
    assert alone.evaluate("dev") == state["best_dev"]
    shutil.rmtree(both)
