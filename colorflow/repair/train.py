"""The parts of repair, which learn from a pack of prints.

The finder; the network that predicts the mean of what damage hides; then the flow over what that
leaves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from colorflow.device import best_device
from colorflow.repair.model import (
    DEQUANTIZATION_STD,
    FORMAT,
    FillConfig,
    FillModel,
    load_repair_weights,
    save_repair_weights,
)
from colorflow.repair.network import Finder, MeanFill, UNetConfig
from colorflow.repair.prints import WornPrints
from colorflow.training.run_folder import has_state
from colorflow.training.trainer import Loss, TrainConfig, Trainer, Training

FINDER, MEAN, FILL = "finder", "mean", "fill"


class FinderLoss(Loss):
    """Cross-entropy of damage, pixel by pixel; what is half plain counts for nothing."""

    name = FINDER
    stream = 300
    unit = "bits a pixel"

    def __call__(self, module: Finder, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """Mean over the pixels of a print, (B,)."""
        logits, plain = module(planes[:, :1]).float(), planes[:, 1:2]
        is_damage, weight = (plain > 0.5).float(), (2 * plain - 1).abs()
        error = F.binary_cross_entropy_with_logits(logits, is_damage, weight, reduction="none")
        return error.flatten(1).mean(1) / math.log(2)


class FillMeanLoss(Loss):
    """Squared error of the mean inside the mask."""

    name = MEAN
    stream = 300
    unit = "squared L* units"

    def __call__(
        self, module: MeanFill, target: Tensor, planes: Tensor, noise: Generator
    ) -> Tensor:
        """Mean over the masked pixels of a print, 0 where there are none, (B,)."""
        mask = planes[:, 2:3]
        mean, _ = module(planes[:, 3:], mask)
        return _per_pixel((mask * (mean - target).square()).flatten(1).sum(1), mask)


class FillLoss(Loss):
    """Maximum likelihood of what the mask hides, with noise."""

    name = FILL
    stream = 300
    unit = "bits/dim"

    def __call__(
        self, module: FillModel, target: Tensor, planes: Tensor, noise: Generator
    ) -> Tensor:
        """Negative log-likelihood in bits per masked pixel, density per L* unit, (B,)."""
        mask = planes[:, 2:3]
        noisy = target + DEQUANTIZATION_STD * torch.randn(target.shape, generator=noise).to(target)
        log_prob = module(noisy, planes[:, 3:], mask)
        return _per_pixel(-log_prob / math.log(2), mask)


def _per_pixel(total: Tensor, mask: Tensor) -> Tensor:
    return total / mask.flatten(1).sum(1).clamp_min(1.0)


FINDER_SHAPE, FILL_SHAPE = UNetConfig(), FillConfig()
PARTS: Mapping[str, tuple[Loss, Callable[[], nn.Module]]] = {
    FINDER: (FinderLoss(), lambda: Finder(FINDER_SHAPE)),
    MEAN: (FillMeanLoss(), lambda: MeanFill(FILL_SHAPE.mean)),
    FILL: (FillLoss(), lambda: FillModel(FILL_SHAPE)),
}
"""What each part learns, and what makes the untrained module."""


def _trainer(
    part: str, pack_folder: Path, run: Path, start: Path | None, config: TrainConfig
) -> Trainer:
    """The trainer of a part before its first step.

    It starts from the part of its name in the weights. The flow needs a trained mean. What fills
    learns from rows with a mask alone.
    """
    loss, build = PARTS[part]
    module = build()
    if start and not has_state(run, part):
        trained = load_repair_weights(start)
        origin = {FINDER: trained.finder, MEAN: trained.fill.mean, FILL: trained.fill}[part]
        module.load_state_dict(origin.state_dict())
    if isinstance(module, FillModel) and (has_state(run, MEAN) or not start):
        REPAIR.load(run, MEAN, module.mean)
    fast: Any = {"memory_format": torch.channels_last}  # a fifth faster on a CPU
    pack = WornPrints(pack_folder, masked=part != FINDER)
    module = module.to(device=best_device(), **fast)
    return Trainer(module, loss, pack, config)


def _write(
    run: Path, weights: Path, start: Path | None, pack_folder: Path | None
) -> dict[str, Any]:
    """Writes the parts that the run has trained, and the others of `start`."""
    finder, fill = Finder(FINDER_SHAPE), FillModel(FILL_SHAPE)
    training: dict[str, Any] = {}
    if start:
        rest = load_repair_weights(start)
        finder, fill, training = rest.finder, rest.fill, rest.training
    for name, module in ((FINDER, finder), (MEAN, fill.mean), (FILL, fill)):
        if name not in training or has_state(run, name):
            training[name] = REPAIR.load(run, name, module)
    save_repair_weights(weights, finder, fill, training)
    return training


REPAIR = Training(
    name="repair",
    settings={"repair": {FINDER: FINDER_SHAPE.to_dict(), FILL: FILL_SHAPE.to_dict()}},
    format=FORMAT,
    batch=4,
    dev_photos=256,
    trainer=_trainer,
    write=_write,
)
