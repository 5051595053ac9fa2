"""Coverage of the uncertainty map: the intervals measured are those that users see."""

from __future__ import annotations

import inspect
import itertools
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from colorflow.color.grid import to_grid
from colorflow.colorizer import Colorizer
from colorflow.evaluation.columns import Column, columns_of
from colorflow.evaluation.measure import MANY
from colorflow.model.weights import load_weights
from colorflow.open_photo import OpenPhoto
from colorflow.photo import read_photo
from tests.colorizer.made import ByHand
from tests.evaluation.conftest import run
from tests.small_weights import save_small_weights

pytestmark = pytest.mark.usefixtures("cheap")

FACTORS = {0.5: 1.5, 0.9: 0.6}


@pytest.fixture(scope="module")
def truth(cat: Path) -> Tensor:
    return torch.from_numpy(to_grid(read_photo(cat).pixels))


def map_coverage(path: Path, column: Column) -> dict[str, float]:
    own = run([path], [column]).tables["columns"][column.name]
    return {name: own[name].value for name in own if name.startswith("map_coverage")}


@pytest.mark.parametrize("factors", [FACTORS, {0.5: 1.0, 0.9: 1.0}, {0.5: 0.3, 0.9: 2.0}])
def test_stretched_intervals_cover_what_the_normal_distribution_says(
    cat: Path, truth: Tensor, factors: dict[float, float]
) -> None:
    """Truth and samples are normal about one unknown middle; ends of intervals of 64 samples are
    about those of the distribution."""
    middle = truth + torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(9))

    def sample(_: object, n: int, generator: torch.Generator) -> Tensor:
        return middle + torch.randn(n, 2, 64, 64, generator=generator)

    column = Column(name="normal", sample=sample, interval_factors=factors)
    found = map_coverage(cat, column)
    normal = scipy.stats.norm()
    for level, factor in factors.items():
        want = 1 - 2 * normal.sf(factor * normal.ppf((1 + level) / 2))
        assert found[f"map_coverage{100 * level:.0f}"] == pytest.approx(want, abs=0.02)


def test_the_coverage_is_that_of_the_map_that_users_see(
    cat: Path, truth: Tensor, tmp_path: Path
) -> None:
    """The colorizer's own samples, measured, against the intervals that it gives beside skin."""
    assert inspect.signature(OpenPhoto.uncertainty).parameters["n"].default == MANY
    path = tmp_path / "small.safetensors"
    save_small_weights(path, interval_factors=FACTORS, skin_head=False)
    photo = read_photo(cat)
    columns = {column.name: column for column in columns_of(load_weights(path))}
    ab, _ = ByHand(path).sample(photo, range(MANY))
    left = iter(torch.from_numpy(ab))
    found = map_coverage(
        cat,
        Column(
            name="given",
            sample=lambda _, n, __: torch.stack(list(itertools.islice(left, n))),
            interval_factors=columns["colorflow_std1"].interval_factors,
        ),
    )
    shown = Colorizer.load(path).open(photo).uncertainty()
    assert (shown.level, shown.calibrated) == (0.9, True)
    inside = (np.abs(truth.numpy() - shown.middle) <= shown.half_width).mean()
    assert 0.05 < inside < 0.95
    assert found["map_coverage90"] == pytest.approx(inside, abs=1e-3)
    # The map is that of samples at std 1, which the other columns are not.
    assert not any(own.interval_factors for name, own in columns.items() if "std1" not in name)
