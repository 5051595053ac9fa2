"""One doubling: the means are kept, densities are right, and every pixel is reached."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.enlarge.model import StepConfig, in_range
from tests.enlarge.conftest import ModelOf


def photo_of(height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return 50 + 2 * torch.randn(2, 1, height, width, generator=generator, dtype=dtype)


@torch.inference_mode()
@pytest.mark.parametrize("restores", [False, True])
def test_encode_and_decode_are_inverse(model_of: ModelOf, *, restores: bool) -> None:
    model = model_of(restores=restores).double()
    high = photo_of(16, 24, torch.float64)
    low = F.avg_pool2d(high, 2) + (0.5 if restores else 0)
    assert (model.decode(model.encode(high, low), low) - high).abs().max() < 1e-8


@torch.inference_mode()
def test_temperature_scales_what_is_added_to_the_mean(model_of: ModelOf) -> None:
    model, low = model_of(), photo_of(8, 12)
    latents = torch.randn(2, 12, 4, 6)
    mean = model.mean.photo(model.mean.predict(low)[0], low)
    sample = model.decode(latents, low)
    assert torch.equal(model.decode(latents, low, 0.0), mean)
    assert (model.decode(latents, low, 0.3) - (mean + 0.3 * (sample - mean))).abs().max() < 1e-4
    assert (sample - mean).std() > 0.1


@pytest.mark.parametrize("restores", [False, True])
def test_the_density_is_that_of_the_change_of_variables(
    model_of: ModelOf, *, restores: bool
) -> None:
    model = model_of(restores=restores).double()
    high = photo_of(4, 4, torch.float64)[:1]
    low = F.avg_pool2d(high, 2)
    unknowns = model.mean.unknowns(high, low)

    def latents(x: Tensor) -> Tensor:
        return model.encode(model.mean.photo(x.view_as(unknowns), low), low).flatten()

    jacobian = torch.autograd.functional.jacobian(latents, unknowns.flatten())
    z = latents(unknowns.flatten())
    normal = -0.5 * (z**2).sum() - len(z) / 2 * math.log(2 * math.pi)
    expected = normal + torch.linalg.slogdet(jacobian).logabsdet
    assert abs(model(high, low).item() - expected.item()) < 1e-8


@torch.inference_mode()
def test_no_pixel_beyond_the_reach_matters(model_of: ModelOf) -> None:
    model = model_of()
    reach = model.config.reach
    low = photo_of(2 * reach + 8, 4)[:1]
    latents = torch.randn(1, 12, low.shape[2] // 2, 2, generator=torch.Generator().manual_seed(0))
    other = low.clone()
    other[:, :, -2:] = 100 - other[:, :, -2:]
    difference = (model.decode(latents, low) - model.decode(latents, other)).abs()
    rows = difference[0, 0].amax(1)
    assert rows[: 2 * (low.shape[2] - 2 - reach)].max() == 0
    assert rows[-4:].max() > 0.1


def test_a_cell_out_of_range_keeps_its_mean() -> None:
    high = torch.tensor([[[[-20.0, 60.0], [20.0, 60.0]]]])
    low = F.avg_pool2d(high, 2)
    inside = in_range(high)
    assert inside.min() >= 0
    assert torch.allclose(F.avg_pool2d(inside, 2), low)
    assert torch.allclose(inside, low + (high - low) * 30 / 50)
    unchanged = torch.tensor([[[[10.0, 60.0], [20.0, 60.0]]]])
    assert torch.equal(in_range(unchanged), unchanged)
    beyond = torch.full((1, 1, 2, 2), 120.0)  # as from a model that restores
    assert torch.equal(in_range(beyond), torch.full((1, 1, 2, 2), 100.0))


@pytest.mark.parametrize("wrong", [{"width": 0}, {"blocks": 1.5}, {"couplings": True}])
def test_a_shape_that_makes_no_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        StepConfig(**wrong)
