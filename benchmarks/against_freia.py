"""Times sampling and a training step against the same couplings built with FrEIA.

    python -m benchmarks.against_freia

Both have the same order of layers, affine couplings of both halves with log-scales clamped at 1.9,
fixed random permutations between them, the same class of subnet with the same numbers of channels,
random weights, the Gaussian likelihood, and Adam. FrEIA's coupling is `GLOWCouplingBlock`, which
clamps with another arctangent; ours is `colorflow.flows.Coupling`, twice.

Three shapes are timed: couplings on 16 x 16 cells, which are mostly convolutions; on 4 x 4 cells,
where the overhead of the libraries shows; and dense couplings.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import FrEIA.framework as Ff
import FrEIA.modules as Fm
import torch
from torch import Tensor, nn

from benchmarks.measuring import SEED, print_machine, print_table, ratios, side_by_side, spread
from colorflow.flows import (
    Affine,
    Bijection,
    ChannelPartition,
    ChannelPermutation,
    Composition,
    Coupling,
    Inverse,
)

CLAMP = 1.9
SAMPLES, BATCH = 8, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Couplings on one grid.

    Attributes:
        channels: of a sample, even.
        grid: side.
        context: channels of the context.
        width: hidden channels of the subnets.
        kernel: side of their kernels.
        couplings: how many, each of both halves.
    """

    channels: int
    grid: int
    context: int
    width: int
    kernel: int
    couplings: int


SHAPES = {
    "convolutions on 16 x 16": Shape(
        channels=8, grid=16, context=64, width=64, kernel=3, couplings=6
    ),
    "convolutions on 4 x 4": Shape(channels=6, grid=4, context=64, width=64, kernel=3, couplings=8),
    "dense": Shape(channels=512, grid=1, context=512, width=512, kernel=1, couplings=8),
}


class Subnet(nn.Module):
    """Three convolutions with ReLUs between, on the kept part and the context."""

    def __init__(self, shape: Shape, inputs: int, outputs: int) -> None:
        super().__init__()
        convolution = partial(nn.Conv2d, kernel_size=shape.kernel, padding=shape.kernel // 2)
        self.layers = nn.Sequential(
            convolution(inputs, shape.width),
            nn.ReLU(),
            convolution(shape.width, shape.width),
            nn.ReLU(),
            convolution(shape.width, outputs),
        )

    def forward(self, kept: Tensor, context: Tensor | None = None) -> Tensor:
        """Parameters of each cell; FrEIA passes the kept part and the context as one tensor."""
        result: Tensor = self.layers(kept if context is None else torch.cat([kept, context], 1))
        return result


def ours(shape: Shape) -> Bijection:
    """The couplings in colorflow."""
    half = shape.channels // 2
    bijections: list[Bijection] = []
    for number in range(shape.couplings):
        pair = [
            Coupling(
                ChannelPartition(shape.channels, keep_first=keep_first),
                Subnet(shape, half + shape.context, 2 * half),
                Affine(CLAMP),
            )
            for keep_first in (True, False)
        ]
        bijections += [
            Inverse(Composition(pair)),
            ChannelPermutation.random(shape.channels, number),
        ]
    return Composition(bijections)


def theirs(shape: Shape) -> nn.Module:
    """The couplings in FrEIA."""
    network = Ff.SequenceINN(shape.channels, shape.grid, shape.grid)
    for number in range(shape.couplings):
        network.append(
            Fm.GLOWCouplingBlock,
            cond=0,
            cond_shape=(shape.context, shape.grid, shape.grid),
            subnet_constructor=lambda inputs, outputs: Subnet(shape, inputs, outputs),
            clamp=CLAMP,
        )
        network.append(Fm.PermuteRandom, seed=number)
    return network


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    options = parser.parse_args()
    print_machine(["FrEIA"])
    print_table(
        ("couplings", "task", "FrEIA, ms", "colorflow, ms", "times faster"),
        [row for name in options.shapes for row in rows_of(name, options.repetitions)],
    )


def rows_of(name: str, repetitions: int) -> list[Sequence[str]]:
    """Times both in both tasks."""
    torch.manual_seed(SEED)
    shape = SHAPES[name]
    mine, other = ours(shape), theirs(shape)
    numbers, parts = trained_numbers(mine), []
    assert numbers == trained_numbers(other), "not the same architecture"
    x = torch.randn(BATCH, shape.channels, shape.grid, shape.grid)
    context = torch.randn(BATCH, shape.context, shape.grid, shape.grid)
    few, few_context = x[:SAMPLES], context[:SAMPLES]

    def sampled(inverse: Callable[[], object]) -> Callable[[], object]:
        return torch.no_grad()(inverse)

    tasks = {
        f"{SAMPLES} samples": (
            sampled(lambda: other(few, c=[few_context], rev=True, jac=False)),
            sampled(lambda: mine.inverse(few, few_context)),
        ),
        f"training step of {BATCH}": (
            step_of(other, lambda: other(x, c=[context])),
            step_of(mine, lambda: mine.forward(x, context)),
        ),
    }
    for task, (reference, own) in tasks.items():
        timings = side_by_side({"FrEIA": reference, "colorflow": own}, repetitions)
        parts.append(
            (
                f"{name}, {numbers / 1e6:.1f} M parameters",
                task,
                spread([1000 * s for s in timings["FrEIA"].wall], 1),
                spread([1000 * s for s in timings["colorflow"].wall], 1),
                spread(ratios(timings["FrEIA"], timings["colorflow"])),
            )
        )
    return parts


def trained_numbers(network: nn.Module) -> int:
    """Number of trained parameters; FrEIA counts its permutations, too."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def step_of(
    network: nn.Module, forward: Callable[[], tuple[Tensor, Tensor]]
) -> Callable[[], object]:
    """One step of Adam on the negative log-likelihood."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-4)

    def step() -> None:
        optimizer.zero_grad()
        z, ladj = forward()
        loss = (z.square().flatten(1).sum(1) / 2 - ladj).mean()
        loss.backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
