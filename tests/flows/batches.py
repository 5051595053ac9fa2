"""Batches that layers take their statistics from, and how two layers agree."""

from __future__ import annotations

from collections.abc import Callable

import torch

from colorflow.flows import Bijection


def photos(count: int = 16) -> torch.Tensor:
    """Three channels of means 5, -20 and 0 and stds 2, 10 and 0.5."""
    noise = torch.randn(
        count, 3, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    mean = torch.tensor([5.0, -20.0, 0.0], dtype=torch.float64)[:, None, None]
    std = torch.tensor([2.0, 10.0, 0.5], dtype=torch.float64)[:, None, None]
    return std * noise + mean


def agree(
    ours: Bijection, x: torch.Tensor, peer: Callable[..., tuple], peer_inverse: Callable[..., tuple]
) -> None:
    """Value and ladj, in both directions, are those of another implementation."""
    z, ladj = ours(x)
    expected = peer(x)
    torch.testing.assert_close(z, expected[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ladj, expected[1].expand(len(x)), rtol=1e-10, atol=1e-10)
    back, ladj = ours.inverse(z)
    expected = peer_inverse(z)
    torch.testing.assert_close(back, expected[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ladj, expected[1].expand(len(x)), rtol=1e-10, atol=1e-10)
