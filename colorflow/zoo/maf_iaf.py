"""Masked and inverse autoregressive flow: two complementary nets.

The one scores in a single evaluation a layer and samples element by element, the other vice versa.
Trained by likelihood, the one teaches the other by distillation (parallel WaveNet).
"""

from __future__ import annotations

from colorflow.flows import (
    ActNorm,
    Affine,
    Autoregressive,
    Bijection,
    Composition,
    Flatten,
    Inverse,
    MaskedNetwork,
    raster_order,
)
from colorflow.zoo.scales import COUPLING_LOG_SCALE, Shape

MAX_SHIFT = 3.0
"""An unbounded shift can grow from element to element when the flow is undone."""


def maf(
    shape: Shape, context_channels: int, *, depth: int = 4, layers: int = 1, width: int = 512
) -> Bijection:
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
    stack = _stack(shape, context_channels, depth=depth, layers=layers, width=width)
    return Composition([stack, Flatten(shape)])


def iaf(
    shape: Shape, context_channels: int, *, depth: int = 4, layers: int = 1, width: int = 512
) -> Bijection:
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
    stack = _stack(shape, context_channels, depth=depth, layers=layers, width=width)
    return Composition([Inverse(stack), Flatten(shape)])


def _stack(
    shape: Shape, context_channels: int, *, depth: int, layers: int, width: int
) -> Composition:
    transform = Affine(COUPLING_LOG_SCALE, MAX_SHIFT)
    order = raster_order(shape)
    units = max(1, width // len(order))
    bijections: list[Bijection] = []
    for index in range(depth):
        network = MaskedNetwork(
            shape, order.flip(0) if index % 2 else order, context_channels, transform.size,
            units=units, layers=layers,
        )  # fmt: skip
        bijections += [ActNorm(shape[0]), Autoregressive(network, transform)]
    return Composition(bijections)
