"""Networks whose output at an element depends only on the elements before it in an order.

Dense with masked weights, as MADE (Germain et al. 2015), or convolutional, as PixelCNN (van den
Oord et al. 2016). The last layer starts at zero, so a new autoregressive flow is the identity.

Dimensions: B samples of D elements, C channels of (C, H, W) or (D,), `size` parameters an element.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.networks import zero_initialized


def raster_order(shape: Sequence[int]) -> Tensor:
    """The elements row by row, cell by cell, channels innermost.

    `.flip(0)` of it is the reversed order; `torch.randperm(D)` is a random one.

    Args:
        shape: (C, H, W) or (D,).

    Returns:
        (D,) positions in the flattened sample, the first element's first.
    """
    return torch.arange(math.prod(shape)).reshape(*shape).movedim(0, -1).flatten()


class AutoregressiveNetwork(nn.Module, ABC):
    """(x, context) -> parameters; those of an element depend on earlier elements and the context.

    Attributes:
        order: (D,) positions in the flattened sample, the first element's first. It belongs to
            the construction, not to the saved parameters.
    """

    order: Tensor

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """x (B, C, ...) -> (B, C * size, ...), the parameters of a channel side by side."""


class MaskedNetwork(AutoregressiveNetwork):
    """A dense network with masked weights, for samples of any shape and any order.

    Every element has its own hidden units in every layer, which see what the element may see: all
    earlier elements. A vector of context, or the mean of a grid, is added to all units of the
    first layer; a grid's cell also to the units of its own elements, by one 1x1 convolution, so
    that a rich context on a large grid costs few parameters.

    Args:
        shape: (C, H, W) or (D,).
        order: (D,) a permutation, such as `raster_order(shape)`.
        context_channels: channels of the context, (B, channels, H, W) or (B, channels), 0 if there
            is none. The elements of (C, H, W) need the grid.
        size: parameters an element.
        units: hidden units an element and layer.
        layers: hidden layers.

    Raises:
        ValueError: if shape, order, units or layers is none of these; by `forward`, if a context
            is missing.

    Reference: Germain et al. 2015 (MADE).
    """

    def __init__(
        self,
        shape: Sequence[int],
        order: Tensor,
        context_channels: int,
        size: int,
        *,
        units: int,
        layers: int = 2,
    ) -> None:
        super().__init__()
        count = math.prod(shape)
        if len(shape) not in (1, 3) or min(units, layers) < 1:
            raise ValueError(
                f"expected shape (C, H, W) or (D,), units and layers of at least 1, "
                f"got {tuple(shape)}, {units} and {layers}"
            )
        if sorted(order.tolist()) != list(range(count)):
            raise ValueError(f"order: expected a permutation of 0..{count - 1}, got {order}")
        self.register_buffer("order", order.clone(), persistent=False)
        rank = torch.argsort(order)
        hidden = rank.repeat(units)
        out = rank.reshape(shape[0], 1, -1).expand(-1, size, -1).flatten()
        self.first = MaskedLinear(hidden[:, None] > rank)
        self.hidden = nn.ModuleList(
            MaskedLinear(hidden[:, None] >= hidden) for _ in range(layers - 1)
        )
        self.out = zero_initialized(MaskedLinear(out[:, None] >= hidden))
        self.from_context = self.from_cell = None
        if context_channels:
            self.from_context = nn.Linear(context_channels, units * count, bias=False)
        if context_channels and len(shape) == 3:
            self.from_cell = nn.Conv2d(context_channels, units * shape[0], 1, bias=False)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        h = self.first(x.flatten(1))
        if self.from_context is not None:
            context = present(context)
            h = h + self.from_context(context.flatten(2).mean(2) if context.ndim > 2 else context)
            if self.from_cell is not None:
                h = h + self.from_cell(context).flatten(1)
        for layer in self.hidden:
            h = layer(F.gelu(h))
        raw: Tensor = self.out(F.gelu(h))
        return raw.reshape(x.shape[0], -1, *x.shape[2:])


class MaskedConvolutionNetwork(AutoregressiveNetwork):
    """Masked convolutions in raster order, channels of a cell one after the other, or its reverse.

    Two stacks of residual layers leave no blind spot: one convolves the rows above, the other
    adds the cells to the left, the earlier channels of the cell itself, and the first stack.
    An element sees (layers + 1) * REACH rows up and, in them, as many columns to either side.

    Args:
        shape: (C, H, W).
        context_channels: channels of the context (B, channels, H, W), added cell by cell; 0 if
            there is none.
        size: parameters an element.
        width: hidden channels of each stack, at least C.
        layers: residual layers after the first convolution.
        reverse: whether the order is the reversed raster order.

    Raises:
        ValueError: if shape, width or layers is none of these; by `forward`, if a context is
            missing.

    Reference: van den Oord et al. 2016 (Conditional image generation with PixelCNN decoders);
    in a flow, Kingma et al. 2016.
    """

    REACH = 2
    """Rows above, columns to the left, and, in rows above, to the right that a layer sees."""

    def __init__(
        self,
        shape: Sequence[int],
        context_channels: int,
        size: int,
        *,
        width: int,
        layers: int = 2,
        reverse: bool = False,
    ) -> None:
        super().__init__()
        if len(shape) != 3 or width < shape[0] or layers < 1:
            raise ValueError(
                f"expected shape (C, H, W), width of at least C and layers of at least 1, "
                f"got {tuple(shape)}, {width} and {layers}"
            )
        order = raster_order(shape)
        self.register_buffer("order", order.flip(0) if reverse else order, persistent=False)
        self.channels, self.reverse = shape[0], reverse
        rank = torch.arange(shape[0])
        hidden = torch.arange(width) % shape[0]
        out = rank.repeat_interleave(size)
        self.above = _RowsAbove(shape[0], width, self.REACH, own_row=False)
        self.left = _CellsLeft(hidden[:, None] > rank, self.REACH)
        self.from_context = None
        if context_channels:
            self.from_context = nn.Conv2d(context_channels, 2 * width, 1, bias=False)
        self.layers = nn.ModuleList(_TwoStacks(hidden, self.REACH) for _ in range(layers))
        self.out = zero_initialized(_CellsLeft(out[:, None] >= hidden, 0))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self._in_raster_order(x, 1)
        above, left = self.above(x), self.left(x)
        if self.from_context is not None:
            turned = self._in_raster_order(present(context), 0)
            added = self.from_context(turned).chunk(2, 1)
            above, left = above + added[0], left + added[1]
        for layer in self.layers:
            above, left = layer(above, left)
        raw = self.out(F.gelu(left))
        return self._in_raster_order(raw, raw.shape[1] // self.channels)

    def _in_raster_order(self, grid: Tensor, size: int) -> Tensor:
        """Turns the cells around if the order is reversed, and the channels, `size` as one."""
        if not self.reverse:
            return grid
        grid = grid.flip(2, 3)
        return grid.unflatten(1, (-1, size)).flip(1).flatten(1, 2) if size else grid


class MaskedLinear(nn.Linear):
    """A dense layer without the weights where the mask is false.

    Args:
        mask: (out, in) bool.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


