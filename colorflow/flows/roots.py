"""Solving monotone equations of single numbers, for maps without an inverse in closed form.

Newton's method inside a bracket that bisection shrinks whenever Newton's step leaves it or stops
halving, for all numbers of a tensor at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from colorflow.flows.contract import InversionError

Monotone = Callable[[Tensor], tuple[Tensor, Tensor]]
"""An increasing map of each number: x (...) -> value (...) and the log of its slope (...)."""

MAX_EXPANSIONS = 200
"""Doublings of a bracket that does not hold the root."""
MAX_STEPS = 200
"""Newton or bisection steps; mixtures with extreme parameters need up to 60 in float64."""
RESOLUTION = 4
"""Steps, brackets and residuals below this many machine epsilons (of the number, or of 1) count
as nothing."""


def invert_monotone(function: Monotone, target: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """Solves function(x) = target, number by number.

    x is within 4 machine epsilons (relative, or absolute below 1) of the root, or function(x)
    is so close to the target; where neither can be had because rounding inside `function` is
    coarser, the bracket has shrunk to that size around x. Its first derivatives, by the target
    and by what `function` depends on, are those of the implicit function theorem; they saturate
    where the slope is below machine epsilon.

    Args:
        function: increasing and continuous; acts on each number alone.
        target: (...) values, in float32 or wider.
        lower: (...) where to look for each root; moved outwards if the root is not inside.
        upper: (...) the other end.

    Returns:
        x (...), the roots.

    Raises:
        InversionError: if a root is not found: a target that the function does not reach, a
            function that jumps, or numbers that are not finite.
    """
    with torch.no_grad():
        lower, upper = _bracket(function, target, lower, upper)
        x = _solve(function, target, lower, upper)
    value, log_slope = function(x)
    flattest = math.log(torch.finfo(x.dtype).eps)
    slope = torch.exp(log_slope.detach().clamp_min(flattest))
    # Both differences are zero: they carry the derivative and leave the value.
    return x + ((target - target.detach()) - (value - value.detach())) / slope


def _bracket(
    function: Monotone, target: Tensor, lower: Tensor, upper: Tensor
) -> tuple[Tensor, Tensor]:
    """Doubles each bracket's width towards its root until it holds it."""
    width = torch.maximum(upper - lower, _resolution(lower))
    for _ in range(MAX_EXPANSIONS):
        too_high, too_low = function(lower)[0] > target, function(upper)[0] < target
        if not (too_high | too_low).any():
            return lower, upper
        lower, upper = (
            torch.where(too_high, lower - width, torch.where(too_low, upper, lower)),
            torch.where(too_low, upper + width, torch.where(too_high, lower, upper)),
        )
        width = torch.where(too_high | too_low, 2 * width, width)
    raise InversionError(f"{_did_not(too_high | too_low)}: no bracket holds the root")


def _solve(function: Monotone, target: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    x, last = (lower + upper) / 2, upper - lower
    done = torch.zeros_like(x, dtype=torch.bool)
    for _ in range(MAX_STEPS):
        value, log_slope = function(x)
        if not ((value - target).isfinite() & (log_slope < math.inf)).all():
            raise InversionError("a numerical inverse did not converge: met a number not finite")
        residual = value - target
        step = residual * torch.exp(-log_slope)
        lower, upper = torch.where(residual > 0, lower, x), torch.where(residual > 0, x, upper)
        done = done | _is_root(x, target, residual, step, upper - lower)
        if done.all():
            return x
        newton, middle = x - step, (lower + upper) / 2
        good = (newton > lower) & (newton < upper) & (step.abs() <= last / 2)
        following = torch.where(done, x, torch.where(good, newton, middle))
        x, last = following, (following - x).abs()
    raise InversionError(f"{_did_not(~done)} in {MAX_STEPS} steps")


def _is_root(x: Tensor, target: Tensor, residual: Tensor, step: Tensor, width: Tensor) -> Tensor:
    near = (step.abs() <= _resolution(x)) | (residual.abs() <= _resolution(target))
    # A bracket also collapses around a jump: there the residual stays.
    coarse = torch.finfo(x.dtype).eps ** 0.5
    collapsed = (width <= _resolution(x)) & (residual.abs() <= coarse * (1 + target.abs()))
    return near | collapsed


def _resolution(x: Tensor) -> Tensor:
    return RESOLUTION * torch.finfo(x.dtype).eps * x.abs().clamp_min(1)


def _did_not(failed: Tensor) -> str:
    count = f"{int(failed.sum())} of {failed.numel()} numbers"
    return f"a numerical inverse did not converge for {count}"
