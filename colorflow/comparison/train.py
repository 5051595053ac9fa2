"""`colorflow zoo train`: one architecture of the zoo, by the recipe that all share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from colorflow.comparison.distill import TEACHERS, DistillationTask
from colorflow.comparison.task import CONTEXT, GRID, ChromaTask, density_of
from colorflow.errors import TrainingError
from colorflow.model.density import ConditionalDensity
from colorflow.training.allocator import keep_freed_memory
from colorflow.training.loop import choose_device, resume, train_to_budget
from colorflow.training.pack import Pack
from colorflow.training.run_folder import RunFolder, read_state
from colorflow.training.schedule import Budget
from colorflow.training.targets import NOISE
from colorflow.training.trainer import TrainConfig, Trainer
from colorflow.zoo import ARCHITECTURES, Architecture

EVALUATE_EVERY = 120.0
"""Seconds of training between evaluations, which write a checkpoint too."""
DEV_PHOTOS = 500


def recipe(*, batch: int = 64, rate: float = 1e-3, seed: int = 0) -> TrainConfig:
    """The recipe: that of the pyramid's levels, in float32.

    Args:
        batch: rows a step.
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
    """Trains one architecture; one that has used its minutes already is left alone.

    Args:
        name: key of the architecture in the zoo.
        pack_folder: made by `python -m data_prep`.
        run_folder: gets a folder of that name with checkpoint, curve and samples.
        config: the recipe, the same for all architectures of a run.
        minutes: of `training_seconds`.
        say: gets one line an evaluation.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if the architecture is unknown, the run does not fit, or losses stay
            non-finite.
    """
    keep_freed_memory()
    find_architecture(name)
    pack = Pack(pack_folder)
    run = RunFolder(run_folder, run_recipe(config))
    trainer = make_trainer(name, pack, run_folder, config, choose_device())
    train_to_budget(trainer, run, Budget(minutes=minutes), say)


def make_trainer(
    name: str, pack: Pack, run_folder: Path, config: TrainConfig, device: torch.device
) -> Trainer:
    """A trainer of one architecture as it is before its first step.

    Args:
        name: key of the architecture in the zoo.
        pack: training data.
        run_folder: where the teacher is, if the architecture has one.
        config: the recipe.
        device: where to compute.

    Raises:
        TrainingError: if the architecture is unknown or has a teacher that is not trained.
    """
    architecture = find_architecture(name)
    task = ChromaTask(name)
    if name in TEACHERS:
        task = DistillationTask(name, _teacher(name, run_folder).to(device))
    torch.manual_seed(config.seed)
    module = density_of(architecture).to(device)
    trainer = Trainer(module, task, pack, config, device, clock=training_seconds)
    if isinstance(task, DistillationTask):
        state = read_state(run_folder, name)
        if state is not None:
            resume(trainer, state, run_folder)
            if not task.is_teacher_of(state["level"]):
                raise TrainingError(
                    f"{run_folder / name / 'state.pt'}: was distilled from an earlier "
                    f"{TEACHERS[name]}; delete it to start over"
                )
    return trainer


def find_architecture(name: str) -> Architecture:
    """An architecture of the zoo that is for images.

    Raises:
        TrainingError: if there is none of that name.
    """
    known = [key for key, value in ARCHITECTURES.items() if value.images]
    if name in ARCHITECTURES and name not in known:
        raise TrainingError(f"{name}: is for data in the plane; see `colorflow zoo toys`")
    if name not in known:
        raise TrainingError(f"{name}: no such architecture; there are {', '.join(known)}")
    return ARCHITECTURES[name]


def run_recipe(config: TrainConfig) -> dict[str, object]:
    """What a run's folder says of itself."""
    task = {"grid": GRID, "noise": NOISE, "context": asdict(CONTEXT)}
    return {"task": task, "train": asdict(config)}


def training_seconds() -> float:
    """Processor time of this process, a thread of torch; where a GPU computes, wall time.

    What else a machine does moves the clock on the wall and would change the comparison.
    """
    if torch.cuda.is_available():
        return time.monotonic()
    return time.process_time() / torch.get_num_threads()


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
