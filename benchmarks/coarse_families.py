"""Families of flows at the coarsest level: the same context, recipe and minutes, dev at the end.

    python benchmarks/coarse_families.py PACK... -o RUN --minutes 8 [--families spline tarflow naf]

Each family learns the chroma means on the 4x4 grid from new weights, without hints; minutes are of
processor time. The pyramid's own couplings (`spline`) drop a share of their units in training;
TarFlow and NAF drop none, and begin faster. Printed: nats a photo on dev (32 numbers with unit
noise), train's last, the energy score of 8 draws at std 1 on 100 dev photos, and steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from colorflow.comparison.train import training_seconds
from colorflow.flows import Bijection, Composition, Inverse, Reshape, Standardize
from colorflow.model.config import FINEST_GRID, default_config
from colorflow.model.level import MEAN_CHANNELS, Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.allocator import keep_freed_memory
from colorflow.training.loop import train_to_budget
from colorflow.training.pack import Packs, open_packs
from colorflow.training.run_folder import RunFolder
from colorflow.training.schedule import Budget
from colorflow.training.targets import EVALUATED_PHOTO_SIDE, LevelTask
from colorflow.training.trainer import TrainConfig, Trainer
from colorflow.training.tuning import SAMPLES, energy_score
from colorflow.zoo import naf, tarflow

GRID = default_config().levels[0].grid
SHAPE = (MEAN_CHANNELS, GRID, GRID)
NUMBERS = MEAN_CHANNELS * GRID**2
FAMILIES: dict[str, Callable[[int], Bijection] | None] = {
    "spline": None,  # the pyramid's own
    "tarflow": lambda width: tarflow(SHAPE, width, depth=3, layers=2, width=96, patch=1),
    "naf": lambda width: naf(SHAPE, width, depth=2, units=8, width=64),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    pack, config = open_packs(options.packs), TrainConfig(evaluate_every=240.0)
    print("| family | dev | train | energy score | steps |\n|---|---|---|---|---|", flush=True)
    for name in options.families:
        torch.manual_seed(0)
        pyramid = ChromaPyramid(default_config())
        level = pyramid.levels[0]
        assert isinstance(level, Level)
        if (build := FAMILIES[name]) is not None:
            flow = build(pyramid.config.levels[0].width)
            back = Inverse(Reshape(SHAPE, (NUMBERS,)))
            level.flow = Composition([Standardize(MEAN_CHANNELS), flow, back])
        device = torch.device("cpu")
        task = LevelTask(pyramid, 0)
        trainer = Trainer(level, task, pack, config, device, clock=training_seconds)
        run = RunFolder(options.output / name, {"family": name, "train": asdict(config)})
        train_to_budget(trainer, run, Budget(minutes=options.minutes), lambda _: None)
        trainer.ema.load_state_dict(trainer.best)
        train = trainer.evaluate("train")
        score = dev_energy_score(trainer, pyramid, pack)
        print(
            f"| {name} | {trainer.best_dev:.2f} | {train:.2f} | {score:.3f} | {trainer.step} |",
            flush=True,
        )


@torch.no_grad()
def dev_energy_score(trainer: Trainer, pyramid: ChromaPyramid, pack: Packs) -> float:
    """Of draws of the means on the coarsest grid."""
    level = trainer.ema
    assert isinstance(level, Level)
    rows = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    rows = np.random.default_rng(2).permutation(rows)[:100]
    generator = torch.Generator().manual_seed(3)
    scores = []
    for part in np.array_split(rows, 5):
        ab, condition = pack.batch(part)
        photo = level.context.of_photo(condition).repeat_interleave(SAMPLES, 0)
        latent = torch.randn(len(photo), *SHAPE, generator=generator)
        draws = pyramid.bounded.inverse(level.decode(latent, photo, None)[0])[0]
        truth = F.avg_pool2d(ab, FINEST_GRID // GRID)
        scores.append(energy_score(draws.unflatten(0, (len(ab), SAMPLES)), truth))
    return float(torch.cat(scores).mean())


if __name__ == "__main__":
    main()
