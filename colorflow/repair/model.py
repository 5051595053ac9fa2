"""A conditional flow over the pixels that damage hides, given all others.

How many numbers it models depends on the photo: those inside the mask. Every step leaves the
others as they are and counts the Jacobian of the masked ones alone. What is modeled is the
difference from the mean (`MeanFill`), which learns first and then stays.

Reference: Dinh et al. 2017 (couplings); Lugmayr et al. 2020 (SRFlow, conditional detail).

Dimensions: B photos, H and W pixels, multiples of `FillModel.multiple`.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.flows import (
    Affine,
    AffineSpline,
    Bijection,
    Composition,
    ConvolutionNetwork,
    ElementwiseTransform,
    sum_by_sample,
)
from colorflow.model.weights import load_tensors, read_header, write_tensors
from colorflow.repair.network import LARGEST_WIDTH, Finder, MeanFill, UNetConfig, fill_planes
from colorflow.repair.strips import CELL, Strips, beside, mapped, reach_of

DEQUANTIZATION_STD = 0.2
"""Std of the noise on lightness in training and evaluation, in L* units: half a step of 8 bits."""
SCALE = 5.0
"""L* units that the flow takes as one: about what the mean leaves open."""
MAX_LOG_SCALE, COUPLING_LOG_SCALE, COUPLING_SHIFT, SPLINE_LIMIT = 3.0, 0.7, 3.0, 6.0
FORMAT = "colorflow-repair-2"
"""Of the weights file."""
KEPT = ((), (0, 3), (1, 2), (0, 1), (2, 3))
"""Pixels of each cell that a step keeps: none, diagonals, rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FillConfig:
    """Shape of what fills.

    Attributes:
        mean: of the network that predicts the mean.
        coupling_width: hidden channels of the flow's networks.
        bins: pieces of each spline.
    """

    mean: UNetConfig = field(default_factory=UNetConfig)
    coupling_width: int = 32
    bins: int = 8

    def __post_init__(self) -> None:
        if isinstance(self.mean, dict):
            object.__setattr__(self, "mean", UNetConfig(**self.mean))
        for name, value in (("coupling_width", self.coupling_width), ("bins", self.bins)):
            if not isinstance(value, int) or not 1 <= value <= LARGEST_WIDTH:
                raise ValueError(f"{name}: expected 1 to {LARGEST_WIDTH}, got {value!r}")

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


class MaskedStep(Bijection):
    """Moves masked pixels of cells, given other pixels of the cells and the context.

    The last four channels of the context are the mask of a cell's pixels.

    Args:
        kept: pixels of each cell (0 to 3) that stay as they are; given none, what is moved depends
            on the context alone.
        network: maps (kept, context) to (B, 4 * transform.size, H, W).
        transform: what happens to each moved number.
    """

    keep: Tensor

    def __init__(
        self, kept: tuple[int, ...], network: nn.Module, transform: ElementwiseTransform
    ) -> None:
        super().__init__()
        keep = torch.zeros(CELL, 1, 1, dtype=torch.bool)
        keep[list(kept)] = True
        self.register_buffer("keep", keep, persistent=False)
        self.network, self.transform, self._sees = network, transform, bool(kept)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._apply_to(x, context, self.transform.forward)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._apply_to(z, context, self.transform.inverse)

    def _apply_to(self, x: Tensor, context: Tensor | None, transform: Any) -> tuple[Tensor, Tensor]:
        assert context is not None
        moved = (context[:, -CELL:] > 0.5) & ~self.keep
        seen = torch.where(self.keep, x, torch.zeros_like(x)) if self._sees else None
        raw = self.network(seen, context).to(x.dtype)
        parameters = raw.unflatten(1, (CELL, -1)).movedim(2, -1)[moved]
        y, ladj = x.clone(), torch.zeros_like(x)
        y[moved], ladj[moved] = transform(x[moved], parameters)
        return y, sum_by_sample(ladj)


