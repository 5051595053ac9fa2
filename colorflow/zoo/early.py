"""Planar and radial flows: the first flows with networks, for a handful of dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable

from colorflow import flows
from colorflow.zoo.scales import Shape


def planar(
    shape: Shape, context_channels: int, *, depth: int = 32, width: int = 32
) -> flows.Bijection:
    """Stretches along one direction each, all parameters amortized over the context.

    Published: 2 to 32 layers in the plane, up to 80 in the posterior of a variational autoencoder,
    where they take noise to latents. Here they take data to noise, with ActNorm before the first;
    for data in the plane, as each layer has only a single hidden unit.

    Published bits/dim: none; binarized MNIST 85.1 nats a photo, a bound, with 80 layers.
    Here: 1.66 nats on two moons (docs/zoo_toys.json).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        depth: layers.
        width: hidden units of each layer's network.

    Reference: Rezende & Mohamed 2015, "Variational inference with normalizing flows".
    """
    size = 2 * math.prod(shape) + 1
    return _stack(
        shape,
        depth,
        lambda: flows.Planar(shape, flows.PooledNetwork(context_channels, width, size)),
    )


def radial(
    shape: Shape, context_channels: int, *, depth: int = 32, width: int = 32
) -> flows.Bijection:
    """Expansions around one center each, all parameters amortized over the context.

    Published: beside planar flows, in the plane alone. Here they take data to noise, with ActNorm
    before the first.

    Published bits/dim: none.
    Here: 1.85 nats on two moons (docs/zoo_toys.json).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        depth: layers.
        width: hidden units of each layer's network.

    Reference: Rezende & Mohamed 2015, "Variational inference with normalizing flows".
    """
    size = math.prod(shape) + 2
    return _stack(
        shape,
        depth,
        lambda: flows.Radial(shape, flows.PooledNetwork(context_channels, width, size)),
    )


def _stack(shape: Shape, depth: int, layer: Callable[[], flows.Bijection]) -> flows.Bijection:
    return flows.Composition(
        [flows.ActNorm(shape[0]), *(layer() for _ in range(depth)), flows.Flatten(shape)]
    )
