"""`colorflow train-repair`: trains what repair does, part by part, on a pack of patches.

The finder, then the network that predicts the mean of what damage hides, then the flow over what
that leaves, each for a share of the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from colorflow.device import best_device
from colorflow.model.weights import check_weights_destination
from colorflow.repair.model import (
    DEQUANTIZATION_STD,
    FORMAT,
    FillConfig,
    FillModel,
    load_repair_weights,
    save_repair_weights,
)
from colorflow.repair.network import Finder, MeanFill, UNetConfig
from colorflow.repair.patches import WornPatches
from colorflow.training.objective import ModuleT, Objective
from colorflow.training.run_folder import RunFolder, load_best
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory, processor_seconds
from colorflow.training.until_budget import train_to_budget

FINDER, MEAN, FILL = "finder", "mean", "fill"


class PartObjective(Objective[ModuleT, Tensor]):
    """What the objectives have in common; the condition is that of `WornPatches`, (B, 4, H, W)."""

    stream = 300

    def fit(self, module: ModuleT, target: Tensor, planes: Tensor, noise: Generator) -> None:
        """Nothing is taken from the data before training."""


class FinderObjective(PartObjective[Finder]):
    """Cross-entropy of damage, pixel by pixel; plain damage counts up to three times."""

    name = folder = FINDER
    unit = "bits a pixel"

    def loss(self, module: Finder, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """Mean over the pixels of a patch, (B,)."""
        logits, plain = module(planes[:, :1]).float(), planes[:, 1:2]
        error = F.binary_cross_entropy_with_logits(logits, plain, 1 + 2 * plain, reduction="none")
        return error.flatten(1).mean(1) / math.log(2)


class FillMeanObjective(PartObjective[MeanFill]):
    """Squared error of the mean inside the mask."""

    name = folder = MEAN
    unit = "squared L* units"

    def loss(self, module: MeanFill, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """Mean over the masked pixels of a patch, 0 where there are none, (B,)."""
        mask = planes[:, 2:3]
        mean, _ = module(planes[:, 3:], mask)
        return _per_pixel((mask * (mean - target).square()).flatten(1).sum(1), mask)


class FillObjective(PartObjective[FillModel]):
    """Maximum likelihood of what the mask hides, with noise."""

    name = folder = FILL
    unit = "bits/dim"

    def loss(self, module: FillModel, target: Tensor, planes: Tensor, noise: Generator) -> Tensor:
        """Negative log-likelihood in bits per masked pixel, density per L* unit, (B,)."""
        mask = planes[:, 2:3]
        noisy = target + DEQUANTIZATION_STD * torch.randn(target.shape, generator=noise).to(target)
        log_prob = module(noisy, planes[:, 3:], mask)
        return _per_pixel(-log_prob / math.log(2), mask)


def _per_pixel(total: Tensor, mask: Tensor) -> Tensor:
    return total / mask.flatten(1).sum(1).clamp_min(1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of repair, as it is trained.

    Attributes:
        build: makes the untrained module.
        objective: what it learns.
        masked: whether it learns from rows with a mask alone.
    """

    build: Callable[[], nn.Module]
    objective: PartObjective[Any]
    masked: bool


FINDER_SHAPE, FILL_SHAPE = UNetConfig(), FillConfig()
PARTS: Mapping[str, Part] = {
    FINDER: Part(build=lambda: Finder(FINDER_SHAPE), objective=FinderObjective(), masked=False),
    MEAN: Part(build=lambda: MeanFill(FILL_SHAPE.mean), objective=FillMeanObjective(), masked=True),
    FILL: Part(build=lambda: FillModel(FILL_SHAPE), objective=FillObjective(), masked=True),
}


def train_part(
    name: str,
    pack_folder: Path,
    run_folder: Path,
    *,
    config: TrainConfig,
    budget: Budget,
    say: Callable[[str], None] = print,
) -> None:
    """Trains one part until its budget is used up; an existing run continues.

    Args:
        name: `FINDER`, `MEAN` or `FILL`; the flow needs a trained mean.
        pack_folder: made by `python -m data_prep PHOTOS -o PACK --patches`.
        run_folder: gets a folder for each part with checkpoint, curve and samples.
        config: settings, the same for all of a run.
        budget: of this training; minutes are those of `processor_seconds`.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if the run does not fit, lacks the mean, or losses stay non-finite.
    """
    keep_freed_memory()
    part = PARTS[name]
    pack = WornPatches(pack_folder, masked=part.masked)
    shapes = {FINDER: FINDER_SHAPE.to_dict(), FILL: FILL_SHAPE.to_dict()}
    run = RunFolder(run_folder, {"repair": shapes, "train": asdict(config)})
    torch.manual_seed(config.seed)
    module, device = part.build(), torch.device(best_device())
    if isinstance(module, FillModel):
        load_best(run_folder, MEAN, module.mean, _command(MEAN, run_folder))
    fast: Any = {"memory_format": torch.channels_last}  # a fifth faster on a CPU
    module = module.to(device).to(**fast)
    trainer = Trainer(module, part.objective, pack, config, device, clock=processor_seconds)
    train_to_budget(trainer, run, budget, say)


def export_repair(
    run_folder: Path,
    weights: Path,
    others: Path | None = None,
    *,
    say: Callable[[str], None] = print,
) -> None:
    """Writes a weights file from the best weights of a run, in float16.

    Args:
        run_folder: of `train_part`.
        weights: NAME.safetensors.
        others: weights file of the parts that the run has not trained.
        say: gets the report, line by line.

    Raises:
        TrainingError: if a part is missing or does not fit.
        WeightsError: if a file cannot be read, or must not or cannot be written.
    """
    check_weights_destination(weights, FORMAT)
    finder, fill = Finder(FINDER_SHAPE), FillModel(FILL_SHAPE)
    training: dict[str, Any] = {}
    if others:
        loaded = load_repair_weights(others)
        finder, fill, training = loaded.finder, loaded.fill, loaded.training
    modules = {FINDER: finder, MEAN: fill.mean, FILL: fill}
    for name, module in modules.items():
        if name in training and not (run_folder / name).exists():
            continue
        training[name] = load_best(run_folder, name, module, _command(name, run_folder))
        say(f"{name}: {training[name]}")
    save_repair_weights(weights, finder, fill, training)
    say(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB")


def _command(name: str, run_folder: Path) -> str:
    return f"colorflow train-repair {name} PACK -o {run_folder}"
