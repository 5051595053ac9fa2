"""Noise that is a function of seed and place, so that tiles of any layout get the same."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_BLOCK = 64
"""Side of the squares of cells that are drawn at once."""


def noise_at(seed: int, stream: int, channels: int, rows: slice, columns: slice) -> Tensor:
    """Standard normal noise of a rectangle of cells.

    Args:
        seed: of the sample, not negative.
        stream: which of a sample's independent noise fields.
        channels: numbers a cell.
        rows: start and stop, which may be negative.
        columns: likewise.

    Returns:
        (1, channels, rows, columns) float32; cell (y, x) is the same whatever the rectangle.
    """
    bands = []
    for block_row in range(rows.start // _BLOCK, -(-rows.stop // _BLOCK)):
        blocks = [
            _block(seed, stream, channels, block_row, block_column)
            for block_column in range(columns.start // _BLOCK, -(-columns.stop // _BLOCK))
        ]
        bands.append(torch.cat(blocks, -1))
    field = torch.cat(bands, -2)
    top, left = rows.start % _BLOCK, columns.start % _BLOCK
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return field[None, :, top : top + height, left : left + width]


def _block(seed: int, stream: int, channels: int, row: int, column: int) -> Tensor:
    # SeedSequence takes no negative numbers.
    words = [seed, stream, row < 0, abs(row), column < 0, abs(column)]
    word = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)
    generator = torch.Generator().manual_seed(word)
    return torch.randn(channels, _BLOCK, _BLOCK, generator=generator)
