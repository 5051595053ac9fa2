"""`colorflow train`: levels one after the other, each to its budget, resumed where they stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import distributed

from colorflow.errors import TrainingError
from colorflow.model.config import PyramidConfig, shipped_config
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.allocator import keep_freed_memory
from colorflow.training.grids import write_grid
from colorflow.training.pack import Pack
from colorflow.training.run import Run
from colorflow.training.schedule import Budget
from colorflow.training.targets import level_names
from colorflow.training.trainer import LevelTrainer, TrainConfig


def train(
    pack_folder: Path,
    run_folder: Path,
    *,
    shape: PyramidConfig | None = None,
    config: TrainConfig,
    budget: Budget,
    levels: Sequence[int] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Trains levels of a pyramid; a level that has used its budget already is left alone.

    Under `torchrun` every process takes its share of each batch (gloo, or NCCL on CUDA).

    Args:
        pack_folder: made by `python -m data_prep`.
        run_folder: checkpoints, curves and grids; an existing run goes on.
        shape: of the pyramid, None for that of the shipped weights.
        config: the recipe.
        budget: of each level.
        levels: chroma grids to train (4, 8, 16, 32, 64), None for all, in this order.
        say: gets one line an evaluation.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if a level is unknown, the run does not fit, or losses stay non-finite.
    """
    keep_freed_memory()
    rank, processes = _join_processes()
    device = _device(rank)
    pack = Pack(pack_folder)
    shape = shape or shipped_config()
    run = Run(run_folder, shape, config)
    torch.manual_seed(config.seed)
    pyramid = ChromaPyramid(shape).to(device)
    names = level_names(pyramid)
    for name in levels or names:
        if name not in names:
            raise TrainingError(f"--levels: no level {name}; this model has {names}")
    try:
        for name in levels or names:
            torch.manual_seed(config.seed + name)
            trainer = LevelTrainer(
                pyramid, names.index(name), pack, config, device, rank, processes
            )
            _train_level(trainer, run, budget, say if rank == 0 else _silent)
    finally:
        if processes > 1:
            distributed.destroy_process_group()


def _train_level(
    trainer: LevelTrainer, run: Run, budget: Budget, say: Callable[[str], None]
) -> None:
    state = run.load(trainer.name)
    if state is not None:
        trainer.load_state_dict(state)
        say(f"level {trainer.name}: goes on at step {trainer.step}")
    while (progress := budget.progress(trainer.step, trainer.seconds)) < 1:
        used = trainer.step if budget.steps is not None else trainer.seconds
        total = budget.steps if budget.steps is not None else 60 * (budget.minutes or 0)
        loss = trainer.train(budget, min(total, used + trainer.config.evaluate_every))
        if trainer.rank == 0:
            _record(trainer, run, loss, say)
        if trainer.processes > 1:
            distributed.barrier()
        if budget.progress(trainer.step, trainer.seconds) == progress:
            raise TrainingError(f"level {trainer.name}: no step was made; the budget is too small")


def _record(trainer: LevelTrainer, run: Run, loss: float, say: Callable[[str], None]) -> None:
    """Evaluates, remembers the best weights, writes curve, checkpoint and sample grid."""
    dev = trainer.evaluate("dev")
    degraded = trainer.evaluate("dev", "whole_degraded")
    best = trainer.keep_if_best(dev)
    row = {
        "step": trainer.step,
        "seconds": trainer.seconds,
        "train_nats": loss,
        "dev_nats": dev,
        "dev_degraded_nats": degraded,
        "best_dev": trainer.best_dev,
        "skipped": trainer.skipped,
    }
    run.log(trainer.name, row)
    write_grid(trainer, run.level(trainer.name) / "grid.png")
    run.save(trainer.name, trainer.state_dict())
    say(
        f"level {trainer.name}: step {trainer.step}, {trainer.seconds / 60:.1f} min, "
        f"train {loss:.2f}, dev {dev:.2f}, degraded {degraded:.2f} nats a photo"
        + (" *" if best else "")
        + (f", {trainer.skipped} skipped" if trainer.skipped else "")
    )


def _join_processes() -> tuple[int, int]:
    """Rank and number of processes: from torchrun's environment, or one process."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("RANK", "0")), processes


def _device(rank: int) -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank)))


def _silent(_: str) -> None:
    pass
