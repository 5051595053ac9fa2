"""Frozen convolutions by oneDNN, each with the ReLU6 after it in one call.

For one photo and one thread PyTorch runs most 1x1 convolutions on a slow path and clamps in passes
of their own. oneDNN, called as `torch.compile` calls it, gives the same numbers up to rounding in
two thirds of the time, with nothing to compile.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Step = Callable[[Tensor], Tensor]

_ONEDNN = torch.ops.mkldnn


def can_fuse(x: Tensor) -> bool:
    """Whether the convolutions of this input can be fused; they have no gradients."""
    return (
        x.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
        and platform.machine() in ("x86_64", "AMD64")
        and torch.backends.mkldnn.is_available()
    )


def fused(layers: Sequence[nn.Module], x: Tensor) -> tuple[list[Step], Tensor]:
    """Fuses a row of layers for inputs of one size.

    Args:
        layers: convolutions, each alone or with a ReLU6 after it, and others, which stay.
        x: an input.

    Returns:
        What to call one after the other, and the result for `x`.
    """
    steps: list[Step] = []
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.ReLU6):
            continue  # part of the convolution before it
        step: Step = layer
        if isinstance(layer, nn.Conv2d):
            step = _fused(layer, x.shape, clamps=isinstance(following, nn.ReLU6))
        x = step(x)
        steps.append(step)
    return steps, x


def _fused(layer: nn.Conv2d, shape: Sequence[int], *, clamps: bool) -> Step:
    how = (layer.padding, layer.stride, layer.dilation, layer.groups)
    weight = _ONEDNN._reorder_convolution_weight(layer.weight.detach(), *how, list(shape))
    bias = None if layer.bias is None else layer.bias.detach()
    then = ("hardtanh", [0.0, 6.0]) if clamps else ("none", [])

    def step(x: Tensor) -> Tensor:
        y: Tensor = _ONEDNN._convolution_pointwise(x, weight, bias, *how, *then, "")
        return y

    return step
