"""The spatial operator: against SciPy's solver and plain formulas, and what it does to colors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from colorflow.model.spatial import (
    COMPONENTS,
    LARGEST_GAIN,
    LIKENESS,
    REACH,
    STRENGTH,
    TONES,
    SpatialOperator,
    WeightedLeastSquares,
    affinity,
    contrast_of,
    principal_components,
)
from tests.color.sparse import least_squares

Array = NDArray[np.float32]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def halves(g: int = 64) -> tuple[Array, Array]:
    """A dark thing on the left and a light one on the right: lightness, and where the left is."""
    left = np.zeros((g, g), bool)
    left[:, : g // 2] = True
    return np.where(left, 30, 70).astype(np.float32), left


@pytest.mark.parametrize("g", [5, 16, 33])
def test_weighted_least_squares_is_the_solution_of_the_sparse_system(g: int) -> None:
    lightness = 50 + 4 * np.cumsum(normal(g, g, seed=g), 1)
    ab = 20 * normal(3, 2, g, g, seed=1)
    want = least_squares(ab, lightness, STRENGTH)
    np.testing.assert_allclose(WeightedLeastSquares(lightness)(ab), want, atol=2e-3)


def test_affinity_is_the_formula() -> None:
    """With components of the map's own size, so that nothing is resized."""
    q = 8
    lightness, features = 50 + 9 * normal(q, q), normal(30, q, q, seed=1)
    own = principal_components(features).reshape(COMPONENTS, -1).astype(np.float64)
    places = np.stack(np.mgrid[:q, :q]).reshape(2, -1) / q
    want = np.empty((q * q, q * q))
    for i in range(q * q):
        for j in range(q * q):
            distance = (
                ((own[:, i] - own[:, j]) ** 2).sum() / LIKENESS**2
                + (lightness.flat[i] - lightness.flat[j]) ** 2 / TONES**2
                + ((places[:, i] - places[:, j]) ** 2).sum() / REACH**2
            )
            want[i, j] = np.exp(-distance / 2)
    want /= want.sum(1, keepdims=True)
    np.testing.assert_allclose(affinity(lightness, principal_components(features)), want, atol=1e-5)


def test_principal_components_are_those_of_the_singular_values() -> None:
    features = (1 + np.arange(40, dtype=np.float32))[:, None, None] * normal(40, 16, 16)
    features += 3 * normal(1, 16, 16, seed=2)  # something that channels share
    x = features.reshape(40, -1).astype(np.float64)
    x = (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + 1e-3)
    _, values, vectors = np.linalg.svd(x, full_matrices=False)
    want = values[:COMPONENTS, None] * vectors[:COMPONENTS]
    want /= np.sqrt((want**2).sum(0).mean())
    got = principal_components(features).reshape(COMPONENTS, -1)
    np.testing.assert_allclose(np.abs((got * want).sum(1)), (want**2).sum(1), rtol=1e-3)
    assert (got.astype(np.float64) ** 2).sum(0).mean() == pytest.approx(1, rel=1e-3)


def test_one_thing_gets_one_color_and_nothing_past_its_outline() -> None:
    """A patch within a thing goes; the step between two things stays."""
    lightness, left = halves()
    features = np.repeat(np.where(left, 1.0, -1.0)[None, ::4, ::4], 30, 0).astype(np.float32)
    features += 0.01 * normal(30, 16, 16)
    ab = np.stack([np.where(left, 30, -10), np.where(left, 20, 5)])[None].astype(np.float32)
    blotchy = ab + 12 * normal(1, 2, 8, 8, seed=3).repeat(8, 2).repeat(8, 3)
    halo = blotchy.copy()
    halo[..., 32:35] = blotchy[..., 29:32]  # the color of the left spills over
    operator = SpatialOperator(lightness, features)
    shown = operator(halo, contrast_of(halo))
    for thing in (left, ~left):
        before, after = (float(x[0][:, thing].std(1).mean()) for x in (blotchy, shown))
        assert after < before / 3
    step = np.linalg.norm(shown[0, :, :, 31] - shown[0, :, :, 32], axis=0)
    assert step.min() > 15


def test_steps_1_and_2_are_linear_and_keep_one_color() -> None:
    operator = SpatialOperator(50 + 20 * normal(64, 64), normal(112, 16, 16, seed=1))
    x, y = 20 * normal(1, 2, 64, 64, seed=2), 20 * normal(1, 2, 64, 64, seed=3)
    both = operator.assigned(2 * x - y)
    np.testing.assert_allclose(both, 2 * operator.assigned(x) - operator.assigned(y), atol=1e-2)
    color = np.full((2, 2, 64, 64), -9, np.float32)
    np.testing.assert_allclose(operator.assigned(color), color, atol=1e-2)


