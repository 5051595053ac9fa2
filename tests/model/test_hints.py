"""Color hints: their planes, the exact density that they condition, and the distance to them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import skimage.color
import torch
from torch import Tensor

from colorflow.color.cie import SRGB_REACH
from colorflow.model.condition import Condition
from colorflow.model.config import HINT_PLANES
from colorflow.model.hints import hint_planes, thing_hints
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.recipe import MOST_PLACES, Hint
from tests.model.conftest import random_condition, small_config

LEVELS = 5
BATCH = 3


def test_planes_by_hand() -> None:
    """Cells of 2 rows and 4 columns; of the two hints in one cell the later wins."""
    hints = [
        Hint(0, 0, 10, -20),
        Hint(127, 255, 30, 40),
        Hint(3, 7, 1, 2),
        Hint(2, 4, -5, 6.5),
        Hint(64, 8, 0, 0),
    ]
    expected = torch.zeros(3, 64, 64)
    expected[:, 0, 0] = torch.tensor([1.0, 10.0, -20.0])
    expected[:, 63, 63] = torch.tensor([1.0, 30.0, 40.0])
    expected[:, 1, 1] = torch.tensor([1.0, -5.0, 6.5])
    expected[0, 32, 2] = 1
    assert torch.equal(hint_planes(hints, 128, 256), expected)
    swapped = [*hints[:2], hints[3], hints[2], hints[4]]
    assert hint_planes(swapped, 128, 256)[:, 1, 1].tolist() == [1, 1, 2]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 64), (64, 50), (65, 63), (1000, 333)])
def test_a_hint_is_in_the_cell_that_has_the_center_of_its_pixel(height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        row, column = int(rng.integers(height)), int(rng.integers(width))
        for within in (0.0, 0.3, 0.999):
            planes = hint_planes([Hint(row + within, column + within, 3, 4)], height, width)
            (cell,) = planes[0].nonzero().tolist()
            for position, length, index in ((row, height, cell[0]), (column, width, cell[1])):
                edges = np.arange(65) * length / 64
                assert edges[index] <= position + 0.5 < edges[index + 1]


@pytest.mark.parametrize("value", [-108.1, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["row", "column", "a", "b"])
def test_refuses_positions_and_colors_that_are_none(name: str, value: float) -> None:
    expected = "a pixel from 0" if len(name) > 1 else "-108 to 108 CIELAB units"
    with pytest.raises(ValueError, match=f"^{name}: expected {expected}, got {value}"):
        dataclasses.replace(Hint(0, 0, 0, 0), **{name: value})


@pytest.mark.parametrize("name", ["adds", "takes"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reach": "around"}, "adds and takes: go with the reaches thing and larger, got 'around'"),
        ({"reach": "alike"}, "adds and takes: go with the reaches thing and larger, got 'alike'"),
        ({"places": [(1, 2)]}, "expected a tuple of (row, column), got [(1, 2)]"),
        ({"places": (1, 2)}, "expected a tuple of (row, column), got (1, 2)"),
        ({"places": ((1, 2, 3),)}, "expected a tuple of (row, column), got ((1, 2, 3),)"),
        ({"places": ((1, -1),)}, "expected pixels from 0, got (1, -1)"),
        ({"places": ((math.nan, 1),)}, "expected pixels from 0, got (nan, 1)"),
        ({"places": ((1, math.inf),)}, "expected pixels from 0, got (1, inf)"),
        ({"places": ((1, 2),) * (MOST_PLACES + 1)}, f"at most {MOST_PLACES} places, got 2001"),
    ],
)
def test_refuses_places_that_are_none(name: str, given: dict[str, Any], said: str) -> None:
    changes = {name: given.get("places", ((1, 2),)), "reach": given.get("reach", "thing")}
    with pytest.raises(ValueError, match=re.escape(said)):
        dataclasses.replace(Hint(0, 0, 0, 0), **changes)


def test_places_of_hints_have_the_cells_of_their_pixels() -> None:
    """Of a photo of 384 rows and 96 columns, on a grid of 192: half a row, two columns."""
    hint = Hint(3, 7, 1, 2, "larger", adds=((0, 0), (383.9, 95)), takes=((2, 1),))
    (got,) = thing_hints([hint, Hint(0, 0, 0, 0, "around")], 384, 96, 192)
    assert got[:5] == (1, 15, 1, 2, True)
    assert (got.adds, got.takes) == (((0, 1), (191, 191)), ((1, 3),))
    for place in ((384, 0), (0, 96)):
        for name in ("adds", "takes"):
            outside = dataclasses.replace(hint, **{name: ((1, 1), place)})
            with pytest.raises(ValueError, match=r"hints: expected positions inside the photo"):
                thing_hints([outside], 384, 96, 192)


def test_every_color_of_srgb_is_within_reach() -> None:
    """Extremes of a and b are at corners of the cube of sRGB."""
    corners = np.array(list(np.ndindex(2, 2, 2)), float)
    ab = skimage.color.rgb2lab(corners)[:, 1:]
    assert SRGB_REACH - 1 < np.abs(ab).max() <= SRGB_REACH
    for a, b in ab:
        Hint(0, 0, float(a), float(b))


@pytest.fixture
def pyramid(make_pyramid: Callable[..., ChromaPyramid]) -> ChromaPyramid:
    return make_pyramid(small_config(extra_planes=HINT_PLANES))


@pytest.fixture
def condition() -> Condition:
    return random_condition(BATCH)


def with_hints(condition: Condition, *hints: Hint, photos: slice = slice(None)) -> Condition:
    planes = torch.zeros(len(condition), HINT_PLANES, 64, 64)
    planes[photos] = hint_planes(hints, 64, 64)
    return dataclasses.replace(condition, planes=planes)


def terms(pyramid: ChromaPyramid, ab: Tensor, condition: Condition) -> Tensor:
    with torch.no_grad():
        return torch.stack(pyramid.level_log_probs(ab, condition))


def samples(pyramid: ChromaPyramid, condition: Condition) -> Tensor:
    with torch.no_grad():
        return pyramid.sample(condition, 2, [0.5] * LEVELS, torch.Generator().manual_seed(0))


def test_no_hints_are_zeros_and_the_model_without_planes(
    pyramid: ChromaPyramid,
    ab: Tensor,
    condition: Condition,
) -> None:
    """To the last bit, in density and in samples."""
    plain = ChromaPyramid(small_config()).eval()
    state = pyramid.state_dict()
    plain.load_state_dict({name: x for name, x in state.items() if "from_planes" not in name})
    zeros = with_hints(condition)
    assert torch.equal(terms(pyramid, ab, zeros), terms(pyramid, ab, condition))
    assert torch.equal(terms(plain, ab, condition), terms(pyramid, ab, condition))
    assert torch.equal(samples(pyramid, zeros), samples(pyramid, condition))
    assert torch.equal(samples(plain, condition), samples(pyramid, condition))


@pytest.mark.parametrize("hint", [Hint(10, 50, 30, -30), Hint(10, 50, 0, 0)], ids=["blue", "gray"])
def test_one_hint_changes_the_density_of_every_level_and_the_samples_of_its_photo_alone(
    pyramid: ChromaPyramid, ab: Tensor, condition: Condition, hint: Hint
) -> None:
    """Also a hint of gray, which the mask alone tells from none."""
    hinted = with_hints(condition, hint, photos=slice(1, 2))
    change = (terms(pyramid, ab, hinted) - terms(pyramid, ab, condition)).abs()
    assert (change[:, 1] > 1e-4).all()
    assert not change[:, [0, 2]].any()
    moved = (samples(pyramid, hinted) - samples(pyramid, condition)).abs().amax((1, 2, 3, 4))
    assert moved[1] > 0.1
    assert not moved[[0, 2]].any()


@pytest.mark.slow
@pytest.mark.parametrize("hints", [(), (Hint(5, 5, 0, 0), Hint(50, 9, 60, 30))])
def test_the_density_sums_to_one_whatever_the_hints(
    hints: tuple[Hint, ...],
    randomize: Callable[..., Level],
) -> None:
    """A level of one cell, two numbers: integrated over the plane by the rectangle rule."""
    config = dataclasses.replace(small_config().levels[3], grid=1)
    level = randomize(Level(config, first=True, extra_planes=HINT_PLANES), gain=0.35).double()
    condition = with_hints(random_condition(1), *hints).map(Tensor.double)
    with torch.no_grad():
        photo = level.context.of_photo(condition)
        axis = torch.linspace(-24, 24, 481, dtype=torch.float64)
        x = torch.cartesian_prod(axis, axis)[:, :, None, None]
        latent, ladj = level.encode(x, photo.expand(len(x), -1, -1, -1), None)
    log_normal = -0.5 * latent.square().flatten(1).sum(1) - math.log(2 * math.pi)
    density = (log_normal + ladj).exp()
    cell = float(axis[1] - axis[0]) ** 2
    assert float(density.sum()) * cell == pytest.approx(1, abs=5e-3)
    with torch.no_grad():
        few = torch.arange(0, len(x), 20000)
        alone = level(x[few], condition.map(lambda v: v.expand(len(few), *v.shape[1:])), None)
    torch.testing.assert_close(alone.exp(), density[few])
