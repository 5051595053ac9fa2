"""Packs of large photos: what a row shows, to the student and to the teacher."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.color
import torch
from torch import Tensor

from colorflow.errors import PackError
from colorflow.model.condition import Condition
from colorflow.training import pixels
from colorflow.training.large_pack import LabeledPack
from tests.training.conftest import CheapFeatures
from tests.training.made_up_pixels import DEV, TRAIN

N = DEV + TRAIN


def batch_of(pack: LabeledPack, *rows: int) -> tuple[np.ndarray, Condition]:
    target, condition = pack.batch(np.array(rows))
    return target.numpy(), condition


def stored(folder: Path, name: str, photo: int, side: int) -> np.ndarray:
    """(side, side, channels) of a photo, as OpenCV resizes it."""
    array = np.load(folder / f"{name}.npy")[photo].astype(np.float32)
    planes = array.transpose(1, 2, 0) if array.ndim == 3 else array
    return cv2.resize(planes, (side, side), interpolation=cv2.INTER_LINEAR)


def test_a_whole_row_is_what_is_stored(large_folder: Path) -> None:
    photos = (0, N - 1)
    target, condition = batch_of(LabeledPack(large_folder), *photos)
    assert target.shape == (2, 4, 192, 192)
    assert condition.lightness.shape == (2, 1, 192, 192)
    assert condition.planes is None
    for i, photo in enumerate(photos):
        labels = np.load(large_folder / "labels.npy")[photo]
        np.testing.assert_array_equal(target[i, 0], labels % 2**18)
        np.testing.assert_array_equal(target[i, 1], labels // 2**18)
        assert len(np.unique(target[i, 1])) == 4
        ab = stored(large_folder, "ab", photo, 192).transpose(2, 0, 1)
        assert np.abs(target[i, 2:] - ab).mean() < 0.1
        lightness = np.load(large_folder / "lightness.npy")[photo].astype(np.float32) / 2.55
        means = lightness.reshape(192, 2, 192, 2).mean((1, 3))
        assert np.abs(condition.lightness[i, 0].numpy() - means).max() < 0.01


def test_what_is_degraded_differs_in_lightness_alone(large_folder: Path) -> None:
    pack = LabeledPack(large_folder)
    target, condition = batch_of(pack, 3, N + 3)
    np.testing.assert_array_equal(target[0], target[1])
    assert (condition.lightness[0] - condition.lightness[1]).abs().mean() > 0.5
    assert all((x[0] - x[1]).abs().max() > 0 for x in condition.features.values())


def test_views_are_parts_of_all_sizes_and_the_same_again(large_folder: Path) -> None:
    pack, again = LabeledPack(large_folder), LabeledPack(large_folder)
    rows = pack.rows("train")
    target, condition = pack.batch(rows)
    assert len({x.numpy().tobytes() for x in target}) > 0.8 * len(rows), "some are whole"
    repeated, same = again.batch(rows[::-1])
    torch.testing.assert_close(repeated, target.flip(0), rtol=0, atol=0)
    torch.testing.assert_close(same.lightness, condition.lightness.flip(0), rtol=0, atol=0)
    # The labels are blocks of 1/12 of the photo: larger in a smaller part of it.
    assert set(target[:, 0].unique().tolist()) <= set(
        (np.load(large_folder / "labels.npy") % 2**18).flat
    )
    edges = (target[:, 0].diff(dim=2).abs() > 0.2).float().mean((1, 2))
    assert edges.max() > 2 * edges.min()


def test_labels_lie_where_the_photo_does(large_folder: Path, tmp_path: Path) -> None:
    """Labels that tell lightness from darkness do so in every view."""
    folder = shutil.copytree(large_folder, tmp_path / "pack")
    lightness = np.zeros((N, 384, 384), np.uint8)
    lightness[:, 40:200, 60:300] = 255
    np.save(folder / "lightness.npy", lightness)
    np.save(folder / "labels.npy", (1 + (lightness[:, ::2, ::2] > 0)).astype(np.uint32))
    np.save(folder / "ab.npy", np.zeros((N, 2, 96, 96), np.int8))
    pack = LabeledPack(folder, in_color=True)
    target, condition = pack.batch(pack.rows("train")[:60])
    is_light = (condition.lightness[:, 0] > 50).float()
    differs = (is_light != target[:, 0] - 1).float().mean((1, 2))
    edges = (
        is_light.diff(dim=2).abs().sum((1, 2)) + is_light.diff(dim=1).abs().sum((1, 2))
    ) / 192**2
    assert (differs <= edges + 1e-3).all()
    assert 0.1 < is_light.mean() < 0.9


def test_the_teacher_sees_color(large_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    class Recorded(CheapFeatures):
        def __call__(self, photos: Tensor, *, coarsest: int = 8) -> dict[int, Tensor]:
            seen.append(photos)
            return super().__call__(photos, coarsest=coarsest)

    monkeypatch.setattr(pixels, "Features", Recorded)
    target, condition = batch_of(LabeledPack(large_folder, in_color=True), 2, N + 2)
    np.testing.assert_array_equal(target[0], target[1])  # nothing is degraded for it
    assert condition.planes is not None
    np.testing.assert_array_equal(condition.planes[:, 0], 1)
    cells = target[:, 2:].reshape(2, 2, 64, 3, 64, 3).mean((3, 5))
    np.testing.assert_allclose(condition.planes[:, 1:], cells, atol=1e-3)
    (photos,) = seen
    assert photos.shape == (2, 3, 384, 384)
    chroma = cv2.resize(target[0, 2:].transpose(1, 2, 0), (384, 384))
    lightness = stored(large_folder, "lightness", 2, 384) / 2.55
    want = 100 * skimage.color.lab2rgb(np.dstack([lightness, chroma]))
    assert np.abs(photos[0].permute(1, 2, 0).numpy() - want).mean() < 1
    torch.testing.assert_close(photos[0], photos[1])


def test_the_teachers_views_have_other_exposures_and_casts(large_folder: Path) -> None:
    """The labels are those of the student's view of this row; the chroma is turned and moved."""
    plain, colored = LabeledPack(large_folder), LabeledPack(large_folder, in_color=True)
    rows = plain.rows("train")[:12]
    target, condition = batch_of(plain, *rows)
    own, own_condition = batch_of(colored, *rows)
    np.testing.assert_array_equal(own[:, :2], target[:, :2])
    assert own_condition.lightness.dtype == torch.float32
    turns = []
    for before, after in zip(target[:, 2:], own[:, 2:], strict=True):
        z, w = (ab[0].ravel() + 1j * ab[1].ravel() for ab in (before, after))
        columns = np.stack([z, np.ones_like(z)], 1)
        (turn, cast), *_ = np.linalg.lstsq(columns, w, rcond=None)
        assert np.abs(columns @ [turn, cast] - w).max() < 1e-2
        assert 0.69 < abs(turn) < 1.21
        assert abs(np.degrees(np.angle(turn))) < 8.1
        assert 0 < abs(cast) < 12
        turns.append(turn)
    assert np.std(turns) > 0.05
    assert (own_condition.lightness - condition.lightness).abs().mean() > 1


def test_another_pack_is_refused(large_folder: Path, pack_folder: Path) -> None:
    with pytest.raises(PackError, match=r"no pack of this kind here .*data_prep.* --large"):
        LabeledPack(pack_folder)
    assert LabeledPack(large_folder).digest == LabeledPack(large_folder, in_color=True).digest
