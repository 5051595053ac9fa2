"""The doublings of enlarging, which learn from a pack of patches.

Of each, first the network that predicts the mean learns, by squared error, then the flow over what
it leaves, by maximum likelihood.
"""

from __future__ import annotations

import math
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
from colorflow.training.run_folder import has_state
from colorflow.training.trainer import Loss, TrainConfig, Trainer, Training

MEAN = "-mean"
"""Follows the name of a doubling in that of the network that predicts its mean."""


class DetailLoss(Loss):
    """Maximum likelihood of patches with noise.

    Args:
        name: of what is trained, in messages and as the folder's name.
        numbers: modeled numbers per pixel of low resolution; the loss counts bits per number.
    """

    unit = "bits/dim"
    stream = 200

    def __init__(self, name: str, numbers: int) -> None:
        self.name = name
        self.numbers = numbers

    def fit(self, module: DetailModel, high: Tensor, low: Tensor, noise: Generator) -> None:
        """Sets the statistics of the modeled numbers."""
        module.fit(noisy(high, noise), low)

    def __call__(self, module: DetailModel, high: Tensor, low: Tensor, noise: Generator) -> Tensor:
        """Negative log-likelihood in bits per modeled number, density per L* unit, (B,)."""
        return -module(noisy(high, noise), low) / (self.numbers * low[0].numel() * math.log(2))


class MeanLoss(Loss):
    """Squared error of a mean; `name` as of `DetailLoss`."""

    unit = "squared L* units"
    stream = 200

    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, module: MeanDoubling, high: Tensor, low: Tensor, noise: Generator) -> None:
        """Takes the linear prediction."""
        module.fit(high, low)

    def __call__(self, module: MeanDoubling, high: Tensor, low: Tensor, noise: Generator) -> Tensor:
        """Mean squared error of the modeled numbers, (B,)."""
        return module(high, low)


def noisy(high: Tensor, generator: Generator) -> Tensor:
    """Patches with the noise that densities need, generated on the CPU."""
    return high + DEQUANTIZATION_STD * torch.randn(high.shape, generator=generator).to(high)


DOUBLINGS = {LAST: StepConfig(), FIRST: StepConfig(), RESTORE: StepConfig(restores=True)}
"""The doublings of a weights file. They learn from patches as they are, halved once more, and with
damage at the low resolution."""


def _trainer(
    part: str, pack_folder: Path, run: Path, start: Path | None, config: TrainConfig
) -> Trainer:
    """The trainer of a part before its first step.

    It starts from the doubling of its name in the weights, or `LAST` if they have none: a flow from
    the flow, a mean from the mean; from the context network alone where the shapes differ.
    """
    name = part.removesuffix(MEAN)
    shape = DOUBLINGS[name]
    trained = load_enlarge_weights(start).models if start else {}
    module: MeanDoubling | DetailModel
    loss: Loss
    if part == name:
        module, loss = DetailModel(shape), DetailLoss(name, shape.channels)
        ENLARGE.load(run, name + MEAN, module.mean)
    else:
        module, loss = MeanDoubling(shape), MeanLoss(part)
    is_whole = False
    if trained and not has_state(run, part):
        is_whole = _start(module, trained.get(name, trained[LAST]))
    pack = PatchPack(pack_folder, reduced=int(name == FIRST), damaged=shape.restores)
    module = module.to(best_device())
    return Trainer(module, loss, pack, config, fit=not is_whole)


def _write(
    run: Path, weights: Path, start: Path | None, pack_folder: Path | None
) -> dict[str, Any]:
    """Writes the doublings that the run has trained, and the others of `start`.

    Where the first of two doublings has not been trained, the last one takes its place: photos look
    alike at both scales.
    """
    rest = load_enlarge_weights(start) if start else None
    models: dict[str, DetailModel] = dict(rest.models) if rest else {}
    training: dict[str, Any] = dict(rest.training) if rest else {}
    names = [name for name in DOUBLINGS if has_state(run, name)]
    if not models or not names:
        names = list(dict.fromkeys([LAST, *names]))  # whose absence is an error
    for name in names:
        models[name] = DetailModel(DOUBLINGS[name])
        training[name] = ENLARGE.load(run, name, models[name])
    if FIRST not in models:
        models[FIRST] = models[LAST]
        training[FIRST] = {**training[LAST], "doubling": LAST}
    save_enlarge_weights(weights, models, training)
    return training


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


ENLARGE = Training(
    name="enlarge",
    settings={"enlarge": asdict(StepConfig())},
    format=FORMAT,
    batch=8,
    dev_photos=256,
    trainer=_trainer,
    write=_write,
)