@pytest.mark.parametrize(("scale", "gain"), [(0.5, 1.0), (1.0, 1.0), (1.4, 1.4), (9.0, None)])
def test_contrast_is_restored_within_bounds(scale: float, gain: float | None) -> None:
    operator = SpatialOperator(50 + 20 * normal(64, 64), normal(112, 16, 16, seed=1))
    ab = np.float32(7) + 20 * normal(2, 2, 64, 64, seed=2)
    smooth = operator.assigned(ab)
    shown = operator(ab, scale * contrast_of(smooth))
    np.testing.assert_allclose(
        contrast_of(shown), (gain or LARGEST_GAIN) * contrast_of(smooth), rtol=1e-3
    )
    np.testing.assert_allclose(shown.mean((2, 3)), smooth.mean((2, 3)), atol=1e-3)


def squares() -> tuple[SpatialOperator, NDArray[np.bool_]]:
    """Four on a ground: three are alike, and the fourth is lighter."""
    square = np.zeros((4, 64, 64), bool)
    for index, (row, column) in enumerate(((8, 8), (8, 40), (40, 8), (40, 40))):
        square[index, row : row + 16, column : column + 16] = True
    lightness = np.where(square[:3].any(0), 40, np.where(square[3], 75, 90)).astype(np.float32)
    features = normal(112, 1, 1) * square.any(0)[None, ::4, ::4] + 0.01 * normal(112, 16, 16)
    return SpatialOperator(lightness, features), square


def at_cells(*cells: tuple[int, int, float]) -> tuple[NDArray[np.bool_], Array]:
    """Hints of rows, columns and a, with b = 0: where they are, and their colors."""
    mask, colors = np.zeros((64, 64), bool), np.zeros((2, 64, 64), np.float32)
    for row, column, a in cells:
        mask[row, column], colors[0, row, column] = True, a
    return mask, colors


def test_a_hint_fills_its_thing_and_nothing_else() -> None:
    lightness, left = halves()
    operator = SpatialOperator(lightness, np.zeros((112, 16, 16), np.float32))
    ab = np.zeros((2, 2, 64, 64), np.float32)
    ab[1] += 5
    mask, colors = np.zeros((64, 64), bool), np.zeros((2, 64, 64), np.float32)
    mask[30, 12], colors[:, 30, 12] = True, (40, -20)
    filled = operator.filled(ab, mask, colors)
    np.testing.assert_allclose(filled[:, :, 30, 12], [[40, -20]] * 2, atol=3)
    wanted, start = np.array([40, -20]), np.array([[0, 0], [5, 5]])
    done = (filled - ab) / (wanted - start)[:, :, None, None]  # shares of the way
    assert done[:, :, 22:38, 4:20][..., left[22:38, 4:20]].min() > 0.6
    assert np.abs(done[..., ~left]).max() < 0.1
    assert done.max() <= 1 + 1e-3


def test_a_hint_that_reaches_around_it_stays_there_and_stops_at_the_outline() -> None:
    lightness, left = halves()
    operator = SpatialOperator(lightness, np.zeros((112, 16, 16), np.float32))
    ab = np.zeros((1, 2, 64, 64), np.float32)
    mask, colors = np.zeros((64, 64), bool), np.zeros((2, 64, 64), np.float32)
    mask[30, 30], colors[:, 30, 30] = True, (40, -20)
    dabbed = operator.dabbed(ab, mask, colors)[0, 0]
    assert dabbed[30, 30] == pytest.approx(40, abs=2)
    assert dabbed[28, 29] > 30
    away = np.hypot(*(np.indices((64, 64)) - 30))
    assert np.abs(dabbed[away > 6]).max() < 0.5
    assert np.abs(dabbed[~left]).max() < 4
    assert dabbed[30, 28] > 30


def test_everything_like_a_thing_gets_its_color_but_things_with_hints_of_their_own() -> None:
    operator, square = squares()
    ab = np.zeros((1, 2, 64, 64), np.float32)
    hints = at_cells((16, 16, 40))
    filled = operator.filled(ab, *hints)
    assert np.abs(filled[0, 0][square[2]]).max() < 1, "too far for a fill"
    likened = operator.likened(filled, *hints)
    assert [likened[0, 0][one].mean() for one in square[:3]] == pytest.approx([40] * 3, abs=6)
    assert np.abs((likened - filled)[0, 0][~square[:3].any(0)]).max() < 4
    both = at_cells((16, 16, 40), (16, 48, -40))
    got = operator.likened(operator.filled(ab, *both), *both)[0, 0]
    assert [got[one].mean() for one in square[:2]] == pytest.approx([40, -40], abs=6)
