"""The zoo's pyramid is the model's: the same levels, joined into one bijection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from colorflow.flows import Bijection
from colorflow.model.config import LevelConfig
from colorflow.model.level import Level
from colorflow.zoo import pyramid

WIDTH = 8
CONTEXT_CHANNELS = 3


class Handed(nn.Module):
    """A context network whose answer was computed beforehand."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def of_photo(self, condition: object) -> Tensor:
        return self.answer

    def of_sample(self, photo: Tensor, coarse: Tensor | None) -> Tensor:
        return photo


def model_level(grid: int, flow: nn.Module, context: Tensor, *, first: bool) -> Level:
    """The model's level with the parameters of a flow of the zoo's."""
    config = LevelConfig(
        grid=grid,
        width=WIDTH,
        couplings=5,
        context_layers=1,
        bins=4,
        attention=grid <= 8,
        maps=(8,),
        dropout=0.0,
    )
    level = Level(config, first=first, extra_planes=0).double().eval()
    level.flow.load_state_dict(flow.state_dict(), strict=True)
    level.context = Handed(context)
    return level


def test_it_is_the_models_levels_joined(randomize: Callable[..., Bijection]) -> None:
    """log p = log p(means on 4) + log p(details on 4) + log p(details on 8), contexts given."""
    built = pyramid((2, 16, 16), CONTEXT_CHANNELS, width=WIDTH, couplings=5, bins=4)
    flow = randomize(built, 0.35).double()
    x = torch.randn(3, 2, 16, 16, dtype=torch.float64)
    context = torch.randn(3, CONTEXT_CHANNELS, 16, 16, dtype=torch.float64)
    z, ladj = flow(x, context)
    expected_z: list[Tensor] = []
    expected_ladj = torch.zeros(3, dtype=torch.float64)
    means, part = x, flow
    for grid in (8, 4):
        haar, split = part.bijections
        coefficients, term = haar(means)
        means, details = coefficients[:, :2], coefficients[:, 2:]
        norm, level_flow = split.dropped.bijections
        own_context = split.context_of_dropped(means, context)
        level = model_level(grid, level_flow, own_context, first=False)
        details, norm_term = norm(details)
        latent, level_term = level.encode(details, own_context, means)
        expected_z.insert(0, latent.flatten(1))
        expected_ladj = expected_ladj + term + norm_term + level_term
        part = split.kept
    conditioned, _ = part.bijections
    norm, level_flow = conditioned.bijection.bijections
    own_context = conditioned.network(context)
    means, norm_term = norm(means)
    level = model_level(4, level_flow, own_context, first=True)
    latent, level_term = level.encode(means, own_context, None)
    expected_z.insert(0, latent.flatten(1))
    torch.testing.assert_close(z, torch.cat(expected_z, 1), rtol=0, atol=1e-10)
    torch.testing.assert_close(ladj, expected_ladj + norm_term + level_term, rtol=0, atol=1e-9)


def test_oblong_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="shape: expected a square grid"):
        pyramid((2, 4, 8), CONTEXT_CHANNELS)
