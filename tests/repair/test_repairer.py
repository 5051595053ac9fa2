"""Photos are repaired inside the mask, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from colorflow.color.full_resolution import lightness_of
from colorflow.errors import PhotoError, WeightsError
from colorflow.photo import Photo, photo_from_image
from colorflow.repair import repairer as module
from colorflow.repair import strips
from colorflow.repair.fill import first_guess
from colorflow.repair.model import load_repair_weights, save_repair_weights
from colorflow.repair.repairer import Repairer


def scratched(shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape[:2], bool)
    mask[20:24, 5:60] = True
    mask[-6:, -9:] = True
    return mask


@pytest.mark.parametrize("colored", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_only_what_the_mask_says_changes(repairer: Repairer, bits: int, *, colored: bool) -> None:
    picture = skimage.data.astronaut()[:71, :93] if colored else skimage.data.camera()[:71, :93]
    photo = replace(photo_from_image(picture), alpha=picture[..., 0].copy() if colored else None)
    if bits == 16:
        photo = replace(photo, pixels16=picture.astype(np.uint16) * 257)
    mask = scratched(picture.shape)
    repaired = repairer.repair(photo, mask=mask, temperature=1.0)
    result = repaired.photo
    assert result.bits == bits
    assert np.array_equal(result.full_depth[~mask], photo.full_depth[~mask])
    assert (result.full_depth != photo.full_depth)[mask].mean() > 0.5
    assert result.metadata == photo.metadata
    assert (result.alpha is None) == (photo.alpha is None)
    assert repaired.repaired == mask.mean()


def test_the_result_has_the_lightness_that_was_filled_in(repairer: Repairer) -> None:
    photo = photo_from_image(skimage.data.camera()[:70, :90])
    mask = scratched((70, 90))
    lightness = np.random.default_rng(0).uniform(5, 95, (70, 90)).astype(np.float32)
    painted = module.paint(photo, lightness, mask)
    assert np.abs(lightness_of(painted.pixels) - lightness)[mask].max() < 0.5


def test_what_any_scale_shows_is_found(repairer: Repairer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a picture that is exactly as large when it is halved twice, against each scale alone."""
    small = skimage.data.camera()[:256, :192]
    blocks = [photo_from_image(np.kron(small, np.ones((n, n), np.uint8))) for n in (1, 2, 4)]
    monkeypatch.setattr(module, "_LEAST_SIDE", 10_000)
    scales = [repairer.find(photo).astype(np.float32) for photo in blocks]
    monkeypatch.setattr(module, "_LEAST_SIDE", 256)
    steps = repairer.finding(blocks[2])
    shares = []
    try:
        while True:
            shares.append(next(steps))
    except StopIteration as end:
        found = end.value
    assert (np.diff(shares) > 0).all()
    assert 0.75 < shares[-1] < 0.8
    large = [cv2.resize(odds, (768, 1024)) for odds in scales]
    np.testing.assert_allclose(found, np.max(large, 0), atol=0.02)
    assert [(found == one.astype(np.float16)).mean() > 0.05 for one in large] == [True] * 3


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_tiles_do_not_show(
    repairer: Repairer, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    """Neither strips nor the squares of grain."""
    photo = photo_from_image(skimage.data.camera()[100:300, 100:290])
    mask = np.random.default_rng(0).random((200, 190)) < 0.05
    whole = repairer.repair(photo, mask=mask, temperature=temperature, seed=5)
    odds = repairer.find(photo)
    monkeypatch.setattr(strips, "STRIP_PIXELS", 1)
    monkeypatch.setattr(module, "_GRAIN_TILE", 32)
    tiled = repairer.repair(photo, mask=mask, temperature=temperature, seed=5)
    assert np.abs(tiled.photo.pixels.astype(int) - whole.photo.pixels).max() <= 1
    assert np.abs(repairer.find(photo).astype(float) - odds).max() < 0.01


def test_seeds_and_temperatures(repairer: Repairer) -> None:
    photo = photo_from_image(skimage.data.camera()[:70, :90])

    def made(**options: float) -> np.ndarray:
        return repairer.repair(photo, mask=scratched((70, 90)), **options).photo.pixels

    assert np.array_equal(made(temperature=1.0, seed=1), made(temperature=1.0, seed=1))
    assert not np.array_equal(made(temperature=1.0, seed=1), made(temperature=1.0, seed=2))
    assert np.array_equal(made(seed=1), made(seed=1))
    assert not np.array_equal(made(seed=1), made(seed=2)), "another grain"


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (64, 5)])
def test_tiny_photos(repairer: Repairer, size: tuple[int, int]) -> None:
    photo = photo_from_image(np.random.default_rng(0).integers(0, 256, size, np.uint8))
    everything = repairer.repair(photo, mask=np.ones(size, bool))
    assert everything.photo.pixels.shape == size
    assert repairer.repair(photo).mask.shape == size


def test_bad_arguments(repairer: Repairer, tmp_path: Path) -> None:
    photo = photo_from_image(np.zeros((20, 20), np.uint8))
    for options in (
        {"sensitivity": 3},
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"seed": -1},
        {"mask": np.zeros((3, 3), bool)},
        {"mask": np.zeros((20, 20), np.uint8)},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            repairer.repair(photo, **options)
    (tmp_path / "no.jpg").write_bytes(b"\xff\xd8 no")
    with pytest.raises(PhotoError, match=r"no\.jpg"):
        repairer.repair(tmp_path / "no.jpg")


def test_a_photo_without_damage_comes_back_itself(repairer: Repairer) -> None:
    photo = Photo(pixels=np.full((30, 30), 77, np.uint8))
    assert repairer.repair(photo, mask=np.zeros((30, 30), bool)).photo is photo


def test_the_first_guess_is_telea_s(repairer: Repairer) -> None:
    lightness = np.tile(np.linspace(20, 80, 60, dtype=np.float32), (40, 1))
    mask = np.zeros((40, 60), bool)
    mask[10:14, 20:40] = True
    guess = first_guess(np.where(mask, 100, lightness).astype(np.float32), mask)
    assert np.array_equal(guess[~mask], lightness[~mask])
    assert np.abs(guess - lightness).max() < 4


def test_weights_come_back(repairer: Repairer, tmp_path: Path) -> None:
    path = tmp_path / "repair.safetensors"
    weights = repairer.weights
    save_repair_weights(path, weights.finder, weights.fill, {"finder": {"steps": 3}})
    loaded = load_repair_weights(path)
    assert loaded.training == {"finder": {"steps": 3}}
    assert loaded.fill.config == weights.fill.config
    photo = photo_from_image(skimage.data.camera()[:64, :64])
    again = Repairer(loaded)
    assert again.digest != repairer.digest
    assert np.abs(again.find(photo).astype(float) - repairer.find(photo)).max() < 0.2  # float16
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(WeightsError, match=r"repair\.safetensors"):
        load_repair_weights(path)
    with pytest.raises(WeightsError):
        Repairer.load(tmp_path / "none.safetensors")
