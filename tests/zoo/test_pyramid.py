"""The zoo's pyramid is the model's: the same levels, joined into one bijection."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from colorflow.flows import Bijection, Composition
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


def test_coarse_latents_do_not_depend_on_details(randomize: Callable[..., Bijection]) -> None:
    """Details sum to zero in a cell: adding some leaves the means' latents, and moves others."""
    built = pyramid((2, 8, 8), CONTEXT_CHANNELS, width=WIDTH, couplings=2)
    flow = randomize(built, 0.35).double()
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64)
    context = torch.randn(2, CONTEXT_CHANNELS, 8, 8, dtype=torch.float64)
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64).repeat(4, 4)
    before, after = flow(x, context)[0], flow(x + board, context)[0]
    means = 2 * 4 * 4
    torch.testing.assert_close(after[:, :means], before[:, :means], rtol=0, atol=1e-12)
    assert (after - before)[:, means:].abs().amax() > 0.1


@pytest.mark.parametrize(
    ("side", "levels"), [(1, 1), (2, 1), (4, 1), (6, 2), (8, 2), (12, 3), (16, 3)]
)
def test_grids_are_halved_down_to_four_or_to_an_odd_one(side: int, levels: int) -> None:
    built = pyramid((2, side, side), CONTEXT_CHANNELS, width=WIDTH, couplings=2)
    assert isinstance(built, Composition)
    x = torch.randn(2, 2, side, side)
    z, _ = built(x, torch.randn(2, CONTEXT_CHANNELS, side, side))
    assert z.shape == (2, 2 * side * side)
    found = [name for name, _ in built.named_modules() if name.endswith(".dropped")]
    assert len(found) == levels - 1


def test_oblong_grids_are_refused() -> None:
    with pytest.raises(ValueError, match="shape: expected a square grid"):
        pyramid((2, 4, 8), CONTEXT_CHANNELS)
