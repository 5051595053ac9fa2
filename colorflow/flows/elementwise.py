"""Monotone maps of single numbers, with parameters that somebody else computes.

A coupling gets their parameters from its network, an elementwise flow from the context. Each
says how many parameters a number needs; all parameters at zero are the identity.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F


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


class RationalQuadraticSpline(ElementwiseTransform):
    """Monotone spline on [-limit, limit], the identity outside.

    Args:
        bins: pieces of the spline.
        limit: half-width of the box that it maps onto itself.

    Reference: Durkan et al. 2019 (neural spline flows); Gregory & Delbourgo 1982.
    """

    MIN_BIN = 1e-2
    """Smallest width and height of a bin, as a fraction of the box."""
    MIN_SLOPE = 1e-2

    def __init__(self, bins: int, limit: float) -> None:
        if not (2 <= bins < 1 / self.MIN_BIN and limit > 0):
            most = round(1 / self.MIN_BIN) - 1
            raise ValueError(f"expected bins in 2..{most} and limit > 0, got {bins} and {limit}")
        self.bins = bins
        self.limit = limit
        self.size = 3 * bins - 1

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        inside = x.abs() < self.limit
        x_safe = torch.where(inside, x, torch.zeros_like(x))
        left, width, bottom, height, slope0, slope1 = self._bin(parameters, x_safe, of_x=True)
        ratio = height / width
        t = (x_safe - left) / width
        denominator = ratio + (slope0 + slope1 - 2 * ratio) * t * (1 - t)
        z = bottom + height * (ratio * t * t + slope0 * t * (1 - t)) / denominator
        ladj = self._log_slope(t, ratio, slope0, slope1, denominator)
        return torch.where(inside, z, x), torch.where(inside, ladj, torch.zeros_like(ladj))

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        inside = z.abs() < self.limit
        z_safe = torch.where(inside, z, torch.zeros_like(z))
        left, width, bottom, height, slope0, slope1 = self._bin(parameters, z_safe, of_x=False)
        ratio = height / width
        rise = z_safe - bottom
        bend = slope0 + slope1 - 2 * ratio
        a = height * (ratio - slope0) + rise * bend
        b = height * slope0 - rise * bend
        c = -ratio * rise
        # Positive in exact arithmetic; by rounding it may not be, and the root has no slope at 0.
        root = torch.sqrt((b * b - 4 * a * c).clamp_min(1e-30))
        t = (2 * c / (-b - root)).clamp(0, 1)
        denominator = ratio + bend * t * (1 - t)
        ladj = -self._log_slope(t, ratio, slope0, slope1, denominator)
        x = left + t * width
        return torch.where(inside, x, z), torch.where(inside, ladj, torch.zeros_like(ladj))

    @staticmethod
    def _log_slope(
        t: Tensor, ratio: Tensor, slope0: Tensor, slope1: Tensor, denominator: Tensor
    ) -> Tensor:
        numerator = slope1 * t * t + 2 * ratio * t * (1 - t) + slope0 * (1 - t) * (1 - t)
        return 2 * torch.log(ratio) + torch.log(numerator) - 2 * torch.log(denominator)

    def _bin(self, parameters: Tensor, value: Tensor, *, of_x: bool) -> tuple[Tensor, ...]:
        """Left, width, bottom, height and the two slopes of the bin that holds each value."""
        widths, heights, slopes = parameters.split([self.bins, self.bins, self.bins - 1], -1)
        widths, lefts = self._knots(widths)
        heights, bottoms = self._knots(heights)
        index = _bin_index(value, lefts if of_x else bottoms)
        # log(e^(1 - m) - 1) makes the slope 1 at a parameter of zero.
        offset = math.log(math.expm1(1 - self.MIN_SLOPE))
        slopes = F.pad(self.MIN_SLOPE + F.softplus(slopes + offset), (1, 1), value=1.0)
        chosen = [x.gather(-1, index).squeeze(-1) for x in (lefts, widths, bottoms, heights)]
        chosen += [slopes.gather(-1, index + i).squeeze(-1) for i in (0, 1)]
        return tuple(chosen)

    def _knots(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Sizes of the bins and where each begins, on [-limit, limit]."""
        sizes = self.MIN_BIN + (1 - self.MIN_BIN * self.bins) * torch.softmax(raw, -1)
        sizes = sizes * (2 * self.limit)
        return sizes, torch.cumsum(sizes, -1) - sizes - self.limit


class AffineSpline(ElementwiseTransform):
    """A spline followed by a bounded affine map: the one bends, the other moves and widens.

    Args:
        bins: pieces of the spline.
        limit: half-width of the spline's box.
        max_log_scale: bound of the affine part.
        max_shift: bound of the affine part.
    """

    def __init__(self, bins: int, limit: float, max_log_scale: float, max_shift: float) -> None:
        self.affine = Affine(max_log_scale, max_shift)
        self.spline = RationalQuadraticSpline(bins, limit)
        self.size = self.affine.size + self.spline.size

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        affine, spline = parameters.split([self.affine.size, self.spline.size], -1)
        y, first = self.affine.forward(x, affine)
        z, second = self.spline.forward(y, spline)
        return z, first + second

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        affine, spline = parameters.split([self.affine.size, self.spline.size], -1)
        y, second = self.spline.inverse(z, spline)
        x, first = self.affine.inverse(y, affine)
        return x, first + second


def soft_clamp(x: Tensor, limit: float) -> Tensor:
    """limit * (2 / pi) * atan(pi / 2 * x / limit): slope 1 at zero, within (-limit, limit)."""
    return (limit * 2 / math.pi) * torch.atan(x * (math.pi / 2 / limit))


def _bin_index(value: Tensor, starts: Tensor) -> Tensor:
    """Index (..., 1) of the last start at or below each value; the first start counts always."""
    return (value.unsqueeze(-1) >= starts[..., 1:]).sum(-1, keepdim=True)
