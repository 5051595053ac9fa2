"""`colorflow zoo train`: trains one architecture of the zoo on the task that all share.

The task is p(ab on a 16x16 grid | photo): chroma means of the cells in CIELAB units, with Gaussian
noise of std 1 on each. The context network is the same for every architecture and trains together
with its flow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from colorflow.errors import TrainingError
from colorflow.evaluation.densities import (
    ConditionalDensity,
    DensityObjective,
    DistillationObjective,
)
from colorflow.model.condition import Condition
from colorflow.model.config import LevelConfig
from colorflow.model.context import LevelContext
from colorflow.training.allocator import keep_freed_memory
from colorflow.training.loop import choose_device
from colorflow.training.pack import Pack
from colorflow.training.run_folder import RunFolder, read_state
from colorflow.training.schedule import Budget
from colorflow.training.targets import NOISE
from colorflow.training.trainer import TrainConfig, Trainer, processor_seconds
from colorflow.training.until_budget import resume, train_to_budget
from colorflow.zoo import ARCHITECTURES, Architecture

GRID = 16
SHAPE = (2, GRID, GRID)
CONTEXT = LevelConfig(
    grid=GRID, width=64, context_layers=2, attention=False, maps=(8, 16), dropout=0.05,
    couplings=1, bins=2,
)  # fmt: skip
"""The context network; `couplings` and `bins` describe a level's flow and are not used."""
TEACHERS = {"iaf": "maf"}
"""The architectures that are distilled, each with its teacher."""
EVALUATE_EVERY = 120.0
"""Seconds of training between evaluations; each one also writes a checkpoint."""
DEV_PHOTOS = 500


def density_of(architecture: Architecture) -> ConditionalDensity:
    """p(ab | photo) by one architecture, with its context network."""
    context = LevelContext(CONTEXT, coarse=False, extra_planes=0)
    return ConditionalDensity(architecture.build(SHAPE, CONTEXT.width), SHAPE, context)


def zoo_config(*, batch: int = 64, rate: float = 1e-3, seed: int = 0) -> TrainConfig:
    """The settings of the pyramid's levels, in float32.

    Args:
        batch: rows per step.
        rate: peak learning rate.
        seed: of initial weights, order and noise.
    """
    return TrainConfig(
        batch=batch,
        peak_rate=rate,
        seed=seed,
        evaluate_every=EVALUATE_EVERY,
        dev_photos=DEV_PHOTOS,
        autocast=False,
    )


def train_architecture(
    name: str,
    pack_folder: Path,
    run_folder: Path,
    *,
    config: TrainConfig,
    minutes: float,
    say: Callable[[str], None] = print,
) -> None:
    """Trains one architecture until its minutes are used up; an existing run continues.

    Args:
        name: key of the architecture in the zoo.
        pack_folder: made by `python -m data_prep`.
        run_folder: gets a folder of that name with checkpoint, curve and samples.
        config: the settings, the same for all architectures of a run.
        minutes: of `processor_seconds`.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if the architecture is unknown, the run does not fit, or losses stay
            non-finite.
    """
    keep_freed_memory()
    find_architecture(name)
    pack = Pack(pack_folder)
    run = RunFolder(run_folder, run_description(config))
    trainer = make_trainer(name, pack, run_folder, config, choose_device())
    train_to_budget(trainer, run, Budget(minutes=minutes), say)


def make_trainer(
    name: str, pack: Pack, run_folder: Path, config: TrainConfig, device: torch.device
) -> Trainer[Condition]:
    """Makes the trainer of one architecture, before its first step.

    Args:
        name: key of the architecture in the zoo.
        pack: training data.
        run_folder: of the teacher, if the architecture has one.
        config: the settings.
        device: where to compute.

    Raises:
        TrainingError: if the architecture is unknown, its teacher is not trained, or it has learned
            from an earlier teacher.
    """
    architecture = find_architecture(name)
    objective = DensityObjective(name, GRID, CONTEXT.maps)
    if name in TEACHERS:
        teacher = _teacher(name, run_folder).to(device)
        objective = DistillationObjective(name, GRID, CONTEXT.maps, teacher)
    torch.manual_seed(config.seed)
    module = density_of(architecture).to(device)
    trainer = Trainer(module, objective, pack, config, device, clock=processor_seconds)
    if isinstance(objective, DistillationObjective) and (state := read_state(run_folder, name)):
        resume(trainer, state, run_folder)
        if not objective.is_teacher_of(state["level"]):
            raise TrainingError(
                f"{run_folder / name / 'state.pt'}: was distilled from an earlier "
                f"{TEACHERS[name]}; delete it to start over"
            )
    return trainer


def find_architecture(name: str) -> Architecture:
    """Finds an architecture of the zoo that is for images.

    Raises:
        TrainingError: if there is none of that name.
    """
    known = [key for key, value in ARCHITECTURES.items() if value.images]
    if name in ARCHITECTURES and name not in known:
        raise TrainingError(f"{name}: is for data in the plane; see `colorflow zoo toys`")
    if name not in known:
        raise TrainingError(f"{name}: no such architecture; there are {', '.join(known)}")
    return ARCHITECTURES[name]


def run_description(config: TrainConfig) -> dict[str, object]:
    """Describes a run, for its `config.json`."""
    task = {"grid": GRID, "noise": NOISE, "context": asdict(CONTEXT)}
    return {"task": task, "train": asdict(config)}


def _teacher(student: str, run_folder: Path) -> ConditionalDensity:
    name = TEACHERS[student]
    state = read_state(run_folder, name)
    if state is None:
        raise TrainingError(
            f"{run_folder}: {student} learns from {name}, which is not trained yet; "
            f"train it with `colorflow zoo train {name} PACK -o {run_folder}`"
        )
    teacher = density_of(find_architecture(name))
    try:
        teacher.load_state_dict(state["ema"])
    except RuntimeError as error:
        raise TrainingError(
            f"{run_folder / name / 'state.pt'}: the checkpoint does not fit {name} as it is now; "
            "delete it to start over"
        ) from error
    return teacher
