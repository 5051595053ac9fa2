"""Autoregressive flows: each element is moved, given the elements before it and the context.

The Jacobian is triangular in the order, so the log-determinant is a sum over the elements. Density
is one evaluation of the network; the inverse takes one an element. `Inverse(Autoregressive(...))`
is the inverse-autoregressive twin, with the two costs exchanged.

Reference: Papamakarios et al. 2017 (MAF); Kingma et al. 2016 (IAF).
"""

from __future__ import annotations

import torch
from torch import Tensor

from colorflow.flows.contract import Bijection
from colorflow.flows.elementwise import ElementwiseTransform
from colorflow.flows.masked_networks import AutoregressiveNetwork


class Autoregressive(Bijection):
    """z_i = t(x_i; parameters of (x_1 .. x_{i-1}, context)), in the order of the network.

    The inverse evaluates the network once an element. It can be differentiated, but its graph
    holds all D evaluations: take large samples under `torch.no_grad()`. Shifts should be bounded
    where D is large: an unbounded one can grow from element to element in the inverse.

    Args:
        network: computes `transform.size` parameters an element, and knows the order.
        transform: what happens to each element.
    """

    def __init__(self, network: AutoregressiveNetwork, transform: ElementwiseTransform) -> None:
        super().__init__()
        self.network = network
        self.transform = transform

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, ladj = self.transform.forward(x.flatten(1), self._elementwise(x, context))
        return z.reshape(x.shape), ladj.sum(1)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        flat = z.flatten(1)
        x, ladj = torch.zeros_like(flat), z.new_zeros(z.shape[0])
        for index in self.network.order.split(1):
            parameters = self._elementwise(x.reshape(z.shape), context)[:, index]
            value, term = self.transform.inverse(flat[:, index], parameters)
            x = x.index_copy(1, index, value)
            ladj = ladj + term.squeeze(1)
        return x.reshape(z.shape), ladj

    def _elementwise(self, x: Tensor, context: Tensor | None) -> Tensor:
        """(B, D, size), right for every element whose predecessors are right in x."""
        raw = self.network(x, context).to(x.dtype)
        return raw.unflatten(1, (x.shape[1], self.transform.size)).movedim(2, -1).flatten(1, -2)
