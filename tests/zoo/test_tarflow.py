"""TarFlow: the orders of its patches, and that its cached sampling undoes its density."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from colorflow.flows import Bijection, TransformerAutoregressive
from colorflow.flows.autoregressive import CausalAttentionLayer
from colorflow.zoo import tarflow

CONTEXT_CHANNELS = 3


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def transformers(bijection: Bijection) -> list[TransformerAutoregressive]:
    return [part for part in bijection.modules() if isinstance(part, TransformerAutoregressive)]


def undo_without_cache(
    transformer: TransformerAutoregressive, z: Tensor, context: Tensor
) -> Tensor:
    """Fixed-point iteration of `forward` alone: each pass makes one more token right.

    z = (x - t) exp(-s), so x <- x + (z - z(x)) exp(s); a wrong token only spoils later ones.
    """
    x = torch.zeros_like(z)
    for _ in range(len(transformer.position) + 1):
        value, _ = transformer(x, context)
        stretched, _ = transformer_slope(transformer, x, context)
        x = x + (z - value) / stretched
    return x


def transformer_slope(
    transformer: TransformerAutoregressive, x: Tensor, context: Tensor
) -> tuple[Tensor, Tensor]:
    """dz/dx of each number, by autograd, in the shape of x."""
    matrix = torch.autograd.functional.jacobian(
        lambda v: transformer(v, context)[0], x, vectorize=True
    ).reshape(x.numel(), x.numel())
    return matrix.diagonal().reshape(x.shape), matrix


@pytest.mark.parametrize("patch", [1, 2])
def test_cached_sampling_is_the_inverse_of_the_density(
    randomize: Callable[..., Bijection], patch: int
) -> None:
    flow = randomize(
        tarflow((2, 4, 4), CONTEXT_CHANNELS, depth=2, width=8, patch=patch), 0.35
    ).double()
    z, context = normal(1, 32, seed=1), normal(1, CONTEXT_CHANNELS, 4, 4, seed=2)
    x, ladj = flow.inverse(z, context)
    again, forward_ladj = flow(x, context)
    torch.testing.assert_close(again, z, rtol=0, atol=1e-10)
    torch.testing.assert_close(ladj, -forward_ladj, rtol=0, atol=1e-10)
    norm, *layers = flow.bijections[0].bijections
    expected = z.reshape(1, 2, 4, 4)
    for layer in reversed(layers):
        expected = undo_without_cache(layer, expected, context)
    torch.testing.assert_close(norm.inverse(expected)[0], x, rtol=0, atol=1e-9)


def test_sampling_costs_a_token_at_a_time() -> None:
    """The inverse hands every layer one token at a time, since it keeps keys and values."""
    flow = tarflow((2, 4, 4), CONTEXT_CHANNELS, depth=2, layers=1, width=8, patch=2)
    lengths: list[int] = []
    for part in flow.modules():
        if isinstance(part, CausalAttentionLayer):
            part.register_forward_hook(lambda layer, given, out: lengths.append(given[0].shape[1]))
    context = normal(1, CONTEXT_CHANNELS, 4, 4, seed=2).float()
    z, _ = flow(normal(1, 2, 4, 4, seed=1).float(), context)
    assert lengths == [4, 4]
    lengths.clear()
    flow.inverse(z, context)
    assert lengths == [1] * 8


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
