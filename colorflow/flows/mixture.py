"""Monotone maps made of mixtures of sigmoids: of logistic distributions, and in layers.

A mixture of K sigmoids of straight lines, then a logit, maps one number to one. It is the map of
Flow++, and a layer of the monotone networks of neural autoregressive flows.

Reference: Ho et al. 2019 (Flow++); Huang et al. 2018 (neural autoregressive flows).
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.flows.elementwise import (
    Affine,
    ElementwiseTransform,
    TransformSequence,
    soft_clamp,
)
from colorflow.flows.roots import invert_monotone

Lines = tuple[Tensor, Tensor, Tensor]
"""Normalized log-weights, log-slopes and offsets of the sigmoids' straight lines, (..., K) each."""


class MixtureLogisticCDF(TransformSequence):
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
        mixture = _LogisticComponents(components, max_log_scale, max_shift)
        super().__init__(mixture, Affine(max_log_scale, max_shift))


class MonotoneNetwork(TransformSequence):
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
        super().__init__(*[_HiddenUnits(units, max_log_slope, max_shift)] * layers)


class _MixedSigmoids(ElementwiseTransform):
    """y = logit(sum_k w_k sigmoid(e^(log_slope_k) x + offset_k)), sum_k w_k = 1.

    Args:
        count: K.
        max_log_slope: |log_slope| stays below this.
        max_shift: bounds the offsets.
    """

    def __init__(self, count: int, max_log_slope: float, max_shift: float) -> None:
        self.count, self.size = count, 3 * count
        self.max_log_slope, self.max_shift = max_log_slope, max_shift

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        return _mix(x, self._lines(parameters))

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """A mean of sigmoids lies between the smallest and the largest of them.

        So x lies between the points where the single lines reach z.
        """
        lines = self._lines(parameters)
        with torch.no_grad():
            _, log_slopes, offsets = lines
            points = (z.unsqueeze(-1) - offsets) * torch.exp(-log_slopes)
        x = invert_monotone(lambda x: _mix(x, lines), z, points.amin(-1), points.amax(-1))
        return x, -_mix(x, lines)[1]

    def _gains(self, like: Tensor) -> Tensor:
        """Numbers (K,) between 1/4 and 4, even in logarithm, of the dtype and device of `like`."""
        odd = torch.arange(1, 2 * self.count, 2, dtype=like.dtype, device=like.device)
        return 4 ** (odd / self.count - 1)

    @abstractmethod
    def _lines(self, parameters: Tensor) -> Lines:
        """The straight lines of parameters (..., 3 K)."""


class _LogisticComponents(_MixedSigmoids):
    """The parameters are raw weights, means and log-scales of logistic distributions."""

    def _lines(self, parameters: Tensor) -> Lines:
        raw, means, log_scales = parameters.chunk(3, -1)
        gains = self._gains(raw)
        log_slopes = -soft_clamp(gains * log_scales, self.max_log_slope)
        offsets = -soft_clamp(gains * means, self.max_shift) * torch.exp(log_slopes)
        return torch.log_softmax(raw, -1), log_slopes, offsets


class _HiddenUnits(_MixedSigmoids):
    """The parameters are raw weights, log-slopes and offsets of the units."""

    def _lines(self, parameters: Tensor) -> Lines:
        raw, log_slopes, shifts = parameters.chunk(3, -1)
        gains = self._gains(raw)
        log_slopes = soft_clamp(gains * log_slopes, self.max_log_slope)
        return torch.log_softmax(raw, -1), log_slopes, soft_clamp(gains * shifts, self.max_shift)


def _mix(x: Tensor, lines: Lines) -> tuple[Tensor, Tensor]:
    """y = logit(sum_k w_k sigmoid(e^(log_slope_k) x + offset_k)) and log dy/dx, each (...).

    All in logarithms of both tails, so that neither saturates. With P = sum_k w_k sigmoid(u_k),
    1 / (P (1 - P)) = 1 / P + 1 / (1 - P) turns the slope into two means of positive numbers,
    without cancellation; log dy/dx is at most the largest log-slope.
    """
    log_weights, log_slopes, offsets = lines
    at = x.unsqueeze(-1) * torch.exp(log_slopes) + offsets
    low, high = F.logsigmoid(at), F.logsigmoid(-at)
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


def _check_positive(**arguments: float) -> None:
    """Raises ValueError naming the first argument that is not positive."""
    for name, value in arguments.items():
        if not value > 0:
            raise ValueError(f"{name}: expected a positive number, got {value}")
