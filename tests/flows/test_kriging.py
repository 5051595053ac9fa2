"""Pulling samples towards known values: against a dense solve, and how far it reaches."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.flows import KrigingUpdate

REACH, LIKENESS, LOOSENESS = 2.5, 8.0, 0.15
CHANNELS, HEIGHT, WIDTH = 2, 5, 7

Known = dict[tuple[int, int], tuple[float, float]]
"""Values by row and column."""


@pytest.fixture
def update() -> KrigingUpdate:
    return KrigingUpdate(REACH, LIKENESS, LOOSENESS)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return 20 * torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def context(known: Known, covariate: Tensor) -> Tensor:
    """(1, C + 2, H, W). Where nothing is known stands what must play no part."""
    planes = torch.full((CHANNELS + 2, *covariate.shape), 1e6, dtype=covariate.dtype)
    planes[0] = 0
    for (row, column), values in known.items():
        planes[0, row, column] = 1
        planes[1:-1, row, column] = torch.tensor(values, dtype=covariate.dtype)
    planes[-1] = covariate
    return planes[None]


def gain(known: Known, covariate: Tensor) -> np.ndarray:
    """K_xc (K_cc + r I)^-1, location by location from the definition: (H W, n)."""

    def covariance(one: tuple[int, int], other: tuple[int, int]) -> float:
        across = (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2
        step = float(covariate[one] - covariate[other])
        return math.exp(-(across / REACH**2 + (step / LIKENESS) ** 2) / 2)

    locations = list(itertools.product(*map(range, covariate.shape)))
    to_known = np.array([[covariance(x, c) for c in known] for x in locations])
    between = np.array([[covariance(c, d) for d in known] for c in known])
    return to_known @ np.linalg.inv(between + LOOSENESS * np.eye(len(known)))


FIVE: Known = {
    (0, 0): (30.0, -4.0),
    (1, 1): (-12.0, 9.0),
    (1, 2): (55.0, 1.0),
    (4, 6): (0.0, 0.0),
    (2, 5): (-60.0, 70.0),
}


@pytest.fixture
def flat() -> Tensor:
    """A covariate without edges."""
    return torch.full((HEIGHT, WIDTH), 50.0, dtype=torch.float64)


@pytest.fixture
def uneven() -> Tensor:
    return 50 + numbers(HEIGHT, WIDTH, seed=9) / 4


def test_sampling_is_the_update_of_kriging(update: KrigingUpdate, uneven: Tensor) -> None:
    x, known = numbers(1, CHANNELS, HEIGHT, WIDTH), context(FIVE, uneven)
    locations = [row * WIDTH + column for row, column in FIVE]
    before = x[0].flatten(1).numpy()
    missed = np.array(list(FIVE.values())).T - before[:, locations]
    expected = before + missed @ gain(FIVE, uneven).T
    y, _ = update.inverse(x, known)
    np.testing.assert_allclose(y[0].flatten(1), expected, rtol=0, atol=1e-10)
    back, _ = update(y, known)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-9)


def test_a_sample_that_meets_its_values_is_left_as_it_is(
    update: KrigingUpdate, uneven: Tensor
) -> None:
    """In both directions, to the bit; the density counts the contraction all the same."""
    x = numbers(1, CHANNELS, HEIGHT, WIDTH)
    met: Known = {location: tuple(x[0, :, *location].tolist()) for location in FIVE}
    for function in (update.inverse, update.forward):
        y, ladj = function(x, context(met, uneven))
        assert torch.equal(y, x)
        assert ladj.abs() > 1


def test_nothing_known_is_the_identity(update: KrigingUpdate, flat: Tensor) -> None:
    x = numbers(2, CHANNELS, HEIGHT, WIDTH)
    for known in (None, context({}, flat).expand(2, -1, -1, -1)):
        for function in (update.inverse, update.forward):
            y, ladj = function(x, known)
            assert torch.equal(y, x)
            assert y.data_ptr() != x.data_ptr()
            assert torch.equal(ladj, torch.zeros(2, dtype=torch.float64))


def test_many_adjacent_locations_stay_well_conditioned_in_float32() -> None:
    """A painted patch on the model's grid, at the model's settings."""
    update = KrigingUpdate(3.0, 12.0, LOOSENESS)
    x = (2.5 * numbers(1, CHANNELS, 64, 64)).float()
    patch = {(row, column): (60.0, -35.0) for row in range(20, 25) for column in range(40, 45)}
    known = context(patch, torch.full((64, 64), 50.0))
    y, ladj = update.inverse(x, known)
    back, back_ladj = update(y, known)
    assert y.dtype == ladj.dtype == torch.float32
    assert (back - x).abs().max() < 1e-3
    assert ladj.item() == pytest.approx(-back_ladj.item(), abs=1e-4)
    inner = y[0, :, 20:25, 40:45].mean((1, 2)) - torch.tensor([60.0, -35.0])
    assert inner.abs().max() < 1