def present(context: Tensor | None) -> Tensor:
    """The context, of a network that needs one."""
    if context is None:
        raise ValueError("context: expected (B, channels, ...), got None")
    return context


class _TwoStacks(nn.Module):
    """A residual layer of both stacks; `hidden` holds the channel of x that a unit belongs to."""

    def __init__(self, hidden: Tensor, reach: int) -> None:
        super().__init__()
        width = len(hidden)
        self.above = _RowsAbove(width, width, reach, own_row=True)
        self.link = nn.Conv2d(width, width, 1, bias=False)
        self.left = _CellsLeft(hidden[:, None] >= hidden, reach)

    def forward(self, above: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
        above = above + self.above(F.gelu(above))
        return above, left + self.left(F.gelu(left)) + self.link(F.gelu(above))


class _RowsAbove(nn.Conv2d):
    """A convolution over the `reach` rows above, and the own row if its input is already above."""

    def __init__(self, channels: int, width: int, reach: int, *, own_row: bool) -> None:
        super().__init__(channels, width, (reach + own_row, 2 * reach + 1))
        self.pads = (reach, reach, reach, 0 if own_row else -1)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.pads))


class _CellsLeft(nn.Conv2d):
    """A convolution over `reach` cells to the left, and the channels of its own that `mask` has."""

    mask: Tensor

    def __init__(self, mask: Tensor, reach: int) -> None:
        super().__init__(mask.shape[1], mask.shape[0], (1, reach + 1))
        all_left = torch.ones(*mask.shape, 1, reach, dtype=torch.bool)
        self.register_buffer("mask", torch.cat([all_left, mask[..., None, None]], -1), False)
        self.reach = reach

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (self.reach, 0)), self.weight * self.mask, self.bias)
