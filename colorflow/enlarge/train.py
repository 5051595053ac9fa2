"""`colorflow train-enlarge`: trains one doubling on a pack of patches.

A doubling trains in two halves: first the network that predicts the mean, by squared error, then
the flow over what it leaves, by maximum likelihood.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from colorflow.device import best_device
from colorflow.enlarge.model import DEQUANTIZATION_STD, DetailModel, MeanDoubling, StepConfig
from colorflow.enlarge.patches import PatchPack
from colorflow.enlarge.weights import (
    FIRST,
    FORMAT,
    LAST,
    RESTORE,
    load_enlarge_weights,
    save_enlarge_weights,
)
from colorflow.model.weights import check_weights_destination
from colorflow.training.objective import Objective
from colorflow.training.run_folder import RunFolder, has_state, load_best
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory, processor_seconds
from colorflow.training.until_budget import train_to_budget

MEAN = "{}-mean"
"""Name of the network that predicts the mean for a doubling, and its folder in a run."""


class DetailObjective(Objective[DetailModel, Tensor]):
    """Maximum likelihood of patches with noise.

    Args:
        name: of what is trained, in messages and as the folder's name.
        numbers: modeled numbers per pixel of low resolution; the loss counts bits per number.
    """

    unit = "bits/dim"
    stream = 200

    def __init__(self, name: str, numbers: int) -> None:
        self.name = self.folder = name
        self.numbers = numbers

    def fit(self, module: DetailModel, high: Tensor, low: Tensor, noise: Generator) -> None:
        """Sets the statistics of the modeled numbers."""
        module.fit(noisy(high, noise), low)

    def loss(self, module: DetailModel, high: Tensor, low: Tensor, noise: Generator) -> Tensor:
        """Negative log-likelihood in bits per modeled number, density per L* unit, (B,)."""
        log_prob: Tensor = module(noisy(high, noise), low)
        return -log_prob / (self.numbers * low[0].numel() * math.log(2))


class MeanObjective(Objective[MeanDoubling, Tensor]):
    """Squared error of a mean; `name` as of `DetailObjective`."""

    unit = "squared L* units"
    stream = 200

    def __init__(self, name: str) -> None:
        self.name = self.folder = name

    def fit(self, module: MeanDoubling, high: Tensor, low: Tensor, noise: Generator) -> None:
        """Takes the linear prediction."""
        module.fit(high, low)

    def loss(self, module: MeanDoubling, high: Tensor, low: Tensor, noise: Generator) -> Tensor:
        """Mean squared error of the modeled numbers, (B,)."""
        return module(high, low)


def noisy(high: Tensor, generator: Generator) -> Tensor:
    """Patches with the noise that densities need, generated on the CPU."""
    return high + DEQUANTIZATION_STD * torch.randn(high.shape, generator=generator).to(high)


DOUBLINGS = {LAST: StepConfig(), FIRST: StepConfig(), RESTORE: StepConfig(restores=True)}
"""The doublings of a weights file. They learn from patches as they are, halved once more, and with
damage at the low resolution."""


def train_doubling(
    name: str,
    pack_folder: Path,
    run_folder: Path,
    *,
    start: Path | None = None,
    config: TrainConfig,
    budget: Budget,
    say: Callable[[str], None] = print,
) -> None:
    """Trains one doubling until its budget is used up; an existing run continues.

    Its mean takes half of the budget.

    Args:
        name: `LAST`, `FIRST` or `RESTORE`.
        pack_folder: made by `python -m data_prep PHOTOS -o PACK --patches`.
        run_folder: gets a folder for each of both with checkpoint and curve.
        start: weights file to start from: its doubling of that name, or `LAST` if it has none; a
            doubling's flow for a flow, its mean for all else; the context network alone where the
            shapes differ. None for new weights.
        config: settings, the same for all of a run.
        budget: of this training; minutes are those of `processor_seconds`.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if the run does not fit, or losses stay non-finite.
        WeightsError: if the file to start from cannot be read.
    """
    keep_freed_memory()
    trained = load_enlarge_weights(start).models if start else None
    mean, shape = MEAN.format(name), DOUBLINGS[name]
    pack = PatchPack(pack_folder, reduced=int(name == FIRST), damaged=shape.restores)
    build: Callable[[StepConfig], MeanDoubling | DetailModel]
    objective: Objective[Any, Tensor]
    for part, build, objective in (
        (mean, MeanDoubling, MeanObjective(mean)),
        (name, DetailModel, DetailObjective(name, shape.channels)),
    ):
        run = RunFolder(run_folder, {"enlarge": asdict(StepConfig()), "train": asdict(config)})
        torch.manual_seed(config.seed)
        module, device = build(shape), torch.device(best_device())
        if isinstance(module, DetailModel):
            load_best(run_folder, mean, module.mean, _command(name, run_folder))
        is_whole = False
        if trained and not has_state(run_folder, part):
            is_whole = _start(module, trained.get(name, trained[LAST]))
        trainer = Trainer(
            module.to(device), objective, pack, config, device,
            clock=processor_seconds, fit=not is_whole,
        )  # fmt: skip
        train_to_budget(trainer, run, budget.share(0.5), say)


def export_doublings(
    run_folder: Path,
    weights: Path,
    *,
    others: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Writes a weights file from the best weights of a run, in float16.

    Where the first of two doublings has not been trained, the last one takes its place: photos look
    alike at both scales.

    Args:
        run_folder: of `train_doubling`.
        weights: NAME.safetensors.
        others: weights file with the doublings that the run has not trained; without it, the last
            doubling must have been evaluated.
        say: gets the report, line by line.

    Raises:
        TrainingError: if the run has trained none of the doublings, the last one is missing, or a
            checkpoint does not fit.
        WeightsError: if a file cannot be read, or must not or cannot be written.
    """
    check_weights_destination(weights, FORMAT)
    fallback = load_enlarge_weights(others) if others else None
    models: dict[str, DetailModel] = dict(fallback.models) if fallback else {}
    training: dict[str, Any] = dict(fallback.training) if fallback else {}
    names = [name for name in (LAST, FIRST, RESTORE) if has_state(run_folder, name)]
    if not models or not names:
        names = list(dict.fromkeys([LAST, *names]))  # whose absence is an error
    for name in names:
        model = DetailModel(DOUBLINGS[name])
        training[name] = load_best(run_folder, name, model, _command(name, run_folder))
        models[name] = model
    if FIRST not in models:
        models[FIRST] = models[LAST]
        training[FIRST] = {**training[LAST], "doubling": LAST}
    for name in models:
        say(f"{name}: {training[name]}")
    save_enlarge_weights(weights, models, training)
    say(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB, {', '.join(models)}")


def _start(module: MeanDoubling | DetailModel, trained: DetailModel) -> bool:
    """Copies the weights of a trained doubling; returns whether it has the same shape.

    Otherwise its context network is copied alone. A flow keeps the mean that it was given.
    """
    best = (trained if isinstance(module, DetailModel) else trained.mean).state_dict()
    own = module.state_dict()
    is_whole = {name: x.shape for name, x in own.items()} == {n: x.shape for n, x in best.items()}
    for name, x in best.items():
        if name.startswith("context.") or (is_whole and not name.startswith("mean.")):
            own[name] = x
    module.load_state_dict(own)
    return is_whole


def _command(name: str, run_folder: Path) -> str:
    return f"colorflow train-enlarge {name} PACK -o {run_folder}"
