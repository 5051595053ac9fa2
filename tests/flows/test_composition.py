"""What bijections made of others add to the contract that they share with their parts."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from colorflow.flows import Bijection, Composition, Inverse, WithContext


class Line(Bijection):
    """z = factor * x + shift + context: the order of two of them shows."""

    def __init__(self, factor: float, shift: float) -> None:
        super().__init__()
        self.factor, self.shift = factor, shift

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert context is not None
        return self.factor * x + self.shift + context, self._ladj(x)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert context is not None
        return (z - self.shift - context) / self.factor, -self._ladj(z)

    def _ladj(self, x: Tensor) -> Tensor:
        return x.new_full((len(x),), math.log(self.factor) * x[0].numel())


X = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
CONTEXT = torch.tensor([[0.5], [-1.0]], dtype=torch.float64)


def same(left: Tensor, right: Tensor) -> None:
    torch.testing.assert_close(left, right, rtol=1e-14, atol=1e-14)


def test_applies_in_order_with_one_context_and_adds_ladj() -> None:
    both = Composition([Line(2, 1), Line(3, 5)])
    z, ladj = both(X, CONTEXT)
    same(z, 3 * (2 * X + 1 + CONTEXT) + 5 + CONTEXT)
    same(ladj, torch.full((2,), 2 * math.log(6), dtype=torch.float64))
    back, ladj = both.inverse(z, CONTEXT)
    same(back, X)
    same(ladj, torch.full((2,), -2 * math.log(6), dtype=torch.float64))


def test_inverse_exchanges_the_directions() -> None:
    line = Line(2, 1)
    inverse = Inverse(line)
    for result, expected in (
        (inverse(X, CONTEXT), line.inverse(X, CONTEXT)),
        (inverse.inverse(X, CONTEXT), line(X, CONTEXT)),
        (Inverse(inverse)(X, CONTEXT), line(X, CONTEXT)),
    ):
        same(result[0], expected[0])
        same(result[1], expected[1])


class Doubled(nn.Module):
    def forward(self, context: Tensor) -> Tensor:
        return 2 * context


def test_with_context_shows_what_the_network_makes_of_it() -> None:
    line = Line(2, 1)
    seen = WithContext(Doubled(), line)
    for direction in ("forward", "inverse"):
        z, ladj = getattr(seen, direction)(X, CONTEXT)
        expected, expected_ladj = getattr(line, direction)(X, 2 * CONTEXT)
        same(z, expected)
        same(ladj, expected_ladj)
