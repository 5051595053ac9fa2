"""Layers and networks whose Lipschitz constant in x is bounded, for invertible residual blocks.

A layer's weight is divided by its operator norm where that exceeds the layer's coefficient. The
norm of a matrix is exact. The norm of a convolution is that of the operator on its whole grid
(zero padding included), found by subspace iteration: an estimate from below that is correct to
`NORM_ACCURACY`, by which it is raised, so that the bound holds.

Reference: Miyato et al. 2018 (spectral normalization); Gouk et al. 2018 and Behrmann et al. 2019
(the convolution's own operator); Chen et al. 2019 (LipSwish).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Function = Callable[[Tensor], Tensor]

NORM_ACCURACY = 1e-3
"""Relative accuracy of the norm of a convolution."""


class LipSwish(nn.Module):
    """x * sigmoid(beta * x) / 1.1: smooth, slope within (-1, 1), a second derivative everywhere.

    Reference: Chen et al. 2019 (Residual Flow).
    """

    STEEPEST = 1.1
    """Above the largest slope of x * sigmoid(beta * x), 1.0998 for every beta > 0."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor([0.5]))

    def forward(self, x: Tensor) -> Tensor:
        """(...) -> (...)."""
        return x * torch.sigmoid(F.softplus(self.sharpness) * x) / self.STEEPEST


class LipschitzLayer(nn.Module, ABC):
    """A linear map of x plus a bias, whose operator norm never exceeds a coefficient.

    Attributes:
        weight: free; used as it is where its norm is small enough, shrunk where it is not.
        bias: (channels out,).
        coefficient: largest norm, positive.
    """

    def __init__(self, like: nn.Linear | nn.Conv2d, coefficient: float) -> None:
        super().__init__()
        if not coefficient > 0:
            raise ValueError(f"coefficient: expected a positive number, got {coefficient}")
        assert like.bias is not None
        self.weight, self.bias = like.weight, like.bias
        self.coefficient = coefficient

    @abstractmethod
    def bounded(self) -> Function:
        """The layer as a function, its norm computed once for any number of calls."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, ...) -> (B, out, ...)."""
        return self.bounded()(x)

    def _scaled(self, norm: Tensor) -> Tensor:
        return self.weight * (self.coefficient / norm.clamp_min(self.coefficient))


class LipschitzLinear(LipschitzLayer):
    """A linear layer whose matrix has at most a given norm; the norm is exact.

    Args:
        in_features: numbers in.
        out_features: numbers out.
        coefficient: largest norm, positive.

    Raises:
        ValueError: if the coefficient is not positive.
    """

    def __init__(self, in_features: int, out_features: int, coefficient: float) -> None:
        super().__init__(nn.Linear(in_features, out_features), coefficient)

    def bounded(self) -> Function:
        weight = self._scaled(torch.linalg.matrix_norm(self.weight, 2))
        return lambda x: F.linear(x, weight, self.bias)


