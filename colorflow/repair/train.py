"""`colorflow train-repair`: trains what repair does, part by part, on a pack of patches.

The finder, then the network that predicts the mean of what damage hides, then the flow over what
that leaves, each for a share of the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from colorflow.device import best_device
from colorflow.model.weights import check_weights_destination
from colorflow.repair.model import FillConfig, FillModel
from colorflow.repair.network import Finder, MeanFill, UNetConfig
from colorflow.repair.objectives import (
    FILL,
    FINDER,
    MEAN,
    FillMeanObjective,
    FillObjective,
    FinderObjective,
    PartObjective,
)
from colorflow.repair.patches import WornPatches
from colorflow.repair.weights import FORMAT, save_repair_weights
from colorflow.training.run_folder import RunFolder, load_best
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory, processor_seconds
from colorflow.training.until_budget import train_to_budget


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


def export_repair(run_folder: Path, weights: Path, *, say: Callable[[str], None] = print) -> None:
    """Writes a weights file from the best weights of a run, in float16.

    Args:
        run_folder: of `train_part`, with all parts.
        weights: NAME.safetensors.
        say: gets the report, line by line.

    Raises:
        TrainingError: if a part is missing or does not fit.
        WeightsError: if the file must not or cannot be written.
    """
    check_weights_destination(weights, FORMAT)
    finder, fill = Finder(FINDER_SHAPE), FillModel(FILL_SHAPE)
    modules = {FINDER: finder, MEAN: fill.mean, FILL: fill}
    training: dict[str, Any] = {}
    for name, module in modules.items():
        training[name] = load_best(run_folder, name, module, _command(name, run_folder))
        say(f"{name}: {training[name]}")
    save_repair_weights(weights, finder, fill, training)
    say(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB")


def _command(name: str, run_folder: Path) -> str:
    return f"colorflow train-repair {name} PACK -o {run_folder}"
