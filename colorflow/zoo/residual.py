"""Flows that add something to x: planar and radial flows, i-ResNet and Residual Flow.

The first two were the first flows with networks, for a handful of dimensions. The others stack
contracting residual blocks, whose volume is a random series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count

import torch
from torch import nn

from colorflow import flows
from colorflow.flows.networks import check_context_channels
from colorflow.zoo.scales import Shape, after_squeeze, can_squeeze, squeezed

CONTINUING = 0.85
"""Chance of each further term, above the square of the coefficient: the variance is finite."""
TERMS_IN_TRAINING = 2
TERMS_IN_EVALUATION = 20
EXACT_UP_TO = 128
"""Numbers of a sample whose log-determinant is computed exactly in evaluation."""


def residual(
    shape: Shape,
    context_channels: int,
    *,
    scales: int = 2,
    depth: int = 4,
    width: int = 128,
    coefficient: float = 0.9,
) -> flows.Bijection:
    """Residual blocks and ActNorm on each of several squeezed grids, nothing leaves early.

    Published: CIFAR-10 with 3 grids (the first not squeezed), `depth` 16, `width` 512,
    `coefficient` 0.98 and 4 dense blocks at the end. In training the log-determinant is a series
    of random length, which is unbiased; in evaluation one with more certain terms, as published,
    or, for small samples, exact.

    Published bits/dim: i-ResNet CIFAR-10 3.45; Residual Flow CIFAR-10 3.28, ImageNet 32x32 4.01,
    ImageNet 64x64 3.76.
    Here: 4.23 bits/dim on ab at 16x16, given L, after 8 minutes (docs/zoo.md).

    Args:
        shape: (C, H, W) of a sample.
        context_channels: of the context (B, context_channels, H, W).
        scales: how often it is squeezed, where the grid allows.
        depth: blocks after each squeeze. A single cell has all its blocks in one go, dense ones.
        width: hidden channels.
        coefficient: bound of each block's Lipschitz constant.

    Reference: Behrmann et al. 2019, "Invertible residual networks"; Chen et al. 2019, "Residual
    flows for invertible generative modeling".
    """
    check_context_channels(context_channels)
    seeds = count()
    if shape[1] * shape[2] == 1:
        networks = [
            flows.LipschitzDenseNetwork(shape[0], context_channels, width, coefficient)
            for _ in range(scales * depth)
        ]
        blocks = _blocks(shape[0], shape[0], networks, seeds)
        return flows.Composition(
            [flows.Flatten(shape), flows.WithContext(nn.Flatten(), flows.Composition(blocks))]
        )

    def scale(shape: Shape, left: int) -> flows.Bijection:
        if left == 0 or not can_squeeze(shape):
            return flows.Flatten(shape)
        coarse = squeezed(shape)
        networks = [
            flows.LipschitzNetwork(coarse[0], context_channels, width, coarse[1:], coefficient)
            for _ in range(depth)
        ]
        blocks = _blocks(coarse[0], math.prod(coarse), networks, seeds)
        return after_squeeze(context_channels, [*blocks, scale(coarse, left - 1)])

    return scale(shape, scales)


def _blocks(
    channels: int, numbers: int, networks: Sequence[flows.Contraction], seeds: Iterator[int]
) -> list[flows.Bijection]:
    """Residual blocks with ActNorm before, between and after them."""
    bijections: list[flows.Bijection] = [flows.ActNorm(channels)]
    for network in networks:
        block = _RouletteResidual(network, numbers, next(seeds))
        bijections += [block, flows.ActNorm(channels)]
    return bijections


class _RouletteResidual(flows.Residual):
    """A residual block whose estimator follows `train` and `eval`.

    Args:
        network: g.
        numbers: of a sample.
        seed: of the estimators' probes.
    """

    def __init__(self, network: flows.Contraction, numbers: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        in_training = flows.RussianRoulette(TERMS_IN_TRAINING, CONTINUING, 1, generator)
        super().__init__(network, in_training)
        self.in_training: flows.LogDetEstimator = in_training
        self.in_evaluation: flows.LogDetEstimator = (
            flows.ExactLogDet()
            if numbers <= EXACT_UP_TO
            else flows.RussianRoulette(TERMS_IN_EVALUATION, CONTINUING, 1, generator)
        )

    def train(self, mode: bool = True) -> _RouletteResidual:
        super().train(mode)
        self.estimator = self.in_training if mode else self.in_evaluation
        return self


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
    return _amortized(flows.Planar, 2 * math.prod(shape) + 1, shape, context_channels, depth, width)


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
    return _amortized(flows.Radial, math.prod(shape) + 2, shape, context_channels, depth, width)


def _amortized(
    layer: type[flows.Planar] | type[flows.Radial],
    parameters: int,
    shape: Shape,
    context_channels: int,
    depth: int,
    width: int,
) -> flows.Bijection:
    """ActNorm, then layers whose parameters come from a network of the context each."""
    layers = [
        layer(shape, flows.PooledNetwork(context_channels, width, parameters)) for _ in range(depth)
    ]
    return flows.Composition([flows.ActNorm(shape[0]), *layers, flows.Flatten(shape)])
