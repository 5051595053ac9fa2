"""What the model is compared with: a deterministic network, and the cINN of 2019.

`git show c495ddd:benchmarks/baselines.py` trains them. Their weights files are safetensors whose
header's metadata holds `format`, `baseline` (its name), `temperature` (the std of the latents of
samples; 1 for a baseline without latents) and `training` (JSON: how the weights were made).

Dimensions: B photos.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.errors import WeightsError
from colorflow.flows import Bijection, Composition, Flow, Haar, Standardize
from colorflow.flows.networks import zero_initialized
from colorflow.model.condition import Condition, LateBlocks
from colorflow.model.config import FINEST_GRID, LevelConfig, PyramidConfig, default_config
from colorflow.model.context import LevelContext
from colorflow.model.level import DETAIL_CHANNELS, MEAN_CHANNELS
from colorflow.model.weights import load_tensors, read_header
from colorflow.zoo.cinn2019 import cinn2019

FIRST_ROWS = 128
"""Rows that initialize layers with data-dependent initialization (ActNorm)."""


class ConditionalDensity(nn.Module):
    """p(x | photo) by one bijection.

    Args:
        bijection: from (B, C, H, W) to (B, C * H * W).
        shape: (C, H, W).
        context: of the photo.
        to_grid: from the context's grid to H x W, where they differ.
    """

    def __init__(
        self,
        bijection: Bijection,
        shape: tuple[int, int, int],
        context: LevelContext,
        to_grid: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.context = context
        self.to_grid = nn.Identity() if to_grid is None else to_grid
        self.standardize = Standardize(shape[0])
        self.flow = Flow(Composition([self.standardize, bijection]), (math.prod(shape),))

    def fit(self, x: Tensor, condition: Condition) -> None:
        """Takes fixed statistics and data-dependent initial values from training data.

        Args:
            x: (B, C, H, W).
            condition: of the B photos.
        """
        self.standardize.fit(x)
        self.context.fit(condition)
        self.train()
        self(x[:FIRST_ROWS], condition.map(lambda y: y[:FIRST_ROWS]))

    def context_of(self, condition: Condition) -> Tensor:
        """The flow's context of the photos: (B, context channels, H, W)."""
        return self.to_grid(self.context.of_sample(self.context.of_photo(condition), None))

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """log p(x | photo) in nats, per unit of x, (B,).

        Args:
            x: (B, C, H, W).
            condition: of the B photos.
        """
        return self.flow.log_prob(x, self.context_of(condition))

    def sample(
        self,
        condition: Condition,
        n: int,
        generator: torch.Generator | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """n samples for each photo, from latents with the given std: (B, n, C, H, W)."""
        context = self.context_of(condition).repeat_interleave(n, 0)
        samples = self.flow.sample(
            len(context), context, temperature=temperature, generator=generator
        )
        return samples.unflatten(0, (len(condition), n))


FORMAT = "colorflow-baseline-1"

DETERMINISTIC_SHAPE = (
    default_config().with_levels([4, 8, 16, 32, 64], dropout=0.0).with_levels([4], context_layers=4)
)
"""That of the shipped pyramid, as far as its contexts go."""
OWN_BLOCKS_INPUT = 16
"""Side of the map from which the network's own blocks compute the coarsest level's 8x8 map."""
CHROMA_UNIT = 20.0
"""Unit of the network's outputs, in CIELAB units: about the std of chroma over photos."""

CINN_SHAPE = (2, FINEST_GRID, FINEST_GRID)
CINN_CONTEXT = LevelConfig(
    grid=32, width=64, context_layers=2, attention=False, maps=(8, 16, 32), dropout=0.05,
    couplings=1, bins=2,
)  # fmt: skip
"""The context network; `couplings` and `bins` describe a level's flow and are not used."""
_CINN_CONTEXT_CHANNELS = 16


class DeterministicNetwork(nn.Module):
    """Predicts the mean of the colors that a photo may have had.

    It has the pyramid's context networks. In place of each level's flow a convolution predicts the
    level's numbers. The coarsest level has its own trainable copy of the feature network's last
    blocks. All levels train together, with the mean squared error of ab.

    Args:
        config: of the pyramid whose context networks it has; its flows' fields are not used.
    """

    def __init__(self, config: PyramidConfig) -> None:
        super().__init__()
        self.contexts = nn.ModuleList(
            LevelContext(level, coarse=index > 0, extra_planes=0)
            for index, level in enumerate(config.levels)
        )
        self.contexts[0].last_blocks = LateBlocks(OWN_BLOCKS_INPUT)  # the name in its files
        self.heads = nn.ModuleList(
            zero_initialized(
                nn.Conv2d(level.width, DETAIL_CHANNELS if index else MEAN_CHANNELS, 3, padding=1)
            )
            for index, level in enumerate(config.levels)
        )
        self.haar = Haar()

    def forward(self, condition: Condition) -> Tensor:
        """The mean coloring: (B, 2, 64, 64) CIELAB units."""
        coarse: Tensor | None = None
        blocks = cast(LateBlocks, self.contexts[0].last_blocks)
        own = blocks(condition.features[OWN_BLOCKS_INPUT])
        coarsest = replace(condition, features=condition.features | own)
        for context, head in zip(self.contexts, self.heads, strict=True):
            assert isinstance(context, LevelContext)
            seen = coarsest if coarse is None else condition
            h = context.of_sample(context.of_photo(seen), coarse)
            x = CHROMA_UNIT * head(F.gelu(h)).float()
            coarse = x if coarse is None else self.haar.inverse(torch.cat([coarse, x], 1))[0]
        assert coarse is not None
        return coarse


def original_cinn() -> ConditionalDensity:
    """p(ab | photo) by the cINN of 2019, with 4.5 million parameters instead of 56.7.

    It models the whole 64x64 grid, with our feature network: a small context network follows the
    frozen features, and the rest is `colorflow.zoo.cinn2019`, narrower, so that the weights stay
    below 10 MB.
    """
    to_grid = nn.Sequential(
        nn.Conv2d(CINN_CONTEXT.width, 4 * _CINN_CONTEXT_CHANNELS, 1), nn.PixelShuffle(2), nn.GELU()
    )
    bijection = cinn2019(
        CINN_SHAPE,
        _CINN_CONTEXT_CHANNELS,
        couplings=(2, 4, 4, 4),
        widths=(16, 32, 64, 80),
        condition_widths=(32, 64, 80),
        dense=4,
        dense_width=128,
        dense_condition_widths=(32, 48, 64, 96),
    )
    context = LevelContext(CINN_CONTEXT, coarse=False, extra_planes=0)
    return ConditionalDensity(bijection, CINN_SHAPE, context, to_grid)


BASELINES: dict[str, Callable[[], nn.Module]] = {
    "deterministic": lambda: DeterministicNetwork(DETERMINISTIC_SHAPE),
    "cinn2019": original_cinn,
}
"""Makes an untrained module, by the baseline's name."""


def load_baseline(path: Path, name: str) -> tuple[nn.Module, float]:
    """Reads the weights file of a baseline.

    Returns:
        The module in evaluation mode, float32, and the std of the latents of samples.

    Raises:
        WeightsError: if the file is missing, of another kind, of another baseline, or damaged.
    """
    file = read_header(path, FORMAT)
    with file.parsing() as header:
        found = header["baseline"]
        temperature = float(json.loads(header["temperature"]))
        module = BASELINES[found]()
    if found != name:
        raise WeightsError(f"{path}: holds the baseline {found}; rename the file")
    if not 0 <= temperature < math.inf:
        raise WeightsError(f"{path}: the header has a temperature below 0 or not finite")
    load_tensors(file, module)
    return module, temperature
