"""Trains an objective until its budget is used up; `colorflow train` for the levels of a pyramid.

Every evaluation appends to the curve and writes the checkpoint, from which a run goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from colorflow.device import best_device
from colorflow.errors import OptionError, TrainingError
from colorflow.model.condition import Condition, Features
from colorflow.model.config import HINT_PLANES, PyramidConfig, default_config
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.training.objective import ConditionT, Objective
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import RunFolder, best_of, has_state, read_state
from colorflow.training.schedule import Budget
from colorflow.training.targets import (
    EVALUATED_HINTS,
    JOINT,
    SHARE_OF_LOSS,
    JointModule,
    JointObjective,
    LevelObjective,
)
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory


def train(
    pack_folder: Path,
    run_folder: Path,
    *,
    dropout: float | None = None,
    start: Path | None = None,
    config: TrainConfig,
    budget: Budget,
    levels: Sequence[int] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Trains levels of a pyramid; levels that have used up their budget stay unchanged.

    The levels up to 16 learn together with the model's late blocks, in one budget. Finer levels
    learn after them, each by itself, with the late blocks frozen.

    Args:
        pack_folder: made by `python -m data_prep`.
        run_folder: for checkpoints and curves; an existing run goes on.
        dropout: share of units dropped in every level, None for that of the start or of new
            weights.
        start: weights file to start from, None for new weights.
        config: training settings.
        budget: of each level, or of all levels that learn together.
        levels: chroma grids to train (4, 8, 16, 32, 64), in this order; None for all.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        WeightsError: if the weights to start from cannot be read.
        OptionError: if a level is unknown.
        TrainingError: if the run does not fit, late blocks are missing, or losses stay non-finite.
    """
    keep_freed_memory()
    device = torch.device(best_device())
    origin = None if start is None else load_weights(start).pyramid
    shape = _shape(origin, dropout)
    levels = levels or shape.chroma_grids
    for name in levels:
        if name not in shape.chroma_grids:
            raise OptionError(
                f"--levels: no level {name}; this model has {list(shape.chroma_grids)}"
            )
    together = sorted({*levels} & SHARE_OF_LOSS.keys())
    if not (together or has_state(run_folder, JOINT) or (origin and origin.late_blocks)):
        raise TrainingError(
            f"{run_folder}: no late blocks have been trained; train levels up to "
            f"{max(SHARE_OF_LOSS)} first, or name weights that have them with --start"
        )
    torch.manual_seed(config.seed)
    pyramid = ChromaPyramid(shape).to(device)
    pack = PixelPack(pack_folder)
    made_with = {"pyramid": shape.to_dict(), "train": asdict(config)}
    run = RunFolder(run_folder, made_with | ({"start": start.resolve().name} if start else {}))
    alone = [[grid] for grid in levels if grid not in together]
    for grids in [together, *alone] if together else alone:
        _give_late_blocks(pyramid, run_folder, origin)
        module, objective, others = _objectives(pyramid, grids)
        if origin is not None and not has_state(run_folder, objective.folder):
            give_levels(pyramid, origin, grids)
        trainer = Trainer(module, objective, pack, config, device, fit=origin is None)
        train_to_budget(trainer, run, budget, say, others)


def _give_late_blocks(
    pyramid: ChromaPyramid, run_folder: Path, origin: ChromaPyramid | None
) -> None:
    """Loads the late blocks of the run, or else of the start or the frozen network."""
    assert pyramid.late_blocks is not None
    if own := best_of(run_folder, JOINT, "late_blocks."):
        pyramid.late_blocks.load_state_dict(own)
    elif origin is not None and origin.late_blocks is not None:
        pyramid.late_blocks.load_state_dict(origin.late_blocks.state_dict())
    else:
        pyramid.late_blocks.copy_from(Features())


def _objectives(
    pyramid: ChromaPyramid, grids: Sequence[int]
) -> tuple[nn.Module, Objective[Any, Condition], Mapping[str, Objective[Any, Condition]]]:
    """What learns on some grids, its objective, and further ones that choose the best weights.

    Of levels that learn together, all but the finest count once more, since coarse levels decide
    the colors and overfit first.
    """
    if grids[0] not in SHARE_OF_LOSS:
        index = pyramid.config.chroma_grids.index(grids[0])
        hinted = {"dev_hints_nats": LevelObjective(pyramid, index, points=EVALUATED_HINTS)}
        return pyramid.levels[index], LevelObjective(pyramid, index), hinted
    others = {
        f"dev{grid}_nats": JointObjective(pyramid, grids, shares={grid: 1.0}) for grid in grids[:-1]
    }
    others["dev_hints_nats"] = JointObjective(pyramid, grids, points=EVALUATED_HINTS)
    return JointModule(pyramid, grids), JointObjective(pyramid, grids), others


