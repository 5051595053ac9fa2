"""Rearrangements of an image that a multi-scale flow is made of, and wavelet steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.contract import Bijection, Composition


class Squeeze(Bijection):
    """Space to depth: (B, C, H, W) -> (B, 4C, H/2, W/2), volume-preserving.

    Channel 4c + k of z is cell k of channel c, cells in reading order; so squeeze Kingma & Dhariwal
    2018 (Glow) and, between couplings, Dinh et al. 2017 (RealNVP).

    Reference: Dinh et al. 2017 (RealNVP), section 3.6.
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_can_be_halved(x)
        return F.pixel_unshuffle(x, 2), x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_can_be_doubled(z)
        return F.pixel_shuffle(z, 2), z.new_zeros(z.shape[0])


class Haar(Bijection):
    """One step of the Haar pyramid: (B, C, H, W) -> (B, 4C, H/2, W/2).

    The first C channels are the means of the 2x2 cells, in the unit of x; the other 3C are the
    orthonormal horizontal, vertical and diagonal details, grouped by kind: independent noise of
    std s on x is independent noise of std s on every detail and of std s/2 on every mean.

    Reference: Yu et al. 2020 (Wavelet Flow).
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_can_be_halved(x)
        a, b = x[..., 0::2, 0::2], x[..., 0::2, 1::2]
        c, d = x[..., 1::2, 0::2], x[..., 1::2, 1::2]
        parts = [(a + b + c + d) / 4, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2]
        return torch.cat(parts, 1), _ladj_of_step(x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_can_be_doubled(z)
        mean, h, v, d = z.chunk(4, 1)
        parts = [mean + (h + v + d) / 2, mean + (v - h - d) / 2]
        parts += [mean + (h - v - d) / 2, mean + (d - h - v) / 2]
        batch, channels, height, width = mean.shape
        cells = torch.stack(parts, -1).reshape(batch, channels, height, width, 2, 2)
        x = cells.permute(0, 1, 2, 4, 3, 5).reshape(batch, channels, 2 * height, 2 * width)
        return x, -_ladj_of_step(x)


class Reshape(Bijection):
    """The same numbers, in the same order, in another shape.

    Args:
        from_shape: of one sample of x, such as (C, H, W).
        to_shape: of one sample of z.
    """

    def __init__(self, from_shape: Sequence[int], to_shape: Sequence[int]) -> None:
        super().__init__()
        self.from_shape, self.to_shape = tuple(from_shape), tuple(to_shape)
        if math.prod(self.from_shape) != math.prod(self.to_shape):
            raise ValueError(
                f"to_shape: expected as many numbers as in {self.from_shape}, got {self.to_shape}"
            )

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_shape("x", x, self.from_shape)
        return x.reshape(-1, *self.to_shape).clone(), x.new_zeros(x.shape[0])

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_shape("z", z, self.to_shape)
        return z.reshape(-1, *self.from_shape).clone(), z.new_zeros(z.shape[0])


class Flatten(Reshape):
    """(B, ...) -> (B, n), in the order of memory.

    Args:
        shape: of one sample, such as (C, H, W).
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(shape, [math.prod(shape)])


