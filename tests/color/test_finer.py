"""Chroma on the finer grid: near the solution of the sparse system, and past no outline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, identity
from scipy.sparse.linalg import spsolve

from colorflow.color.upsample import FINER_SIZE, LEAST_WEIGHT, STRENGTH, finer, upsample_ab

Array = NDArray[np.float32]


def made_up(seed: int, height: int, width: int) -> tuple[Array, Array]:
    """Smooth chroma (2, 64, 64), and lightness with things in it."""
    rng = np.random.default_rng(seed)
    ab = rng.normal(size=(8, 8, 2)).astype(np.float32) * 15
    ab = np.moveaxis(cv2.resize(ab, (64, 64), interpolation=cv2.INTER_CUBIC), -1, 0)
    lightness = cv2.resize(
        rng.uniform(10, 90, (6, 7)).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_NEAREST,
    )
    return np.ascontiguousarray(ab), lightness + rng.normal(0, 0.5, lightness.shape).astype("f4")


def solution(m: Array, lightness: Array) -> NDArray[np.float64]:
    """The minimum, by a sparse factorization."""
    h, w = lightness.shape
    number = np.arange(h * w).reshape(h, w)
    system = identity(h * w, format="csr")
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = number[: h - down, max(0, -right) : w - max(0, right)].ravel()
        other = number[down:, max(0, right) : w + min(0, right)].ravel()
        step = (lightness.ravel()[one] - lightness.ravel()[other]).astype(float)
        weight = STRENGTH * (np.exp(-(step**2) / 4.5) + LEAST_WEIGHT)
        pairs = coo_matrix((weight, (one, other)), (h * w, h * w)).tocsr()
        pairs = pairs + pairs.T
        total = np.asarray(pairs.sum(axis=1)).ravel()
        system = system + coo_matrix((total, (number.ravel(),) * 2), (h * w, h * w)) - pairs
    return np.stack([spsolve(system.tocsc(), plane.ravel()).reshape(h, w) for plane in m])


@pytest.mark.parametrize(("height", "width"), [(90, 110), (70, 300)])
def test_it_comes_near_the_solution_of_the_sparse_system(height: int, width: int) -> None:
    ab, lightness = made_up(0, height, width)
    got, cells = finer(ab, lightness)
    assert cells is not None
    assert got.shape[1:] == cells.shape == (height, min(width, FINER_SIZE))
    begun = upsample_ab(ab, cells)
    want = solution(begun, cells)
    assert np.abs(got - want).mean() < 0.4 * np.abs(begun - want).mean()


def test_color_stops_at_an_outline() -> None:
    """A blue thing on orange ground; its chroma is late by half a cell of the model's grid."""
    lightness = np.full((512, 512), 70, np.float32)
    lightness[:, 204:] = 30
    ab = np.zeros((2, 64, 64), np.float32)
    ab[0], ab[1] = 10, 30
    ab[:, :, 26:] = np.array([5, -30])[:, None, None]  # the thing begins within cell 25
    got, _ = finer(ab, lightness)
    spilled = upsample_ab(ab, lightness)
    column = 205  # inside the thing, before its chroma begins
    assert spilled[1, 256, column] > 0
    assert got[1, 128, column // 2] < spilled[1, 256, column] - 5


def test_no_chroma_stays_none_and_a_constant_stays_a_constant() -> None:
    _, lightness = made_up(1, 200, 300)
    zeros, _ = finer(np.zeros((2, 64, 64), np.float32), lightness)
    assert not zeros.any()
    constant, _ = finer(np.full((2, 64, 64), 7, np.float32), lightness)
    np.testing.assert_allclose(constant, 7, atol=1e-4)


@pytest.mark.parametrize(("grid", "size"), [((64, 64), (64, 300)), ((8, 8), (300, 300))])
def test_other_grids_and_tiny_photos_stay_as_they_are(
    grid: tuple[int, int], size: tuple[int, int]
) -> None:
    ab = np.random.default_rng(0).normal(size=(2, *grid)).astype(np.float32)
    got, cells = finer(ab, np.full(size, 50, np.float32))
    assert cells is None
    assert got is ab
