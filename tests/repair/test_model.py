"""The flow over masked pixels is a bijection of these alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from colorflow.repair.model import FillConfig, FillModel
from colorflow.repair.network import Finder, UNetConfig
from colorflow.repair.strips import CELL

Case = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def case() -> Case:
    """Lightness, the same with a guess inside the mask, and the mask."""
    generator = torch.Generator().manual_seed(0)
    lightness = 100 * torch.rand(2, 1, 8, 8, generator=generator, dtype=torch.float64)
    mask = (torch.rand(lightness.shape, generator=generator) < 0.3).double()
    return lightness, (1 - mask) * lightness + 40 * mask, mask


def test_latents_stand_for_the_masked_pixels(fill_model: FillModel, case: Case) -> None:
    _, filled, mask = case
    model = fill_model.double()
    latents = torch.randn(2, CELL, 4, 4, dtype=torch.float64)
    sample = model.decode(latents, filled, mask)
    assert torch.equal(sample[mask == 0], filled[mask == 0])
    assert (sample - filled)[mask == 1].abs().min() > 0
    elsewhere = latents + 9 * (1 - torch.nn.functional.pixel_unshuffle(mask, 2))
    assert torch.equal(model.decode(elsewhere, filled, mask), sample)
    mean = model.decode(latents, filled, mask, 0.0)
    assert torch.equal(mean, model.mean(filled, mask)[0])


def test_the_density_is_that_of_the_change_of_variables(fill_model: FillModel, case: Case) -> None:
    """The log-determinant against autograd's Jacobian of what makes samples."""
    lightness, filled, mask = (x[:1] for x in case)
    model = fill_model.double()
    places = mask.flatten().nonzero()[:, 0]

    def sample(numbers: Tensor) -> Tensor:
        plane = torch.zeros(64, dtype=torch.float64).index_put((places,), numbers)
        latents = torch.nn.functional.pixel_unshuffle(plane.view(1, 1, 8, 8), 2)
        return model.decode(latents, filled, mask).flatten()[places]

    numbers = torch.randn(len(places), dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(sample, numbers)
    made = lightness.flatten().index_put((places,), sample(numbers)).view_as(lightness)
    prior = -0.5 * (numbers**2 + math.log(2 * math.pi)).sum()
    expected = prior - torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(model(made, filled, mask)[0], expected, rtol=1e-6, atol=1e-6)


def test_without_a_mask_nothing_is_modeled(fill_model: FillModel, case: Case) -> None:
    lightness, _, mask = case
    density = fill_model.double()(lightness, lightness, torch.zeros_like(mask))
    assert torch.equal(density, torch.zeros(2, dtype=torch.float64))


def test_one_photo_does_not_depend_on_another(fill_model: FillModel, case: Case) -> None:
    model = fill_model.double()
    both = model(*case)
    alone = torch.cat([model(*(x[i : i + 1] for x in case)) for i in range(2)])
    torch.testing.assert_close(both, alone)


def test_shapes_are_bounded() -> None:
    weights = sum(p.numel() for p in Finder(UNetConfig()).parameters())
    assert UNetConfig().least_weights <= weights <= 1_000_000
    for widths in [(), (0,), (8, 10**6), (4,) * 9, ("8",)]:
        with pytest.raises(ValueError, match="widths"):
            UNetConfig(widths=widths)
    with pytest.raises(ValueError, match="bins"):
        FillConfig(bins=0)
