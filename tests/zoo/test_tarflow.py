"""TarFlow: the orders of its patches, and that its cached sampling undoes its density."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow.flows import Bijection, TransformerAutoregressive
from colorflow.zoo import tarflow

CONTEXT_CHANNELS = 3


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def transformers(bijection: Bijection) -> list[TransformerAutoregressive]:
    return [part for part in bijection.modules() if isinstance(part, TransformerAutoregressive)]


def transformer_slope(
    transformer: TransformerAutoregressive, x: Tensor, context: Tensor
) -> tuple[Tensor, Tensor]:
    """dz/dx of each number, by autograd, in the shape of x."""
    matrix = torch.autograd.functional.jacobian(
        lambda v: transformer(v, context)[0], x, vectorize=True
    ).reshape(x.numel(), x.numel())
    return matrix.diagonal().reshape(x.shape), matrix


@pytest.mark.parametrize("patch", [1, 2])
def test_orders_alternate(randomize: Callable[..., Bijection], patch: int) -> None:
    """The first transformer's last token, and the second's first, are moved by all others."""
    flow = randomize(
        tarflow((2, 4, 4), CONTEXT_CHANNELS, depth=3, width=8, patch=patch), 0.7
    ).double()
    x, context = normal(1, 2, 4, 4, seed=1), normal(1, CONTEXT_CHANNELS, 4, 4, seed=2)
    token = (torch.arange(4) // patch)[:, None] * (4 // patch) + torch.arange(4) // patch
    token = token.expand(2, -1, -1).flatten()
    for index, transformer in enumerate(transformers(flow)):
        _, matrix = transformer_slope(transformer, x, context)
        rank = -token if index % 2 else token
        earlier = rank[:, None] > rank
        other = torch.eye(32, dtype=torch.bool).logical_not() & ~earlier
        assert (matrix[earlier] != 0).all()
        assert (matrix[other] == 0).all()


def test_patches_must_fit() -> None:
    with pytest.raises(ValueError, match="patch: expected a divisor"):
        tarflow((2, 4, 6), CONTEXT_CHANNELS, patch=4)
