"""`colorflow train-enlarge`: trains one doubling on a pack of patches.

A doubling trains in two halves: first the network that predicts the mean, by squared error, then
the flow over what it leaves, by maximum likelihood.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.device import best_device
from colorflow.enlarge.mean import MeanDoubling, StepConfig
from colorflow.enlarge.model import DEQUANTIZATION_STD, DetailModel
from colorflow.enlarge.patches import PatchPack
from colorflow.enlarge.weights import (
    FIRST,
    FORMAT,
    LAST,
    RESTORE,
    load_enlarge_weights,
    save_enlarge_weights,
)
from colorflow.errors import TrainingError
from colorflow.model.weights import check_weights_destination
from colorflow.training.objective import Objective
from colorflow.training.run_folder import RunFolder, has_state, read_state
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory, processor_seconds
from colorflow.training.until_budget import train_to_budget

MEAN = "{}-mean"
"""Name of the network that predicts the mean for a doubling, and its folder in a run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainee:
    """Something that learns from patches.

    Attributes:
        build: makes the untrained module.
        objective: makes its objective.
        reduced: how many times the patches are halved first.
        damaged: whether the low resolution is damaged.
    """

    build: Callable[[], nn.Module]
    objective: Callable[[], Objective[Tensor]]
    reduced: int = 0
    damaged: bool = False


def doubling_of(name: str, config: StepConfig, *, reduced: int = 0) -> dict[str, Trainee]:
    """A doubling and its mean, by name."""
    flow = Trainee(
        build=lambda: DetailModel(config),
        objective=lambda: DetailObjective(name, config.channels),
        reduced=reduced,
        damaged=config.restores,
    )
    mean = MEAN.format(name)
    network = replace(
        flow, build=lambda: MeanDoubling(config), objective=lambda: MeanObjective(mean)
    )
    return {mean: network, name: flow}


