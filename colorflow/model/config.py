"""Shape of the chroma pyramid, stored in the header of every weights file."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from colorflow.model.features import (
    FEATURE_CHANNELS,
    LAST_BLOCKS_INPUT,
    LAST_BLOCKS_OUTPUT,
    LATE_BLOCKS_INPUT,
    LATE_BLOCKS_OUTPUTS,
)

FINEST_GRID = 64
HINT_PLANES = 3
"""Extra planes of a model that takes color hints: mask, a, b."""
_RANGES = {
    "grid": (1, FINEST_GRID),
    "width": (1, 1024),
    "couplings": (1, 64),
    "context_layers": (1, 64),
    "bins": (2, 64),
}
"""Wide enough for any use; a damaged header does not fill the memory."""
_MOST_PLANES = 64
"""Likewise, of `PyramidConfig.extra_planes`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelConfig:
    """One level: the chroma means on the coarsest grid, or the details that double a grid.

    Attributes:
        grid: side of the level's own grid; details on it give chroma on twice the grid.
        width: channels of the context and of the coupling networks.
        couplings: coupling layers.
        context_layers: layers of the context's trunk.
        bins: pieces of each spline.
        attention: attention (small grids) or convolutions in context and couplings.
        maps: sides of the feature maps that the context sees.
        dropout: share of units dropped in training.
        last_blocks: whether the level has the last blocks of the feature network to itself, trained
            with it: they make its 8x8 map of the 16x16 one.
    """

    grid: int
    width: int
    couplings: int
    context_layers: int
    bins: int
    attention: bool
    maps: tuple[int, ...]
    dropout: float
    last_blocks: bool = False

    @property
    def context_side(self) -> int:
        """Side that feature maps are brought to; finer ones are averaged."""
        return 2 * self.grid

    @property
    def maps_of_photo(self) -> tuple[int, ...]:
        """Sides of the feature maps that the level takes from the photo's condition."""
        if not self.last_blocks:
            return self.maps
        others = set(self.maps) - {LAST_BLOCKS_OUTPUT}
        return tuple(sorted(others | {LAST_BLOCKS_INPUT}))

    @property
    def finest_map(self) -> int:
        """Side that a photo's feature maps may be averaged to and still serve the level."""
        return max(self.context_side, LAST_BLOCKS_INPUT if self.last_blocks else 0)

    @property
    def least_weights(self) -> int:
        """Fewer weights the level cannot have, whatever else it is.

        Each layer of the context and each coupling's network has eight matrices of width x width or
        more. Known before anything of that size is made.
        """
        return 8 * self.width**2 * (self.couplings + self.context_layers)

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name}: expected {least} to {most}, got {value}")
        if self.attention and self.width % 4:
            raise ValueError(f"width: expected a multiple of 4, got {self.width}")
        unknown = set(self.maps) - set(FEATURE_CHANNELS)
        if unknown:
            raise ValueError(f"maps: no feature map of side {sorted(unknown)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: expected [0, 1), got {self.dropout}")
        if self.last_blocks and LAST_BLOCKS_OUTPUT not in self.maps:
            raise ValueError(
                f"last_blocks: they make the map of side {LAST_BLOCKS_OUTPUT}, "
                f"which is not in maps {list(self.maps)}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class PyramidConfig:
    """The whole pyramid.

    Attributes:
        levels: coarse to fine. The first has the means, each other one the details on its grid.
        extra_planes: channels of the condition's extra planes: a mask and what is known where it
            is 1, in CIELAB units. 0 for none, `HINT_PLANES` for color hints.
        chroma_limit: half-width of the box of ab, in CIELAB units, that no sample can leave.
        late_blocks: whether the model has the feature network's late blocks to itself, trained for
            chroma: they make the 16x16 and 8x8 maps of all levels of the 32x32 map.
        hint_reach: how far on the 64x64 grid a hint's color is carried by itself, in cells.
        hint_likeness: how much lightness may differ on the way, in L*.
        hint_looseness: share of what a sample missed a hint by that is left, about.
    """

    levels: tuple[LevelConfig, ...]
    extra_planes: int = 0
    chroma_limit: float = 128.0
    late_blocks: bool = False
    hint_reach: float = 6.0
    hint_likeness: float = 18.0
    hint_looseness: float = 0.15

    def __post_init__(self) -> None:
        grids = [level.grid for level in self.levels]
        doubled = [grids[0] * 2**i for i in range(len(grids) - 1)] if grids else []
        if len(grids) < 2 or grids[1:] != doubled or 2 * grids[-1] != FINEST_GRID:
            raise ValueError(
                "levels: expected grids such as 4, 4, 8, 16, 32 that end in details on "
                f"{FINEST_GRID // 2}, got {grids}"
            )
        if not 0 <= self.extra_planes <= _MOST_PLANES:
            raise ValueError(f"extra_planes: expected 0 to {_MOST_PLANES}, got {self.extra_planes}")
        if not 110 < self.chroma_limit < math.inf:
            raise ValueError(f"chroma_limit: sRGB reaches 108, got {self.chroma_limit}")
        for name in ("hint_reach", "hint_likeness", "hint_looseness"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected a number above 0, got {getattr(self, name)}")

    @property
    def takes_hints(self) -> bool:
        """Whether the model is conditioned on color hints."""
        return self.extra_planes == HINT_PLANES

    @property
    def chroma_grids(self) -> tuple[int, ...]:
        """Side of the chroma grid that each level completes, coarse to fine; the levels' names."""
        return tuple(self.levels[0].grid * 2**index for index in range(len(self.levels)))

    def maps_of_photo(self, index: int) -> tuple[int, ...]:
        """Sides of the feature maps that a level takes from the photo's condition."""
        maps = set(self.levels[index].maps_of_photo)
        if self.late_blocks:
            maps = maps - set(LATE_BLOCKS_OUTPUTS) | {LATE_BLOCKS_INPUT}
        return tuple(sorted(maps))

    def finest_map(self, grids: Collection[int]) -> int:
        """Side that a photo's feature maps may be averaged to and still serve some levels.

        Args:
            grids: names of these levels.
        """
        levels = [self.levels[self.chroma_grids.index(grid)] for grid in grids]
        own = LATE_BLOCKS_INPUT if self.late_blocks else 0
        return max(own, *(level.finest_map for level in levels))

    def with_levels(self, grids: Collection[int], **changes: Any) -> PyramidConfig:
        """The same with other fields in some levels.

        Args:
            grids: names of these levels, the chroma grids that they complete.
            **changes: fields of `LevelConfig`.

        Raises:
            ValueError: if a field is out of range.
        """
        levels = (
            replace(level, **changes) if grid in grids else level
            for grid, level in zip(self.chroma_grids, self.levels, strict=True)
        )
        return replace(self, levels=tuple(levels))

    def with_late_blocks(self) -> PyramidConfig:
        """The same with late blocks, which take the place of the coarsest level's last blocks."""
        if self.late_blocks:
            return self
        return replace(self.with_levels(self.chroma_grids[:1], last_blocks=False), late_blocks=True)

    def with_dropout(self, dropout: float) -> PyramidConfig:
        """The same with another share of units dropped in training, in every level."""
        return replace(self, levels=tuple(replace(lv, dropout=dropout) for lv in self.levels))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PyramidConfig:
        """Reads what `to_dict` gave.

        Raises:
            ValueError: if a field is missing, unknown or out of range.
        """
        try:
            levels = tuple(
                LevelConfig(**{**level, "maps": tuple(level["maps"])}) for level in values["levels"]
            )
            return cls(**{**values, "levels": levels})
        except (TypeError, KeyError) as error:
            names = [field.name for field in fields(cls)]
            raise ValueError(f"configuration does not fit {names}: {error}") from error


def default_config() -> PyramidConfig:
    """The pyramid of new weights; the shipped ones began with it, and have grown since."""
    coarse = (8, 16, 32)
    return PyramidConfig(
        levels=(
            LevelConfig(
                grid=4, width=96, couplings=8, context_layers=2, bins=8,
                attention=True, maps=coarse, dropout=0.2,
            ),
            LevelConfig(
                grid=4, width=96, couplings=8, context_layers=2, bins=8,
                attention=True, maps=coarse, dropout=0.15,
            ),
            LevelConfig(
                grid=8, width=96, couplings=6, context_layers=2, bins=8,
                attention=True, maps=coarse, dropout=0.1,
            ),
            LevelConfig(
                grid=16, width=64, couplings=4, context_layers=2, bins=6,
                attention=False, maps=(16, 32), dropout=0.05,
            ),
            LevelConfig(
                grid=32, width=32, couplings=4, context_layers=1, bins=4,
                attention=False, maps=(32,), dropout=0.0,
            ),
        )
    )  # fmt: skip
