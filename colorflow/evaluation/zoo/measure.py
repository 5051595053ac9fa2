"""Likelihood, speed and inverse error of a trained architecture."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from colorflow.errors import PackError
from colorflow.evaluation.densities import ConditionalDensity, DensityObjective, bits_per_dim
from colorflow.evaluation.zoo.train import SHAPE, TEACHERS, find_architecture, make_trainer
from colorflow.flows import InversionError
from colorflow.model.condition import Condition
from colorflow.training.objective import TrainingData
from colorflow.training.pack import Pack
from colorflow.training.run_folder import read_state
from colorflow.training.targets import EVALUATED_PHOTO_SIDE
from colorflow.training.trainer import TrainConfig, Trainer
from colorflow.training.until_budget import resume

PHOTOS = 500
"""Largest number of photos of a split that likelihoods are measured on."""
SLOW_PHOTOS = 50
"""The same for architectures that need one evaluation per dimension to score a photo."""
INVERTED_PHOTOS = 8
REPEATS = 9
SECONDS_OF_A_TIMING = 60.0
"""A timing that has taken so long is not repeated."""

_DIMENSIONS = math.prod(SHAPE)
_Direction = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """The measurements of one architecture; an object of zoo.json.

    Attributes:
        name: as shown.
        parameters: of the flow, without the context network, which is the same for all.
        bits_per_dim_train: of the averaged weights on training photos, density per CIELAB unit.
        bits_per_dim_dev: the same on dev photos.
        seconds_per_step: median of a training step, without reading the photos.
        seconds_per_sample: median of one sample of one photo, with the context network.
        inverse_error: largest difference between ab and their reconstruction from latents, CIELAB
            units, float32; None if a numerical inverse did not converge.
        minutes: of training.
        key: in the zoo.
        standard_error_train: of the mean over photos.
        standard_error_dev: the same on dev photos.
        photos: largest number of photos scored in each split.
        context_parameters: of the context network.
        sampling_error: largest difference between latents and the latents of their sample; None as
            for `inverse_error`.
        steps: of training.
        skipped_steps: steps that were not finite.
        source: authors and year.
        published: likelihood and data set.
        notes: what a reader must know.
    """

    name: str
    parameters: int
    bits_per_dim_train: float | None
    bits_per_dim_dev: float | None
    seconds_per_step: float
    seconds_per_sample: float
    inverse_error: float | None
    minutes: float
    key: str
    standard_error_train: float | None
    standard_error_dev: float | None
    photos: int
    context_parameters: int
    sampling_error: float | None
    steps: int
    skipped_steps: int
    source: str
    published: str
    notes: list[str] = field(default_factory=list)


def load_trained(
    key: str, pack: Pack, run_folder: Path, config: TrainConfig, device: torch.device
) -> Trainer[Condition] | None:
    """Restores an architecture as its training left it; None if it has not begun.

    Raises:
        TrainingError: if its checkpoint is damaged or does not fit.
    """
    state = read_state(run_folder, key)
    if state is None:
        return None
    trainer = make_trainer(key, pack, run_folder, config, device)
    resume(trainer, state, run_folder)
    return trainer


def measure(key: str, trainer: Trainer[Condition]) -> Row:
    """Measures the averaged weights; the trainer cannot continue its training afterwards.

    Args:
        key: of the architecture in the zoo.
        trainer: as its training left it.

    Raises:
        PackError: if a split has no large photo.
    """
    architecture = find_architecture(key)
    density = cast(ConditionalDensity, trainer.ema.eval())
    steps, minutes = trainer.step, trainer.seconds / 60
    photos = SLOW_PHOTOS if key in TEACHERS else PHOTOS
    train = photo_nats(density, trainer, "train", photos)
    dev = photo_nats(density, trainer, "dev", photos)
    notes = [f"reduced: {architecture.reduced}"] if architecture.reduced else []
    if key in TEACHERS:
        notes.append(f"distilled from {TEACHERS[key]}, scored on {photos} photos a split")
    inverse_error, sampling_error = inverse_errors(density, trainer)
    if inverse_error is None or sampling_error is None:
        notes.append("the inverse did not converge")
    if trainer.skipped:
        notes.append(f"{trainer.skipped} steps skipped")
    ab, condition = _batch(trainer, "train", trainer.config.batch)
    one = condition.map(lambda x: x[:1])
    return Row(
        name=architecture.name,
        parameters=count_parameters(density.flow),
        bits_per_dim_train=_mean_bits(train),
        bits_per_dim_dev=_mean_bits(dev),
        seconds_per_sample=median_seconds(lambda: _sample_one(density, one)),
        seconds_per_step=median_seconds(lambda: trainer.update(ab, condition)),
        inverse_error=inverse_error,
        minutes=round(minutes, 2),
        key=key,
        standard_error_train=_standard_error(train),
        standard_error_dev=_standard_error(dev),
        photos=photos,
        context_parameters=count_parameters(density.context),
        sampling_error=sampling_error,
        steps=steps,
        skipped_steps=trainer.skipped,
        source=architecture.source,
        published=architecture.published,
        notes=notes,
    )


@torch.no_grad()
def photo_nats(
    density: ConditionalDensity, trainer: Trainer[Condition], split: str, photos: int
) -> Tensor:
    """Negative log-likelihood of each photo, nats, with the same noise for all models.

    Args:
        density: the model to score with.
        trainer: for its pack, objective and device.
        split: ``train`` or ``dev``; only whole large photos count.
        photos: largest number of photos.
    """
    objective = cast(DensityObjective, trainer.objective)
    rows = _rows(trainer.pack, split)[:photos]
    noise = torch.Generator().manual_seed(1)
    torch.manual_seed(1)  # of log-determinants that are estimated
    nats = []
    for part in np.array_split(rows, -(-len(rows) // 50)):
        ab, condition = trainer.pack.batch(part, objective.maps)
        x = objective.target(ab, noise).to(trainer.device)
        nats.append(-density.log_prob(x, condition.to(trainer.device)).double().cpu())
    return torch.cat(nats)


@torch.no_grad()
def inverse_errors(
    density: ConditionalDensity, trainer: Trainer[Condition]
) -> tuple[float | None, float | None]:
    """Largest error of ab -> latents -> ab, CIELAB units, and of latents -> ab -> latents."""
    ab, condition = _batch(trainer, "dev", INVERTED_PHOTOS)
    noise = torch.Generator().manual_seed(2)
    x = cast(DensityObjective, trainer.objective).target(ab, noise)
    z = torch.randn(len(ab), _DIMENSIONS, generator=noise).to(x)
    context = density.context_of(condition)
    flow = density.flow.bijection

    def error(first: Tensor, there: _Direction, back: _Direction) -> float | None:
        try:
            middle = there(first, context)[0]
            return _finite(float((back(middle, context)[0] - first).abs().max()))
        except InversionError:
            return None

    return error(x, flow, flow.inverse), error(z, flow.inverse, flow)


def median_seconds(action: Callable[[], object]) -> float:
    """Median wall time of an action; the first of several runs does not count."""
    seconds: list[float] = []
    while len(seconds) <= REPEATS and sum(seconds) < SECONDS_OF_A_TIMING:
        began = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:] or seconds))


def count_parameters(module: nn.Module) -> int:
    """Counts the parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


