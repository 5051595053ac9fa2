"""Monotone maps made of mixtures of sigmoids: of logistic distributions, and in layers.

A mixture of K sigmoids of straight lines, then a logit, maps one number to one. It is the map of
Flow++, and a layer of the monotone networks of neural autoregressive flows.

Reference: Ho et al. 2019 (Flow++); Huang et al. 2018 (neural autoregressive flows).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.flows.elementwise import Affine, ElementwiseTransform, soft_clamp
from colorflow.flows.roots import invert_monotone


class MixtureLogisticCDF(ElementwiseTransform):
    """z = affine(logit(sum_k w_k sigmoid((x - mean_k) exp(-log_scale_k)))), sum_k w_k = 1.

    The parameters are K raw weights (w is their softmax), K means, K log-scales, and two of the
    affine map. All at zero, the components are equal and the map is the identity; each component
    listens to its parameters with a gain of its own, or equal components would stay equal under
    gradient descent.

    log dz/dx of the mixture lies between log 2 - m - softplus(2 s e^m), where m is max_log_scale
    and s is max_shift, and m; the affine map adds at most m to either side. The inverse is
    numerical: `invert_monotone` states its accuracy and raises if it did not converge; its ladj
    is exact at the x that it returns.

    Args:
        components: K.
        max_log_scale: |log_scale| of components and affine map stays below this.
        max_shift: |mean| and the affine map's |shift| stay below this.

    Raises:
        ValueError: if components, max_log_scale or max_shift is not positive.

    Reference: Ho et al. 2019 (Flow++), section 3.2.
    """

    def __init__(self, components: int, max_log_scale: float, max_shift: float) -> None:
        _check_positive(components=components, max_log_scale=max_log_scale, max_shift=max_shift)
        self.components = components
        self.max_log_scale = max_log_scale
        self.max_shift = max_shift
        self.affine = Affine(max_log_scale, max_shift)
        self.size = 3 * components + self.affine.size

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        mixture, affine = parameters.split([3 * self.components, self.affine.size], -1)
        y, first = _mix(x, *self._read(mixture))
        z, second = self.affine.forward(y, affine)
        return z, first + second

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        mixture, affine = parameters.split([3 * self.components, self.affine.size], -1)
        y, second = self.affine.inverse(z, affine)
        x, first = _unmix(y, *self._read(mixture))
        return x, first + second

    def _read(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, log-slopes and offsets of the sigmoids' straight lines, each (..., K)."""
        raw, means, log_scales = parameters.chunk(3, -1)
        gain = _gains(self.components, like=raw)
        log_slopes = -soft_clamp(gain * log_scales, self.max_log_scale)
        offsets = -soft_clamp(gain * means, self.max_shift) * torch.exp(log_slopes)
        return torch.log_softmax(raw, -1), log_slopes, offsets


class MonotoneNetwork(ElementwiseTransform):
    """Deep sigmoidal flow: layers of y = logit(w . sigmoid(a x + b)), w and a positive, sum w = 1.

    Each layer has as many hidden units as `units` and hands one number to the next. Its
    parameters are the raw weights (w is their softmax), the logarithms of a, and b. All at zero,
    every layer is the identity; each unit listens to its parameters with a gain of its own, or
    equal units would stay equal under gradient descent.

    log dy/dx of a layer lies between log 2 - m - softplus(s + s e^(2m)), where m is max_log_slope
    and s is max_shift, and m. The inverse is numerical, layer by layer: `invert_monotone` states
    its accuracy and raises if it did not converge; its ladj is exact at the x that it returns.

    Args:
        units: hidden units a layer.
        layers: layers one after the other.
        max_log_slope: |log a| stays below this.
        max_shift: |b| stays below this.

    Raises:
        ValueError: if units, layers, max_log_slope or max_shift is not positive.

    Reference: Huang et al. 2018, section 3.1.
    """

    def __init__(self, units: int, layers: int, max_log_slope: float, max_shift: float) -> None:
        _check_positive(
            units=units, layers=layers, max_log_slope=max_log_slope, max_shift=max_shift
        )
        self.units = units
        self.layers = layers
        self.max_log_slope = max_log_slope
        self.max_shift = max_shift
        self.size = 3 * units * layers

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        ladj = torch.zeros_like(x)
        for layer in self._read(parameters):
            x, term = _mix(x, *layer)
            ladj = ladj + term
        return x, ladj

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        ladj = torch.zeros_like(z)
        for layer in reversed(self._read(parameters)):
            z, term = _unmix(z, *layer)
            ladj = ladj + term
        return z, ladj

    def _read(self, parameters: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Log-weights, log-slopes and offsets (..., units) of each layer."""
        raw, log_slopes, shifts = parameters.unflatten(-1, (3, self.layers, self.units)).unbind(-3)
        gain = _gains(self.units, like=raw)
        log_weights = torch.log_softmax(raw, -1)
        log_slopes = soft_clamp(gain * log_slopes, self.max_log_slope)
        shifts = soft_clamp(gain * shifts, self.max_shift)
        return list(
            zip(log_weights.unbind(-2), log_slopes.unbind(-2), shifts.unbind(-2), strict=True)
        )


def _mix(
    x: Tensor, log_weights: Tensor, log_slopes: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    """y = logit(sum_k w_k sigmoid(e^(log_slope_k) x + offset_k)) and log dy/dx.

    All in logarithms of both tails, so that neither saturates. With P = sum_k w_k sigmoid(u_k),
    1 / (P (1 - P)) = 1 / P + 1 / (1 - P) turns the slope into two means of positive numbers,
    without cancellation; log dy/dx is at most the largest log-slope.

    Args:
        x: (...) numbers.
        log_weights: (..., K), normalized.
        log_slopes: (..., K).
        offsets: (..., K).

    Returns:
        y (...) and log dy/dx (...).
    """
    lines = x.unsqueeze(-1) * torch.exp(log_slopes) + offsets
    low, high = F.logsigmoid(lines), F.logsigmoid(-lines)
    below, above = log_weights + low, log_weights + high
    y = torch.logsumexp(below, -1) - torch.logsumexp(above, -1)
    terms = torch.cat(
        [
            torch.log_softmax(below, -1) + high + log_slopes,
            torch.log_softmax(above, -1) + low + log_slopes,
        ],
        -1,
    )
    return y, torch.logsumexp(terms, -1)


def _unmix(
    y: Tensor, log_weights: Tensor, log_slopes: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    """The inverse of `_mix`: x and log dx/dy.

    A mean of sigmoids lies between the smallest and the largest of them, so x lies between the
    points where the single lines reach y.
    """
    with torch.no_grad():
        points = (y.unsqueeze(-1) - offsets) * torch.exp(-log_slopes)
        lower, upper = points.amin(-1), points.amax(-1)

    def mix(x: Tensor) -> tuple[Tensor, Tensor]:
        return _mix(x, log_weights, log_slopes, offsets)

    x = invert_monotone(mix, y, lower, upper)
    return x, -mix(x)[1]


def _gains(count: int, *, like: Tensor) -> Tensor:
    """Numbers (count,) between 1/4 and 4, even in logarithm, of the dtype and device of `like`."""
    exponents = torch.arange(1, 2 * count, 2, dtype=like.dtype, device=like.device) / count - 1
    return 4**exponents


def _check_positive(**arguments: float) -> None:
    """Raises ValueError naming the first argument that is not positive."""
    for name, value in arguments.items():
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number, got {value}")
