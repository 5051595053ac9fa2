"""Invertible residual blocks: z = x + g(x, context), where g contracts in x.

The log-determinant is exact, or a power series with random probes. With J = Dg(x),
log det(I + J) = sum over k >= 1 of (-1)^(k+1) tr(J^k) / k, and tr(J^k) is the mean of v^T J^k v
over probes v with independent signs. Every power costs one vector-Jacobian product.

The gradient of a series is that of the unbiased estimator sum_k (-1)^(k+1) v^T J^(k-1) dJ v, which
keeps the graph of one product instead of all of them. It is not the derivative of the very number
that is returned, but has the same expectation, and is correct for first derivatives.

Reference: Hutchinson 1990; Behrmann et al. 2019 (i-ResNet); Chen et al. 2019 (Residual Flow).
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from colorflow.flows.contract import Bijection, InversionError, sum_by_sample
from colorflow.flows.lipschitz import Contraction

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


class LogDetEstimator(ABC):
    """Evaluates a function and log |det(I + its Jacobian)| together."""

    def __call__(self, function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
        """The function at x (B, ...) and the log-determinant (B,), in nats.

        Args:
            function: keeps the shape, treats samples apart, and contracts each.
            x: where; also without gradients enabled.
        """
        tracked = torch.is_grad_enabled()
        with torch.enable_grad():
            point = x if tracked and x.requires_grad else x.detach().requires_grad_()
            values = function(point)
            ladj = self._ladj(values, point, tracked=tracked)
        return (values, ladj) if tracked else (values.detach(), ladj.detach())

    @abstractmethod
    def _ladj(self, values: Tensor, point: Tensor, *, tracked: bool) -> Tensor:
        """The log-determinant (B,) of values = function(point)."""


class ExactLogDet(LogDetEstimator):
    """From the whole Jacobian of each sample: exact, for tests and up to some hundred numbers.

    Neither bias nor variance. Costs as many vector-Jacobian products as a sample has numbers, and
    the memory of all of them at once.
    """

    def _ladj(self, values: Tensor, point: Tensor, *, tracked: bool) -> Tensor:
        size = values[0].numel()
        identity = torch.eye(size, dtype=values.dtype, device=values.device)
        vectors = identity.reshape(size, 1, *values.shape[1:]).expand(-1, *values.shape)
        rows = torch.autograd.grad(
            values, point, vectors, is_grads_batched=True, create_graph=tracked, retain_graph=True
        )[0]
        jacobian = rows.flatten(2).transpose(0, 1)
        return torch.linalg.slogdet(identity + jacobian).logabsdet


class _Series(LogDetEstimator):
    """A power series whose terms have weights."""

    def __init__(self, probes: int, generator: torch.Generator) -> None:
        if probes < 1:
            raise ValueError(f"probes: expected at least 1, got {probes}")
        self.probes = probes
        self.generator = generator

    @abstractmethod
    def weights(self) -> list[float]:
        """The weights of the terms 1 .. n of one call."""

    def sample_probes(self, like: Tensor) -> Tensor:
        """Probes (probes, B, ...) of independent signs; sample i's are its own."""
        shape = (self.probes, *like.shape)
        device = self.generator.device
        signs = torch.randint(0, 2, shape, generator=self.generator, device=device)
        return (2 * signs - 1).to(like)

    def _ladj(self, values: Tensor, point: Tensor, *, tracked: bool) -> Tensor:
        weights = self.weights()
        terms = [
            self._one_probe(values, point, probe, weights, tracked=tracked)
            for probe in self.sample_probes(point)
        ]
        return torch.stack(terms).mean(0)

    @staticmethod
    def _one_probe(
        values: Tensor, point: Tensor, probe: Tensor, weights: list[float], *, tracked: bool
    ) -> Tensor:
        row, neumann = probe, torch.zeros_like(probe)
        total = torch.zeros_like(sum_by_sample(probe))
        for k, weight in enumerate(weights, 1):
            signed = weight if k % 2 else -weight
            neumann = neumann + signed * row
            row = torch.autograd.grad(values, point, row, retain_graph=True)[0]
            total = total + signed / k * sum_by_sample(row * probe)
        if not tracked:
            return total
        product = torch.autograd.grad(values, point, neumann, create_graph=True)[0]
        carrier = sum_by_sample(product * probe)
        return total + (carrier - carrier.detach())


class PowerSeries(_Series):
    """The first terms of the series, with random probes.

    Bias: the dropped tail, at most d c^(n+1) / ((n+1) (1-c)) for n terms, d numbers a sample and
    Lipschitz constant c. Variance: that of the probes, which falls as 1 / probes and vanishes for
    a diagonal Jacobian.

    Args:
        terms: n, at least 1.
        probes: a sample and call, at least 1.
        generator: where the probes come from.

    Raises:
        ValueError: if terms or probes are below 1.

    Reference: Behrmann et al. 2019 (i-ResNet).
    """

    def __init__(self, terms: int, probes: int, generator: torch.Generator) -> None:
        super().__init__(probes, generator)
        if terms < 1:
            raise ValueError(f"terms: expected at least 1, got {terms}")
        self.terms = terms

    def weights(self) -> list[float]:
        return [1.0] * self.terms


class RussianRoulette(_Series):
    """A series of random length, whose later terms count more by as much as they are rarer.

    After the exact terms, a further one follows with probability q each time; the m-th further
    one has weight q^-m. The length is sampled once a call, for the whole batch.

    Bias: none, neither of the value nor of its gradient. Variance: of the probes, as in
    `PowerSeries`, and of the length; the latter falls with every exact term by the square of the
    Lipschitz constant c and is certain to be finite for c^2 < q.

    Args:
        exact_terms: terms that always count, at least 0.
        continuing: q, within (0, 1).
        probes: a sample and call, at least 1.
        generator: where probes and length come from.

    Raises:
        ValueError: if an argument is outside its range.

    Reference: Chen et al. 2019 (Residual Flow); Kahn 1955.
    """

    def __init__(
        self, exact_terms: int, continuing: float, probes: int, generator: torch.Generator
    ) -> None:
        super().__init__(probes, generator)
        if exact_terms < 0:
            raise ValueError(f"exact_terms: expected at least 0, got {exact_terms}")
        if not 0 < continuing < 1:
            raise ValueError(f"continuing: expected a number within (0, 1), got {continuing}")
        self.exact_terms = exact_terms
        self.continuing = continuing

    def weights(self) -> list[float]:
        device = self.generator.device
        uniform = torch.rand((), generator=self.generator, dtype=torch.float64, device=device)
        further = math.floor(math.log1p(-uniform.item()) / math.log(self.continuing))
        return [1.0] * self.exact_terms + [self.continuing**-m for m in range(1, further + 1)]


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
