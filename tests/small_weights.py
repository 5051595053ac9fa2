"""Weights that cost nothing, for tests of what is done with weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from colorflow.enlarge.model import DetailModel, StepConfig
from colorflow.enlarge.weights import FIRST, LAST, RESTORE, save_enlarge_weights
from colorflow.model.config import LevelConfig, PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import save_weights
from colorflow.repair.model import FillConfig, FillModel, RepairWeights, save_repair_weights
from colorflow.repair.network import Finder, UNetConfig
from colorflow.repair.repairer import Repairer
from colorflow.repair.strips import Strips

TEMPERATURES = (1.0, 0.8, 0.5, 0.2, 0.0)
GAIN = 1.25
HEAD_GAIN = 1.6
FACTORS = {0.5: 1.25, 0.9: 1.5}
"""Interval factors, for tests that want some."""


def small_level(
    grid: int,
    *maps: int,
    couplings: int = 2,
    attention: bool = False,
    dropout: float = 0.1,
) -> LevelConfig:
    """The shape of a level, as small as can be."""
    return LevelConfig(
        grid=grid,
        width=8,
        couplings=couplings,
        context_layers=1,
        bins=4,
        attention=attention,
        maps=maps,
        dropout=dropout,
    )


def save_small_weights(
    path: Path,
    extra_planes: int = 0,
    interval_factors: Mapping[float, float] | None = None,
    gain: float = GAIN,
    *,
    mean_head: bool = True,
    skin_head: bool = True,
) -> Path:
    """Small weights with random parameters, so that every sample has colors of its own.

    All else is the same with and without a head for skin.
    """
    grids = ((4, True), (4, True), (8, True), (16, False), (32, False))
    levels = tuple(small_level(g, 8, 16, attention=a, dropout=0.0) for g, a in grids)
    config = PyramidConfig(levels=levels, extra_planes=extra_planes, mean_head=mean_head)
    torch.manual_seed(0)
    pyramid = ChromaPyramid(config)
    with torch.no_grad():
        for parameter in pyramid.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        if pyramid.mean_head is not None:  # colors as photos have them
            for layer in (pyramid.mean_head.coarse_ab, pyramid.mean_head.fine_ab):
                layer.weight.mul_(0.004)
            pyramid.mean_head.gain.fill_(HEAD_GAIN)
        for part in pyramid.levels:
            part.flow.bijections[0].std.fill_(8.0)
            if part.context.from_planes is not None:
                part.context.from_planes.out.weight.mul_(10)  # hints have a say
    if skin_head:
        pyramid = _with_skin_head(pyramid)
    pyramid = _with_likeness_head(pyramid)
    training = {"colors": {"mean_ab": [1.47, 7.64], "blow_up_chroma": 72.8}}
    save_weights(path, pyramid, TEMPERATURES, training, torch.float32, interval_factors, gain)
    return path


def _with_skin_head(pyramid: ChromaPyramid) -> ChromaPyramid:
    """The same with a head for which a part of each photo is skin, of several tones."""
    whole = ChromaPyramid(replace(pyramid.config, skin_head=True))
    head = whole.skin_head
    assert head is not None
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        head.out.weight.mul_(torch.tensor([0.02, 0.004, 0.004])[:, None, None, None])
        head.out.bias[0] = 0.4  # as likely skin as not, on the whole
        head.tone_mean.copy_(torch.tensor([0.1, -0.2]))
        head.tone_factor.copy_(torch.tensor([[0.3, 0.0], [-0.1, 0.2]]))
    whole.load_state_dict({**whole.state_dict(), **pyramid.state_dict()})
    return whole


def _with_likeness_head(pyramid: ChromaPyramid) -> ChromaPyramid:
    """The same with a head for which cells that look the same are alike."""
    whole = ChromaPyramid(replace(pyramid.config, likeness_head=True))
    whole.load_state_dict({**whole.state_dict(), **pyramid.state_dict()})
    return whole


def small_step(*, restores: bool = False) -> StepConfig:
    """The shape of a doubling, as small as can be."""
    return StepConfig(
        restores=restores, width=12, blocks=1, own_blocks=1, couplings=2, coupling_width=8, bins=4
    )


def save_small_enlarge_weights(path: Path) -> Path:
    """Small weights for enlarging with random parameters, so that every sample has its own detail.

    The means of what restores stay close to the photo, as those of trained weights would.
    """
    torch.manual_seed(0)
    models = {}
    for name in (FIRST, LAST, RESTORE):
        models[name] = model = DetailModel(small_step(restores=name == RESTORE))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
            model.flow.bijections[0].std.fill_(2.0)
    save_enlarge_weights(path, models, {})
    return path


class _WhatIsWhite(nn.Module):
    """Takes the lightest pixels for damage."""

    multiple = 2

    def strips(self, strips: Strips) -> Strips:
        return (3 * (lightness - 96.0) for lightness in strips)


def small_repairer() -> Repairer:
    """Finds white lines, and fills them by the classical first guess."""
    finder: Any = _WhatIsWhite()
    return Repairer(RepairWeights(finder=finder, fill=_small_fill(), training={}, digest="5" * 16))


def save_small_repair_weights(path: Path) -> Path:
    """Small weights whose finder finds nothing in particular."""
    save_repair_weights(path, Finder(UNetConfig(widths=(4, 4))), _small_fill(), {})
    return path


def _small_fill() -> FillModel:
    fill = FillModel(FillConfig(mean=UNetConfig(widths=(4, 4)), coupling_width=4, bins=4))
    assert fill.mean.out.bias is not None
    nn.init.zeros_(fill.mean.out.bias)
    return fill
