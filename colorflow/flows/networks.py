"""Networks that couplings use: (kept, context) -> raw parameters on the same grid.

The last layer starts at zero, so a new flow starts as the identity.
"""

from __future__ import annotations

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
        self.from_kept = (
            nn.Conv2d(kept_channels, width, 3, padding=1, bias=False) if kept_channels else None
        )
        self.from_context = nn.Conv2d(context_channels, width, 1)
        self.hidden = nn.Conv2d(width, width, 3, padding=1)
        self.dropout = nn.Dropout2d(dropout)
        self.out = zero_initialised(nn.Conv2d(width, out_channels, 1))

    def forward(self, kept: Tensor | None, context: Tensor) -> Tensor:
        """kept (B, kept_channels, H, W) or None, context (B, C, H, W) -> (B, out, H, W)."""
        h = self.from_context(context)
        if self.from_kept is not None:
            h = h + self.from_kept(kept)
        h = self.dropout(F.gelu(self.hidden(F.gelu(h))))
        out: Tensor = self.out(h)
        return out


class AttentionNetwork(nn.Module):
    """Attention over all cells of a small grid; every cell sees every kept number.

    Args:
        kept_channels: channels of the kept part.
        context_channels: channels of the context.
        width: channels of a token.
        out_channels: parameters a cell.
        layers: transformer layers.
        dropout: in attention's output and the feed-forward part, in training.
    """

    def __init__(
        self,
        kept_channels: int,
        context_channels: int,
        width: int,
        out_channels: int,
        *,
        layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.from_kept = nn.Conv2d(kept_channels, width, 1, bias=False)
        self.from_context = nn.Conv2d(context_channels, width, 1)
        self.layers = nn.Sequential(*[AttentionLayer(width, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.out = zero_initialised(nn.Conv2d(width, out_channels, 1))

    def forward(self, kept: Tensor, context: Tensor) -> Tensor:
        """kept (B, kept_channels, H, W), context (B, C, H, W) -> (B, out_channels, H, W)."""
        h = self.from_kept(kept) + self.from_context(context)
        tokens = self.norm(self.layers(to_tokens(h)))
        out: Tensor = self.out(from_tokens(tokens, h))
        return out


class AttentionLayer(nn.Module):
    """Pre-norm self-attention and feed-forward over (B, tokens, width).

    Attention is written out: for a few dozen tokens it is faster on a CPU than the fused kernel,
    which is ten times slower in bfloat16 than in float32.

    Args:
        width: channels of a token, a multiple of `heads`.
        dropout: of both residual branches, in training.
        heads: attention heads.
    """

    def __init__(self, width: int, dropout: float, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, tokens, width) -> the same shape."""
        tokens = tokens + self.dropout(self._attend(self.norm1(tokens)))
        result: Tensor = tokens + self.dropout(self.feed_forward(self.norm2(tokens)))
        return result

    def _attend(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).reshape(batch, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5, -1)
        mixed = (weights.to(v.dtype) @ v).transpose(1, 2).reshape(batch, count, width)
        result: Tensor = self.project(mixed)
        return result


def to_tokens(grid: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C)."""
    return grid.flatten(2).transpose(1, 2)


def from_tokens(tokens: Tensor, like: Tensor) -> Tensor:
    """(B, H * W, C) -> (B, C, H, W), with the grid of `like`."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, *like.shape[2:])


def zero_initialised(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with all its parameters at zero."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
