"""Monotone maps of single numbers, with parameters that somebody else computes.

A coupling gets their parameters from its network, an elementwise flow from the context. Each
says how many parameters a number needs; all parameters at zero are the identity.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor


class ElementwiseTransform(ABC):
    """A monotone map of each number x given its parameters.

    Attributes:
        size: parameters a number.
    """

    size: int

    @abstractmethod
    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """x (...) and parameters (..., size) -> z (...) and log dz/dx (...)."""

    @abstractmethod
    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """z (...) and parameters (..., size) -> x (...) and log dx/dz (...)."""


class Additive(ElementwiseTransform):
    """z = x - shift: volume is kept.

    Reference: Dinh et al. 2015 (NICE).
    """

    size = 1

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return x - parameters.squeeze(-1), torch.zeros_like(x)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return z + parameters.squeeze(-1), torch.zeros_like(z)


class Affine(ElementwiseTransform):
    """z = (x - shift) * exp(-log_scale), both softly bounded.

    Args:
        max_log_scale: |log_scale| stays below this.
        max_shift: |shift| stays below this.

    Reference: Dinh et al. 2017 (RealNVP); the soft clamp is that of Ardizzone et al. 2019.
    """

    size = 2

    def __init__(self, max_log_scale: float, max_shift: float = math.inf) -> None:
        self.max_log_scale = max_log_scale
        self.max_shift = max_shift

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._read(parameters)
        return (x - shift) * torch.exp(-log_scale), -log_scale

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = self._read(parameters)
        return z * torch.exp(log_scale) + shift, log_scale

    def _read(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = parameters.unbind(-1)
        if math.isfinite(self.max_shift):
            shift = soft_clamp(shift, self.max_shift)
        return shift, soft_clamp(log_scale, self.max_log_scale)


def soft_clamp(x: Tensor, limit: float) -> Tensor:
    """limit * (2 / pi) * atan(pi / 2 * x / limit): slope 1 at zero, within (-limit, limit)."""
    return (limit * 2 / math.pi) * torch.atan(x * (math.pi / 2 / limit))
