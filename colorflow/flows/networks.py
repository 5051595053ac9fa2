"""Networks that couplings use: (kept, context) -> raw parameters on the same grid.

The last layer starts at zero, so a new flow starts as the identity. All of them need a context, and
raise `ValueError` for `context_channels` below 1.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvolutionNetwork(nn.Module):
    """Two 3x3 convolutions and a 1x1 one; the context is added after the first.

    Args:
        kept_channels: channels of the kept part, 0 if there is none.
        context_channels: channels of the context.
        width: hidden channels.
        out_channels: parameters a cell.
        dropout: share of hidden channels dropped in training.
    """

    def __init__(
        self,
        kept_channels: int,
        context_channels: int,
        width: int,
        out_channels: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_context_channels(context_channels)
        self.from_kept = (
            nn.Conv2d(kept_channels, width, 3, padding=1, bias=False) if kept_channels else None
        )
        self.from_context = nn.Conv2d(context_channels, width, 1)
        self.hidden = nn.Conv2d(width, width, 3, padding=1)
        self.dropout = nn.Dropout2d(dropout)
        self.out = zero_initialized(nn.Conv2d(width, out_channels, 1))

    def forward(self, kept: Tensor | None, context: Tensor) -> Tensor:
        """kept (B, kept_channels, H, W) or None, context (B, C, H, W) -> (B, out, H, W)."""
        h = self.from_context(context)
        if self.from_kept is not None:
            h = h + self.from_kept(kept)
        h = self.dropout(F.gelu(self.hidden(F.gelu(h))))
        return self.out(h)


class AttentionNetwork(nn.Module):
    """Attention over all cells of a small grid; every cell sees every kept number.

    Args:
        kept_channels: channels of the kept part.
        context_channels: channels of the context.
        width: channels of a token.
        out_channels: parameters a cell.
        dropout: in attention's output and the feed-forward part, in training.
    """

    def __init__(
        self,
        kept_channels: int,
        context_channels: int,
        width: int,
        out_channels: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_context_channels(context_channels)
        self.from_kept = nn.Conv2d(kept_channels, width, 1, bias=False)
        self.from_context = nn.Conv2d(context_channels, width, 1)
        self.layers = nn.Sequential(AttentionLayer(width, dropout))
        self.norm = nn.LayerNorm(width)
        self.out = zero_initialized(nn.Conv2d(width, out_channels, 1))

    def forward(self, kept: Tensor, context: Tensor) -> Tensor:
        """kept (B, kept_channels, H, W), context (B, C, H, W) -> (B, out_channels, H, W)."""
        h = self.from_kept(kept) + self.from_context(context)
        tokens = self.norm(self.layers(to_tokens(h)))
        return self.out(from_tokens(tokens, h))


class ResidualNetwork(nn.Module):
    """Residual blocks of two 3x3 convolutions; the context is added before the first block.

    Args:
        kept_channels: channels of the kept part.
        context_channels: channels of the context.
        width: hidden channels.
        out_channels: parameters a cell.
        blocks: residual blocks.

    Reference: He et al. 2016; in couplings Dinh et al. 2017 (RealNVP), Durkan et al. 2019.
    """

    def __init__(
        self,
        kept_channels: int,
        context_channels: int,
        width: int,
        out_channels: int,
        *,
        blocks: int,
    ) -> None:
        super().__init__()
        check_context_channels(context_channels)
        self.from_kept = nn.Conv2d(kept_channels, width, 3, padding=1, bias=False)
        self.from_context = nn.Conv2d(context_channels, width, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.GELU(),
                nn.Conv2d(width, width, 3, padding=1),
                nn.GELU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.out = zero_initialized(nn.Conv2d(width, out_channels, 1))

    def forward(self, kept: Tensor, context: Tensor) -> Tensor:
        """kept (B, kept_channels, H, W), context (B, C, H, W) -> (B, out_channels, H, W)."""
        h = self.from_kept(kept) + self.from_context(context)
        for block in self.blocks:
            h = h + block(h)
        return self.out(F.gelu(h))


class GatedNetwork(nn.Module):
    """Gated convolutions, each followed by attention over all cells where that is asked for.

    Args:
        kept_channels: channels of the kept part.
        context_channels: channels of the context; every block sees it.
        width: hidden channels, a multiple of 4.
        out_channels: parameters a cell.
        blocks: gated convolutions.
        attention: whether an `AttentionLayer` follows each of them.

    Reference: Ho et al. 2019 (Flow++).
    """

    def __init__(
        self,
        kept_channels: int,
        context_channels: int,
        width: int,
        out_channels: int,
        *,
        blocks: int,
        attention: bool,
    ) -> None:
        super().__init__()
        check_context_channels(context_channels)
        self.from_kept = nn.Conv2d(kept_channels, width, 3, padding=1)
        self.from_context = nn.ModuleList(
            nn.Conv2d(context_channels, width, 1, bias=False) for _ in range(blocks)
        )
        self.hidden = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(blocks))
        self.gates = nn.ModuleList(nn.Conv2d(width, 2 * width, 1) for _ in range(blocks))
        self.attention = nn.ModuleList(
            AttentionLayer(width, 0.0) if attention else nn.Identity() for _ in range(blocks)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(blocks))
        self.out = zero_initialized(nn.Conv2d(width, out_channels, 1))

    def forward(self, kept: Tensor, context: Tensor) -> Tensor:
        """kept (B, kept_channels, H, W), context (B, C, H, W) -> (B, out_channels, H, W)."""
        h = self.from_kept(kept)
        parts = (self.from_context, self.hidden, self.gates, self.attention, self.norms)
        for from_context, hidden, gate, attention, norm in zip(*parts, strict=True):
            h = h + F.glu(gate(F.gelu(hidden(F.gelu(h)) + from_context(context))), 1)
            h = from_tokens(norm(attention(to_tokens(h))), h)
        return self.out(F.gelu(h))


HEADS = 4
"""Attention heads of every layer."""


class AttentionLayer(nn.Module):
    """Pre-norm self-attention and feed-forward over (B, tokens, width).

    Attention is written out: for a few dozen tokens it is faster on a CPU than the fused kernel,
    which is ten times slower in bfloat16 than in float32.

    Args:
        width: channels of a token, a multiple of `HEADS`.
        dropout: of both residual branches, in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, past: list[Tensor] | None = None) -> Tensor:
        """Handles n tokens, of which each sees all or, with a past, itself and those before it.

        Args:
            tokens: (B, n, width).
            past: keys and values of the tokens before them, (B, heads, tokens, width / heads)
                each, or empty; those of the n tokens are appended to them.

        Returns:
            (B, n, width).
        """
        tokens = tokens + self.dropout(self._attend(self.norm1(tokens), past))
        return tokens + self.dropout(self.feed_forward(self.norm2(tokens)))

    def _attend(self, tokens: Tensor, past: list[Tensor] | None) -> Tensor:
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, 3, HEADS, width // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if past:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        scores = q @ k.transpose(-1, -2) * (width // HEADS) ** -0.5
        if past is not None:
            past[:] = k, v
            if count > 1:  # nothing comes after the last token
                later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device)
                scores = scores.masked_fill(later.triu(1 + k.shape[2] - count), -torch.inf)
        weights = torch.softmax(scores, -1)
        mixed = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(batch, count, width)
        return self.project(mixed)


