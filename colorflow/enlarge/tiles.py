"""One doubling of a whole photo, in tiles, so that memory does not grow with the photo.

Noise depends on the place, and every tile sees around itself all that its pixels depend on
(`StepConfig.reach`), so the result does not depend on the tiling.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.grid import tiles_of
from colorflow.enlarge.model import DetailModel, in_range

TILE = 512
"""Side of a tile in pixels of the low resolution, a multiple of 2."""
_BLOCK = 64
"""Side of the squares of cells whose noise is drawn at once."""
Result = TypeVar("Result")


class Doubling:
    """The doubling of one photo's lightness.

    Args:
        model: what samples the details.
        lightness: (H, W) float32, L* in [0, 100].
        seed: of the sample.
        stream: of the noise; each doubling of a photo has its own.
        temperature: factor on the difference from the mean.
        tile: side of a tile.

    Attributes:
        tiles: how many there are.
    """

    def __init__(
        self,
        model: DetailModel,
        lightness: NDArray[np.float32],
        *,
        seed: int,
        stream: int,
        temperature: float,
        tile: int = TILE,
    ) -> None:
        self.model, self.seed, self.stream, self.temperature = model, seed, stream, temperature
        self.height, self.width = lightness.shape
        self._margin = margin = model.config.reach
        # Whole cells and a margin on all sides: borders are treated as the inside is.
        below, right = self.height % 2 + margin, self.width % 2 + margin
        self._low = np.pad(lightness, ((margin, below), (margin, right)), mode="symmetric")
        self._tiles = list(tiles_of(lightness.shape, tile))
        self.tiles = len(self._tiles)
        self.lightness = np.empty((2 * self.height, 2 * self.width), np.float32)

    def run(self) -> Iterator[int]:
        """Fills `lightness` tile by tile; yields how many tiles are done."""
        for done, (rows, columns) in enumerate(self._tiles, 1):
            bottom, right = rows.stop + rows.stop % 2, columns.stop + columns.stop % 2
            tile = self._sample(rows.start, bottom, columns.start, right)
            place = self.lightness[
                2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop
            ]
            place[:] = tile[: place.shape[0], : place.shape[1]]
            yield done

    @torch.inference_mode()
    def _sample(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.float32]:
        """The result of a rectangle, (2 (bottom - top), 2 (right - left))."""
        margin = self._margin
        region = self._low[top : bottom + 2 * margin, left : right + 2 * margin]
        device = next(self.model.parameters()).device
        low = torch.from_numpy(np.ascontiguousarray(region))[None, None].to(device)
        rows = slice((top - margin) // 2, (bottom + margin) // 2)
        columns = slice((left - margin) // 2, (right + margin) // 2)
        channels = 4 * self.model.config.channels
        latents = noise_at(self.seed, self.stream, channels, rows, columns)
        high = self.model.decode(latents.to(device), low, self.temperature)
        inside = in_range(high)[0, 0, 2 * margin : -2 * margin, 2 * margin : -2 * margin]
        return inside.cpu().numpy()


def result_of(steps: Generator[float, None, Result]) -> Result:
    """What steps return in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def noise_at(seed: int, stream: int, channels: int, rows: slice, columns: slice) -> Tensor:
    """Standard normal noise of a rectangle of cells, a function of seed and place.

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
