"""Trains the architectures of `colorflow.zoo` on one task and compares them (docs/zoo.md).

    python -m benchmarks.zoo train glow PACK RUN --minutes 8      once for every name
    python -m benchmarks.zoo table PACK RUN --json docs/zoo.json --figure docs/zoo.jpg

The task is p(ab on a 16x16 grid | photo): chroma means of the cells in CIELAB units, with Gaussian
noise of std 1 on each. The context network is the same for every architecture and trains together
with its flow. IAF, which is slow to score, learns the density of the trained MAF. Minutes are
processor time of the training steps a thread; the table's timings need an idle machine. The figure
shows likelihood, speed, and samples on pictures that scikit-image ships.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import skimage.data
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import SEED, print_machine, print_table
from colorflow.color.full_resolution import render
from colorflow.color.grid import square_lightness, to_grid
from colorflow.device import keep_freed_memory
from colorflow.evaluation.baselines import ConditionalDensity
from colorflow.evaluation.metrics import bits_per_dim
from colorflow.flows import distillation_loss
from colorflow.model.condition import Condition, Conditioner
from colorflow.model.config import FINEST_GRID, LevelConfig
from colorflow.model.context import LevelContext
from colorflow.training.levels import with_noise
from colorflow.training.pack import EVALUATED_PHOTO_SIDE
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import RunFolder, has_state, read_state
from colorflow.training.trainer import (
    Budget,
    Loss,
    TrainConfig,
    Trainer,
    train_to_budget,
)
from colorflow.zoo import ARCHITECTURES

GRID = 16
SHAPE = (2, GRID, GRID)
CONTEXT = LevelConfig(
    grid=GRID, width=64, context_layers=2, attention=False, maps=(8, 16), dropout=0.05,
    couplings=1, bins=2,
)  # fmt: skip
"""The context network; `couplings` and `bins` describe a level's flow and are not used."""
TEACHERS = {"iaf": "maf"}
NAMES = [name for name, architecture in ARCHITECTURES.items() if architecture.images]
PHOTOS, SLOW_PHOTOS = 500, 50
"""Most photos of a split that likelihoods are measured on; the same for those with a teacher."""
REPEATS = 9
COLUMNS = {
    "name": "", "parameters": ",", "bits_per_dim_train": ".3f", "bits_per_dim_dev": ".3f",
    "standard_error_dev": ".3f", "seconds_per_step": ".3f", "seconds_per_sample": ".3f",
    "inverse_error": ".0e", "minutes": ".1f", "steps": ",", "notes": "",
}  # fmt: skip
"""Of the printed table: what is measured, and how it is written."""
PICTURES = ("astronaut", "chelsea", "coffee", "rocket")
SAMPLES = 2


