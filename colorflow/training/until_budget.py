"""Trains one objective until its budget is used up: resumes, evaluates, and records.

Every evaluation appends to the curve and writes the checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from colorflow.errors import TrainingError
from colorflow.training.objective import ConditionT, Objective
from colorflow.training.run_folder import RunFolder, read_state
from colorflow.training.schedule import Budget
from colorflow.training.trainer import Trainer


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
        used = trainer.step if budget.steps is not None else trainer.seconds
        total = budget.steps if budget.steps is not None else 60 * (budget.minutes or 0)
        loss = trainer.train(budget, min(total, used + trainer.config.evaluate_every))
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
