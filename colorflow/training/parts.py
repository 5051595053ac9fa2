"""Parts that learn by themselves: heads of the model of colors, doublings, and what repair does.

`colorflow train --part` trains one, `colorflow export` writes the weights file that it belongs to.
A `TrainingPart` says what the parts of a file learn from, and how the file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic

import torch
from torch import nn

from colorflow.device import best_device
from colorflow.errors import TrainingError
from colorflow.model.weights import check_weights_destination
from colorflow.training.loop import train_to_budget
from colorflow.training.objective import ConditionT, Objective, TrainingData
from colorflow.training.run_folder import (
    RunFolder,
    as_json,
    history_of,
    read_best,
    read_config,
)
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory, processor_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson(Generic[ConditionT]):
    """What the training of one part begins with.

    Attributes:
        module: learns.
        objective: what it learns.
        pack: what it learns from.
        fit: whether the module still needs its fixed statistics.
    """

    module: nn.Module
    objective: Objective[Any, ConditionT]
    pack: TrainingData[ConditionT]
    fit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPart:
    """How weights come about whose parts learn by themselves.

    Attributes:
        name: in commands.
        settings: goes into a run's config.json; tells runs by this recipe from others.
        format: of the weights file.
        batch: rows a step, by default.
        dev_photos: of an evaluation, at most.
        lesson: given the name of a part, the folders of pack and run, and the weights to start
            from or None, what the training begins with.
        write: given the folder of a run, the file to write, the weights to start from or None, and
            the folder of the pack or None, writes the file, and returns how each part of the run
            was trained.
    """

    name: str
    settings: Mapping[str, Any]
    format: str
    batch: int
    lesson: Callable[[str, Path, Path, Path | None], Lesson[Any]]
    write: Callable[[Path, Path, Path | None, Path | None], Mapping[str, Any]]
    dev_photos: int = 1000

    def load(self, run_folder: Path, name: str, module: nn.Module) -> dict[str, Any]:
        """Loads the best weights of a part, in evaluation mode; returns how they were trained.

        Args:
            run_folder: of the run.
            name: of the part and its folder.
            module: gets the weights.

        Raises:
            TrainingError: if it has not been evaluated yet, or its checkpoint does not fit.
        """
        part = self.name if self.name == name else f"{self.name}-{name}"
        command = f"colorflow train PACK -o {run_folder} --part {part}"
        state = read_best(run_folder, name, name, command)
        try:
            module.load_state_dict(state["best"])
        except RuntimeError as error:
            raise TrainingError(
                f"{run_folder / name / 'state.pt'}: its weights do not fit {name} as it is now; "
                "train it again"
            ) from error
        module.eval().requires_grad_(False)
        return {**history_of(state), "dev": round(state["best_dev"], 4)}


def train_part(
    recipe: TrainingPart,
    name: str,
    pack_folder: Path,
    run_folder: Path,
    *,
    start: Path | None = None,
    config: TrainConfig,
    budget: Budget,
    say: Callable[[str], None] = print,
) -> None:
    """Trains one part until its budget is used up; an existing run continues.

    Args:
        recipe: of weights.
        name: of the part.
        pack_folder: made by `python -m data_prep`, of the kind that the part learns from.
        run_folder: gets a folder with checkpoint and curve.
        start: weights file to start from, None for new weights.
        config: settings, the same for all of a run.
        budget: of this training; minutes are those of `processor_seconds`.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        WeightsError: if the weights to start from cannot be read.
        TrainingError: if the part needs another one or weights to start from, the run does not fit,
            or losses stay non-finite.
    """
    keep_freed_memory()
    torch.manual_seed(config.seed)
    lesson = recipe.lesson(name, pack_folder, run_folder, start)
    run = RunFolder(run_folder, {**recipe.settings, "train": asdict(config)})
    device = torch.device(best_device())
    module, clock = lesson.module.to(device), processor_seconds
    trainer = Trainer(
        module, lesson.objective, lesson.pack, config, device, clock=clock, fit=lesson.fit
    )
    train_to_budget(trainer, run, budget, say)


def export_part(
    recipes: Iterable[TrainingPart],
    run_folder: Path,
    weights: Path,
    *,
    start: Path | None = None,
    pack_folder: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Writes a weights file from the best weights of a run, in float16.

    Args:
        recipes: of weights, one of which is that of the run.
        run_folder: of `train_part`.
        weights: NAME.safetensors.
        start: weights file with all that the run has not trained.
        pack_folder: that the run was trained on, for a recipe that measures something there.
        say: gets the report, line by line.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if the run is by none of them, lacks a part, or more is needed.
        WeightsError: if a file cannot be read, or must not or cannot be written.
    """
    config = read_config(run_folder).items()
    recipe = next(
        (recipe for recipe in recipes if as_json(recipe.settings).items() <= config), None
    )
    if recipe is None:
        raise TrainingError(f"{run_folder}: its parts have another shape here; train them again")
    check_weights_destination(weights, recipe.format)
    for name, history in recipe.write(run_folder, weights, start, pack_folder).items():
        say(f"{name}: {history}")
    say(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB")
