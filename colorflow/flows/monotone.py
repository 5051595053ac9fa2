"""Monotone networks from one number to one number, with the weights as parameters.

Reference: Huang et al. 2018 (neural autoregressive flows).
"""

from __future__ import annotations

import torch
from torch import Tensor

from colorflow.flows.elementwise import ElementwiseTransform, soft_clamp
from colorflow.flows.mixture import check_positive, gains, mix_sigmoids, unmix_sigmoids


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
        check_positive(units=units, layers=layers, max_log_slope=max_log_slope, max_shift=max_shift)
        self.units = units
        self.layers = layers
        self.max_log_slope = max_log_slope
        self.max_shift = max_shift
        self.size = 3 * units * layers

    def forward(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        ladj = torch.zeros_like(x)
        for layer in self._read(parameters):
            x, term = mix_sigmoids(x, *layer)
            ladj = ladj + term
        return x, ladj

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        ladj = torch.zeros_like(z)
        for layer in reversed(self._read(parameters)):
            z, term = unmix_sigmoids(z, *layer)
            ladj = ladj + term
        return z, ladj

    def _read(self, parameters: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Log-weights, log-slopes and offsets (..., units) of each layer."""
        raw, log_slopes, shifts = parameters.unflatten(-1, (3, self.layers, self.units)).unbind(-3)
        gain = gains(self.units, like=raw)
        log_weights = torch.log_softmax(raw, -1)
        log_slopes = soft_clamp(gain * log_slopes, self.max_log_slope)
        shifts = soft_clamp(gain * shifts, self.max_shift)
        return list(
            zip(log_weights.unbind(-2), log_slopes.unbind(-2), shifts.unbind(-2), strict=True)
        )
