"""The rational-quadratic spline against nflows, at its edges and at extreme parameters."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from colorflow.flows import RationalQuadraticSpline

BINS, LIMIT = 5, 3.0
PARAMETERS = [2 * math.sin(1 + 3 * k) for k in range(3 * BINS - 1)]

# From nflows 0.14, `unconstrained_rational_quadratic_spline` in float64, with tail_bound 3, the
# three minima 0.01, and log(e^0.99 - 1) added to the last four parameters, which nflows leaves to
# its caller: x, z, log dz/dx.
NFLOWS_FORWARD = [
    (-3.50, -3.500000000000, 0.000000000000),
    (-2.90, -2.916057369141, -0.349288006813),
    (-2.20, -2.676755754392, -1.735658323045),
    (-1.50, -2.582017852876, -2.142320604884),
    (-0.75, -2.472834772217, -1.527230305117),
    (-0.10, -0.676908434764, 0.312631165865),
    (0.40, -0.229544572946, -0.520967902867),
    (1.10, 0.069958813387, -1.097254520619),
    (1.90, 1.252529540882, 0.743920746986),
    (2.60, 2.509203716933, 0.370875631815),
    (2.99, 2.989942386957, 0.011455420734),
    (3.00, 3.000000000000, 0.000000000000),
    (4.00, 4.000000000000, 0.000000000000),
]
# The same with inverse=True: z, x, log dx/dz.
NFLOWS_INVERSE = [
    (-3.50, -3.500000000000, 0.000000000000),
    (-2.90, -2.876374876511, 0.422950610950),
    (-2.20, -0.340095540977, -2.054279862923),
    (-1.50, -0.287437790038, -2.758048253301),
    (-0.75, -0.150547049806, -0.425078339793),
    (-0.10, 0.651849187229, 0.802012791440),
    (0.40, 1.687466381433, -1.456300186047),
    (1.10, 1.829080803702, -0.921467436400),
    (1.90, 2.228808673365, -0.601327102379),
    (2.60, 2.664203120879, -0.321513387146),
    (2.99, 2.990056958674, -0.011390564855),
    (3.00, 3.000000000000, 0.000000000000),
    (4.00, 4.000000000000, 0.000000000000),
]


@pytest.fixture
def spline() -> RationalQuadraticSpline:
    return RationalQuadraticSpline(BINS, LIMIT)


def parameters(count: int) -> Tensor:
    """The same curve for each of `count` numbers."""
    return torch.tensor(PARAMETERS, dtype=torch.float64).expand(count, -1)


def random_curves(count: int, scale: float, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(count, 3 * BINS - 1, generator=generator, dtype=dtype)


@pytest.mark.parametrize(
    ("direction", "golden"), [("forward", NFLOWS_FORWARD), ("inverse", NFLOWS_INVERSE)]
)
def test_agrees_with_nflows(
    spline: RationalQuadraticSpline, direction: str, golden: list[tuple[float, float, float]]
) -> None:
    value, expected, expected_ladj = torch.tensor(golden, dtype=torch.float64).unbind(1)
    result, ladj = getattr(spline, direction)(value, parameters(len(value)))
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-12)
    torch.testing.assert_close(ladj, expected_ladj, rtol=0, atol=2e-12)


def test_parameters_of_zero_are_the_identity(spline: RationalQuadraticSpline) -> None:
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    for direction in (spline.forward, spline.inverse):
        result, ladj = direction(x, torch.zeros(101, spline.size, dtype=torch.float64))
        torch.testing.assert_close(result, x, rtol=0, atol=1e-14)
        torch.testing.assert_close(ladj, torch.zeros_like(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_identity_outside_the_box(
    spline: RationalQuadraticSpline, direction: str, dtype: torch.dtype
) -> None:
    value = torch.tensor([-1e30, -50, -LIMIT, LIMIT, 3.001, 1e30], dtype=dtype)
    curve = parameters(len(value)).to(dtype, copy=True).requires_grad_()
    result, ladj = getattr(spline, direction)(value.requires_grad_(), curve)
    assert torch.equal(result, value)
    assert torch.equal(ladj, torch.zeros_like(value))
    by_value, by_curve = torch.autograd.grad(result.sum() + ladj.sum(), [value, curve])
    assert torch.equal(by_value, torch.ones_like(value))
    assert torch.equal(by_curve, torch.zeros_like(curve))


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_value_and_slope_meet_at_the_edges_of_the_box(
    spline: RationalQuadraticSpline, direction: str
) -> None:
    edges = torch.tensor([-LIMIT + 1e-9, LIMIT - 1e-9], dtype=torch.float64)
    result, ladj = getattr(spline, direction)(edges, parameters(2))
    torch.testing.assert_close(result, edges, rtol=0, atol=1e-8)
    torch.testing.assert_close(ladj, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-6)


def test_value_and_slope_are_continuous_between_bins(spline: RationalQuadraticSpline) -> None:
    """Knots of x, worked out from the parameters as in Durkan et al. 2019, section 3.1."""
    widths = 0.01 + (1 - 0.01 * BINS) * torch.softmax(parameters(1)[0, :BINS], 0)
    knots = (2 * LIMIT * torch.cumsum(widths, 0) - LIMIT)[:-1]
    below, above = knots - 1e-9, knots + 1e-9
    (z_below, ladj_below), (z_above, ladj_above) = (
        spline.forward(x, parameters(len(x))) for x in (below, above)
    )
    torch.testing.assert_close(z_below, z_above, rtol=0, atol=1e-7)
    torch.testing.assert_close(ladj_below, ladj_above, rtol=0, atol=1e-6)
    # The slopes at the knots are the parameters themselves.
    slopes = 0.01 + torch.log1p(math.expm1(0.99) * parameters(1)[0, 2 * BINS :].exp())
    torch.testing.assert_close(ladj_above, slopes.log(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [10.0, 1e3, 1e5])
def test_extreme_parameters_stay_finite_and_in_the_box(
    spline: RationalQuadraticSpline, scale: float, dtype: torch.dtype
) -> None:
    curves = random_curves(4000, scale, dtype).requires_grad_()
    value = torch.linspace(-LIMIT, LIMIT, 4000, dtype=dtype).requires_grad_()
    for direction in (spline.forward, spline.inverse):
        result, ladj = direction(value, curves)
        assert result.abs().max() <= LIMIT * (1 + 1e-6)
        assert ladj.isfinite().all()
        for gradient in torch.autograd.grad(result.sum() + ladj.sum(), [value, curves]):
            assert gradient.isfinite().all()


@pytest.mark.parametrize("scale", [1.0, 10.0, 1e3])
def test_monotone(spline: RationalQuadraticSpline, scale: float) -> None:
    x = torch.linspace(-LIMIT, LIMIT, 2001, dtype=torch.float64)
    for curve in random_curves(5, scale, torch.float64):
        z, _ = spline.forward(x, curve.expand(len(x), -1))
        assert (z.diff() > -1e-12).all()


def test_discriminant_below_zero_by_rounding(spline: RationalQuadraticSpline) -> None:
    """In float32 the inverse's discriminant cancels below zero for a few curves in a thousand.

    Its square root is not a number; the number that comes out must still lie in its bin, whose
    other side the float64 inverse of the same curve knows.
    """
    curves = random_curves(20000, 1e3, torch.float32)
    x = torch.linspace(-LIMIT, LIMIT, len(curves))
    z, _ = spline.forward(x, curves)
    assert (_discriminant(spline, z, curves) < 0).sum() > 10  # the case occurs
    z.requires_grad_()
    curves.requires_grad_()
    back, ladj = spline.inverse(z, curves)
    assert back.isfinite().all()
    assert ladj.isfinite().all()
    for gradient in torch.autograd.grad(back.sum() + ladj.sum(), [z, curves]):
        assert gradient.isfinite().all()


def _discriminant(spline: RationalQuadraticSpline, z: Tensor, curves: Tensor) -> Tensor:
    """b^2 - 4ac of Durkan et al. 2019, equations 6 to 8, in the dtype of z."""
    _, width, bottom, height, slope0, slope1 = spline._bin(curves, z, of_x=False)
    ratio, rise = height / width, z - bottom
    bend = slope0 + slope1 - 2 * ratio
    a = height * (ratio - slope0) + rise * bend
    b = height * slope0 - rise * bend
    return b * b + 4 * a * ratio * rise


def test_float32_round_trip_at_moderate_parameters(spline: RationalQuadraticSpline) -> None:
    curves = random_curves(20000, 1.0, torch.float32)
    x = torch.linspace(-LIMIT, LIMIT, len(curves))
    z, ladj = spline.forward(x, curves)
    back, back_ladj = spline.inverse(z, curves)
    torch.testing.assert_close(back, x, rtol=0, atol=5e-4)
    torch.testing.assert_close(back_ladj, -ladj, rtol=0, atol=5e-4)


@pytest.mark.parametrize(("bins", "limit"), [(1, 3.0), (100, 3.0), (5, 0.0), (5, -1.0)])
def test_refuses(bins: int, limit: float) -> None:
    with pytest.raises(ValueError, match="bins"):
        RationalQuadraticSpline(bins, limit)
