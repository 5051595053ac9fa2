"""A bounded range made unbounded, so that latents may be any number."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

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


class Logit(Bijection):
    """z = logit(alpha + (1 - 2 alpha) x), element by element, for x in [0, 1].

    It is a bijection of the slightly wider (-alpha, 1 - alpha) / (1 - 2 alpha) onto all numbers,
    so samples may lie a little beyond [0, 1]. Elements of x at or beyond the ends of the wider
    range are taken for the last value within `MARGIN` of them.

    Args:
        alpha: distance from 0 and 1 that the argument of the logit keeps, such as 0.05 for
            photos or 1e-6 for digits.

    Reference: Dinh et al. 2017 (RealNVP), section 4.1; in this form Papamakarios et al. 2017.
    """

    MARGIN = 1e-3
    """As a fraction of alpha."""

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        if not 0 < alpha < 0.5:
            raise ValueError(f"alpha: expected between 0 and 0.5, got {alpha}")
        self.alpha = alpha

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        # 1 - p from 1 - x, which is exact near 1 where 1 minus a rounded p is not.
        log_p, log_rest = self._log_share(x), self._log_share(1 - x)
        ladj = math.log1p(-2 * self.alpha) - log_p - log_rest
        return log_p - log_rest, sum_by_sample(ladj)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = (torch.sigmoid(z) - self.alpha) / (1 - 2 * self.alpha)
        ladj = F.logsigmoid(z) + F.logsigmoid(-z) - math.log1p(-2 * self.alpha)
        return x, sum_by_sample(ladj)

    def _log_share(self, x: Tensor) -> Tensor:
        share = self.alpha + (1 - 2 * self.alpha) * x
        return share.clamp(self.MARGIN * self.alpha, 1).log()