class PooledNetwork(nn.Module):
    """Two dense layers over the context's mean: one vector of parameters a sample.

    The hidden layer is a tanh, so that no context, however extreme, gives extreme parameters.

    Args:
        context_channels: channels of the context.
        width: hidden channels.
        out_channels: parameters a sample.
    """

    def __init__(self, context_channels: int, width: int, out_channels: int) -> None:
        super().__init__()
        check_context_channels(context_channels)
        self.from_context = nn.Linear(context_channels, width)
        self.out = zero_initialized(nn.Linear(width, out_channels))

    def forward(self, kept: None, context: Tensor) -> Tensor:
        """context (B, C) or (B, C, H, W) -> (B, out_channels); there is no kept part."""
        pooled = context.unsqueeze(-1).flatten(2).mean(2)
        return self.out(torch.tanh(self.from_context(pooled)))


def check_context_channels(channels: int) -> None:
    """Raises `ValueError` unless there is a context."""
    if channels < 1:
        raise ValueError(f"context_channels: expected at least 1, got {channels}")


def to_tokens(grid: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return grid.flatten(2).transpose(1, 2).contiguous()


def from_tokens(tokens: Tensor, like: Tensor) -> Tensor:
    """(B, H * W, C) -> (B, C, H, W), with the grid of `like`."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, *like.shape[2:])


Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def zero_initialized(layer: Layer) -> Layer:
    """The layer with all its parameters at zero."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
