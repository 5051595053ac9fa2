"""The networks of repair: one finds damage, one predicts the mean of what it hides.

Both are U-Nets (Ronneberger et al. 2015) on cells of 2x2 pixels: what is damage is told by what
surrounds it, from the grain beside a scratch to the whole fold that a crack belongs to.

Dimensions: B photos, H and W pixels, multiples of `UNet.multiple`.
"""

from __future__ import annotations

from collections import deque
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
EVIDENCE = 2 + 2 * len(_SQUARES)
"""Planes."""
EVIDENCE_REACH = max(2 * (_SQUARES[-1] // 2), _SURROUNDINGS // 2)
"""Pixels, in each direction, that evidence depends on: an opening goes there and back."""
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
    """What is thinner than its surroundings, which a finder of damage is shown beside lightness.

    Openings and closings by squares (Serra 1982) remove what is narrower than the square and
    lighter, or darker, than what is around it; the differences are known as top hats.

    Args:
        lightness: (H, W) L* in [0, 100].

    Returns:
        Planes of about -1 to 1, (`EVIDENCE`, H, W).
    """
    x = np.ascontiguousarray(lightness)
    planes = [(x - 50) * (RANGE / 50)]
    for side in _SQUARES:
        square = np.ones((side, side), np.uint8)
        planes += [x - cv2.morphologyEx(x, cv2.MORPH_OPEN, square)]
        planes += [cv2.morphologyEx(x, cv2.MORPH_CLOSE, square) - x]
    planes += [x - cv2.blur(x, (_SURROUNDINGS, _SURROUNDINGS))]
    return np.stack(planes).astype(np.float32) / np.float32(RANGE)


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