@torch.no_grad()
def _sample_one(density: ConditionalDensity, condition: Condition) -> None:
    """Makes one sample, as far as a numerical inverse converges."""
    with suppress(InversionError):
        density.sample(condition, 1, torch.Generator().manual_seed(3))


def _rows(pack: TrainingData[Condition], split: str) -> np.ndarray:
    rows = pack.rows(split, variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    if len(rows) == 0:
        raise PackError(f"{pack.folder}: no large photo among {split} to measure on")
    return np.random.default_rng(0).permutation(rows)


def _batch(trainer: Trainer[Condition], split: str, count: int) -> tuple[Tensor, Condition]:
    """`count` photos on the trainer's device, repeated where there are fewer."""
    rows = np.resize(_rows(trainer.pack, split), count)
    ab, condition = trainer.pack.batch(rows, trainer.objective.maps)
    return ab.to(trainer.device), condition.to(trainer.device)


def _mean_bits(nats: Tensor) -> float | None:
    return _finite(bits_per_dim(float(nats.mean()), _DIMENSIONS))


def _standard_error(nats: Tensor) -> float | None:
    """Standard error of the mean over photos, bits per dimension; None for one photo."""
    if len(nats) < 2:
        return None
    return _finite(bits_per_dim(float(nats.std()) / len(nats) ** 0.5, _DIMENSIONS))


def _finite(value: float) -> float | None:
    """Returns None where JSON has no number."""
    return value if math.isfinite(value) else None
