"""What flows refuse, in messages that name the argument."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, zeros

from colorflow import flows
from colorflow.flows.lipschitz import LipschitzConvolution, LipschitzLinear

Build = Callable[[], object]
AFFINE = flows.Affine(1.0)
NETWORK = partial(flows.MaskedConvolutionNetwork, context_channels=0, size=1)
TRANSFORMER = partial(flows.TransformerAutoregressive, transform=AFFINE, width=4)
MASK = torch.ones(2, 3, 3, dtype=torch.bool)
PROBES = torch.Generator()


def dense(shape: tuple[int, ...], order: list[int]) -> flows.MaskedNetwork:
    return flows.MaskedNetwork(shape, torch.tensor(order), 3, 2, units=3)


def split(kept_channels: int = 1) -> flows.Split:
    return flows.Split((4, 2, 2), kept_channels, flows.Flatten((1, 2, 2)))


def flow(latent_shape: tuple[int, ...]) -> flows.Flow:
    return flows.Flow(flows.Haar(), latent_shape)


def each(build: Callable[..., object], values: list[Any], message: str) -> list[tuple[Build, str]]:
    return [(partial(build, value), message.format(value)) for value in values]


def by_name(build: Callable[..., object], message: str, values: list[Any], **good: Any) -> Any:
    """Each argument in turn has each of the values."""
    return [
        (partial(build, **{**good, name: value}), f"^{name}: {message}, got {value}")
        for name in good
        for value in values
    ]


REFUSED: list[tuple[Build, str]] = [
    (lambda: flows.Planar((3,))(zeros(2, 4)), r"shape \(3,\), got \(4,\)"),
    (lambda: flows.TabakTurner((3,), 0), "centers: expected at least 1, got 0"),
    *each(flows.MaskPartition, [MASK, ~MASK, MASK[0], MASK.float()], "keep: expected"),
    *each(lambda keep: flows.half_mask(1, 1, 4, keep=keep), ["up"], "keep: .*, got 'up'"),
    *each(lambda keep: flows.half_mask(1, 1, 4, keep=keep), ["top"], "height: .* the top half"),
    *each(flows.ChannelPermutation, [[0, 0, 1], [1, 2, 3], [-1, 0, 1]], r"order: .* of 0\.\.2"),
    *each(partial(flows.RationalQuadraticSpline, limit=3.0), [1, 100], "bins in 2..99 .* got {}"),
    *each(partial(flows.LinearSpline, 5), [0.0, -1.0], "limit > 0, got 5 and {}"),
    *each(flows.BoundedRange, [0.0, math.nan], "limit: expected a number above 0, got {}"),
    *each(flows.Logit, [0, 0.5, -0.1, 1], "alpha: expected between 0 and 0.5, got {}"),
    *each(partial(flows.EmergingConvolution, 2), [-1, 0, 1, 2, 4], "kernel: .* 3, got {}"),
    *each(partial(flows.PeriodicConvolution, 2), [-1, 0, 2], "kernel: .* odd number, got {}"),
    *each(partial(flows.BlockDiagonalMatrix, 4), [0, 3], "block: .* divisor of 4 .* got {}"),
    (lambda: flows.ChannelPartition(3, keep_first=True), "channels: .* even number, got 3"),
    *by_name(
        flows.MixtureLogisticCDF, "expected a positive number", [0],
        components=2, max_log_scale=1.0, max_shift=1.0,
    ),
    *by_name(
        flows.KrigingUpdate, "expected a number above 0", [0.0, -1.0, math.inf, math.nan],
        reach=1.0, likeness=1.0, looseness=1.0,
    ),
    (lambda: flows.Reshape((2, 6), (3, 5)), r"to_shape: expected .*\(2, 6\), got \(3, 5\)"),
    (lambda: flows.Flatten((2, 6))(zeros(2, 3, 4)), r"x: expected \(B, 2, 6\), got \(2, 3, 4\)"),
    (lambda: flows.Flatten((2, 6)).inverse(zeros(2, 9)), r"z: expected \(B, 12\), got \(2, 9\)"),
    *each(split, [0, 4], "kept_channels: expected 1 to 3, got {}"),
    (lambda: split()(zeros(2, 4, 2, 4)), r"x: expected \(B, 4, 2, 2\), got \(2, 4, 2, 4\)"),
    (lambda: split().inverse(zeros(2, 4, 2, 2)), r"z: expected \(B, 16\), got \(2, 4, 2, 2\)"),
    (lambda: dense((2, 3), [0, 1, 2, 3, 4, 5]), "expected shape"),
    (lambda: dense((3,), [0, 2, 2]), "order: expected a permutation"),
    (lambda: dense((3,), [0, 1, 2])(zeros(1, 3)), "context: expected"),
    (lambda: NETWORK((2, 3, 4), width=1), "width of at least C"),
    (lambda: NETWORK((4,), width=4), "expected shape"),
    (lambda: TRANSFORMER((1, 2, 3), 0, patch=2), r"patch: .* divisor of \(2, 3\), got 2"),
    (lambda: TRANSFORMER((1, 2, 2), 0, width=6), "width: expected a multiple of 4, got 6"),
    (lambda: TRANSFORMER((4,), 0), "shape: expected"),
    (lambda: TRANSFORMER((1, 2, 2), 3)(zeros(1, 1, 2, 2)), "context: expected"),
    *each(flows.UniformDequantization, [0], "levels: expected at least 1, got {}"),
    *each(
        lambda value: flows.UniformDequantization(4)(torch.tensor([[0.0, value]])),
        [-1.0, 4.0, 0.5, math.nan], r"x: expected whole numbers in 0\.\.3",
    ),
    (lambda: flows.UniformDequantization(256)(zeros(1, 1).half()), "finer dtype .* torch.float16"),
    (lambda: flow((4, 1, 1)).sample(3, zeros(1, 1, 2, 2)), "context: expected 3 rows, got 1"),
    (lambda: flow((1, 2, 2)).log_prob(zeros(3, 1, 2, 2)), r"\(4, 1, 1\), got \(1, 2, 2\)"),
    *each(partial(flows.LipschitzDenseNetwork, 2, 0, 4), [1.0], "coefficient.*got {}"),
    *each(partial(LipschitzLinear, 2, 2), [0.0], "coefficient.*got {}"),
    (lambda: LipschitzConvolution(2, 2, 2, (4, 4), 0.5), "kernel_size.*got 2"),
    (lambda: LipschitzConvolution(1, 1, 3, (4, 4), 0.5)(zeros(1, 1, 4, 5)), r"within \(4, 4\)"),
    (lambda: flows.PowerSeries(0, 1, PROBES), "terms.*got 0"),
    (lambda: flows.PowerSeries(1, 0, PROBES), "probes.*got 0"),
    (lambda: flows.RussianRoulette(-1, 0.5, 1, PROBES), "exact_terms.*got -1"),
    (lambda: flows.RussianRoulette(1, 1.0, 1, PROBES), "continuing.*got 1"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=range(len(REFUSED)))
def test_refused(build: Build, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("squeeze", [flows.Squeeze(), flows.Haar(), flows.CDF53()])
def test_what_cannot_be_halved_or_doubled(squeeze: flows.Bijection) -> None:
    def refused(name: str, call: Callable[[Tensor], object], *shape: int) -> None:
        with pytest.raises(ValueError, match=rf"{name}: expected .* got \({shape[0]}"):
            call(zeros(shape))

    for shape in ((2, 3, 5, 4), (2, 3, 4, 5), (3, 4, 4)):
        refused("x", squeeze, *shape)
    for shape in ((2, 6, 4, 4), (8, 4, 4)):
        refused("z", squeeze.inverse, *shape)
