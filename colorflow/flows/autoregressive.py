"""Autoregressive flows: each element is moved, given the elements before it and the context.

The Jacobian is triangular in the order, so the log-determinant is a sum over the elements. Density
is one evaluation of the network; the inverse takes one an element, or, with a causal transformer
over the cells of a grid, one a token. `Inverse(Autoregressive(...))` is the inverse-autoregressive
twin, with the two costs exchanged.

Reference: Papamakarios et al. 2017 (MAF); Kingma et al. 2016 (IAF); Zhai et al. 2024 (Normalizing
flows are capable generative models, TarFlow).

Dimensions: B samples, D elements, N tokens of c numbers each, in the order of the flow.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows.contract import Bijection, sum_by_sample
from colorflow.flows.elementwise import ElementwiseTransform
from colorflow.flows.masked_networks import AutoregressiveNetwork, present
from colorflow.flows.networks import HEADS, AttentionLayer, from_tokens, to_tokens, zero_initialized


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


class TransformerAutoregressive(Bijection):
    """Moves the numbers of each token, given the tokens before it and the context up to its own.

    Tokens are the cells of (C, H, W), or square patches of them, row by row or in the reversed
    order; several such flows should alternate. The inverse goes token by token and keeps keys and
    values, so each step costs one token. It is exact up to rounding; under autocast the two
    directions round differently, by as much as the narrow type does.

    Args:
        shape: (C, H, W).
        context_channels: channels of the context (B, channels, H, W), 0 if there is none.
        transform: what happens to each number; affine in TarFlow.
        width: channels of a token in the transformer, a multiple of `HEADS`.
        layers: transformer layers.
        patch: side of a token in cells, a divisor of H and W.
        reverse: whether the last cell comes first.

    Raises:
        ValueError: if shape, patch or width is none of these; by the two directions, if a context
            is missing.
    """

    def __init__(
        self,
        shape: Sequence[int],
        context_channels: int,
        transform: ElementwiseTransform,
        *,
        width: int,
        layers: int = 2,
        patch: int = 1,
        reverse: bool = False,
    ) -> None:
        super().__init__()
        if len(shape) != 3:
            raise ValueError(f"shape: expected (C, H, W), got {tuple(shape)}")
        if patch < 1 or shape[1] % patch or shape[2] % patch:
            raise ValueError(f"patch: expected a divisor of {tuple(shape[1:])}, got {patch}")
        if width % HEADS:
            raise ValueError(f"width: expected a multiple of {HEADS}, got {width}")
        self.transform, self.patch, self.reverse = transform, patch, reverse
        count, numbers = shape[1] * shape[2] // patch**2, shape[0] * patch**2
        self.position = nn.Parameter(0.02 * torch.randn(count, width))
        self.from_token = nn.Linear(numbers, width, bias=False)
        self.from_context = None
        if context_channels:
            self.from_context = nn.Linear(context_channels * patch**2, width, bias=False)
        self.layers = nn.ModuleList(AttentionLayer(width, dropout=0.0) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = zero_initialized(nn.Linear(width, numbers * transform.size))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        tokens = self._to_tokens(x)
        before = F.pad(tokens[:, :-1], (0, 0, 1, 0))
        parameters = self._elementwise(before, self._given(context), self._no_past())
        z, ladj = self.transform.forward(tokens, parameters)
        return self._from_tokens(z, x), sum_by_sample(ladj)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        given = self._given(context)
        past = self._no_past()
        values, terms = [], []
        token = torch.zeros_like(self._to_tokens(z)[:, :1])
        for i, latent in enumerate(self._to_tokens(z).split(1, 1)):
            parameters = self._elementwise(token, given[:, i : i + 1], past)
            token, term = self.transform.inverse(latent, parameters)
            values.append(token)
            terms.append(term)
        return self._from_tokens(torch.cat(values, 1), z), sum_by_sample(torch.cat(terms, 1))

    def _elementwise(self, before: Tensor, given: Tensor, past: list[list[Tensor]]) -> Tensor:
        """Parameters (B, n, c, size) of n tokens that follow those in the past.

        Args:
            before: (B, n, c) the token before each, zeros before the first.
            given: (B or 1, n, width) what is known of each beforehand.
            past: keys and values of every layer; those of the n tokens are appended.
        """
        h = self.from_token(before) + given
        for layer, layer_past in zip(self.layers, past, strict=True):
            h = layer(h, layer_past)
        raw = self.out(self.norm(h)).to(before.dtype)
        return raw.unflatten(-1, (-1, self.transform.size))

    def _no_past(self) -> list[list[Tensor]]:
        return [[] for _ in self.layers]

    def _given(self, context: Tensor | None) -> Tensor:
        """Position and context of every token, (B or 1, N, width)."""
        if self.from_context is None:
            return self.position[None]
        return self.position + self.from_context(self._to_tokens(present(context)))

    def _to_tokens(self, grid: Tensor) -> Tensor:
        tokens = to_tokens(F.pixel_unshuffle(grid, self.patch))
        return tokens.flip(1) if self.reverse else tokens

    def _from_tokens(self, tokens: Tensor, like: Tensor) -> Tensor:
        if self.reverse:
            tokens = tokens.flip(1)
        patches = from_tokens(tokens, F.pixel_unshuffle(like, self.patch))
        return F.pixel_shuffle(patches, self.patch)
