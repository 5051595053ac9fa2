"""Hints of true color: how many, where, of what color, and when the level gives them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.model.condition import Condition
from colorflow.model.config import HINT_PLANES, PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.levels import LevelLoss, random_hints, true_points
from colorflow.training.pixels import PixelPack

pytestmark = pytest.mark.slow


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chroma(batch: int) -> Tensor:
    """Every cell has a color of its own."""
    return 20 * torch.randn(batch, 2, 64, 64, generator=generator(9))


def squares(planes: Tensor) -> list[np.ndarray]:
    """Colors of a photo's hints and where they are: (rows, columns) of each."""
    colors = planes[1:].flatten(1)[:, planes[0].flatten() == 1].T
    found = torch.unique(colors, dim=0)
    return [((planes[1:] == c[:, None, None]).all(0) & (planes[0] == 1)).numpy() for c in found]


# at random


def test_hints_have_the_true_colors_of_their_cells() -> None:
    """A hint that no later one covers is a square with the mean of the truth in it."""
    ab = chroma(300)
    planes = random_hints(ab, generator())
    assert planes.shape == (300, 3, 64, 64)
    assert planes.dtype == torch.float32
    assert set(planes[:, 0].unique().tolist()) == {0, 1}
    assert not planes[:, 1:][planes[:, :1].expand(-1, 2, -1, -1) == 0].any()
    sides = []
    for photo in range(300):
        for cells in squares(planes[photo]):
            rows, columns = np.nonzero(cells.any(1))[0], np.nonzero(cells.any(0))[0]
            side = len(rows)
            if len(columns) != side or not cells[np.ix_(rows, columns)].all() or np.ptp(rows) >= 5:
                continue  # in part covered by a later one
            color = planes[photo, 1:, rows[0], columns[0]]
            own = ab[photo][:, torch.from_numpy(cells)].mean(1)
            if not torch.allclose(color, own, atol=1e-3):
                assert side < 5, "what is left of a larger one"
                continue
            sides.append(side)
    share = np.bincount(sides, minlength=6)[1:] / len(sides)
    assert len(sides) > 500
    np.testing.assert_allclose(share, [1 / 2, 1 / 8, 1 / 8, 1 / 8, 1 / 8], rtol=0, atol=0.06)


def test_half_of_the_photos_have_none_and_the_others_few_or_many_alike() -> None:
    """P(n of 16) is log(1 + 1/n) / log(17): the logarithm of the number is uniform.

    Counted on photos whose every cell differs, so that hints are told apart; overlaps hide a few.
    """
    batch = 4000
    planes = random_hints(chroma(1).expand(batch, -1, -1, -1), generator(3))
    with_hints = planes[:, 0].flatten(1).any(1)
    assert abs(float(with_hints.float().mean()) - 0.5) < 4 * 0.5 / batch**0.5
    counts = np.array([len(squares(p)) for p in planes[with_hints]])
    assert counts.min() == 1
    assert counts.max() == 16
    n = np.arange(1, 17)
    expected = np.log1p(1 / n) / np.log(17)
    share = np.bincount(counts, minlength=17)[1:] / len(counts)
    assert np.abs(share - expected).max() < 0.03
    assert abs(counts.mean() - (n * expected).sum()) < 0.4


@pytest.mark.parametrize("count", [0, 1, 4, 16])
def test_points_are_so_many_cells_of_the_truth(count: int) -> None:
    ab = chroma(7)
    planes = true_points(ab, count, generator(2))
    assert planes.shape == (7, 3, 64, 64)
    assert (planes[:, 0].sum((1, 2)) == count).all()
    known = planes[:, 0] == 1
    assert torch.equal(planes[:, 1:], torch.where(known[:, None], ab, 0))
    more = true_points(ab, count + 3, generator(2))
    assert (more[:, 0] >= planes[:, 0]).all(), "the same ones and more"
    if count:
        assert not torch.equal(known[0], known[1])


# in the loss of levels


@pytest.fixture
def hinted_shape(shape: PyramidConfig) -> PyramidConfig:
    return dataclasses.replace(shape, extra_planes=HINT_PLANES, late_blocks=False)


class Watch(torch.nn.Module):
    """A module that remembers the planes that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.planes: list[Tensor | None] = []
        self.numbers: list[Tensor] = []

    def forward(self, x: Tensor, condition: Condition, _: Tensor | None) -> Tensor:
        self.planes.append(condition.planes)
        self.numbers.append(x)
        return torch.zeros(len(x))


def test_training_has_random_hints_and_evaluation_none_or_points(
    hinted_shape: PyramidConfig, pack_folder: Path
) -> None:
    """Of the clean truth; noise on the level's own numbers is the same with hints and without."""
    pyramid, pack, module = ChromaPyramid(hinted_shape), PixelPack(pack_folder), Watch()
    ab, condition = pack.batch(pack.rows("train"), (8,))
    criterion, pointed = LevelLoss(pyramid, 1), LevelLoss(pyramid, 1, points=4)
    criterion(module.train(), ab, condition, generator(1))
    criterion(module.eval(), ab, condition, generator(1))
    pointed(module.eval(), ab, condition, generator(1))
    pointed(module.eval(), ab, condition, generator(2))
    trained, none, points, again = module.planes
    assert none is None
    assert trained is not None
    assert points is not None
    assert torch.equal(points, again)
    assert 0 < trained[:, 0].flatten(1).any(1).float().mean() < 1
    assert (points[:, 0].sum((1, 2)) == 4).all()
    assert torch.equal(points[:, 1:], ab * points[:, :1])
    for numbers in module.numbers[1:3]:
        assert torch.equal(numbers, module.numbers[0])
    assert condition.planes is None
