"""A bounded range made unbounded, so that no sample can leave it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from colorflow.flows.contract import Bijection, sum_by_sample


class BoundedRange(Bijection):
    """z = limit * atanh(x / limit), element by element: near the identity for small x.

    Whatever z is, the inverse lies strictly within (-limit, limit). Elements of x at or beyond
    the limit are taken for the last value within `margin` of it.

    Args:
        limit: half-width of the range of x, in the unit of x.
        margin: distance from the limit, as a fraction of it, at which x is cut.
    """

    def __init__(self, limit: float, margin: float = 1e-4) -> None:
        super().__init__()
        if not (limit > 0 and 0 < margin < 1):
            raise ValueError(f"expected limit > 0 and 0 < margin < 1, got {limit} and {margin}")
        self.limit = limit
        self.margin = margin

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ratio = (x / self.limit).clamp(self.margin - 1, 1 - self.margin)
        return self.limit * torch.atanh(ratio), -sum_by_sample(torch.log1p(-(ratio**2)))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        scaled = z / self.limit
        largest = math.atanh(1 - self.margin)
        ratio = torch.tanh(scaled.clamp(-largest, largest))
        return self.limit * ratio, sum_by_sample(torch.log1p(-(ratio**2)))