DOUBLINGS = {
    **doubling_of(LAST, StepConfig()),
    **doubling_of(FIRST, StepConfig(), reduced=1),
    **doubling_of(RESTORE, StepConfig(restores=True)),
}
"""The doublings of a weights file and their means: what they learn from is all that they differ in,
but for the means of cells that one which restores also models."""


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
        run_folder: gets a folder for each of both with checkpoint, curve and samples.
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
    mean = MEAN.format(name)
    for part in (mean, name):
        trainee = DOUBLINGS[part]
        pack = PatchPack(pack_folder, reduced=trainee.reduced, damaged=trainee.damaged)
        run = RunFolder(run_folder, {"enlarge": asdict(StepConfig()), "train": asdict(config)})
        torch.manual_seed(config.seed)
        module, device = trainee.build(), torch.device(best_device())
        if isinstance(module, DetailModel):
            module.mean.load_state_dict(_state_of(run_folder, mean)["best"])
        objective = trainee.objective()
        trainer = Trainer(
            module.to(device), objective, pack, config, device, clock=processor_seconds
        )
        if trained and not run.has_begun(objective.folder):
            source = trained.get(name, trained[LAST])
            trainer.start_from(module.state_dict() | _shared(source, module))
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
        module, training[name] = load_trained(run_folder, name, DOUBLINGS[name])
        models[name] = cast(DetailModel, module)
    if FIRST not in models:
        models[FIRST] = models[LAST]
        training[FIRST] = {**training[LAST], "doubling": LAST}
    for name in models:
        say(f"{name}: {training[name]}")
    save_enlarge_weights(weights, models, training)
    say(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB, {', '.join(models)}")


def load_trained(run_folder: Path, name: str, trainee: Trainee) -> tuple[nn.Module, dict[str, Any]]:
    """The best module of a run, in evaluation mode, and how it was trained.

    Raises:
        TrainingError: if it has not been evaluated, or its checkpoint does not fit.
    """
    state, module = _state_of(run_folder, name), trainee.build()
    try:
        module.load_state_dict(state["best"])
    except RuntimeError as error:
        raise TrainingError(
            f"{run_folder / name / 'state.pt'}: its weights do not fit {name} as it is now; "
            "train it again"
        ) from error
    told = {
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "dev": round(state["best_dev"], 4),
        "skipped_steps": state["skipped"],
    }
    return module.eval().requires_grad_(False), told


def _shared(trained: DetailModel, module: nn.Module) -> dict[str, Tensor]:
    """The weights of a trained doubling: all if it has the same shape, else its context.

    A flow keeps the mean that it was given.
    """
    best = (trained if isinstance(module, DetailModel) else trained.mean).state_dict()
    own = {name: x.shape for name, x in module.state_dict().items()}
    if own != {name: x.shape for name, x in best.items()}:
        return {name: x for name, x in best.items() if name.startswith("context.")}
    return {name: x for name, x in best.items() if not name.startswith("mean.")}


def _state_of(run_folder: Path, name: str) -> dict[str, Any]:
    state = read_state(run_folder, name)
    if state is None or not state["best"]:
        raise TrainingError(
            f"{run_folder}: {name} has no evaluated weights yet; "
            f"train it with `colorflow train-enlarge {name} PACK -o {run_folder}`"
        )
    return state


PREVIEW_TEMPERATURES = (0.0, 0.8, 1.0)


class ConditionalPhotos(Protocol):
    """A density of photos given their low resolution, such as `DetailModel`."""

    def fit(self, high: Tensor, low: Tensor) -> None:
        """Takes the fixed statistics from training patches."""

    def sample(
        self, low: Tensor, temperature: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Photos (B, 1, 2H, 2W) of a low resolution (B, 1, H, W)."""


class DetailObjective:
    """Maximum likelihood of patches with noise; an `Objective` of the trainer.

    Args:
        name: of what is trained, in messages and as the folder's name.
        numbers: modeled numbers per pixel of low resolution; the loss counts bits per number.
    """

    unit = "bits/dim"
    stream = 200
    maps = ()
    small_photo_side = 0

    def __init__(self, name: str, numbers: int) -> None:
        self.name = self.folder = name
        self.numbers = numbers

    def fit(self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /) -> None:
        """Sets the statistics of the modeled numbers."""
        cast(ConditionalPhotos, module).fit(noisy(high, noise), low)

    def loss(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Negative log-likelihood in bits per modeled number, density per L* unit, (B,)."""
        log_prob: Tensor = module(noisy(high, noise), low)
        return -log_prob / (self.numbers * low[0].numel() * math.log(2))

    def preview(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Low resolution, truth, and samples with the temperatures of `PREVIEW_TEMPERATURES`."""
        return preview(module, high, low, noise)


class MeanObjective:
    """Squared error of a mean; an `Objective` of the trainer.

    Args:
        name: of what is trained, in messages and as the folder's name.
    """

    unit = "squared L* units"
    stream = DetailObjective.stream
    maps = ()
    small_photo_side = 0

    def __init__(self, name: str) -> None:
        self.name = self.folder = name

    def fit(self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /) -> None:
        """Takes the linear prediction."""
        cast(ConditionalPhotos, module).fit(high, low)

    def loss(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Mean squared error of the modeled numbers, (B,)."""
        error: Tensor = module(high, low)
        return error

    def preview(
        self, module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator, /
    ) -> Tensor:
        """Low resolution, truth, and the result."""
        return preview(module, high, low, noise)[:, :3]


def preview(module: nn.Module, high: Tensor, low: Tensor, noise: torch.Generator) -> Tensor:
    """Low resolution, truth, and samples, (B, N, 3, H, W) sRGB in [0, 1]."""
    from kornia.color import lab_to_rgb

    model = cast(ConditionalPhotos, module)
    samples = [model.sample(low, temperature, noise) for temperature in PREVIEW_TEMPERATURES]
    shown = torch.stack([F.interpolate(low, scale_factor=2), high, *samples], 1).clamp(0, 100)
    rgb: Tensor = lab_to_rgb(F.pad(shown.flatten(0, 1), (0, 0, 0, 0, 0, 2)))  # ab is zero
    return rgb.unflatten(0, shown.shape[:2])


def noisy(high: Tensor, generator: torch.Generator) -> Tensor:
    """Patches with the noise that densities need, generated on the CPU."""
    return high + DEQUANTIZATION_STD * torch.randn(high.shape, generator=generator).to(high)
