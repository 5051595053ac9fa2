"""Invertible residual blocks: z = x + g(x, context), where g contracts in x.

Reference: Behrmann et al. 2019 (i-ResNet); Chen et al. 2019 (Residual Flow).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from colorflow.flows.contract import Bijection, InversionError
from colorflow.flows.lipschitz import Contraction
from colorflow.flows.trace import LogDetEstimator

TOLERANCE = 32
"""Residual at which a fixed point counts as found, in units of the dtype's rounding and of the
largest number involved."""
MOST_ITERATIONS = 2000


class Residual(Bijection):
    """z = x + g(x, context), undone by fixed-point iteration.

    The inverse is found to a residual |z - x - g(x)| of 32 roundings of the largest number
    involved (at least 1), so its error is at most that / (1 - coefficient). Its gradient is that of
    the implicit function theorem, with the same relative accuracy; it takes
    log(32 roundings) / log(coefficient) vector-Jacobian products, 119 for 0.9 in float32, and is a
    first derivative only. Everything runs in the dtype of x, whatever autocast says.

    Use `eval()` for repeatable results. In training mode the spectral normalization of g goes on
    with each call, so the same input gives slightly different results; `inverse` then undoes the
    g of its own call, not of an earlier `forward`. A series estimator gives a new random
    log-determinant at every call in both modes.

    Args:
        network: g.
        estimator: estimates the log-determinant; may be replaced between training and evaluation.

    Raises:
        InversionError: by `inverse`, if the iteration does not converge, as for a g that expands,
            or meets a number that is not finite.
    """

    def __init__(self, network: Contraction, estimator: LogDetEstimator) -> None:
        super().__init__()
        self.network = network
        self.estimator = estimator

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            values, ladj = self.estimator(self.network.given(context), x)
            return x + values, ladj

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with torch.autocast(z.device.type, enabled=False):
            function = self.network.given(context)
            with torch.no_grad():
                found = _fixed_point(z, function)
            residual = z - found - function(found)
            x = found + _implicit(residual, function, found, self.network.coefficient)
            return x, -self.estimator(function, x)[1]


def _implicit(
    residual: Tensor, function: Callable[[Tensor], Tensor], found: Tensor, coefficient: float
) -> Tensor:
    """The residual (zero but for rounding), with the gradient of the solution."""
    if not residual.requires_grad:
        return residual
    point = found.detach().requires_grad_()
    values = function(point)

    def transposed(vector: Tensor) -> Tensor:
        return torch.autograd.grad(values, point, vector, retain_graph=True)[0]

    steps = math.ceil(math.log(TOLERANCE * torch.finfo(found.dtype).eps) / math.log(coefficient))
    return _ImplicitGradient.apply(residual, transposed, steps)  # type: ignore[no-untyped-call]


class _ImplicitGradient(torch.autograd.Function):
    """The identity, whose gradient passes through (I + J)^-T = sum over k of (-J^T)^k.

    The number of terms is fixed beforehand, not found by looking: gradients may come in batches.
    """

    @staticmethod
    def forward(
        ctx: Any, residual: Tensor, transposed: Callable[[Tensor], Tensor], steps: int
    ) -> Tensor:
        ctx.transposed, ctx.steps = transposed, steps
        return residual.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        result = gradient
        for _ in range(ctx.steps):
            result = gradient - ctx.transposed(result)
        return result, None, None


def _fixed_point(target: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The x (B, ...) with x + function(x) = target; a sample that has converged stays.

    Args:
        target: (B, ...).
        function: contracts, and treats samples apart.
    """
    x = target
    for iteration in itertools.count(1):
        values = function(x)
        residual = target - values - x
        error, size = _largest(residual), _largest(target) + _largest(values)
        allowed = TOLERANCE * torch.finfo(x.dtype).eps * size.clamp_min(1)
        done = error <= allowed
        if bool(done.all()):
            return x
        if iteration == MOST_ITERATIONS or not bool(error.isfinite().all()):
            raise InversionError(_failure(error, allowed, iteration))
        x = torch.where(done.reshape(-1, *[1] * (x.ndim - 1)), x, target - values)
    raise AssertionError("the loop ends above")


def _failure(error: Tensor, allowed: Tensor, iterations: int) -> str:
    worst = int((error / allowed).nan_to_num(nan=torch.inf).argmax())
    return (
        f"fixed point of a residual block: sample {worst} has a residual of "
        f"{error[worst].item():.3g} after {iterations} iterations, allowed is "
        f"{allowed[worst].item():.3g}; the Lipschitz constant may exceed 1"
    )


def _largest(values: Tensor) -> Tensor:
    """Largest absolute number of each sample: (B,)."""
    return values.flatten(1).abs().amax(1)