def target(ab: Tensor, noise: torch.Generator) -> Tensor:
    """The numbers whose density is learned: means with noise, (B, 2, g, g)."""
    return with_noise(F.avg_pool2d(ab, FINEST_GRID // GRID), noise)


class DensityLoss(Loss):
    """Maximum likelihood of a photo's chroma means on one grid, CIELAB units with noise of std 1.

    All densities see the same photos and noise.
    """

    unit = "nats a photo"
    stream = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self.maps = CONTEXT.maps

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        module.fit(target(ab, noise), condition)

    def __call__(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Negative log-likelihood, nats a photo, (B,)."""
        return -module(target(ab, noise), condition)


class DistillationLoss(DensityLoss):
    """The density of a trained teacher, for a student that is slow to score and fast to sample.

    The student learns from its own samples, which the teacher scores: KL(student || teacher). It
    gets a frozen copy of the teacher's context network, so both see the same.

    Reference: van den Oord et al. 2018 (Parallel WaveNet).
    """

    def __init__(self, name: str, teacher: ConditionalDensity) -> None:
        super().__init__(name)
        self.teacher = teacher.eval().requires_grad_(False)

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        module.context.load_state_dict(self.teacher.context.state_dict())
        module.context.requires_grad_(False)
        module.standardize.load_state_dict(self.teacher.standardize.state_dict())

    def __call__(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """log q(x) - log p(x) of the student's samples, whose mean is the KL, nats, (B,)."""
        with torch.no_grad():
            context = self.teacher.context_of(condition)
        z = torch.randn(len(ab), math.prod(SHAPE), generator=noise).to(ab)
        return distillation_loss(module.flow, self.teacher.flow, z, context)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("name", choices=NAMES)
    measuring = commands.add_parser("table")
    for one in (training, measuring):
        one.add_argument("pack", type=Path, metavar="PACK")
        one.add_argument("run", type=Path, metavar="RUN")
        one.add_argument("--batch", type=int, default=64)
    training.add_argument("--minutes", type=float, required=True)
    measuring.add_argument("--json", type=Path, metavar="FILE")
    measuring.add_argument("--figure", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pack = PixelPack(options.pack)
    if options.command == "train":
        keep_freed_memory()
        trainer = trainer_of(options.name, pack, options.run, options.batch)
        run = RunFolder(options.run, {"zoo": asdict(trainer.config)})
        train_to_budget(trainer, run, Budget(minutes=options.minutes), print)
    else:
        table(pack, options)


def density_of(name: str) -> ConditionalDensity:
    """p(ab | photo) by one architecture, with its context network."""
    context = LevelContext(CONTEXT, coarse=False, extra_planes=0)
    return ConditionalDensity(ARCHITECTURES[name].build(SHAPE, CONTEXT.width), SHAPE, context)


def trainer_of(name: str, pack: PixelPack, run: Path, batch: int) -> Trainer:
    """The trainer of one architecture, before its first step."""
    loss = DensityLoss(name)
    if name in TEACHERS:
        teacher = density_of(TEACHERS[name])
        teacher.load_state_dict(read_state(run, TEACHERS[name])["ema"])
        loss = DistillationLoss(name, teacher)
    torch.manual_seed(SEED)
    config = TrainConfig(batch=batch, dev_photos=PHOTOS, autocast=False)
    return Trainer(density_of(name), loss, pack, config)


def table(pack: PixelPack, options: argparse.Namespace) -> None:
    """Measures all trained architectures of a run, best on dev first."""
    rows, densities = [], {}
    for name in NAMES:
        if has_state(options.run, name):
            trainer = trainer_of(name, pack, options.run, options.batch)
            trainer.load_state_dict(read_state(options.run, name))
            rows.append(measure(name, trainer))
            densities[name] = trainer.ema
    rows.sort(key=lambda row: row["bits_per_dim_dev"])
    print_machine()
    print(f"Batch {options.batch}; bits/dim on up to {PHOTOS} photos a split.\n")
    cells = [[format(row[key], spec) for key, spec in COLUMNS.items()] for row in rows]
    print_table(list(COLUMNS), cells)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if options.figure:
        write_figure(rows, densities, options.figure)


def measure(name: str, trainer: Trainer) -> dict:
    """Measures the averaged weights; the trainer cannot continue its training afterwards."""
    architecture, density = ARCHITECTURES[name], trainer.ema.eval()
    photos = SLOW_PHOTOS if name in TEACHERS else PHOTOS
    bits = {split: bits_of(density, trainer, split, photos) for split in ("train", "dev")}
    notes = f"reduced: {architecture.reduced}"
    if name in TEACHERS:
        notes += f"; distilled from {TEACHERS[name]}, scored on {photos} photos a split"
    if trainer.skipped:
        notes += f"; {trainer.skipped} steps skipped"
    rows = np.resize(rows_of(trainer.dataset, "train"), trainer.config.batch)
    ab, condition = trainer.dataset.batch(rows, CONTEXT.maps)
    one = condition.map(lambda x: x[:1])
    return {
        "name": architecture.name,
        "key": name,
        "parameters": sum(x.numel() for x in density.flow.parameters()),
        "bits_per_dim_train": float(bits["train"].mean()),
        "bits_per_dim_dev": float(bits["dev"].mean()),
        "standard_error_dev": float(bits["dev"].std() / len(bits["dev"]) ** 0.5),
        "seconds_per_sample": median_seconds(lambda: samples_of(density, one, 1)),
        "inverse_error": inverse_error(density, trainer),
        "seconds_per_step": median_seconds(lambda: trainer.update(ab, condition)),
        "minutes": round(trainer.seconds / 60, 2),
        "steps": trainer.step,
        "notes": notes,
    }


@torch.no_grad()
def bits_of(density: ConditionalDensity, trainer: Trainer, split: str, photos: int) -> Tensor:
    """Bits/dim of each photo, with the same noise for all models."""
    rows, noise = rows_of(trainer.dataset, split)[:photos], torch.Generator().manual_seed(1)
    torch.manual_seed(1)  # of log-determinants that are estimated
    nats = []
    for part in np.array_split(rows, -(-len(rows) // 50)):
        ab, condition = trainer.dataset.batch(part, CONTEXT.maps)
        nats.append(-density(target(ab, noise), condition).double())
    return bits_per_dim(torch.cat(nats), math.prod(SHAPE))


@torch.no_grad()
def inverse_error(density: ConditionalDensity, trainer: Trainer) -> float:
    """Largest error of ab -> latents -> ab, CIELAB units.

    Raises:
        InversionError: if an inverse does not converge.
    """
    rows = rows_of(trainer.dataset, "dev")[:8]
    ab, condition = trainer.dataset.batch(rows, CONTEXT.maps)
    x = target(ab, torch.Generator().manual_seed(2))
    context, flow = density.context_of(condition), density.flow.bijection
    return float((flow.inverse(flow(x, context)[0], context)[0] - x).abs().max())


@torch.no_grad()
def samples_of(density: ConditionalDensity, condition: Condition, n: int) -> Tensor:
    """Samples (B, n, 2, g, g)."""
    return density.sample(condition, n, torch.Generator().manual_seed(3))


def rows_of(pack: PixelPack, split: str) -> np.ndarray:
    rows = pack.rows(split, variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    return np.random.default_rng(0).permutation(rows)


def median_seconds(action: Callable[[], object]) -> float:
    """Median wall time of an action; the first of several runs does not count."""
    seconds = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))


def write_figure(rows: list[dict], densities: dict[str, ConditionalDensity], path: Path) -> None:
    """Likelihood and speed of each architecture, and samples on scikit-image's pictures."""
    pixels = [getattr(skimage.data, name)() for name in PICTURES]
    lightness = torch.from_numpy(np.stack([square_lightness(one) for one in pixels]))[:, None]
    condition = Conditioner()(lightness)
    ab = F.avg_pool2d(torch.from_numpy(np.stack([to_grid(one) for one in pixels])), 64 // GRID)
    figure = Figure(figsize=(11, 3 + 1.2 * len(rows)), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[3, 1.2 * len(rows)])
    names, positions = [row["name"] for row in rows], np.arange(len(rows))
    left, right = top.subplots(1, 2, sharey=True)
    errors = [row["standard_error_dev"] for row in rows]
    left.errorbar([row["bits_per_dim_dev"] for row in rows], positions, xerr=errors, fmt="o")
    left.set_yticks(positions, names)
    left.invert_yaxis()
    left.set_xlabel("bits/dim of ab at 16x16 on dev ± standard error")
    right.plot([row["seconds_per_sample"] for row in rows], positions, "s")
    right.set_xscale("log")
    right.set_xlabel("seconds a sample")
    for axis, row in zip(np.ravel(bottom.subplots(len(rows), 1)), rows, strict=True):
        samples = samples_of(densities[row["key"]], condition, SAMPLES)
        shown = torch.cat([ab[:, None], samples], 1).nan_to_num(0.0).clamp(-128, 128).numpy()
        pictures = [
            render(plane, one)
            for plane, row_of in zip(condition.lightness[:, 0].numpy(), shown, strict=True)
            for one in row_of
        ]
        axis.imshow(np.concatenate(pictures, 1))
        axis.set_ylabel(row["name"], fontsize=8)
        axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
