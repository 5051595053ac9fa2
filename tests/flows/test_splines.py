"""The splines against their definitions, at their edges and at extreme parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import make_interp_spline
from torch import Tensor

from colorflow.flows import (
    ElementwiseTransform,
    LinearSpline,
    QuadraticSpline,
    RationalQuadraticSpline,
)

BINS, LIMIT = 5, 3.0
PARAMETERS = [2 * math.sin(1 + 3 * k) for k in range(3 * BINS - 1)]
SPLINES = {
    "linear": LinearSpline(BINS, LIMIT),
    "quadratic": QuadraticSpline(BINS, LIMIT),
    "rational-quadratic": RationalQuadraticSpline(BINS, LIMIT),
}


@pytest.fixture(params=SPLINES)
def spline(request: pytest.FixtureRequest) -> ElementwiseTransform:
    return SPLINES[request.param]


@pytest.fixture
def rational() -> RationalQuadraticSpline:
    return RationalQuadraticSpline(BINS, LIMIT)


def parameters(count: int, size: int = 3 * BINS - 1) -> Tensor:
    """The same curve for each of `count` numbers."""
    return torch.tensor(PARAMETERS[:size], dtype=torch.float64).expand(count, -1)


def random_curves(size: int, count: int, scale: float, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(count, size, generator=generator, dtype=dtype)


def knots_of(raw: list[float]) -> np.ndarray:
    """Knots on [-LIMIT, LIMIT]: at least a hundredth of the box each, the rest by softmax."""
    shares = np.exp(raw) / np.exp(raw).sum()
    sizes = 2 * LIMIT * (0.01 + (1 - 0.01 * len(raw)) * shares)
    return np.concatenate([[0], np.cumsum(sizes)]) - LIMIT


def test_linear_spline_is_interpolation_between_its_knots() -> None:
    x = np.linspace(-LIMIT, LIMIT, 1000)[1:-1]
    across, up = np.linspace(-LIMIT, LIMIT, BINS + 1), knots_of(PARAMETERS[:BINS])
    spline, curve = SPLINES["linear"], parameters(len(x), BINS)
    z, ladj = spline.forward(torch.tensor(x), curve)
    np.testing.assert_allclose(z, np.interp(x, across, up), rtol=0, atol=1e-13)
    slopes = (np.diff(up) / np.diff(across))[np.searchsorted(across, x, side="right") - 1]
    np.testing.assert_allclose(ladj, np.log(slopes), rtol=0, atol=1e-13)
    back, ladj = spline.inverse(torch.tensor(x), curve)
    np.testing.assert_allclose(back, np.interp(x, up, across), rtol=0, atol=1e-13)
    slopes = (np.diff(across) / np.diff(up))[np.searchsorted(up, x, side="right") - 1]
    np.testing.assert_allclose(ladj, np.log(slopes), rtol=0, atol=1e-13)


def test_quadratic_spline_is_the_integral_of_its_slope() -> None:
    """scipy integrates the line through the slopes, whose inner ones fill the box's area."""
    x = np.linspace(-LIMIT, LIMIT, 1000)[1:-1]
    knots = knots_of(PARAMETERS[:BINS])
    slopes = np.pad(np.exp(PARAMETERS[BINS : 2 * BINS - 1]), 1)
    ends = np.zeros(BINS + 1)
    ends[[0, -1]] = 1
    area = 2 * LIMIT - np.trapezoid(ends, knots)
    slopes = ends + 0.99 * area / np.trapezoid(slopes, knots) * slopes
    slopes[1:-1] += 0.01
    density = make_interp_spline(knots, slopes, k=1)
    integral = density.antiderivative()
    z, ladj = SPLINES["quadratic"].forward(torch.tensor(x), parameters(len(x), 2 * BINS - 1))
    np.testing.assert_allclose(z, integral(x) - LIMIT, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ladj, np.log(density(x)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_identity_outside_the_box(
    spline: ElementwiseTransform, direction: str, dtype: torch.dtype
) -> None:
    value = torch.tensor([-1e30, -50, -LIMIT, LIMIT, 3.001, 1e30], dtype=dtype)
    curve = parameters(len(value), spline.size).to(dtype, copy=True).requires_grad_()
    result, ladj = getattr(spline, direction)(value.requires_grad_(), curve)
    assert torch.equal(result, value)
    assert torch.equal(ladj, torch.zeros_like(value))
    by_value, by_curve = torch.autograd.grad(result.sum() + ladj.sum(), [value, curve])
    assert torch.equal(by_value, torch.ones_like(value))
    assert torch.equal(by_curve, torch.zeros_like(curve))


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("name", SPLINES)
def test_value_and_slope_meet_at_the_edges_of_the_box(name: str, direction: str) -> None:
    spline = SPLINES[name]
    edges = torch.tensor([-LIMIT + 1e-9, LIMIT - 1e-9], dtype=torch.float64)
    result, ladj = getattr(spline, direction)(edges, parameters(2, spline.size))
    torch.testing.assert_close(result, edges, rtol=0, atol=1e-7)
    if name != "linear":  # which has a kink there
        torch.testing.assert_close(ladj, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [10.0, 1e3, 1e5])
def test_extreme_parameters_stay_finite_and_in_the_box(
    spline: ElementwiseTransform, scale: float, dtype: torch.dtype
) -> None:
    curves = random_curves(spline.size, 4000, scale, dtype).requires_grad_()
    value = torch.linspace(-LIMIT, LIMIT, 4000, dtype=dtype).requires_grad_()
    for direction in (spline.forward, spline.inverse):
        result, ladj = direction(value, curves)
        assert result.abs().max() <= LIMIT * (1 + 1e-6)
        assert ladj.isfinite().all()
        for gradient in torch.autograd.grad(result.sum() + ladj.sum(), [value, curves]):
            assert gradient.isfinite().all()


def check_finite(spline: ElementwiseTransform, z: Tensor, curves: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse, which must be finite with finite gradients."""
    z, curves = z.clone().requires_grad_(), curves.clone().requires_grad_()
    back, ladj = spline.inverse(z, curves)
    assert back.isfinite().all()
    assert ladj.isfinite().all()
    for gradient in torch.autograd.grad(back.sum() + ladj.sum(), [z, curves]):
        assert gradient.isfinite().all()
    return back.detach(), ladj.detach()


def test_rational_discriminant_below_zero_by_rounding(rational: RationalQuadraticSpline) -> None:
    """In float32 the inverse's discriminant cancels below zero for a few curves in a thousand.

    Its square root is not a number; the number that comes out must still be one that the same
    curve in float64 takes to z.
    """
    curves = random_curves(rational.size, 20000, 1e3, torch.float32)
    x = torch.linspace(-LIMIT, LIMIT, len(curves))
    z, _ = rational.forward(x, curves)
    below = _discriminant(rational, z, curves) < 0
    assert below.sum() > 10  # the case occurs
    back, _ = check_finite(rational, z, curves)
    again, _ = rational.forward(back[below].double(), curves[below].double())
    torch.testing.assert_close(again, z[below].double(), rtol=0, atol=1e-3)


def _discriminant(spline: RationalQuadraticSpline, z: Tensor, curves: Tensor) -> Tensor:
    """b^2 - 4ac of Durkan et al. 2019, equations 6 to 8, in the dtype of z."""
    _, width, bottom, height, slope0, slope1 = spline._bin(curves, z, of_x=False)
    ratio, rise = height / width, z - bottom
    bend = slope0 + slope1 - 2 * ratio
    a = height * (ratio - slope0) + rise * bend
    b = height * slope0 - rise * bend
    return b * b + 4 * a * ratio * rise


def test_quadratic_discriminant_below_zero_by_rounding() -> None:
    """In float32, where the slope falls from nearly 100 to 0.01 within the narrowest bin."""
    spline = QuadraticSpline(BINS, LIMIT)
    steep = torch.tensor([0, 0, 0, 8.0, 0, -20, 0, -20, -20])
    curves = steep + random_curves(spline.size, 4000, 1.0, torch.float32)
    x = -LIMIT + torch.cumsum(spline._knots(curves[:, :BINS])[0], -1)[:, 2] - 1e-6
    z, _ = spline.forward(x, curves)
    _, width, bottom, slope0, slope1 = spline._bin(curves, z, of_x=False)
    below = slope0 * slope0 + 2 * (slope1 - slope0) * (z - bottom) / width < 0
    assert below.sum() > 10  # the case occurs
    back, ladj = check_finite(spline, z, curves)
    expected, _ = spline.inverse(z.double(), curves.double())
    torch.testing.assert_close(back.double(), expected, rtol=0, atol=3e-4)
    assert (ladj[below] <= -math.log(0.01) + 1e-5).all()


@pytest.mark.peers
@pytest.mark.parametrize("inverse", [False, True])
def test_the_rational_quadratic_spline_is_that_of_nflows(
    rational: RationalQuadraticSpline, inverse: bool
) -> None:
    peer = pytest.importorskip("nflows.transforms.splines.rational_quadratic")
    value, raw = torch.linspace(-1.2 * LIMIT, 1.2 * LIMIT, 500).double(), parameters(500)
    ours = (rational.inverse if inverse else rational.forward)(value, raw)
    widths, heights, slopes = raw.split([BINS, BINS, BINS - 1], -1)
    theirs = peer.unconstrained_rational_quadratic_spline(
        value,
        widths,
        heights,
        slopes + math.log(math.expm1(0.99)),
        inverse=inverse,
        tail_bound=LIMIT,
        min_bin_width=0.01,
        min_bin_height=0.01,
        min_derivative=0.01,
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
