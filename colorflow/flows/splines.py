"""Monotone splines: each number is bent by a curve that its parameters define.

All map the box [-limit, limit] onto itself and are the identity outside; all parameters at zero
are the identity inside too. The box's bins are chosen by comparing with the knots, so a number
exactly at a knot belongs to the bin on its right, in both directions.

Reference: Müller et al. 2019 (neural importance sampling), Durkan et al. 2019 (neural spline
flows).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.flows.elementwise import Affine, ElementwiseTransform, TransformSequence


class _BoxSpline(ElementwiseTransform):
    """What the splines share: the box, the identity outside, and the knots.

    Args:
        bins: pieces of the spline.
        limit: half-width of the box that it maps onto itself.

    Raises:
        ValueError: if there are too few or too many bins, or limit is not positive.
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

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return self._in_box(self._bend, x, parameters)

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return self._in_box(self._unbend, z, parameters)

    @abstractmethod
    def _bend(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """`forward` of numbers inside the box."""

    @abstractmethod
    def _unbend(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """`inverse` of numbers inside the box."""

    def _in_box(
        self,
        function: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        value: Tensor,
        parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        inside = value.abs() < self.limit
        safe = torch.where(inside, value, torch.zeros_like(value))
        result, ladj = function(safe, parameters)
        return torch.where(inside, result, value), torch.where(inside, ladj, torch.zeros_like(ladj))

    def _knots(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Sizes of the bins and where each begins, on [-limit, limit]."""
        sizes = self.MIN_BIN + (1 - self.MIN_BIN * self.bins) * _shares(raw)
        sizes = sizes * (2 * self.limit)
        return sizes, self._starts(sizes)

    def _starts(self, sizes: Tensor) -> Tensor:
        return torch.cumsum(sizes, -1) - sizes - self.limit


class LinearSpline(_BoxSpline):
    """Pieces of straight line over bins of equal width; the parameters are the bins' heights.

    The slope jumps at the knots, and at ±limit to the 1 outside; it lies between
    bins * MIN_BIN and bins.

    Args:
        bins: pieces of the spline.
        limit: half-width of the box that it maps onto itself.

    Reference: Müller et al. 2019, section 4.1 (piecewise-linear coupling).
    """

    def __init__(self, bins: int, limit: float) -> None:
        super().__init__(bins, limit)
        self.size = bins

    def _bend(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        left, width, bottom, height = self._bin(parameters, x, of_x=True)
        return bottom + (x - left) / width * height, torch.log(height / width)

    def _unbend(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        left, width, bottom, height = self._bin(parameters, z, of_x=False)
        return left + (z - bottom) / height * width, torch.log(width / height)

    def _bin(self, parameters: Tensor, value: Tensor, *, of_x: bool) -> tuple[Tensor, ...]:
        """Left, width, bottom and height of the bin that holds each value."""
        widths, lefts = self._knots(torch.zeros_like(parameters))
        heights, bottoms = self._knots(parameters)
        index = _bin_index(value, lefts if of_x else bottoms)
        return _choose(index, lefts, widths, bottoms, heights)


class QuadraticSpline(_BoxSpline):
    """Pieces of parabola: the slope is linear between the knots, continuous, and 1 at ±limit.

    The parameters are the bins' widths and the slopes at the inner knots up to a common factor,
    which makes the box map onto itself. The slope lies between MIN_SLOPE and 1 / MIN_BIN.

    Args:
        bins: pieces of the spline.
        limit: half-width of the box that it maps onto itself.

    Reference: Müller et al. 2019, section 4.2 (piecewise-quadratic coupling); the slope of 1 at
    the edges is that of Durkan et al. 2019.
    """

    def __init__(self, bins: int, limit: float) -> None:
        super().__init__(bins, limit)
        self.size = 2 * bins - 1

    def _bend(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        left, width, bottom, slope0, slope1 = self._bin(parameters, x, of_x=True)
        t = (x - left) / width
        z = bottom + width * t * (slope0 + (slope1 - slope0) * t / 2)
        return z, torch.log(slope0 + (slope1 - slope0) * t)

    def _unbend(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        left, width, bottom, slope0, slope1 = self._bin(parameters, z, of_x=False)
        rise = (z - bottom) / width
        # The square of the slope at z, so never below MIN_SLOPE squared but by rounding.
        squared = slope0 * slope0 + 2 * (slope1 - slope0) * rise
        root = torch.sqrt(squared.clamp_min(self.MIN_SLOPE**2))
        t = (2 * rise / (slope0 + root)).clamp(0, 1)
        return left + t * width, -torch.log(slope0 + (slope1 - slope0) * t)

    def _bin(self, parameters: Tensor, value: Tensor, *, of_x: bool) -> tuple[Tensor, ...]:
        """Left, width, bottom and the two slopes of the bin that holds each value."""
        raw_widths, raw_slopes = parameters.split([self.bins, self.bins - 1], -1)
        widths, lefts = self._knots(raw_widths)
        slopes = self._slopes(raw_slopes, widths / (2 * self.limit))
        bottoms = self._starts(widths * (slopes[..., :-1] + slopes[..., 1:]) / 2)
        index = _bin_index(value, lefts if of_x else bottoms)
        chosen = _choose(index, lefts, widths, bottoms)
        return (*chosen, *_choose(index, slopes), *_choose(index + 1, slopes))

    def _slopes(self, raw: Tensor, widths: Tensor) -> Tensor:
        """Slopes at all knots: 1 at both ends, and a mean of 1 over bins of these widths."""
        shares = (widths[..., :-1] + widths[..., 1:]) / 2  # of the box, for each inner knot
        relative = _shares(raw)
        inner = relative * shares.sum(-1, keepdim=True)
        inner = inner / (shares * relative).sum(-1, keepdim=True)
        return F.pad(self.MIN_SLOPE + (1 - self.MIN_SLOPE) * inner, (1, 1), value=1.0)


class RationalQuadraticSpline(_BoxSpline):
    """Quotients of parabolas: smooth, with slopes of its own at the inner knots and 1 at ±limit.

    Args:
        bins: pieces of the spline.
        limit: half-width of the box that it maps onto itself.

    Reference: Durkan et al. 2019 (neural spline flows); Gregory & Delbourgo 1982.
    """

    def __init__(self, bins: int, limit: float) -> None:
        super().__init__(bins, limit)
        self.size = 3 * bins - 1

    def _bend(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        left, width, bottom, height, slope0, slope1 = self._bin(parameters, x, of_x=True)
        ratio = height / width
        t = (x - left) / width
        denominator = ratio + (slope0 + slope1 - 2 * ratio) * t * (1 - t)
        z = bottom + height * (ratio * t * t + slope0 * t * (1 - t)) / denominator
        return z, self._log_slope(t, ratio, slope0, slope1, denominator)

    def _unbend(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        left, width, bottom, height, slope0, slope1 = self._bin(parameters, z, of_x=False)
        ratio = height / width
        rise = z - bottom
        bend = slope0 + slope1 - 2 * ratio
        a = height * (ratio - slope0) + rise * bend
        b = height * slope0 - rise * bend
        c = -ratio * rise
        # Positive in exact arithmetic; by rounding it may not be, and the root has no slope at 0.
        root = torch.sqrt((b * b - 4 * a * c).clamp_min(1e-30))
        t = (2 * c / (-b - root)).clamp(0, 1)
        denominator = ratio + bend * t * (1 - t)
        ladj = -self._log_slope(t, ratio, slope0, slope1, denominator)
        return left + t * width, ladj

    @staticmethod
    def _log_slope(
        t: Tensor, ratio: Tensor, slope0: Tensor, slope1: Tensor, denominator: Tensor
    ) -> Tensor:
        numerator = slope1 * t * t + 2 * ratio * t * (1 - t) + slope0 * (1 - t) * (1 - t)
        return 2 * torch.log(ratio) + torch.log(numerator) - 2 * torch.log(denominator)

    def _bin(self, parameters: Tensor, value: Tensor, *, of_x: bool) -> tuple[Tensor, ...]:
        """Left, width, bottom, height and the two slopes of the bin that holds each value."""
        raw = parameters.split([self.bins, self.bins, self.bins - 1], -1)
        widths, lefts = self._knots(raw[0])
        heights, bottoms = self._knots(raw[1])
        index = _bin_index(value, lefts if of_x else bottoms)
        # log(e^(1 - m) - 1) makes the slope 1 at a parameter of zero.
        offset = math.log(math.expm1(1 - self.MIN_SLOPE))
        slopes = F.pad(self.MIN_SLOPE + F.softplus(raw[2] + offset), (1, 1), value=1.0)
        chosen = _choose(index, lefts, widths, bottoms, heights)
        return (*chosen, *_choose(index, slopes), *_choose(index + 1, slopes))


class AffineSpline(TransformSequence):
    """A bounded affine map and a spline: the one moves and widens, the other bends.

    Args:
        bins: pieces of the spline.
        limit: half-width of the spline's box.
        max_log_scale: bound of the affine part.
        max_shift: bound of the affine part.
    """

    def __init__(self, bins: int, limit: float, max_log_scale: float, max_shift: float) -> None:
        super().__init__(Affine(max_log_scale, max_shift), RationalQuadraticSpline(bins, limit))


def _shares(raw: Tensor) -> Tensor:
    """Softmax over the last dimension, (..., n), computed over the first one.

    PyTorch's softmax of a few numbers that lie side by side takes up to thirty times as long on a
    CPU: it vectorizes across rows only.
    """
    return torch.softmax(raw.movedim(-1, 0), 0).movedim(0, -1)


def _bin_index(value: Tensor, starts: Tensor) -> Tensor:
    """Index (..., 1) of the last start at or below each value; the first start counts always."""
    return (value.unsqueeze(-1) >= starts[..., 1:]).sum(-1, keepdim=True)


def _choose(index: Tensor, *tables: Tensor) -> tuple[Tensor, ...]:
    """The entry at `index` (..., 1) of each table (..., n)."""
    return tuple(table.gather(-1, index).squeeze(-1) for table in tables)