class Split(Bijection):
    """The multi-scale split: some channels go on, the others become latents here and are kept.

    (B, C, H, W) -> (B, n): first the latents of the channels that go on, as `kept` makes them,
    then those of the dropped ones in the order of memory. So the coarsest of nested splits comes
    first. Nothing is lost: `inverse` finds both parts again.

    Args:
        shape: (C, H, W) of a sample.
        kept_channels: how many of the first channels go on.
        kept: what happens to them, (B, kept_channels, H, W) -> flat (B, n_kept), such as a
            composition that ends in `Flatten` or in another split.
        dropped: what happens to the others, (B, C - kept_channels, H, W) -> the same shape;
            None leaves them as they are.
        context_of_dropped: maps (kept channels, context) to the context of `dropped`: the dropped
            part is then conditioned on what is kept, exactly. None passes the context on.

    Raises:
        ValueError: in use, if `kept` or `dropped` makes another shape than it should.

    Reference: Dinh et al. 2017 (RealNVP), section 3.6; with a conditional prior as in Kingma &
    Dhariwal 2018 (Glow) and Lugmayr et al. 2020 (SRFlow).
    """

    def __init__(
        self,
        shape: Sequence[int],
        kept_channels: int,
        kept: Bijection,
        dropped: Bijection | None = None,
        context_of_dropped: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        channels, *grid = self.shape
        if not 0 < kept_channels < channels:
            raise ValueError(f"kept_channels: expected 1 to {channels - 1}, got {kept_channels}")
        self.kept_shape = (kept_channels, *grid)
        self.dropped_shape = (channels - kept_channels, *grid)
        self.kept = kept
        self.dropped = Composition([]) if dropped is None else dropped
        self.context_of_dropped = context_of_dropped

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_shape("x", x, self.shape)
        kept, dropped = x.split([self.kept_shape[0], self.dropped_shape[0]], 1)
        z_kept, ladj_kept = self.kept(kept, context)
        z_dropped, ladj_dropped = self.dropped(dropped, self._context(kept, context))
        _check_shape("latents of kept", z_kept, (math.prod(self.kept_shape),))
        _check_shape("latents of dropped", z_dropped, self.dropped_shape)
        return torch.cat([z_kept, z_dropped.flatten(1)], 1), ladj_kept + ladj_dropped

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_shape("z", z, (math.prod(self.shape),))
        z_kept, z_dropped = z.split([math.prod(self.kept_shape), math.prod(self.dropped_shape)], 1)
        kept, ladj_kept = self.kept.inverse(z_kept, context)
        dropped, ladj_dropped = self.dropped.inverse(
            z_dropped.unflatten(1, self.dropped_shape), self._context(kept, context)
        )
        return torch.cat([kept, dropped], 1), ladj_kept + ladj_dropped

    def _context(self, kept: Tensor, context: Tensor | None) -> Tensor | None:
        if self.context_of_dropped is None:
            return context
        return self.context_of_dropped(kept, context)


class CDF53(Bijection):
    """One step of the CDF 5/3 wavelet of JPEG 2000: (B, C, H, W) -> (B, 4C, H/2, W/2).

    Lifting, along rows, then along columns: every odd number becomes a detail, the error of its
    prediction by the mean of its even neighbors; the even numbers are smoothed by the details
    beside them. Both are additive couplings. Beyond the borders, x is mirrored.

    Channels are in the order of `Haar`, and the ladj is that of `Haar`: first the coarse band, in
    the unit of x, then horizontal, vertical and diagonal details. Without details, the coarse band
    is interpolated linearly, where `Haar` repeats it. Its numbers stand at the even rows and
    columns, not in the middle of 2x2 cells. Independent noise of std s on x has std 0.72 s on the
    coarse band, 1.04 s on horizontal and vertical, and 0.75 s on diagonal details.

    Reference: LeGall & Tabatabai 1988; Cohen, Daubechies & Feauveau 1992; Sweldens 1996 (lifting).
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_can_be_halved(x)
        low, high = _split(x)
        coarse, vertical = _split(low.mT)
        horizontal, diagonal = _split(high.mT)
        z = torch.cat([coarse, horizontal, vertical, diagonal / 2], 1).mT
        return z.contiguous(), _ladj_of_step(x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _check_can_be_doubled(z)
        coarse, horizontal, vertical, diagonal = z.mT.chunk(4, 1)
        low, high = _join(coarse, vertical), _join(horizontal, 2 * diagonal)
        return _join(low.mT, high.mT), -_ladj_of_step(z)


def _ladj_of_step(x: Tensor) -> Tensor:
    """Of a wavelet step: a quarter of the numbers are halved.

    For Haar each mean is half of its orthonormal coefficient. Lifting keeps the volume, and the
    diagonal details are halved.
    """
    return x.new_full((x.shape[0],), -math.log(2) * x[0].numel() / 4)


def _check_shape(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    if value.shape[1:] != shape:
        expected = ", ".join(map(str, shape))
        raise ValueError(f"{name}: expected (B, {expected}), got {tuple(value.shape)}")


def _check_can_be_halved(x: Tensor) -> None:
    if x.ndim != 4 or x.shape[2] % 2 or x.shape[3] % 2:
        raise ValueError(f"x: expected (B, C, even H, even W), got {tuple(x.shape)}")


def _check_can_be_doubled(z: Tensor) -> None:
    if z.ndim != 4 or z.shape[1] % 4:
        raise ValueError(f"z: expected (B, 4C, H, W), got {tuple(z.shape)}")


def _split(x: Tensor) -> tuple[Tensor, Tensor]:
    """The last dimension: (..., 2n) -> coarse and details, (..., n) each."""
    even, odd = x[..., 0::2], x[..., 1::2]
    details = _between(even) - odd
    return even - _beside(details) / 2, details


def _join(coarse: Tensor, details: Tensor) -> Tensor:
    """Undoes `_split`."""
    even = coarse + _beside(details) / 2
    return torch.stack([even, _between(even) - details], -1).flatten(-2)


def _between(even: Tensor) -> Tensor:
    """The mean of every number and the next; the last stands for its mirror image."""
    return (even + torch.cat([even[..., 1:], even[..., -1:]], -1)) / 2


def _beside(details: Tensor) -> Tensor:
    """The mean of every number and the one before; the first stands for its mirror image."""
    return (details + torch.cat([details[..., :1], details[..., :-1]], -1)) / 2
