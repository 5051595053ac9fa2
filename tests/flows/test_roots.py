"""Numerical inverses: right where there is a root, loud where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from colorflow.flows import InversionError
from colorflow.flows.roots import invert_monotone

Pair = tuple[Tensor, Tensor]


def cubic(x: Tensor) -> Pair:
    return x**3, torch.log(3 * x * x)  # slope 0 at 0


def gentle(x: Tensor) -> Pair:
    return x + torch.sin(x), torch.log1p(torch.cos(x))  # slope 0 at every odd multiple of pi


def exponential(x: Tensor) -> Pair:
    return torch.exp(x), x


def arc_tangent(x: Tensor) -> Pair:
    return torch.atan(x), -torch.log1p(x * x)  # plain Newton diverges


def step(x: Tensor) -> Pair:
    """Jumps from -1 to 1 at 0.3."""
    return x + torch.where(x < 0.3, -1.0, 1.0), torch.zeros_like(x)


def constant(x: Tensor) -> Pair:
    return torch.zeros_like(x), torch.full_like(x, -math.inf)


def brackets(target: Tensor, lower: float, upper: float) -> Pair:
    return torch.full_like(target, lower), torch.full_like(target, upper)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("function", "oracle", "targets"),
    [
        (cubic, np.cbrt, np.linspace(-1000, 1000, 100)),
        (gentle, lambda y: brentq(lambda x: x + math.sin(x) - y, -60, 60, xtol=1e-15), None),
        (exponential, np.log, np.geomspace(1e-3, 1e3, 100)),
        (arc_tangent, np.tan, np.linspace(-1.5, 1.5, 100)),
    ],
    ids=["cubic", "gentle", "exponential", "arc-tangent"],
)
@pytest.mark.parametrize("bracket", [(-20, 20), (0.2, 0.2), (5, 6)], ids=str)
def test_finds_the_root(
    function: Callable[[Tensor], Pair],
    oracle: Callable[[float], float],
    targets: np.ndarray | None,
    dtype: torch.dtype,
    bracket: tuple[float, float],
) -> None:
    """From a bracket that holds it, from none, and from a wrong one."""
    targets = np.linspace(-40, 40, 100) if targets is None else targets
    target = torch.tensor(targets).to(dtype)
    x = invert_monotone(function, target, *brackets(target, *bracket))
    expected = np.array([oracle(float(y)) for y in target])
    loose = 2e-3 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(x, torch.tensor(expected).to(dtype), rtol=loose, atol=loose)
    rounding = 16 * torch.finfo(dtype).eps
    slope = function(x)[1].exp()
    allowed = rounding * (target.abs().clamp_min(1) + slope * x.abs().clamp_min(1))
    assert ((function(x)[0] - target).abs() <= allowed).all()


def test_derivatives_are_those_of_the_implicit_function() -> None:
    """x + a x^3 = y: dx/dy = 1 / (1 + 3 a x^2), dx/da = -x^3 / (1 + 3 a x^2)."""
    a = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([-3.0, 0.1, 20.0], dtype=torch.float64, requires_grad=True)
    x = invert_monotone(lambda x: (x + a * x**3, torch.log1p(3 * a * x * x)), y, y - 30, y + 30)
    by_y, by_a = torch.autograd.grad(x.sum(), [y, a])
    slope = 1 + 3 * a * x**2
    torch.testing.assert_close(by_y, 1 / slope, rtol=1e-12, atol=0)
    torch.testing.assert_close(by_a, -(x**3) / slope, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("function", "target"),
    [
        (arc_tangent, 2.0),
        (exponential, -1.0),
        (step, 0.3),
        (constant, 1.0),
        (cubic, math.nan),
        (cubic, math.inf),
        (lambda x: (x * math.nan, x), 1.0),
        (lambda x: (x, x * math.nan), 0.5),
        (lambda x: (-x, torch.zeros_like(x)), 10.0),
    ],
    ids=[
        "above", "below", "jump", "constant", "nan", "infinite", "nan-value", "nan-slope", "falling"
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_raises_where_there_is_no_root(
    function: Callable[[Tensor], Pair], target: float, dtype: torch.dtype
) -> None:
    """One such number among good ones suffices."""
    values = torch.tensor([0.5, target, 0.7], dtype=dtype)
    with pytest.raises(InversionError, match="a numerical inverse did not converge"):
        invert_monotone(function, values, *brackets(values, -2.0, 3.0))
