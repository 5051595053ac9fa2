"""Random numbers that every run of a test shares."""

from __future__ import annotations

import torch
from torch import Tensor


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def same(left: Tensor, right: Tensor, tolerance: float) -> None:
    """Both are equal within a tolerance, absolute or relative."""
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)
