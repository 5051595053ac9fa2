"""Autoregressive flows: MAF, IAF, NAF and TarFlow.

Masked and inverse autoregressive flow are two complementary nets: the one scores in a single
evaluation a layer and samples element by element, the other vice versa. Trained by likelihood, the
one teaches the other by distillation (parallel WaveNet). In a neural autoregressive flow each
element goes through a monotone network of its own. TarFlow has causal transformers over patches.
"""

from __future__ import annotations

from torch import Tensor, nn

from colorflow import flows
from colorflow.zoo.scales import COUPLING_LOG_SCALE, Shape

MAX_SHIFT = 3.0
"""An unbounded shift can grow from element to element when the flow is undone."""
MONOTONE_LOG_SLOPE, MONOTONE_SHIFT = 2.0, 4.0
"""Bounds of the sigmoids of a neural autoregressive flow."""
UNITS_OF_A_CELL = 64
"""Hidden units an element of the dense networks that a single cell gets."""


def maf(
    shape: Shape, context_channels: int, *, depth: int = 4, layers: int = 1, width: int = 512
) -> flows.Bijection:
    """Affine autoregressive layers in alternating orders: fast density, slow samples.

    Published: CIFAR-10 with `depth` 5 or 10, dense masked networks with `layers` 1 or 2 and `width`
    1,024 or 2,048, batch normalization between them, every other order reversed. Here ActNorm
    takes the place of batch normalization, and shifts and log-scales are softly bounded.

    Published bits/dim: CIFAR-10 4.31.
    Here: 3.85 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        depth: autoregressive layers.
        layers: hidden layers of each network.
        width: units of a hidden layer, at least one an element.

    Reference: Papamakarios, Pavlakou & Murray 2017, "Masked autoregressive flow for density
    estimation".
    """
    stack = _affine_layers(shape, context_channels, depth=depth, layers=layers, width=width)
    return flows.Composition([stack, flows.Flatten(shape)])


def iaf(
    shape: Shape, context_channels: int, *, depth: int = 4, layers: int = 1, width: int = 512
) -> flows.Bijection:
    """The layers of `maf` with their directions exchanged: fast samples, slow density.

    Published: the posterior of a variational autoencoder, with masked convolutions on photos. Here
    it is the density itself, with the networks of `maf`. A density of n numbers takes n evaluations
    a layer, so it is not trained by likelihood but by distillation from a trained `maf`
    (`colorflow.flows.distillation_loss`).

    Published bits/dim: CIFAR-10 3.11, a bound, for the whole autoencoder.
    Here: 12.84 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        depth: autoregressive layers.
        layers: hidden layers of each network.
        width: units of a hidden layer, at least one an element.

    Reference: Kingma et al. 2016, "Improving variational inference with inverse autoregressive
    flow"; van den Oord et al. 2018, "Parallel WaveNet".
    """
    stack = _affine_layers(shape, context_channels, depth=depth, layers=layers, width=width)
    return flows.Composition([flows.Inverse(stack), flows.Flatten(shape)])


def naf(
    shape: Shape,
    context_channels: int,
    *,
    depth: int = 2,
    units: int = 8,
    width: int = 48,
    layers: int = 2,
) -> flows.Bijection:
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
    transform = flows.MonotoneNetwork(units, 1, MONOTONE_LOG_SLOPE, MONOTONE_SHIFT)
    bijections: list[flows.Bijection] = []
    for index in range(depth):
        network = _network_of_naf(
            shape, context_channels, transform.size,
            width=width, layers=layers, reverse=index % 2 == 1,
        )  # fmt: skip
        bijections += [flows.ActNorm(shape[0]), flows.Autoregressive(network, transform)]
    return flows.Composition([*bijections, flows.Flatten(shape)])


def tarflow(
    shape: Shape,
    context_channels: int,
    *,
    depth: int = 4,
    layers: int = 2,
    width: int = 96,
    patch: int = 2,
) -> flows.Bijection:
    """Affine autoregressive transformers, the order of the patches reversed between them.

    Published: ImageNet 64x64 with `depth` 8, `layers` 8, `width` 768 and `patch` 2. Here shifts
    and log-scales are softly bounded and ActNorm standardizes x. The numbers of a single cell are
    its tokens.

    Published bits/dim: ImageNet 64x64 2.99.
    Here: 3.54 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        depth: transformers.
        layers: of each transformer.
        width: channels of a token, a multiple of 4.
        patch: side of a token in cells; it divides H and W, but for a single cell.

    Reference: Zhai et al. 2024, "Normalizing flows are capable generative models".
    """
    if shape[1] * shape[2] == 1:
        cells = (1, shape[0], 1)
        stack = _transformers(
            cells, context_channels, depth=depth, layers=layers, width=width, patch=1
        )
        repeated = (
            flows.WithContext(_RepeatedContext(shape[0]), stack) if context_channels else stack
        )
        return flows.Composition([flows.Reshape(shape, cells), repeated, flows.Flatten(cells)])
    stack = _transformers(
        shape, context_channels, depth=depth, layers=layers, width=width, patch=patch
    )
    return flows.Composition([stack, flows.Flatten(shape)])


def _affine_layers(
    shape: Shape, context_channels: int, *, depth: int, layers: int, width: int
) -> flows.Composition:
    transform = flows.Affine(COUPLING_LOG_SCALE, MAX_SHIFT)
    order = flows.raster_order(shape)
    units = max(1, width // len(order))
    bijections: list[flows.Bijection] = []
    for index in range(depth):
        network = flows.MaskedNetwork(
            shape, order.flip(0) if index % 2 else order, context_channels, transform.size,
            units=units, layers=layers,
        )  # fmt: skip
        bijections += [flows.ActNorm(shape[0]), flows.Autoregressive(network, transform)]
    return flows.Composition(bijections)


def _network_of_naf(
    shape: Shape, context_channels: int, size: int, *, width: int, layers: int, reverse: bool
) -> flows.AutoregressiveNetwork:
    """Masked convolutions on a grid; in a single cell, where they would see nothing, dense."""
    if shape[1] * shape[2] > 1:
        return flows.MaskedConvolutionNetwork(
            shape, context_channels, size, width=width, layers=layers, reverse=reverse
        )
    order = flows.raster_order(shape)
    order = order.flip(0) if reverse else order
    return flows.MaskedNetwork(shape, order, context_channels, size, units=UNITS_OF_A_CELL)


def _transformers(
    shape: Shape, context_channels: int, *, depth: int, layers: int, width: int, patch: int
) -> flows.Composition:
    transform = flows.Affine(COUPLING_LOG_SCALE, MAX_SHIFT)
    transformers = [
        flows.TransformerAutoregressive(
            shape, context_channels, transform,
            width=width, layers=layers, patch=patch, reverse=index % 2 == 1,
        )
        for index in range(depth)
    ]  # fmt: skip
    return flows.Composition([flows.ActNorm(shape[0]), *transformers])


class _RepeatedContext(nn.Module):
    """The context of a single cell, given to every number of it."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers

    def forward(self, context: Tensor) -> Tensor:
        """(B, C, 1, 1) -> (B, C, numbers, 1)."""
        return context.expand(-1, -1, self.numbers, -1)
