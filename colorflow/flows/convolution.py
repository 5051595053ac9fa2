"""Invertible convolutions larger than one cell.

Both are linear, mix channels and cells, and start as the identity.

Reference: Hoogeboom, van den Berg & Welling 2019 (emerging convolutions).

Dimensions: C channels, k rows and columns of a kernel, F = W // 2 + 1 frequencies of a row.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.contract import Bijection
from colorflow.flows.elementwise import soft_clamp
from colorflow.flows.matrices import MAX_LOG_SCALE, require_invertible


class EmergingConvolution(Bijection):
    """Two masked convolutions, one in reading order and one in the opposite order.

    Each is a triangular map, so that ladj is H * W * the sum of its log-scales; together they see
    a whole neighborhood of every cell. The inverse is exact, one cell after the other, in float64:
    where the numbers off the kernels' centers are large, it amplifies every rounding of z.

    Args:
        channels: C of (B, C, H, W).
        kernel: k, odd and at least 3.

    Reference: Hoogeboom, van den Berg & Welling 2019.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        if kernel < 3 or kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd number of at least 3, got {kernel}")
        self.first = _MaskedConvolution(channels, kernel)
        self.second = _MaskedConvolution(channels, kernel)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, ladj = self.first(x)
        z, term = self.second(_reverse(y))
        return _reverse(z), ladj + term

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, ladj = self.second.inverse(_reverse(z.double()))
        x, term = self.first.inverse(_reverse(y))
        return x.to(z.dtype), (ladj + term).to(z.dtype)


class _MaskedConvolution(Bijection):
    """z = x convolved with a kernel that sees earlier cells, and earlier channels of its own cell.

    Cells are ordered row by row. The kernel's diagonal is a softly bounded scale a channel.
    """

    mask: Tensor

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.radius = kernel // 2
        self.weight = nn.Parameter(torch.zeros(channels, channels, kernel, kernel))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        mask = torch.zeros_like(self.weight, dtype=torch.bool)
        mask[:, :, : self.radius] = True
        mask[:, :, self.radius, : self.radius] = True
        mask[:, :, self.radius, self.radius] = torch.ones(channels, channels).tril(-1).bool()
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            kernel, ladj = self._kernel(x)
            return F.conv2d(x, kernel, padding=self.radius), ladj

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with torch.autocast(z.device.type, enabled=False):
            kernel, ladj = self._kernel(z)
            return self._substitute(kernel, z), -ladj

    def _kernel(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(C, C, k, k) and the ladj of `forward`."""
        log_scale = soft_clamp(self.log_scale.to(x.dtype), MAX_LOG_SCALE)
        kernel = self.weight.to(x.dtype) * self.mask + _at_center(log_scale.exp(), self.radius)
        return kernel, (log_scale.sum() * (x.shape[2] * x.shape[3])).expand(x.shape[0])

    def _substitute(self, kernel: Tensor, z: Tensor) -> Tensor:
        """Solves for one cell after the other, given the cells before it."""
        radius = self.radius
        center = kernel[:, :, radius, radius]
        # Divided by the kernel's center, a cell is its target minus a sum over earlier cells.
        flat = torch.linalg.solve_triangular(center, kernel.flatten(1), upper=False)
        kernel = flat.view_as(kernel)
        above, left = kernel[:, :, :radius], kernel[:, :, radius, :radius]
        targets = torch.linalg.solve_triangular(center, z.flatten(2), upper=False).view_as(z)
        rows = [torch.zeros_like(z[:, :, 0])] * radius
        for target in targets.unbind(2):
            seen = torch.stack(rows[-radius:], 2)
            target = target - F.conv2d(seen, above, padding=(0, radius)).squeeze(2)
            cells: list[Tensor] = []
            for cell in target.unbind(2):
                for distance, earlier in enumerate(reversed(cells[-radius:]), start=1):
                    cell = cell - earlier @ left[:, :, radius - distance].T
                cells.append(cell)
            rows.append(torch.stack(cells, 2))
        return torch.stack(rows[radius:], 2)


class PeriodicConvolution(Bijection):
    """Convolution on a grid whose opposite edges meet; at each frequency it is one C x C matrix.

    ladj is the sum over all frequencies of log |det| of that matrix: -inf where one is singular.
    Everything is computed in float64, whatever the dtype of x.

    Args:
        channels: C of (B, C, H, W).
        kernel: k, odd.

    Raises:
        InversionError: by `inverse`, if the frequency responses are singular to the precision of
            z, so that at most two digits of the result could be right.

    Reference: Hoogeboom, van den Berg & Welling 2019; Karami et al. 2019.
    """

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel: expected an odd number, got {kernel}")
        self.radius = kernel // 2
        self.weight = nn.Parameter(torch.zeros(channels, channels, kernel, kernel))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            response, ladj = self._response(x)
            return _from_frequencies(response @ _to_frequencies(x), x), ladj

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with torch.autocast(z.device.type, enabled=False):
            response, ladj = self._response(z)
            require_invertible(response.flatten(0, 1), z.dtype)
            return _from_frequencies(torch.linalg.solve(response, _to_frequencies(z)), z), -ladj

    def _response(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The matrix of every frequency, (H, F, C, C) complex, and the ladj of `forward`."""
        batch, channels, height, width = x.shape
        identity = _at_center(
            torch.ones(channels, dtype=torch.float64, device=x.device), self.radius
        )
        kernel = (self.weight.double() + identity).to(torch.complex128)
        rows = self._phases(height, height, x.device)
        columns = self._phases(width // 2 + 1, width, x.device)
        response = torch.einsum("oiab,ua,vb->uvoi", kernel.to(rows.dtype), rows, columns)
        # All but the first and, of an even width, the last column also stand for their conjugates.
        counts = torch.full((width // 2 + 1,), 2.0, dtype=torch.float64, device=x.device)
        counts[0] = 1
        if width % 2 == 0:
            counts[-1] = 1
        ladj = (torch.linalg.slogdet(response).logabsdet * counts).sum()
        return response, ladj.to(x.dtype).expand(batch)

    def _phases(self, count: int, length: int, device: torch.device) -> Tensor:
        """exp(2 pi i f d / length), (count, k), for frequencies f and offsets d from the center."""
        offsets = torch.arange(-self.radius, self.radius + 1, device=device, dtype=torch.float64)
        frequencies = torch.arange(count, device=device, dtype=torch.float64)
        angles = 2 * torch.pi / length * torch.outer(frequencies, offsets)
        return torch.polar(torch.ones_like(angles), angles)


def _to_frequencies(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (H, F, C, B) complex."""
    return torch.fft.rfft2(x.double()).permute(2, 3, 1, 0)


def _from_frequencies(spectrum: Tensor, like: Tensor) -> Tensor:
    """(H, F, C, B) complex -> (B, C, H, W), in the dtype of `like`."""
    return torch.fft.irfft2(spectrum.permute(3, 2, 0, 1), s=like.shape[2:]).to(like.dtype)


def _at_center(diagonal: Tensor, radius: int) -> Tensor:
    """(C,) -> a kernel (C, C, k, k) that multiplies each channel by its number."""
    return F.pad(torch.diag(diagonal)[:, :, None, None], (radius,) * 4)


def _reverse(x: Tensor) -> Tensor:
    """Channels, rows and columns in the opposite order."""
    return x.flip(1, 2, 3)
