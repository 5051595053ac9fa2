"""Shape of the chroma pyramid, stored in the header of every weights file."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from colorflow.color.cie import SRGB_REACH
from colorflow.limits import check_range
from colorflow.model.condition import FEATURE_CHANNELS, LATE_BLOCKS_INPUT, LATE_BLOCKS_OUTPUTS

FINEST_GRID = 64
"""Side of the chroma grid. A level on 128x128 could remove 0.34 of an error of six to nine
(docs/experiments.md, "A finer grid")."""
HEADS = ("mean_head", "skin_head", "segmentation_head", "likeness_head")
"""Names of a model's heads, and of their fields in `PyramidConfig`."""
HINT_PLANES = 3
"""Extra planes of a model that takes color hints: mask, a, b."""
_RANGES = {
    "grid": (1, FINEST_GRID),
    "width": (1, 1024),
    "couplings": (1, 64),
    "context_layers": (1, 64),
    "bins": (2, 64),
}
"""Accepted values; a damaged header cannot ask for more memory than there is."""
_MOST_PLANES = 64
"""Largest accepted number of `PyramidConfig.extra_planes`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelConfig:
    """Shape of one level: chroma means on the coarsest grid, or details that double a grid.

    Attributes:
        grid: side of the level's own grid; details on it give chroma on twice the grid.
        width: channels of the context and of the coupling networks.
        couplings: coupling layers.
        context_layers: layers of the context's trunk.
        bins: bins of each spline.
        attention: attention (small grids) or convolutions in context and couplings.
        maps: sides of the feature maps that the context takes.
        dropout: share of units dropped in training.
    """

    grid: int
    width: int
    couplings: int
    context_layers: int
    bins: int
    attention: bool
    maps: tuple[int, ...]
    dropout: float

    @property
    def least_weights(self) -> int:
        """Lower bound of the number of weights, known before anything is allocated.

        Each context layer and each coupling network has at least eight matrices of width x width.
        """
        return 8 * self.width**2 * (self.couplings + self.context_layers)

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            check_range(name, getattr(self, name), least, most)
        if self.attention and self.width % 4:
            raise ValueError(f"width: expected a multiple of 4, got {self.width}")
        unknown = set(self.maps) - set(FEATURE_CHANNELS)
        if unknown:
            raise ValueError(f"maps: no feature map of side {sorted(unknown)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout: expected [0, 1), got {self.dropout}")


@dataclass(frozen=True, kw_only=True, slots=True)
class PyramidConfig:
    """Shape of the whole pyramid.

    Attributes:
        levels: coarse to fine. The first has the means, each other one the details on its grid.
        extra_planes: channels of the condition's extra planes: a mask, and known values where the
            mask is 1, in CIELAB units. 0 for none, `HINT_PLANES` for color hints.
        chroma_limit: largest |a| and |b| of a sample, CIELAB units.
        mean_head: whether the model has a head that predicts the mean of the colors.
        skin_head: whether the model has a head that says where skin is, and which chroma it has.
        segmentation_head: whether the model has a head that says which things are where.
        likeness_head: whether the model has a head that says which cells of two photos are alike.
        late_blocks: whether the model has its own late blocks of the feature network, trained for
            chroma. They compute the 16x16 and 8x8 maps of all levels from the 32x32 map.
        hint_reach: length scale of a hint's influence on the 64x64 grid, in cells.
        hint_likeness: scale of the lightness difference that stops the influence, in L*.
        hint_looseness: share of a sample's distance to a hint that remains, approximately.
    """

    levels: tuple[LevelConfig, ...]
    extra_planes: int = 0
    chroma_limit: float = 128.0
    mean_head: bool = False
    skin_head: bool = False
    segmentation_head: bool = False
    likeness_head: bool = False
    late_blocks: bool = False
    # Tighter or narrower pulls: docs/experiments.md, "How strongly and how far a hint pulls".
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
        check_range("extra_planes", self.extra_planes, 0, _MOST_PLANES)
        if not SRGB_REACH < self.chroma_limit < math.inf:
            raise ValueError(
                f"chroma_limit: expected more than {SRGB_REACH:g}, which colors of sRGB reach, "
                f"got {self.chroma_limit}"
            )
        for name in ("hint_reach", "hint_likeness", "hint_looseness"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected a number above 0, got {getattr(self, name)}")

    @property
    def takes_hints(self) -> bool:
        """Whether the model is conditioned on color hints."""
        return self.extra_planes == HINT_PLANES

    @property
    def chroma_grids(self) -> tuple[int, ...]:
        """Side of the chroma grid that each level completes, coarse to fine: the levels' names."""
        return tuple(self.levels[0].grid * 2**index for index in range(len(self.levels)))

    def maps_of_photo(self, index: int) -> tuple[int, ...]:
        """Sides of the feature maps that a level takes from the photo's condition."""
        maps = set(self.levels[index].maps)
        if self.late_blocks:
            maps = maps - set(LATE_BLOCKS_OUTPUTS) | {LATE_BLOCKS_INPUT}
        return tuple(sorted(maps))

    def with_levels(self, grids: Collection[int], **changes: Any) -> PyramidConfig:
        """A copy with other fields in some levels.

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

    def with_heads(self, heads: Collection[str]) -> PyramidConfig:
        """A copy that has these heads, named as their fields, and no others."""
        mean, skin, segmentation, likeness = (name in heads for name in HEADS)
        return replace(
            self,
            mean_head=mean,
            skin_head=skin,
            segmentation_head=segmentation,
            likeness_head=likeness,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PyramidConfig:
        """Reads the result of `to_dict`.

        Raises:
            ValueError: if a field is missing, unknown or out of range.
        """
        try:
            levels = tuple(
                LevelConfig(**{**level, "maps": tuple(level["maps"])}) for level in values["levels"]
            )
            return cls(**{**values, "levels": levels})
        except (AttributeError, TypeError, KeyError) as error:
            names = [field.name for field in fields(cls)]
            raise ValueError(f"configuration does not fit {names}: {error}") from error


def default_config() -> PyramidConfig:
    """The pyramid of new weights; the shipped weights started with it and gained layers since."""
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
