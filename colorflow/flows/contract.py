"""What a bijection is, and how several make one.

Change of variables: log p(x) = log p_Z(f(x)) + log |det Df(x)|; under composition the
log-determinants add.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Bijection(nn.Module, ABC):
    """An invertible map that knows the log-determinant of its Jacobian, in both directions.

    `ladj` has shape (B,), is in nats, summed over all other dimensions, and belongs to the
    direction of the call. Sample i of the output depends on sample i of the input alone. Neither
    direction changes its arguments or returns a view of them; the output keeps dtype and device.
    """

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Takes data towards noise.

        Args:
            x: (B, ...) data.
            context: (B, ...) what conditions the map, or None.

        Returns:
            z, of the shape of x unless the class says otherwise, and ladj = log |det dz/dx|, (B,).
        """

    @abstractmethod
    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Undoes `forward`: returns x and ladj = log |det dx/dz|, (B,)."""


class Composition(Bijection):
    """Bijections one after the other, all with the same context.

    Args:
        bijections: in the order of the forward direction.
    """

    def __init__(self, bijections: Iterable[Bijection]) -> None:
        super().__init__()
        self.bijections = nn.ModuleList(bijections)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ladj = torch.zeros(x.shape[0], dtype=x.dtype, device=x.device)
        for bijection in self.bijections:
            x, term = bijection(x, context)
            ladj = ladj + term
        return x if self.bijections else x.clone(), ladj

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ladj = torch.zeros(z.shape[0], dtype=z.dtype, device=z.device)
        for bijection in reversed(list(self.bijections)):
            assert isinstance(bijection, Bijection)
            z, term = bijection.inverse(z, context)
            ladj = ladj + term
        return z if self.bijections else z.clone(), ladj


class Inverse(Bijection):
    """A bijection with its directions exchanged: what was slow to sample becomes slow to score.

    The inverse of a masked autoregressive flow is an inverse autoregressive one.

    Args:
        bijection: whose `inverse` becomes `forward`.
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(x, context)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.bijection(z, context)


class WithContext(Bijection):
    """A bijection that sees the context through a network, such as one for a coarser grid.

    Args:
        network: maps the context (B, ...) to that of the bijection (B, ...).
        bijection: what it conditions.
    """

    def __init__(self, network: nn.Module, bijection: Bijection) -> None:
        super().__init__()
        self.network = network
        self.bijection = bijection

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.bijection(x, self.network(context))

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.bijection.inverse(z, self.network(context))


class InversionError(ArithmeticError):
    """A numerical inverse did not converge; the message says how far it came."""


def sum_by_sample(values: Tensor) -> Tensor:
    """Sums (B, ...) over everything but the batch: (B,)."""
    return values.flatten(1).sum(1)
