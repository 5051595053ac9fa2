"""The networks of repair: one finds damage, one predicts the mean of what it hides.

Both are U-Nets (Ronneberger et al. 2015) on cells of 2x2 pixels: what is damage is told by what
surrounds it, from the grain beside a scratch to the whole fold that a crack belongs to.

Dimensions: B photos, H and W pixels, multiples of `UNet.multiple`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise, starmap
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.repair.strips import CELL, Strips, beside, mapped, reach_of, remembered

_SQUARES = (5, 11, 21)
"""Pixels."""
_SURROUNDINGS = 17
"""Pixels: side of the square of which the mean is taken."""
RANGE = 25.0
"""L* units that become 1."""
_DIAGONALS = {(3, 1): 8, (3, 2): 8, (1, 1): 16, (2, 3): 8, (1, 3): 8}
_LINES = {(1, 0): 32, (0, 1): 32, **_DIAGONALS}
"""Columns and rows from one sample of a line to the next, and how many: 22 to 32 pixels."""
_BESIDE, _LINE_REACH = 5, 22
"""Pixels from a line to those at its sides; and that all of them keep within."""
_LINE_COLUMNS = 512
"""Of a picture, looked at one after the other, so that they stay in a processor's cache."""
_LINE_NOISE, _LINE_RANGE = 3.0, 3.0
"""L* units that are added to the std along a line; and such stds that become 1."""
EVIDENCE = 2 + 2 * len(_SQUARES) + 2 * 4
"""Planes."""
EVIDENCE_REACH = 2 * _LINE_REACH
"""Pixels, in each direction, that evidence depends on; even, so that strips are halved alike."""
LARGEST_WIDTH, LARGEST_SCALES = 256, 6
"""Bounds of what a header may ask for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UNetConfig:
    """Shape of a U-Net.

    Attributes:
        widths: channels at each scale, from cells of 2x2 pixels to ever coarser ones.
    """

    widths: tuple[int, ...] = (24, 48, 72, 96, 112)

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        if not 1 <= len(self.widths) <= LARGEST_SCALES:
            raise ValueError(f"widths: expected 1 to {LARGEST_SCALES}, got {len(self.widths)}")
        if not all(isinstance(width, int) and 1 <= width <= LARGEST_WIDTH for width in self.widths):
            raise ValueError(f"widths: expected numbers of 1 to {LARGEST_WIDTH}, got {self.widths}")

    @property
    def least_weights(self) -> int:
        """Weights that a network of this shape has at least."""
        return sum(9 * width**2 for width in self.widths)

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


class UNet(nn.Module):
    """Maps planes of pixels to features of cells, seeing ever more of what surrounds them.

    Args:
        planes: P, of the input.
        widths: channels at each scale.
    """

    def __init__(self, planes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.multiple = 2 ** len(widths)
        ins = (CELL * planes, *widths[:-1])
        self.down = nn.ModuleList(_Block(one, out) for one, out in zip(ins, widths, strict=True))
        self.lift = nn.ModuleList(nn.Conv2d(below, own, 1) for own, below in pairwise(widths))
        self.up = nn.ModuleList(_Block(own, own) for own in widths[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """(B, P, H, W), about -1 to 1 -> (B, widths[0], H/2, W/2)."""
        x = _cells(x)
        passed = []
        for index, block in enumerate(self.down):
            x = block(_halved(x) if index else x)
            passed.append(x)
        steps = zip(self.lift, self.up, passed[:-1], strict=True)
        for lift, block, own in reversed(list(steps)):
            x = block(own + _doubled(lift(x)))
        return x

    def strips(self, strips: Strips) -> Strips:
        """The same of a picture in strips, whose sides are multiples of `multiple`."""
        x: Strips = map(_cells, strips)
        passed: list[deque[Tensor]] = [deque() for _ in self.up]
        for index, block in enumerate(self.down):
            if index:
                x = map(_halved, remembered(x, passed[index - 1]))
            x = mapped(block, reach_of(block), x)
        steps = zip(self.lift, self.up, passed, strict=True)
        for lift, block, own in reversed(list(steps)):
            pairs = beside(map(_doubled, map(lift, x)), own)
            x = mapped(block, reach_of(block), starmap(torch.add, pairs))
        return x

    def reach(self, around: int) -> int:
        """Pixels around cells of all scales that their features depend on, in each direction.

        Args:
            around: pixels around them whose features are wanted, too.
        """
        *upper, lowest = [2**scale for scale in range(1, len(self.down) + 1)]
        for cell, block in zip(upper, self.up, strict=True):
            around += cell * reach_of(block)
            around = -(-around // (2 * cell)) * 2 * cell
        for cell, block in zip((lowest, *reversed(upper)), reversed(self.down), strict=True):
            around += cell * reach_of(block)
        return around


def _cells(x: Tensor) -> Tensor:
    return F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)


def _halved(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2)


class _Block(nn.Module):
    """A residual block (He et al. 2016)."""

    def __init__(self, ins: int, out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(ins, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
        )
        self.second = nn.Sequential(
            nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        )
        self.skip = nn.Conv2d(ins, out, 1) if ins != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.skip(x) + self.second(self.first(x)))


class Finder(nn.Module):
    """Finds damage in lightness, given `evidence` of it.

    Args:
        config: its shape.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.net = UNet(EVIDENCE, config.widths)
        self.out = nn.Conv2d(config.widths[0], CELL, 3, padding=1)
        assert self.out.bias is not None
        nn.init.constant_(self.out.bias, -3.0)  # about the share of damage

    @property
    def multiple(self) -> int:
        """What sides must be multiples of."""
        return self.net.multiple

    def forward(self, lightness: Tensor) -> Tensor:
        """(B, 1, H, W) L* in [0, 100] -> log odds of damage, (B, 1, H, W)."""
        return F.pixel_shuffle(self.out(self.net(_evidence(lightness))), 2)

    def strips(self, strips: Strips) -> Strips:
        """The same of a picture in strips, whose sides are multiples of `multiple`."""
        features = self.net.strips(mapped(_evidence, EVIDENCE_REACH, strips))
        for odds in mapped(self.out, reach_of(self.out), features):
            yield F.pixel_shuffle(odds, 2)