class FillModel(nn.Module):
    """p(lightness inside a mask | lightness around it).

    Args:
        config: its shape.
    """

    def __init__(self, config: FillConfig) -> None:
        super().__init__()
        self.config = config
        self.mean = MeanFill(config.mean).requires_grad_(False)
        seen = config.mean.widths[0] + CELL
        spline = AffineSpline(config.bins, SPLINE_LIMIT, COUPLING_LOG_SCALE, COUPLING_SHIFT)
        self.flow = Composition(
            MaskedStep(
                kept,
                ConvolutionNetwork(
                    CELL if kept else 0, seen, config.coupling_width, CELL * transform.size
                ),
                transform,
            )
            for kept, transform in [
                (KEPT[0], Affine(MAX_LOG_SCALE)),
                *((k, spline) for k in KEPT[1:]),
            ]
        )

    @property
    def multiple(self) -> int:
        """What sides must be multiples of."""
        return self.mean.multiple

    @property
    def reach(self) -> int:
        """Pixels around cells of all scales that a sample inside depends on, in each direction."""
        return self.mean.net.reach(2 * max(reach_of(self.flow), reach_of(self.mean.out)))

    def train(self, mode: bool = True) -> Self:
        """The mean stays as it has been trained, its statistics too."""
        super().train(mode)
        self.mean.eval()
        return self

    def forward(self, lightness: Tensor, filled: Tensor, mask: Tensor) -> Tensor:
        """Log density of the masked pixels, nats per L* unit: (B,).

        Args:
            lightness: (B, 1, H, W) L* in [0, 100].
            filled: (B, 1, H, W), the same outside the mask, a first guess inside it.
            mask: (B, 1, H, W), 1 inside and 0 outside.
        """
        mean, context = self._context(filled, mask)
        cells = F.pixel_unshuffle(mask * (lightness - mean) / SCALE, 2)
        z, ladj = self.flow(cells, context)
        numbers = mask.flatten(1).sum(1)
        prior = -0.5 * sum_by_sample(z**2) - 0.5 * math.log(2 * math.pi) * numbers
        return prior + ladj - numbers * math.log(SCALE)

    def decode(
        self, latents: Tensor, filled: Tensor, mask: Tensor, temperature: float = 1.0
    ) -> Tensor:
        """The photo that latents stand for, which may leave [0, 100] inside the mask.

        Args:
            latents: (B, 4, H/2, W/2); those of pixels outside the mask do not matter.
            filled: as of `forward`.
            mask: likewise.
            temperature: factor on the difference from the mean; 0 is the mean itself.

        Returns:
            (B, 1, H, W), outside the mask `filled`.
        """
        mean, context = self._context(filled, mask)
        if not temperature:
            return mean
        rest, _ = self.flow.inverse(latents * context[:, -CELL:], context)
        return mean + temperature * SCALE * F.pixel_shuffle(rest, 2)

    def strips(self, strips: Strips, temperature: float = 1.0) -> Strips:
        """`decode` of a picture in strips, whose sides are multiples of `multiple`.

        Args:
            strips: (B, 3, h, W): `filled`, `mask`, and the latents as pixels; these may be left out
                at temperature 0.
            temperature: as of `decode`.
        """
        cells: deque[Tensor] = deque()

        def seen() -> Strips:
            for planes in strips:
                cells.append(F.pixel_unshuffle(planes, 2))
                yield fill_planes(planes[:, :1], planes[:, 1:2])

        def changed(features: Tensor) -> Tensor:
            change = 50 * self.mean.out(features)
            return torch.cat([change, features], 1) if temperature else change

        def known() -> Strips:
            found = mapped(changed, reach_of(self.mean.out), self.mean.net.strips(seen()))
            for x, planes in beside(found, cells):
                filled, mask, *latents = planes.split(CELL, 1)
                mean = filled + mask * x[:, :CELL]
                if temperature:
                    mean = torch.cat([mean, mask * latents[0], x[:, CELL:], mask], 1)
                yield mean

        def sampled(x: Tensor) -> Tensor:
            mean, latents = x[:, :CELL], x[:, CELL : 2 * CELL]
            return mean + temperature * SCALE * self.flow.inverse(latents, x[:, 2 * CELL :])[0]

        made = mapped(sampled, reach_of(self.flow), known()) if temperature else known()
        return (F.pixel_shuffle(x, 2) for x in made)

    def _context(self, filled: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        mean, features = self.mean(filled, mask)
        return mean, torch.cat([features, F.pixel_unshuffle(mask, 2)], 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairWeights:
    """What the weights file of repair holds: what finds damage, and what fills it.

    The header's metadata has `format`, `config` (JSON: by the name of each part its shape) and
    `training` (JSON: how each came about). Nothing is ever unpickled.

    Attributes:
        finder: finds damage; in evaluation mode.
        fill: fills it; in evaluation mode.
        training: how each came about, by the names of `train.PARTS`.
        digest: first 16 hexadecimal digits of the file's SHA-256.
    """

    finder: Finder
    fill: FillModel
    training: dict[str, Any]
    digest: str


def save_repair_weights(
    path: Path, finder: Finder, fill: FillModel, training: Mapping[str, Any]
) -> None:
    """Writes a weights file in one step, in float16.

    Raises:
        WeightsError: if the file cannot be written.
    """
    config = {"finder": finder.config.to_dict(), "fill": fill.config.to_dict()}
    parts = nn.ModuleDict({"finder": finder, "fill": fill})
    write_tensors(path, parts, FORMAT, {"config": config, "training": dict(training)})


def load_repair_weights(path: Path) -> RepairWeights:
    """Reads a weights file.

    Raises:
        WeightsError: if it is missing, not ours, damaged, or its header and tensors do not fit.
    """
    file = read_header(path, FORMAT)
    with file.parsing() as header:
        config = json.loads(header["config"])
        finder_config, fill_config = UNetConfig(**config["finder"]), FillConfig(**config["fill"])
        training = dict(json.loads(header["training"]))
    file.check_holds(finder_config.least_weights + fill_config.mean.least_weights)
    finder, fill = Finder(finder_config), FillModel(fill_config)
    digest = load_tensors(file, nn.ModuleDict({"finder": finder, "fill": fill}))
    return RepairWeights(finder=finder, fill=fill, training=training, digest=digest)
