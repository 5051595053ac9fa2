"""TarFlow: causal transformers over patches, in alternating orders."""

from __future__ import annotations

from torch import Tensor, nn

from colorflow.flows import (
    ActNorm,
    Affine,
    Bijection,
    Composition,
    Flatten,
    Reshape,
    TransformerAutoregressive,
    WithContext,
)
from colorflow.zoo.scales import COUPLING_LOG_SCALE, Shape

MAX_SHIFT = 3.0


def tarflow(
    shape: Shape,
    context_channels: int,
    *,
    depth: int = 4,
    layers: int = 2,
    width: int = 96,
    patch: int = 2,
) -> Bijection:
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
        stack = _stack(cells, context_channels, depth=depth, layers=layers, width=width, patch=1)
        repeated = WithContext(_RepeatedContext(shape[0]), stack) if context_channels else stack
        return Composition([Reshape(shape, cells), repeated, Flatten(cells)])
    stack = _stack(shape, context_channels, depth=depth, layers=layers, width=width, patch=patch)
    return Composition([stack, Flatten(shape)])


def _stack(
    shape: Shape, context_channels: int, *, depth: int, layers: int, width: int, patch: int
) -> Composition:
    transform = Affine(COUPLING_LOG_SCALE, MAX_SHIFT)
    transformers = [
        TransformerAutoregressive(
            shape, context_channels, transform,
            width=width, layers=layers, patch=patch, reverse=index % 2 == 1,
        )
        for index in range(depth)
    ]  # fmt: skip
    return Composition([ActNorm(shape[0]), *transformers])


class _RepeatedContext(nn.Module):
    """The context of a single cell, given to every number of it."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers

    def forward(self, context: Tensor) -> Tensor:
        """(B, C, 1, 1) -> (B, C, numbers, 1)."""
        return context.expand(-1, -1, self.numbers, -1)
