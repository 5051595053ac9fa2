"""Neural autoregressive flow: each element goes through a monotone network of its own."""

from __future__ import annotations

from colorflow.flows import (
    ActNorm,
    Autoregressive,
    AutoregressiveNetwork,
    Bijection,
    Composition,
    Flatten,
    MaskedConvolutionNetwork,
    MaskedNetwork,
    MonotoneNetwork,
    raster_order,
)
from colorflow.zoo.scales import Shape

MAX_LOG_SLOPE = 2.0
MAX_SHIFT = 4.0
UNITS_OF_A_CELL = 64
"""Hidden units an element of the dense networks that a single cell gets."""


def naf(
    shape: Shape,
    context_channels: int,
    *,
    depth: int = 2,
    units: int = 8,
    width: int = 48,
    layers: int = 2,
) -> Bijection:
    """Deep sigmoidal flows over masked convolutions, in alternating orders.

    Published: `depth` 5 or 10, dense masked networks of 1 or 2 hidden layers of 100 to 512 units,
    sigmoidal flows of one layer of 8 to 16 `units`. Here masked convolutions take the place of the
    dense networks on a grid, and slopes and shifts of the sigmoids are bounded. The inverse is
    numerical, element by element, and so the slowest of all.

    Published bits/dim: none; on MINIBOONE 8.86 nats below zero, on BSDS300 157.73 nats.
    Here: 3.32 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        depth: autoregressive layers.
        units: sigmoids a monotone network.
        width: hidden channels of the convolutions.
        layers: residual layers of the convolutions.

    Reference: Huang, Krueger, Lacoste & Courville 2018, "Neural autoregressive flows".
    """
    transform = MonotoneNetwork(units, 1, MAX_LOG_SLOPE, MAX_SHIFT)
    bijections: list[Bijection] = []
    for index in range(depth):
        network = _network(
            shape, context_channels, transform.size,
            width=width, layers=layers, reverse=index % 2 == 1,
        )  # fmt: skip
        bijections += [ActNorm(shape[0]), Autoregressive(network, transform)]
    return Composition([*bijections, Flatten(shape)])


def _network(
    shape: Shape, context_channels: int, size: int, *, width: int, layers: int, reverse: bool
) -> AutoregressiveNetwork:
    """Masked convolutions on a grid; in a single cell, where they would see nothing, dense."""
    if shape[1] * shape[2] > 1:
        return MaskedConvolutionNetwork(
            shape, context_channels, size, width=width, layers=layers, reverse=reverse
        )
    order = raster_order(shape)
    order = order.flip(0) if reverse else order
    return MaskedNetwork(shape, order, context_channels, size, units=UNITS_OF_A_CELL)
