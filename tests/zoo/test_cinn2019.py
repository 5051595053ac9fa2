"""The cINN's published shape: parameters, stages and couplings, counted by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from colorflow.flows import Affine, Bijection, ChannelPermutation, Coupling, Haar, Split, Squeeze
from colorflow.zoo import cinn2019

FEATURES = 256


@pytest.fixture(scope="module")
def published() -> Bijection:
    return cinn2019()


def convolution(kernel: int, *channels: int) -> int:
    """Parameters of a chain of convolutions with biases."""
    return sum(kernel**2 * before * after + after for before, after in pairwise(channels))


def published_parameters() -> int:
    """As the research code lays its networks out; a normalization has two numbers a channel."""
    strided = [128, 128, 256]
    total = convolution(3, FEATURES, 128, 256, 256, 512) + 2 * 512  # condition of the dense part
    stages = [(4, 2, 32, 64), (6, 8, 64, 128), (6, 16, 128, 256), (6, 32, 256, 256)]
    for k, (blocks, channels, width, mixing) in enumerate(stages):
        condition = convolution(3, FEATURES, *strided[:k], width) + 2 * width
        halves = 2 * convolution(3, channels // 2 + width, width, width, channels)
        total += blocks * (condition + halves)
        total += 2 * 2 * convolution(1, 2 * channels, mixing, mixing, 4 * channels)
    return total + 8 * 2 * convolution(1, 256 + 512, 512, 512, 512, 512)


def test_parameters_are_the_published_ones(published: Bijection) -> None:
    count = sum(parameter.numel() for parameter in published.parameters())
    assert count == published_parameters() == 56_713_680


def test_stages_are_the_published_ones(published: Bijection) -> None:
    """Channels that each half-coupling moves, per stage: conditioned ones, then mixing ones."""
    by_moved: dict[tuple[int, bool], int] = {}
    for coupling in (part for part in published.modules() if isinstance(part, Coupling)):
        key = coupling.partition.moved_channels, coupling.network.conditional
        by_moved[key] = by_moved.get(key, 0) + 1
        assert isinstance(coupling.transform, Affine)
        assert coupling.transform.max_log_scale == 1.5, "clamped as published"
        assert math.isinf(coupling.transform.max_shift)
    assert by_moved == {
        **{(1, True): 8, (4, True): 12, (8, True): 12, (16, True): 12, (256, True): 16},
        **{(4, False): 4, (16, False): 4, (32, False): 4, (64, False): 4},
    }
    splits = [part for part in published.modules() if isinstance(part, Split)]
    assert [(part.kept_shape, part.dropped_shape) for part in splits] == [
        ((16, 16, 16), (16, 16, 16)),
        ((32, 8, 8), (32, 8, 8)),
        ((32, 4, 4), (96, 4, 4)),
    ]
    kinds = [type(part) for part in published.modules() if isinstance(part, Squeeze | Haar)]
    assert kinds == [Squeeze, Squeeze, Squeeze, Haar]
    assert sum(isinstance(part, ChannelPermutation) for part in published.modules()) == 8
