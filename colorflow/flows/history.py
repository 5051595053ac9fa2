"""Flows before the name: Tabak & Turner's radial steps, Rippel & Adams' deep density model.

Both take x (B, ...) of one fixed shape and see it as a vector. Their parameters are their own,
plus, where there is a network, what it computes from the context.

Dimensions: B samples, D numbers a sample, K centers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.contract import sum_by_sample
from colorflow.flows.matrices import PLUMatrix
from colorflow.flows.planar import (
    MIN_WIDTH,
    VectorBijection,
    above_minus_one,
    distance,
    undo_rational,
)
from colorflow.flows.roots import invert_monotone


class TabakTurner(VectorBijection):
    """Radial steps around K centers, z = x + beta f(|x - x0|) (x - x0) with f(r) = erf(r/alpha)/r.

    Far from a center its step is a mere push away from or towards it; within about alpha it
    thins or gathers. The slope at the center is kept positive, so every step is invertible;
    beta = 0 is the identity, where all start. The inverse takes one increasing function of the
    radius a step, found to a few roundings of the dtype; the derivatives are exact.

    Taken from the paper: the composition of localized radial expansions and contractions with one
    center each. Not taken: its fit, which adds one step after the other, by a local quadratic
    approximation of the log-likelihood; here all parameters are learned together. This f is one
    smooth choice among several; `Radial` has f(r) = 1 / (alpha + r).

    Args:
        shape: of a sample, or D.
        centers: K, steps in a row.
        network: maps (None, context) to the parameters (B, K * (D + 2)): by step x0, and what
            decides alpha and beta; or None.

    Raises:
        ValueError: if there is no center.

    Reference: Tabak & Turner 2013 (a family of nonparametric density estimation algorithms).
    """

    def __init__(
        self, shape: int | tuple[int, ...], centers: int, network: nn.Module | None = None
    ) -> None:
        if centers < 1:
            raise ValueError(f"centers: expected at least 1, got {centers}")
        dimension = shape if isinstance(shape, int) else math.prod(shape)
        start = F.pad(torch.randn(centers, dimension), (0, 2))
        super().__init__(shape, start.flatten(), network)
        self.centers = centers

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(x.shape[0])
        for center, alpha, slope in self._read(parameters):
            radius = distance(x - center)
            factor, ladj = self._stretch(radius, alpha, slope)
            x = x + factor[:, None] * (x - center)
            total = total + ladj
        return x, total

    def _move_back(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(z.shape[0])
        for center, alpha, slope in reversed(self._read(parameters)):
            reached = distance(z - center)
            ratio = self._undo(reached, alpha, slope)
            z = center + ratio[:, None] * (z - center)
            total = total - self._stretch(ratio * reached, alpha, slope)[1]
        return z, total

    def _read(self, parameters: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """By step: x0 (B, D), alpha (B,), and by how much the slope at x0 exceeds 1, (B,)."""
        steps = parameters.unflatten(1, (self.centers, self.dimension + 2)).unbind(1)
        split = [step.split([self.dimension, 1, 1], 1) for step in steps]
        return [
            (center, MIN_WIDTH + F.softplus(width[:, 0]), above_minus_one(bend[:, 0]))
            for center, width, bend in split
        ]

    def _stretch(self, radius: Tensor, alpha: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """beta f(r) and the step's log-determinant."""
        factor = _beta(alpha, slope) * torch.erf(radius / alpha) / radius
        along = self._log_slope(radius, alpha, slope)
        return factor, (self.dimension - 1) * torch.log1p(factor) + along

    def _undo(self, reached: Tensor, alpha: Tensor, slope: Tensor) -> Tensor:
        """r / reached, for the r >= 0 with r + beta erf(r / alpha) = reached.

        The ratio is of order one, so it keeps its digits also next to the center.
        """
        beta = _beta(alpha, slope)

        def grown(ratio: Tensor) -> tuple[Tensor, Tensor]:
            radius = ratio * reached
            value = ratio + beta * torch.erf(radius / alpha) / reached
            return value, self._log_slope(radius, alpha, slope)

        lower, upper = 1 / (1 + slope.clamp_min(0)), 1 / (1 + slope.clamp_max(0))
        return invert_monotone(grown, torch.ones_like(reached), lower.detach(), upper.detach())

    @staticmethod
    def _log_slope(radius: Tensor, alpha: Tensor, slope: Tensor) -> Tensor:
        return torch.log1p(slope * torch.exp(-((radius / alpha) ** 2)))


class RippelAdams(VectorBijection):
    """One layer of a deep density model: z = squash(W x + b), unit by unit.

    W is a full matrix in the form L U; squash(y) = y + beta y / (1 + |y|) with beta > -1 steepens
    (or flattens) the middle and leaves the tails. Both are inverted in closed form. All parameters
    at zero are the identity, where it starts.

    Taken from the paper: the density of a deep bijective network by change of variables, whose
    layers are a full linear map and a squashing nonlinearity. Not taken: the sigmoid as the squash,
    which would leave all but a cube without an origin; the decoder learned beside the encoder and
    the penalties that keep it an inverse; the Beta marginals, since here comes a log-determinant.

    Args:
        shape: of a sample, or D.
        network: maps (None, context) to the parameters of the units, (B, 3 D): log-scales (of the
            diagonal of U), b, and what decides beta; or None. L and U beside it stay own.

    Reference: Rippel & Adams 2013 (deep density models).
    """

    def __init__(self, shape: int | tuple[int, ...], network: nn.Module | None = None) -> None:
        dimension = shape if isinstance(shape, int) else math.prod(shape)
        super().__init__(shape, torch.zeros(3 * dimension), network)
        self.structure = PLUMatrix(dimension)
        self.triangles = nn.Parameter(torch.zeros(2, dimension * (dimension - 1) // 2))

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        matrix, b, beta = self._read(parameters)
        linear, ladj = self.structure.multiply(matrix, x[:, :, None])
        y = linear[:, :, 0] + b
        return y + beta * y / (1 + y.abs()), ladj + self._squash_ladj(y, beta)

    def _move_back(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        matrix, b, beta = self._read(parameters)
        y = z * undo_rational(z.abs(), torch.ones_like(z), beta)
        x, ladj = self.structure.solve(matrix, (y - b)[:, :, None])
        return x[:, :, 0], ladj - self._squash_ladj(y, beta)

    def _read(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Parameters of the structure (B, D^2), b (B, D) and beta (B, D)."""
        log_scale, b, bend = parameters.chunk(3, 1)
        triangles = self.triangles.to(parameters.dtype).flatten().expand(parameters.shape[0], -1)
        return torch.cat([log_scale, triangles], 1), b, above_minus_one(bend)

    @staticmethod
    def _squash_ladj(y: Tensor, beta: Tensor) -> Tensor:
        return sum_by_sample(torch.log1p(beta / (1 + y.abs()) ** 2))


def _beta(alpha: Tensor, slope: Tensor) -> Tensor:
    """beta of an erf step, from by how much the slope at the center exceeds 1."""
    return alpha * (math.sqrt(math.pi) / 2) * slope
