"""What looks alike gets the same color: photos made of things, whose colors are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from torch.nn import functional as F

from colorflow.model.condition import Condition
from colorflow.model.likeness import Described, Likeness, describe
from colorflow.model.spatial import SpatialOperator
from tests.model.conftest import random_condition

Array = NDArray[np.float32]
THINGS = 4
"""Each fills a quarter of the photo."""


@pytest.fixture(params=range(3))
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


@pytest.fixture
def looks(rng: np.random.Generator) -> Array:
    """What things look like: orthogonal unit vectors (2 THINGS, C), those of two photos."""
    vectors, _ = np.linalg.qr(rng.normal(size=(40, 2 * THINGS)))
    return vectors.T.astype(np.float32)


@pytest.fixture
def colors(rng: np.random.Generator) -> Array:
    return rng.uniform(-50, 50, (THINGS, 2)).astype(np.float32)


def quarters(values: Sequence[float] | Array, side: int) -> Array:
    """The values (THINGS, ...) of things on the cells of a photo, (side, side, ...)."""
    half = np.arange(side) * 2 // side
    return np.asarray(values, np.float32)[2 * half[:, None] + half]


def described(
    looks: Array, colors: Array | None = None, skin: Sequence[float] = (0.0,) * THINGS
) -> Described:
    cells = quarters(looks, 32).reshape(32 * 32, -1)
    ab = None if colors is None else np.moveaxis(quarters(colors, 64), -1, 0)
    return Described(cells, quarters(skin, 32).ravel(), ab)


@pytest.fixture
def operator(looks: Array) -> SpatialOperator:
    """Of a photo whose things differ in lightness, too."""
    features = np.moveaxis(quarters(looks[:THINGS], 16), -1, 0)
    return SpatialOperator(quarters((20, 40, 60, 80), 64), features)


def test_a_photo_as_its_own_reference_gives_its_own_colors(
    looks: Array, colors: Array, operator: SpatialOperator, rng: np.random.Generator
) -> None:
    own = described(looks[:THINGS], colors)
    found = Likeness(own, [own], operator)
    np.testing.assert_allclose(found.weight, 1, atol=0.01)
    ab = rng.normal(0, 30, (2, 2, 64, 64)).astype(np.float32)
    assert own.ab is not None
    np.testing.assert_allclose(found.painted(ab, 1.0), [own.ab, own.ab], atol=4)
    np.testing.assert_allclose(found.painted(ab, 0.3), 0.7 * ab + 0.3 * own.ab, atol=1.2)
    np.testing.assert_array_equal(found.painted(ab, 0.0), ab)


def test_things_get_their_colors_wherever_they_lie_in_the_reference(
    looks: Array, colors: Array, operator: SpatialOperator
) -> None:
    order = np.array([3, 1, 0, 2])
    reference = described(looks[order], colors[order])
    found = Likeness(described(looks[:THINGS]), [reference], operator)
    wanted = np.moveaxis(quarters(colors, 64), -1, 0)
    np.testing.assert_allclose(found.ab, wanted, atol=4)


def test_what_is_not_in_a_reference_does_not_change_at_all(
    looks: Array, colors: Array, operator: SpatialOperator, rng: np.random.Generator
) -> None:
    ab = rng.normal(0, 30, (1, 2, 64, 64)).astype(np.float32)
    nothing = Likeness(described(looks[:THINGS]), [described(looks[THINGS:], colors)], operator)
    assert not nothing.weight.any()
    np.testing.assert_array_equal(nothing.painted(ab, 1.0), ab)
    half = Likeness(described(looks[:THINGS]), [described(looks[[0, 1, 6, 7]], colors)], operator)
    upper, lower = np.split(half.weight, 2)
    np.testing.assert_allclose(upper[:-4], 1, atol=0.02)
    assert not lower[4:].any()


def test_the_best_match_of_all_references_counts(
    looks: Array, colors: Array, operator: SpatialOperator
) -> None:
    """Each has two of the photo's things, and two that only look a little like the others."""
    away = np.zeros((THINGS, 2), np.float32)
    little = 0.8 * looks[:THINGS] + 0.6 * looks[THINGS:]
    first, second = (
        described(
            np.where(has[:, None], looks[:THINGS], little), np.where(has[:, None], colors, away)
        )
        for has in (np.array([1, 1, 0, 0], bool), np.array([0, 0, 1, 1], bool))
    )
    wanted = np.moveaxis(quarters(colors, 64), -1, 0)
    for references in ([first, second], [second, first]):
        found = Likeness(described(looks[:THINGS]), references, operator)
        np.testing.assert_allclose(found.weight, 1, atol=0.01)
        np.testing.assert_allclose(found.ab, wanted, atol=4)


def test_skin_is_like_skin_and_never_like_cloth(
    looks: Array, colors: Array, operator: SpatialOperator
) -> None:
    same = np.repeat(looks[:1], THINGS, 0)
    own = described(same, skin=(0.9, 0.9, 0, 0))
    cloth = Likeness(own, [described(same, colors)], operator).weight
    assert not cloth[:28].any()
    np.testing.assert_allclose(cloth[36:], 1, atol=0.02)
    skin = Likeness(own, [described(same, colors, (0.9,) * THINGS)], operator).weight
    np.testing.assert_allclose(skin[:28], 1, atol=0.02)
    assert not skin[36:].any()


def test_a_description_has_unit_vectors_and_does_not_depend_on_the_scale_of_features() -> None:
    condition, large = random_condition(1, seed=1), _larger(random_condition(1, seed=2))
    skin = np.random.default_rng(0).uniform(size=(64, 64)).astype(np.float32)
    found = describe(condition, large, skin)
    np.testing.assert_allclose(np.linalg.norm(found.cells, axis=1), 1, atol=1e-5)
    assert len(found.cells) == len(found.skin) == 32 * 32
    np.testing.assert_allclose(found.skin[33], skin[2:4, 2:4].mean(), atol=1e-6)
    brighter = describe(condition.map(lambda x: 3 * x + 5), large.map(lambda x: 2 * x), skin)
    np.testing.assert_allclose(brighter.cells, found.cells, atol=1e-2)


def _larger(condition: Condition) -> Condition:
    return condition.map(lambda x: F.interpolate(x, scale_factor=2.0))