def _shape(origin: ChromaPyramid | None, dropout: float | None) -> PyramidConfig:
    """The shape of the start, or of new weights; with late blocks, and taking color hints."""
    shape = origin.config if origin else default_config()
    if dropout is not None:
        shape = shape.with_levels(shape.chroma_grids, dropout=dropout)
    return replace(shape, late_blocks=True, extra_planes=HINT_PLANES)


def give_levels(pyramid: ChromaPyramid, start: ChromaPyramid, grids: Sequence[int]) -> None:
    """Copies trained weights of levels to a pyramid; new planes start as if they were not there."""
    for grid in grids:
        index = start.config.chroma_grids.index(grid)
        state = pyramid.levels[index].state_dict()
        pyramid.levels[index].load_state_dict(state | start.levels[index].state_dict())


def train_to_budget(
    trainer: Trainer[ConditionT],
    run: RunFolder,
    budget: Budget,
    say: Callable[[str], None],
    others: Mapping[str, Objective[Any, ConditionT]] | None = None,
) -> None:
    """Resumes a training, and trains until the budget is used up.

    Args:
        trainer: a new trainer; it gets the run's state if there is one.
        run: folder for checkpoints and curves of every evaluation.
        budget: of this training.
        say: gets one line per evaluation.
        others: further objectives that help to choose the best weights, by their columns in the
            curve.

    Raises:
        TrainingError: if another process trains the same, the state does not fit, belongs to
            another pack or cannot be written, or losses stay non-finite.
    """
    with run.locked(trainer.objective.folder):
        _go_on(trainer, run, say)
        _train(trainer, run, budget, say, others or {})
    if not trainer.best:
        raise TrainingError(
            f"{run.folder / trainer.objective.folder}: the loss on dev photos was never finite, so "
            "no weights were kept; train in another folder with a lower --rate"
        )


def _go_on(trainer: Trainer[Any], run: RunFolder, say: Callable[[str], None]) -> None:
    """Loads the run's state into a trainer, if there is one, unless it is of another pack."""
    objective = trainer.objective
    state = read_state(run.folder, objective.folder)
    if state is None:
        return
    if state["pack"] != trainer.pack.digest:
        raise TrainingError(
            f"{run.folder / objective.folder}: was trained on another pack than "
            f"{trainer.pack.folder}, or when that had other rows; "
            "name the pack that it was trained on, or choose another folder with -o"
        )
    try:
        trainer.load_state_dict(state)
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"{run.folder / objective.folder / 'state.pt'}: the checkpoint does not fit "
            f"{objective.name} as it is now; delete it to start over"
        ) from error
    say(f"{objective.name}: goes on at step {trainer.step}")


def _train(
    trainer: Trainer[ConditionT],
    run: RunFolder,
    budget: Budget,
    say: Callable[[str], None],
    others: Mapping[str, Objective[Any, ConditionT]],
) -> None:
    """From evaluation to evaluation, until the budget is used up."""
    while (progress := budget.progress(trainer.step, trainer.seconds)) < 1:
        used = budget.used(trainer.step, trainer.seconds)
        loss = trainer.train(budget, min(budget.total, used + trainer.config.evaluate_every))
        _record(trainer, run, loss, say, others)
        if budget.progress(trainer.step, trainer.seconds) == progress:
            raise TrainingError(
                f"{trainer.objective.name}: no step was made; the budget is too small"
            )


def _record(
    trainer: Trainer[ConditionT],
    run: RunFolder,
    loss: float,
    say: Callable[[str], None],
    others: Mapping[str, Objective[Any, ConditionT]],
) -> None:
    """Evaluates, keeps the best weights, and writes curve and checkpoint.

    The best weights have the lowest mean, over dev photos, of the trained objective and `others`.
    """
    dev = trainer.evaluate()
    degraded = trainer.evaluate("whole_degraded")
    more = {column: trainer.evaluate(objective=other) for column, other in others.items()}
    best = trainer.keep_if_best(float(np.mean([dev, *more.values()])))
    row = {
        "step": trainer.step,
        "seconds": trainer.seconds,
        "train_nats": loss,
        "dev_nats": dev,
        "dev_degraded_nats": degraded,
        "best_dev": trainer.best_dev,
        "skipped": trainer.skipped,
        **more,
    }
    run.log(trainer.objective.folder, row)
    run.save(trainer.objective.folder, trainer.state_dict())
    say(
        f"{trainer.objective.name}: step {trainer.step}, {trainer.seconds / 60:.1f} min, "
        f"train {loss:.2f}, dev {dev:.2f}"
        + (f", degraded {degraded:.2f}" if math.isfinite(degraded) else "")
        + f" {trainer.objective.unit}"
        + "".join(f", {column} = {value:.2f}" for column, value in more.items())
        + (" *" if best else "")
        + (f", {trainer.skipped} skipped" if trainer.skipped else "")
    )
