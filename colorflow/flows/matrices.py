"""Invertible matrices whose determinant is cheap, with parameters that somebody else computes.

A structure says how a vector of free numbers becomes a matrix W, and applies W and its inverse to
columns. All parameters at zero are the identity (for PLU its fixed signed permutation).

Dimensions: C channels, N columns, n rows of a block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from colorflow.flows.contract import InversionError
from colorflow.flows.elementwise import soft_clamp

MAX_LOG_SCALE = 10.0
"""Soft bound of every log-scale of a linear map: scales lie within e^-10 and e^10."""


class MatrixStructure(nn.Module, ABC):
    """How free numbers become an invertible matrix W.

    Attributes:
        channels: C, rows and columns of W.
        size: free numbers of a matrix.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels: expected at least 1, got {channels}")
        self.channels = channels
        self.size = size

    @abstractmethod
    def multiply(self, parameters: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """parameters (..., size) and x (..., C, N) -> W x (..., C, N) and log |det W| (...)."""

    @abstractmethod
    def solve(self, parameters: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """parameters (..., size) and y (..., C, N) -> W^-1 y (..., C, N) and -log |det W| (...)."""


class DiagonalMatrix(MatrixStructure):
    """One softly bounded scale a channel.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def multiply(self, parameters: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = soft_clamp(parameters, MAX_LOG_SCALE)
        return x * log_scale.exp().unsqueeze(-1), log_scale.sum(-1)

    def solve(self, parameters: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        log_scale = soft_clamp(parameters, MAX_LOG_SCALE)
        return y * (-log_scale).exp().unsqueeze(-1), -log_scale.sum(-1)


class TriangularMatrix(MatrixStructure):
    """A triangle of free numbers and softly bounded positive scales on the diagonal.

    Args:
        channels: C.
        lower: whether the triangle lies below the diagonal.
    """

    def __init__(self, channels: int, *, lower: bool) -> None:
        super().__init__(channels, channels * (channels + 1) // 2)
        self.lower = lower

    def multiply(self, parameters: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        matrix, ladj = self._matrix(parameters)
        return matrix @ x, ladj

    def solve(self, parameters: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        matrix, ladj = self._matrix(parameters)
        return torch.linalg.solve_triangular(matrix, y, upper=not self.lower), -ladj

    def _matrix(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, entries = parameters.split([self.channels, self.size - self.channels], -1)
        log_scale = soft_clamp(log_scale, MAX_LOG_SCALE)
        triangle = _triangle(entries, self.channels, lower=self.lower)
        return triangle + torch.diag_embed(log_scale.exp()), log_scale.sum(-1)


class BlockDiagonalMatrix(MatrixStructure):
    """Unconstrained blocks on the diagonal, each the identity plus its parameters.

    A singular W has log |det W| = -inf, up to rounding, and `solve` raises.

    Args:
        channels: C, a multiple of `block`.
        block: n, rows of a block.

    Raises:
        InversionError: by `solve`, where W is so near to a singular matrix that at most two
            digits of the result would be right (condition number above 1 % of the dtype's 1/eps).
    """

    def __init__(self, channels: int, block: int) -> None:
        if block < 1 or channels % block:
            raise ValueError(f"block: expected a divisor of {channels} channels, got {block}")
        super().__init__(channels, channels * block)
        self.block = block

    def multiply(self, parameters: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        blocks, ladj = self._blocks(parameters)
        return (blocks @ self._by_block(x)).flatten(-3, -2), ladj

    def solve(self, parameters: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        blocks, ladj = self._blocks(parameters)
        require_invertible(blocks, y.dtype)
        return torch.linalg.solve(blocks, self._by_block(y)).flatten(-3, -2), -ladj

    def _by_block(self, x: Tensor) -> Tensor:
        return x.unflatten(-2, (-1, self.block))

    def _blocks(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """(..., C / n, n, n) and log |det W|."""
        changes = parameters.unflatten(-1, (-1, self.block, self.block))
        identity = torch.eye(self.block, dtype=parameters.dtype, device=parameters.device)
        blocks = identity + changes
        return blocks, torch.linalg.slogdet(blocks).logabsdet.sum(-1)


class FullMatrix(BlockDiagonalMatrix):
    """Any matrix, as the identity plus its parameters: a single block.

    A singular W has log |det W| = -inf, up to rounding, and `solve` raises.

    Args:
        channels: C.

    Raises:
        InversionError: by `solve`, as in `BlockDiagonalMatrix`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)


class PLUMatrix(MatrixStructure):
    """W = P L U: a fixed permutation, a unit lower triangle, and an upper one.

    The diagonal of U has fixed signs and softly bounded scales.

    Args:
        channels: C.

    Reference: Kingma & Dhariwal 2018 (Glow), section 3.2.
    """

    order: Tensor
    negative: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels**2)
        self.register_buffer("order", torch.arange(channels))
        self.register_buffer("negative", torch.zeros(channels, dtype=torch.bool))

    @classmethod
    def factorize(cls, matrix: Tensor) -> tuple[PLUMatrix, Tensor]:
        """The structure with the permutation and the signs of a matrix, and its parameters.

        Args:
            matrix: (C, C), invertible.

        Returns:
            The structure, and the parameters (size,) with which it is `matrix`.

        Raises:
            ValueError: if a pivot lies outside of the bounds of the scales.
        """
        permutation, lower, upper = torch.linalg.lu(matrix)
        log_scale = upper.diagonal().abs().log()
        if not (log_scale.abs() < MAX_LOG_SCALE).all():
            pivots = upper.diagonal().tolist()
            raise ValueError(f"matrix: expected pivots within e^±{MAX_LOG_SCALE:g}, got {pivots}")
        structure = cls(matrix.shape[0])
        structure.order.copy_(permutation.argmax(1))
        structure.negative.copy_(upper.diagonal() < 0)
        count = structure.channels
        below = lower[tuple(torch.tril_indices(count, count, -1))]
        above = upper[tuple(torch.triu_indices(count, count, 1))]
        return structure, torch.cat([soft_clamp_inverse(log_scale, MAX_LOG_SCALE), below, above])

    def multiply(self, parameters: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        lower, upper, ladj = self._factors(parameters)
        return (lower @ (upper @ x))[..., self.order, :], ladj

    def solve(self, parameters: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        lower, upper, ladj = self._factors(parameters)
        y = y[..., self.order.argsort(), :]
        y = torch.linalg.solve_triangular(lower, y, upper=False, unitriangular=True)
        return torch.linalg.solve_triangular(upper, y, upper=True), -ladj

    def _factors(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """L and U, each (..., C, C), and log |det W|."""
        triangle = self.channels * (self.channels - 1) // 2
        log_scale, below, above = parameters.split([self.channels, triangle, triangle], -1)
        log_scale = soft_clamp(log_scale, MAX_LOG_SCALE)
        lower = _triangle(below, self.channels, lower=True)
        lower = lower + torch.eye(self.channels, dtype=lower.dtype, device=lower.device)
        scale = torch.where(self.negative, -log_scale.exp(), log_scale.exp())
        upper = _triangle(above, self.channels, lower=False) + torch.diag_embed(scale)
        return lower, upper, log_scale.sum(-1)


def random_rotation(channels: int, seed: int) -> Tensor:
    """A (C, C) float64 rotation matrix, uniform over all rotations."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    matrix, triangle = torch.linalg.qr(noise)
    matrix = matrix * triangle.diagonal().sign()  # otherwise not uniform
    if torch.linalg.det(matrix) < 0:
        matrix[:, 0] *= -1
    return matrix


def require_invertible(blocks: Tensor, dtype: torch.dtype) -> None:
    """Raises where a block-diagonal matrix is singular to working precision.

    Args:
        blocks: (..., blocks, n, n), real or complex.
        dtype: whose precision counts.

    Raises:
        InversionError: if the 1-norm condition number exceeds 0.01 / eps of the dtype.
    """
    blocks = blocks.detach()
    inverses, singular = torch.linalg.inv_ex(blocks)
    norms = [torch.linalg.matrix_norm(x, 1).amax(-1) for x in (blocks, inverses)]
    condition = (norms[0] * norms[1]).masked_fill(singular.any(-1), torch.inf)
    limit = 0.01 / torch.finfo(dtype).eps
    if not (condition <= limit).all():
        raise InversionError(
            f"singular to the precision of {dtype}: the condition number is "
            f"{condition.max().item():.2g}, at most {limit:.2g} can be inverted"
        )


def soft_clamp_inverse(y: Tensor, limit: float) -> Tensor:
    """The x with soft_clamp(x, limit) = y, for |y| < limit."""
    half_turn = torch.pi / 2 / limit
    return torch.tan(y * half_turn) / half_turn


def _triangle(entries: Tensor, channels: int, *, lower: bool) -> Tensor:
    """(..., C * (C - 1) / 2), by rows, -> strictly triangular (..., C, C)."""
    indices = torch.tril_indices if lower else torch.triu_indices
    rows, columns = indices(channels, channels, -1 if lower else 1, device=entries.device)
    matrix = entries.new_zeros(*entries.shape[:-1], channels, channels)
    matrix[..., rows, columns] = entries
    return matrix
