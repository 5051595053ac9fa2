"""Damage that is drawn: where it says it is, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

from colorflow.repair import aging
from colorflow.repair import wear as wear_module
from colorflow.repair.wear import PLAIN, SEEN, scratch, wear


@pytest.fixture
def lightness() -> np.ndarray:
    return skimage.data.camera()[100:228, 60:188].astype(np.float32) / np.float32(2.55)


def test_damage_is_where_the_mask_says(lightness: np.ndarray) -> None:
    shares = []
    for seed in range(40):
        worn, unworn, plain = wear(lightness, np.random.default_rng(seed))
        mask = plain > 0
        assert worn.dtype == unworn.dtype == np.float32
        assert worn.min() >= 0
        assert worn.max() <= 100
        shares.append(mask.mean())
        if mask.any():
            assert np.abs(worn - unworn)[mask].mean() > SEEN
        assert np.abs(worn - unworn)[~mask].mean() < SEEN  # compression, soft edges
        if (plain == 1).any():
            assert np.abs(worn - unworn)[plain == 1].mean() > PLAIN
    assert 0.05 < np.mean(np.array(shares) == 0) < 0.45
    assert 0.01 < np.mean(shares) < 0.2


def test_scratches_are_all_that_happens_to_a_sharp_photo(lightness: np.ndarray) -> None:
    shares, as_they_were = [], 0
    for seed in range(60):
        worn, clean, plain = scratch(lightness, np.random.default_rng(seed))
        assert clean is lightness
        assert worn.dtype == plain.dtype == np.float32
        assert 0 <= worn.min() <= worn.max() <= 100
        shares.append((plain > 0).mean())
        if (plain == 1).any():
            assert np.abs(worn - clean)[plain == 1].mean() > PLAIN
        as_they_were += bool((np.abs(worn - clean)[plain == 0] < SEEN + 0.2).all())
    assert 0.05 < np.mean(np.array(shares) == 0) < 0.4
    assert 0.01 < np.mean(shares) < 0.2
    assert 0.6 < as_they_were / 60 < 0.95, "the others are scanned"


def test_laid_damage_takes_the_place_of_drawn_damage(lightness: np.ndarray) -> None:
    """It is plain where it covers something else, and nothing is damaged beside it."""
    rng = np.random.default_rng(4)
    covers = np.zeros(lightness.shape, np.float32)
    covers[20:30, 10:90] = 1
    for seed in range(20):
        value = np.full(lightness.shape, rng.uniform(-40, -20), np.float32)
        worn, _, plain = wear(lightness, np.random.default_rng(seed), 1.0, (covers, value))
        assert not plain[:14].any()
        assert not plain[36:].any()
        assert (plain[22:28, 12:88] == 1).all()
        assert worn[22:28, 12:88].mean() < 10


def test_a_seed_gives_one_print(lightness: np.ndarray) -> None:
    first, again = (wear(lightness, np.random.default_rng(3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = wear(lightness, np.random.default_rng(4))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("kind", range(len(wear_module._KINDS)))
def test_every_kind_leaves_a_trace(
    lightness: np.ndarray, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wear_module, "_SHARES", np.eye(len(wear_module._KINDS))[kind])
    masks = [wear(lightness, np.random.default_rng(seed), unworn=0.0)[2] > 0 for seed in range(6)]
    assert sum(mask.any() for mask in masks) >= 4
    assert all(mask.mean() < 0.9 for mask in masks)


@pytest.mark.parametrize("name", ["_with_pattern", "_with_writing", "_with_hand", "_with_border"])
def test_what_belongs_to_a_picture_is_no_damage(
    lightness: np.ndarray, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is drawn, within the range of lightness, into the print with damage and without alike."""
    draw = getattr(aging, name)
    for seed in range(8):
        drawn = draw(lightness, np.random.default_rng(seed))
        changed = np.abs(drawn - lightness) > SEEN
        assert drawn.shape == lightness.shape
        assert -0.01 < drawn.min() <= drawn.max() < 100.01
        assert changed.mean() < 0.6
        monkeypatch.setattr(wear_module, "aged", lambda x, rng, drawn=drawn: drawn)
        worn, unworn, plain = wear(lightness, np.random.default_rng(seed), unworn=1.0)
        assert np.array_equal(worn, unworn)
        assert not plain.any()
    assert any(
        (np.abs(draw(lightness, np.random.default_rng(seed)) - lightness) > SEEN).any()
        for seed in range(8)
    )
