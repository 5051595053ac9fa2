"""Trains the models that `colorflow evaluate` compares with, and writes their weights files.

    python -m benchmarks.baselines train cinn2019 PACK RUN --minutes 38
    python -m benchmarks.baselines train deterministic PACK RUN --minutes 12 --start WEIGHTS
    python -m benchmarks.baselines export cinn2019 PACK RUN weights/baselines/cinn2019.safetensors

Minutes are processor time of the training steps a thread. With `--start` the deterministic network
begins with the context networks of a pyramid. Run again to go on. `export` chooses the temperature
of the cINN's samples by their energy score on dev photos.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import SEED
from colorflow.evaluation.baselines import (
    BASELINES,
    CINN_CONTEXT,
    ConditionalDensity,
    save_baseline,
)
from colorflow.model.condition import Condition, Features
from colorflow.model.config import FINEST_GRID
from colorflow.model.weights import load_weights
from colorflow.training.objective import Objective
from colorflow.training.pixels import PixelPack
from colorflow.training.run_folder import RunFolder, has_state, load_best
from colorflow.training.schedule import Budget
from colorflow.training.targets import with_noise
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory, processor_seconds
from colorflow.training.tuning import energy_score
from colorflow.training.until_budget import train_to_budget

SAMPLES, TEMPERATURES = 8, (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
DEV_PHOTOS = 40
"""Dev photos that choose the temperature."""


class RegressionObjective(Objective[nn.Module, Condition]):
    """The mean squared error of the deterministic network."""

    name = folder = "deterministic"
    unit = "squared CIELAB units"
    stream = 0
    maps = (8, 16, 32)

    def fit(self, module: nn.Module, ab: Tensor, condition: Condition, noise: object) -> None:
        module.fit(condition)

    def loss(self, module: nn.Module, ab: Tensor, condition: Condition, noise: object) -> Tensor:
        """Mean squared error of ab, squared CIELAB units, (B,)."""
        return F.mse_loss(module(condition), ab, reduction="none").mean((1, 2, 3))


class DensityObjective(Objective[nn.Module, Condition]):
    """Maximum likelihood of a photo's chroma means on one grid, CIELAB units with noise of std 1.

    All densities see the same photos and noise.
    """

    unit = "nats a photo"
    stream = 0

    def __init__(self, name: str, grid: int, maps: tuple[int, ...]) -> None:
        self.name = self.folder = name
        self.grid, self.maps = grid, maps

    def target(self, ab: Tensor, noise: torch.Generator) -> Tensor:
        """The numbers whose density is learned: means with noise, (B, 2, g, g)."""
        return with_noise(F.avg_pool2d(ab, FINEST_GRID // self.grid), noise)

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        module.fit(self.target(ab, noise), condition)

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        """Negative log-likelihood, nats a photo, (B,)."""
        return -module(self.target(ab, noise), condition)


OBJECTIVES = {
    "deterministic": RegressionObjective(),
    "cinn2019": DensityObjective("cinn2019", FINEST_GRID, CINN_CONTEXT.maps),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("train", "export"))
    parser.add_argument("name", choices=BASELINES)
    parser.add_argument("pack", type=Path, metavar="PACK")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("weights", type=Path, nargs="?", help="file to write, for export")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--start", type=Path, metavar="WEIGHTS")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--rate", type=float, default=1e-3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    if options.action == "train":
        train(options)
    else:
        export(options)


def train(options: argparse.Namespace) -> None:
    """Trains a baseline until its budget is used up."""
    config = TrainConfig(batch=options.batch, peak_rate=options.rate, evaluate_every=300.0)
    run = RunFolder(options.run, {"baseline": options.name, "train": asdict(config)})
    torch.manual_seed(SEED)
    module, objective = BASELINES[options.name](), OBJECTIVES[options.name]
    pack, device = PixelPack(options.pack), torch.device("cpu")
    starts = options.start is not None and not has_state(options.run, options.name)
    if starts:
        module.own_blocks.copy_from(Features())
        module.load_state_dict(module.state_dict() | contexts_of(options.start))
    trainer = Trainer(
        module, objective, pack, config, device, clock=processor_seconds, fit=not starts
    )
    train_to_budget(trainer, run, Budget(minutes=options.minutes), print)


def contexts_of(weights: Path) -> dict[str, Tensor]:
    """The context networks of a pyramid by their names in the deterministic network."""
    return {
        f"contexts.{index}.{name}": x
        for index, level in enumerate(load_weights(weights).pyramid.levels)
        for name, x in level.context.state_dict().items()
        if not name.startswith("from_planes.")
    }


def export(options: argparse.Namespace) -> None:
    """Writes the weights file from the best weights of a run."""
    module = BASELINES[options.name]()
    training = load_best(options.run, options.name, module, "python -m benchmarks.baselines train")
    temperature = 1.0
    if isinstance(module, ConditionalDensity):
        temperature = tuned(module, PixelPack(options.pack), OBJECTIVES[options.name].maps)
    save_baseline(options.weights, options.name, module, temperature, training)
    print(f"{options.weights}: temperature {temperature:g}, {training}")


@torch.no_grad()
def tuned(density: ConditionalDensity, pack: PixelPack, maps: tuple[int, ...]) -> float:
    """Returns the temperature whose samples have the lowest energy score on dev."""
    rows = np.random.default_rng(2).permutation(pack.rows("dev", variant="whole"))[:DEV_PHOTOS]
    scores = {}
    for temperature in TEMPERATURES:
        generator = torch.Generator().manual_seed(3)
        found = []
        for part in np.array_split(rows, -(-len(rows) // 10)):
            ab, condition = pack.batch(part, maps)
            samples = density.sample(condition, SAMPLES, generator, temperature)
            found.append(energy_score(samples, ab))
        scores[temperature] = float(torch.cat(found).mean())
    print("energy score:", ", ".join(f"{t:g}: {score:.3f}" for t, score in scores.items()))
    return min(scores, key=lambda t: scores[t])


if __name__ == "__main__":
    main()