def evidence(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a finder of damage is shown: lightness, and what is thin or drawn out in it.

    Args:
        lightness: (H, W) L* in [0, 100], both even.

    Returns:
        Planes of about -1 to 1, (`EVIDENCE`, H, W).
    """
    x = np.ascontiguousarray(lightness, np.float32)
    height, width = x.shape
    halved = x.reshape(height // 2, 2, width // 2, 2).mean((1, 3), dtype=np.float32)
    planes = [
        (x - 50)[None] / 50,
        top_hats(x) / RANGE,
        (x - cv2.blur(x, (_SURROUNDINGS, _SURROUNDINGS)))[None] / RANGE,
        _lines(x),
        _lines(halved).repeat(2, 1).repeat(2, 2),
    ]
    return np.concatenate(planes, dtype=np.float32)


def top_hats(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is thinner than its surroundings: by how much it is lighter, or darker.

    Openings and closings by squares (Serra 1982) remove what is narrower than the square and
    lighter, or darker, than what is around it; these are the differences.

    Args:
        lightness: (H, W) L*.

    Returns:
        L* units, two planes for each square, (2 * squares, H, W).
    """
    planes = []
    for side in _SQUARES:
        square = np.ones((side, side), np.uint8)
        planes += [lightness - cv2.morphologyEx(lightness, cv2.MORPH_OPEN, square)]
        planes += [cv2.morphologyEx(lightness, cv2.MORPH_CLOSE, square) - lightness]
    return np.stack(planes)


def _lines(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """By how much a line through each pixel is lighter, or darker, than both its sides.

    In grass and walls, pixels differ as much as a crack does from what it hides, but means along
    lines do not. The largest of twelve directions, in L* units and in stds along the line.

    Reference: Tupin et al. 1998 (roads in radar images).

    Args:
        x: (H, W) L*.

    Returns:
        About 0 to 1: lighter and darker in L* units, then in stds, (4, H, W).
    """
    height, width = x.shape
    edges = (_LINE_REACH,) * 4
    padded = np.asarray(cv2.copyMakeBorder(x - 50, *edges, cv2.BORDER_REPLICATE), np.float32)
    found = np.empty((4, height, width), np.float32)
    for left in range(0, width, _LINE_COLUMNS):
        part = padded[:, left : left + _LINE_COLUMNS + 2 * _LINE_REACH]
        mirrored = _lines_downwards(np.ascontiguousarray(part[:, ::-1]), _DIAGONALS)
        lines = np.maximum(_lines_downwards(part, _LINES), mirrored[:, :, ::-1])
        found[:, :, left : left + _LINE_COLUMNS] = lines
    found[:2] /= RANGE
    found[2:] /= _LINE_RANGE
    return found


def _lines_downwards(
    padded: NDArray[np.float32], lines: Mapping[tuple[int, int], int]
) -> NDArray[np.float32]:
    """`_lines` of some directions, not yet scaled, without `_LINE_REACH` pixels at each side."""
    height, width = (side - 2 * _LINE_REACH for side in padded.shape)
    squares = padded * padded
    found = np.zeros((4, height, width), np.float32)
    for step, samples in lines.items():
        first = _LINE_REACH - np.rint((samples - 1) / 2 * np.array(step)).astype(int)
        aside = np.rint(_BESIDE / np.hypot(*step) * np.array([-step[1], step[0]])).astype(int)
        means, powers = (_means_along(values, step, samples) for values in (padded, squares))
        middle, one, other, power = (
            plane[row : row + height, column : column + width]
            for plane, (column, row) in (
                *((means, first + to) for to in (0, aside, -aside)),
                (powers, first),
            )
        )
        std = np.sqrt(np.maximum(power - middle * middle, 0)) + np.float32(_LINE_NOISE)
        lighter, darker = middle - np.maximum(one, other), np.minimum(one, other) - middle
        for plane, value in zip(found, (lighter, darker, lighter / std, darker / std), strict=True):
            np.maximum(plane, value, out=plane)
    return found


def _means_along(
    values: NDArray[np.float32], step: tuple[int, int], samples: int
) -> NDArray[np.float32]:
    """Means of samples, of a number that is a power of two, from each pixel on."""
    columns, rows = step
    for taken in 2 ** np.arange(int(math.log2(samples))):
        across, down = columns * taken, rows * taken
        height, width = values.shape
        values = values[: height - down, : width - across] + values[down:, across:]
    return np.asarray(values / samples, np.float32)


def _evidence(lightness: Tensor) -> Tensor:
    seen = np.stack([evidence(one) for one in lightness[:, 0].cpu().numpy()])
    return torch.from_numpy(seen).to(lightness)


class MeanFill(nn.Module):
    """Predicts the mean of lightness that damage hides.

    Args:
        config: its shape.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.net = UNet(2, config.widths)
        self.out = nn.Conv2d(config.widths[0], CELL, 3, padding=1)
        nn.init.zeros_(self.out.weight)

    @property
    def multiple(self) -> int:
        """What sides must be multiples of."""
        return self.net.multiple

    def forward(self, filled: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Corrects what a classical method has filled in.

        Args:
            filled: (B, 1, H, W) L* in [0, 100], with a first guess inside the mask.
            mask: (B, 1, H, W), 1 where the photo is damaged and 0 elsewhere.

        Returns:
            (B, 1, H, W) L*, which outside the mask is `filled`, and the features behind it
            (B, widths[0], H/2, W/2).
        """
        features = self.net(fill_planes(filled, mask))
        change = 50 * F.pixel_shuffle(self.out(features), 2)
        return filled + mask * change, features


def fill_planes(filled: Tensor, mask: Tensor) -> Tensor:
    """What a `MeanFill` sees, about -1 to 1: (B, 2, H, W), given its arguments."""
    return torch.cat([filled / 50 - 1, 2 * mask - 1], 1)
