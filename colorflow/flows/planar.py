"""Planar and radial flows: simple maps of a whole vector, each bending space in one way.

They take x (B, ...) of one fixed shape and see it as a vector. Their parameters are their own,
plus, where there is a network, what it computes from the context (amortized inference).

Tabak & Turner's radial steps and Rippel & Adams' deep density model came before the name.

Reference: Rezende & Mohamed 2015; Tabak & Turner 2013; Rippel & Adams 2013.

Dimensions: B samples, D numbers a sample, K centers.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.contract import Bijection, sum_by_sample
from colorflow.flows.matrices import PLUMatrix
from colorflow.flows.roots import invert_monotone

MIN_SLOPE = 1e-2
"""Least slope of every one-dimensional map here: at most 100 for the inverse."""
MIN_WIDTH = 1e-2
"""Least width of a radial map, in units of x."""


class VectorBijection(Bijection):
    """A bijection of vectors with parameters that are its own or amortized over the context.

    Attributes:
        dimension: D, numbers a sample.
        size: parameters a sample.
        start: the layer's own parameters, (size,); they add to the network's.

    Args:
        shape: of a sample.
        start: initial own parameters, (size,).
        network: maps (None, context) to (B, size), or None.
    """

    def __init__(self, shape: Sequence[int], start: Tensor, network: nn.Module | None) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.dimension = math.prod(self.shape)
        self.size = start.numel()
        self.start = nn.Parameter(start)
        self.network = network

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._apply_flat(self._move, x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._apply_flat(self._move_back, z, context)

    @abstractmethod
    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, D) and parameters (B, size) -> z (B, D) and ladj (B,)."""

    @abstractmethod
    def _move_back(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """z (B, D) and parameters (B, size) -> x (B, D) and ladj (B,)."""

    def _apply_flat(
        self,
        operation: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        x: Tensor,
        context: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(f"x: expected samples of shape {self.shape}, got {tuple(x.shape[1:])}")
        parameters = self.start.to(x.dtype).expand(x.shape[0], -1)
        if self.network is not None:
            parameters = parameters + self.network(None, context).to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            result, ladj = operation(x.flatten(1), parameters)
        return result.reshape(x.shape), ladj


class Planar(VectorBijection):
    """z = x + u tanh(w . x + b): stretches along w.

    The component of u along w is replaced by one above -1 / |w|^2, so that the map is invertible;
    u = 0 stays 0, the identity, where it starts. The inverse is that of one increasing function
    of w . x, found to a few roundings of the dtype; the derivatives are exact.

    Args:
        shape: of a sample.
        network: maps (None, context) to the parameters (B, 2 D + 1): w, u, b; or None.

    Reference: Rezende & Mohamed 2015, section 4.1 and appendix A.1.
    """

    def __init__(self, shape: Sequence[int], network: nn.Module | None = None) -> None:
        dimension = math.prod(shape)
        direction = torch.randn(dimension) / math.sqrt(dimension)
        super().__init__(shape, F.pad(direction, (0, dimension + 1)), network)

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        w, u, b, along = self._read(parameters)
        value = torch.tanh(sum_by_sample(w * x) + b)
        return x + u * value[:, None], self._log_slope(value, along)

    def _move_back(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        w, u, b, along = self._read(parameters)

        def projected(t: Tensor) -> tuple[Tensor, Tensor]:
            value = torch.tanh(t + b)
            return t + along * value, self._log_slope(value, along)

        target, reach = sum_by_sample(w * z), along.detach().abs()
        lower, upper = target.detach() - reach, target.detach() + reach
        value = torch.tanh(invert_monotone(projected, target, lower, upper) + b)
        return z - u * value[:, None], -self._log_slope(value, along)

    def _read(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """w (B, D), the constrained u (B, D), b (B,), and w . u (B,), which exceeds -1."""
        w, u, b = parameters.split([self.dimension, self.dimension, 1], 1)
        free = sum_by_sample(w * u)
        along = above_minus_one(free)
        length = sum_by_sample(w * w).clamp_min(1e-30)
        return w, u + ((along - free) / length)[:, None] * w, b[:, 0], along

    @staticmethod
    def _log_slope(value: Tensor, along: Tensor) -> Tensor:
        return torch.log1p(along * (1 - value * value))


class RadialSteps(VectorBijection):
    """K steps z = x + beta f(|x - x0|) (x - x0), each around a center of its own.

    beta = 0 is the identity, where all start. The parameters of a step are x0 and what decides its
    width alpha, and by how much its slope at the center exceeds 1, which is kept positive.

    Args:
        shape: of a sample.
        centers: K, steps in a row.
        network: maps (None, context) to the parameters (B, K * (D + 2)); or None.

    Raises:
        ValueError: if there is no center.
    """

    def __init__(
        self, shape: Sequence[int], centers: int, network: nn.Module | None = None
    ) -> None:
        if centers < 1:
            raise ValueError(f"centers: expected at least 1, got {centers}")
        start = F.pad(torch.randn(centers, math.prod(shape)), (0, 2))
        super().__init__(shape, start.flatten(), network)
        self.centers = centers

    def _move(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(x.shape[0])
        for center, alpha, slope in self._read(parameters):
            radius = distance(x - center)
            factor, along = self._stretch(radius, alpha, slope)
            x = x + factor[:, None] * (x - center)
            total = total + self._step_ladj(factor, along)
        return x, total

    def _move_back(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        total = z.new_zeros(z.shape[0])
        for center, alpha, slope in reversed(self._read(parameters)):
            reached = distance(z - center)
            ratio = self._undo(reached, alpha, slope)
            z = center + ratio[:, None] * (z - center)
            total = total - self._step_ladj(*self._stretch(ratio * reached, alpha, slope))
        return z, total

    def _read(self, parameters: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """By step: x0 (B, D), alpha (B,), and by how much the slope at x0 exceeds 1, (B,)."""
        steps = parameters.unflatten(1, (self.centers, self.dimension + 2)).unbind(1)
        split = [step.split([self.dimension, 1, 1], 1) for step in steps]
        return [
            (center, MIN_WIDTH + F.softplus(width[:, 0]), above_minus_one(bend[:, 0]))
            for center, width, bend in split
        ]

    def _step_ladj(self, factor: Tensor, along: Tensor) -> Tensor:
        """Around the center all directions are stretched alike, and the radius by its own slope."""
        return (self.dimension - 1) * torch.log1p(factor) + along

    @staticmethod
    @abstractmethod
    def _stretch(radius: Tensor, alpha: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """beta f(r), and the log of the slope of the radius, (B,) each."""

    @staticmethod
    @abstractmethod
    def _undo(reached: Tensor, alpha: Tensor, slope: Tensor) -> Tensor:
        """r / reached, for the r >= 0 with r + beta f(r) r = reached, (B,).

        The ratio is of order one, so it keeps its digits also next to the center.
        """


class Radial(RadialSteps):
    """z = x + beta (x - x0) / (alpha + |x - x0|): expands or contracts around x0.

    beta > -alpha makes it invertible. The inverse is in closed form.

    Args:
        shape: of a sample.
        network: maps (None, context) to the parameters (B, D + 2): x0, and what decides alpha
            and beta; or None.

    Reference: Rezende & Mohamed 2015, section 4.1 and appendix A.2.
    """

    def __init__(self, shape: Sequence[int], network: nn.Module | None = None) -> None:
        super().__init__(shape, 1, network)

    @staticmethod
    def _stretch(radius: Tensor, alpha: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        beta = alpha * slope
        return beta / (alpha + radius), torch.log1p(beta * alpha / (alpha + radius) ** 2)

    @staticmethod
    def _undo(reached: Tensor, alpha: Tensor, slope: Tensor) -> Tensor:
        return undo_rational(reached, alpha, alpha * slope)


class TabakTurner(RadialSteps):
    """Radial steps around K centers, z = x + beta f(|x - x0|) (x - x0) with f(r) = erf(r/alpha)/r.

    Far from a center its step is a mere push away from or towards it; within about alpha it
    thins or gathers. The inverse takes one increasing function of the radius a step, found to a
    few roundings of the dtype; the derivatives are exact.

    Taken from the paper: the composition of localized radial expansions and contractions with one
    center each. Not taken: its fit, which adds one step after the other, by a local quadratic
    approximation of the log-likelihood; here all parameters are learned together. This f is one
    smooth choice among several; `Radial` has f(r) = 1 / (alpha + r).

    Arguments and errors: see `RadialSteps`.

    Reference: Tabak & Turner 2013 (a family of nonparametric density estimation algorithms).
    """

    @staticmethod
    def _stretch(radius: Tensor, alpha: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        factor = _beta(alpha, slope) * torch.erf(radius / alpha) / radius
        return factor, _erf_log_slope(radius, alpha, slope)

    @staticmethod
    def _undo(reached: Tensor, alpha: Tensor, slope: Tensor) -> Tensor:
        beta = _beta(alpha, slope)

        def grown(ratio: Tensor) -> tuple[Tensor, Tensor]:
            radius = ratio * reached
            value = ratio + beta * torch.erf(radius / alpha) / reached
            return value, _erf_log_slope(radius, alpha, slope)

        lower, upper = 1 / (1 + slope.clamp_min(0)), 1 / (1 + slope.clamp_max(0))
        return invert_monotone(grown, torch.ones_like(reached), lower.detach(), upper.detach())


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
        shape: of a sample.
        network: maps (None, context) to the parameters of the units, (B, 3 D): log-scales (of the
            diagonal of U), b, and what decides beta; or None. L and U beside it stay own.

    Reference: Rippel & Adams 2013 (deep density models).
    """

    def __init__(self, shape: Sequence[int], network: nn.Module | None = None) -> None:
        dimension = math.prod(shape)
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


def above_minus_one(free: Tensor) -> Tensor:
    """Any number -> one above -1 + MIN_SLOPE, increasing; 0 stays 0.

    As -1 + log(1 + e^x) of Rezende & Mohamed, moved so that zero parameters are the identity.
    """
    return MIN_SLOPE - 1 + (1 - MIN_SLOPE) * F.softplus(free + math.log(math.e - 1))


def distance(difference: Tensor) -> Tensor:
    """|difference|, (B, D) -> (B,); at least 1e-15 and with a finite gradient at zero."""
    return sum_by_sample(difference * difference).clamp_min(1e-30).sqrt()


def undo_rational(reached: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """r / reached, for the r >= 0 with r + beta r / (alpha + r) = reached and beta > -alpha.

    r is the positive root of r^2 + p r = alpha reached, in the form that does not cancel.
    """
    p = alpha + beta - reached
    root = p.abs() + torch.sqrt(p * p + 4 * alpha * reached)
    safe = torch.where(p > 0, torch.ones_like(p), reached)
    return torch.where(p > 0, 2 * alpha / root, root / (2 * safe))


def _erf_log_slope(radius: Tensor, alpha: Tensor, slope: Tensor) -> Tensor:
    """Log of the slope of an erf step at a radius."""
    return torch.log1p(slope * torch.exp(-((radius / alpha) ** 2)))


def _beta(alpha: Tensor, slope: Tensor) -> Tensor:
    """beta of an erf step, from by how much the slope at the center exceeds 1."""
    return alpha * (math.sqrt(math.pi) / 2) * slope