class LipschitzConvolution(LipschitzLayer):
    """A zero-padded convolution whose operator on a grid has at most a given norm.

    In training the search for the largest stretch goes on from where the last call left it; in
    evaluation it starts afresh for every new weight, so the layer depends on its state alone.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel_size: odd.
        grid: (H, W), the largest grid it will be used on; on a smaller one the norm is smaller.
        coefficient: largest norm, positive.

    Raises:
        ValueError: if the kernel size is even or the coefficient is not positive.
    """

    directions: Tensor

    TOLERANCE = 1e-5
    """Relative growth of the norm in half an iteration at which it counts as found."""
    MOST_ITERATIONS = 1000
    SUBSPACE = 4
    """Directions iterated at once: the largest stretches of a convolution lie close together."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        grid: tuple[int, int],
        coefficient: float,
    ) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size: expected an odd number, got {kernel_size}")
        super().__init__(nn.Conv2d(in_channels, out_channels, kernel_size), coefficient)
        self.grid = grid
        self.padding = kernel_size // 2
        self.register_buffer("directions", self._fresh_directions(), persistent=False)
        self._found_for: tuple[object, ...] | None = None

    def bounded(self) -> Function:
        weight = self._scaled(self._norm())

        def function(x: Tensor) -> Tensor:
            if x.shape[-2] > self.grid[0] or x.shape[-1] > self.grid[1]:
                raise ValueError(f"x: expected a grid within {self.grid}, got {tuple(x.shape)}")
            return F.conv2d(x, weight, self.bias, padding=self.padding)

        return function

    def _norm(self) -> Tensor:
        if self.padding == 0:
            return torch.linalg.matrix_norm(self.weight[:, :, 0, 0], 2)
        left, right = self._largest_stretch()
        stretched = F.conv2d(right, self.weight, padding=self.padding)
        return (left * stretched).sum() * (1 + NORM_ACCURACY)

    @torch.no_grad()
    def _largest_stretch(self) -> tuple[Tensor, Tensor]:
        """The unit images (1, out, H, W) and (1, in, H, W) of the largest singular value.

        Training always goes one step on, lest it rest on a stretch that another has overtaken.
        """
        weight = (self.weight.data_ptr(), self.weight._version, self.weight.dtype)
        if not self.training and weight != self._found_for:
            self.directions.copy_(self._fresh_directions())
        self._found_for = None if self.training else weight
        basis = self.directions.clone()
        for _ in range(self.MOST_ITERATIONS):
            image = F.conv2d(basis, self.weight, padding=self.padding)
            outer, first, mix = _orthonormal(image)
            back = F.conv_transpose2d(outer, self.weight, padding=self.padding)
            following, second, _ = _orthonormal(back)
            found = bool(second[0] - first[0] <= self.TOLERANCE * second[0])
            if self.training or not found:
                self.directions.copy_(following if second[0] > 0 else basis)
            if found:
                right = (mix[:, 0, None, None, None] * basis).sum(0, keepdim=True)
                return outer[:1], right
            basis = following
        raise ArithmeticError(f"the norm is still growing after {self.MOST_ITERATIONS} iterations")

    def _fresh_directions(self) -> Tensor:
        """Random unit images (m, in, H, W), always the same, at right angles to each other."""
        out_channels, in_channels = self.weight.shape[:2]
        directions = min(self.SUBSPACE, min(in_channels, out_channels) * math.prod(self.grid))
        shape = (directions, in_channels, *self.grid)
        return _orthonormal(torch.randn(shape, generator=torch.Generator().manual_seed(0)))[0]


class Contraction(nn.Module, ABC):
    """A function of x and context with a Lipschitz constant in x below 1.

    Attributes:
        coefficient: bound of the Lipschitz constant (of the Euclidean norm).
    """

    coefficient: float

    @abstractmethod
    def given(self, context: Tensor | None) -> Function:
        """The function of x (B, ...) alone; what does not depend on x is computed once."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """x (B, ...) -> the same shape."""
        return self.given(context)(x)


class _ThreeLayers(Contraction):
    """Three bounded layers, LipSwish between them, the context added after the first."""

    def __init__(
        self,
        coefficient: float,
        layer: Callable[[int, float], LipschitzLayer],
        from_context: nn.Module | None,
    ) -> None:
        super().__init__()
        if not 0 < coefficient < 1:
            raise ValueError(f"coefficient: expected a number within (0, 1), got {coefficient}")
        self.coefficient = coefficient
        self.first, self.middle, self.last = (layer(i, coefficient ** (1 / 3)) for i in range(3))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.before, self.after = LipSwish(), LipSwish()
        self.from_context = from_context

    def given(self, context: Tensor | None) -> Function:
        first, middle, last = (x.bounded() for x in (self.first, self.middle, self.last))
        if self.from_context is None:
            return lambda x: last(self.after(middle(self.before(first(x)))))
        assert context is not None
        shift = self.from_context(context.to(self.first.weight.dtype))
        return lambda x: last(self.after(middle(self.before(first(x) + shift))))


class LipschitzNetwork(_ThreeLayers):
    """3x3, 1x1 and 3x3 convolutions: any function of the context, contracting in x.

    The last layer starts at zero.

    Args:
        channels: C of x (B, C, H, W).
        context_channels: of the context (B, context_channels, H, W), 0 if there is none.
        width: hidden channels.
        grid: (H, W).
        coefficient: bound of the Lipschitz constant, within (0, 1).

    Raises:
        ValueError: if the coefficient is outside its range.

    Reference: Behrmann et al. 2019 (i-ResNet), Chen et al. 2019 (Residual Flow).
    """

    def __init__(
        self,
        channels: int,
        context_channels: int,
        width: int,
        grid: tuple[int, int],
        coefficient: float = 0.9,
    ) -> None:
        sizes, kernels = [channels, width, width, channels], [3, 1, 3]
        super().__init__(
            coefficient,
            lambda i, each: LipschitzConvolution(sizes[i], sizes[i + 1], kernels[i], grid, each),
            nn.Conv2d(context_channels, width, 1, bias=False) if context_channels else None,
        )


class LipschitzDenseNetwork(_ThreeLayers):
    """Three linear layers: any function of the context, contracting in x.

    The last layer starts at zero.

    Args:
        size: D of x (B, D).
        context_size: of the context (B, context_size), 0 if there is none.
        width: hidden units.
        coefficient: bound of the Lipschitz constant, within (0, 1).

    Raises:
        ValueError: if the coefficient is outside its range.

    Reference: Behrmann et al. 2019 (i-ResNet), Chen et al. 2019 (Residual Flow).
    """

    def __init__(self, size: int, context_size: int, width: int, coefficient: float = 0.9) -> None:
        sizes = [size, width, width, size]
        super().__init__(
            coefficient,
            lambda i, each: LipschitzLinear(sizes[i], sizes[i + 1], each),
            nn.Linear(context_size, width, bias=False) if context_size else None,
        )


def _orthonormal(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of images (m, C, H, W): their principal unit images, lengths (m,), and mixing (m, m)."""
    left, lengths, right = torch.linalg.svd(images.flatten(1).T, full_matrices=False)
    principal = left.T.reshape(-1, *images.shape[1:])
    return principal, lengths, right.T
