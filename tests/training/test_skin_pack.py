"""Packs with marks of skin: what a row shows, to the student and to the teacher."""

from __future__ import annotations

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
from colorflow.training.skin_pack import SkinPack
from tests.training.conftest import CheapFeatures
from tests.training.made_up_pixels import DEV, TRAIN

N = DEV + TRAIN


def batch_of(pack: SkinPack, *rows: int) -> tuple[np.ndarray, Condition]:
    target, condition = pack.batch(np.array(rows))
    return target.numpy(), condition


def stored(folder: Path, name: str, photo: int, side: int) -> np.ndarray:
    """(side, side, channels) of a photo, as OpenCV resizes it."""
    array = np.load(folder / f"{name}.npy")[photo].astype(np.float32)
    planes = array.transpose(1, 2, 0) if array.ndim == 3 else array
    return cv2.resize(planes, (side, side), interpolation=cv2.INTER_LINEAR)


def test_a_whole_row_is_what_is_stored(skin_folder: Path) -> None:
    photos = (0, N - 1)
    target, condition = batch_of(SkinPack(skin_folder), *photos)
    assert target.shape == (2, 4, 64, 64)
    assert condition.lightness.shape == (2, 1, 128, 128)
    assert condition.planes is None
    for i, photo in enumerate(photos):
        marks = stored(skin_folder, "skin", photo, 64).transpose(2, 0, 1) / 255
        ab = stored(skin_folder, "ab", photo, 64).transpose(2, 0, 1)
        assert np.abs(target[i, :2] - marks).max() < 0.05
        assert np.abs(target[i, 2:] - ab).mean() < 0.1
        lightness = stored(skin_folder, "lightness", photo, 256) / 2.55
        means = lightness.reshape(128, 2, 128, 2).mean((1, 3))
        assert np.abs(condition.lightness[i, 0].numpy() - means).mean() < 0.1


def test_what_is_degraded_differs_in_lightness_alone(skin_folder: Path) -> None:
    pack = SkinPack(skin_folder)
    target, condition = batch_of(pack, 3, N + 3)
    np.testing.assert_array_equal(target[0], target[1])
    assert (condition.lightness[0] - condition.lightness[1]).abs().mean() > 0.5
    assert all((x[0] - x[1]).abs().max() > 0 for x in condition.features.values())


def test_views_are_parts_of_all_sizes_and_the_same_again(skin_folder: Path) -> None:
    pack, again = SkinPack(skin_folder), SkinPack(skin_folder)
    rows = pack.rows("train")
    target, condition = pack.batch(rows)
    assert len({x.numpy().tobytes() for x in target}) == len(rows)
    repeated, same = again.batch(rows[::-1])
    torch.testing.assert_close(repeated, target.flip(0), rtol=0, atol=0)
    torch.testing.assert_close(same.lightness, condition.lightness.flip(0), rtol=0, atol=0)
    # The marks are blocks of 1/12 of the photo: larger in a smaller part of it.
    edges = (target[:, 0].diff(dim=2).abs() > 0.2).float().mean((1, 2))
    assert edges.max() > 2 * edges.min()


def test_the_teacher_sees_color(skin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    class Recorded(CheapFeatures):
        def __call__(self, photos: Tensor, *, coarsest: int = 8) -> dict[int, Tensor]:
            seen.append(photos)
            return super().__call__(photos, coarsest=coarsest)

    monkeypatch.setattr(pixels, "Features", Recorded)
    target, condition = batch_of(SkinPack(skin_folder, in_color=True), 2, N + 2)
    np.testing.assert_array_equal(target[0], target[1])  # nothing is degraded for it
    assert condition.planes is not None
    np.testing.assert_array_equal(condition.planes[:, 0], 1)
    np.testing.assert_array_equal(condition.planes[:, 1:], target[:, 2:])
    (photos,) = seen
    assert photos.shape == (2, 3, 256, 256)
    chroma = cv2.resize(target[0, 2:].transpose(1, 2, 0), (256, 256))
    lightness = stored(skin_folder, "lightness", 2, 256) / 2.55
    want = 100 * skimage.color.lab2rgb(np.dstack([lightness, chroma]))
    assert np.abs(photos[0].permute(1, 2, 0).numpy() - want).mean() < 1
    torch.testing.assert_close(photos[0], photos[1])


def test_the_teachers_views_have_other_exposures_and_casts(skin_folder: Path) -> None:
    """The marks are those of the student's view of this row; the chroma is turned and moved."""
    plain, colored = SkinPack(skin_folder), SkinPack(skin_folder, in_color=True)
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


def test_another_pack_is_refused(skin_folder: Path, pack_folder: Path) -> None:
    with pytest.raises(PackError, match=r"no pack of this kind here .*data_prep.* --skin"):
        SkinPack(pack_folder)
    assert SkinPack(skin_folder).digest == SkinPack(skin_folder, in_color=True).digest
