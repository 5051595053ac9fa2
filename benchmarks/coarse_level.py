"""What the coarsest level of runs or weights is worth, on the same dev photos and noise.

    python benchmarks/coarse_level.py PACK weights/colorflow.safetensors RUN RUN+weights/...
        [--at 1x1 0.8x1.2] [--photos 400]

The pack may be a coarse one. Several sources joined with + are one model, the equal mixture of
their densities: every draw is from one of them, chosen at random. Printed are the nats a photo of
the level's own numbers with unit noise on all dev photos, without hints and with 4 (`LevelTask`),
and for every temperature x gain the energy score of 8 draws on the 4x4 grid with the standard error
of its difference to the first source's; RMSE of ab of the best draw, of the first one and of the
mean over gray's (root of the mean over photos); mean chroma over the truth's; the share of draws
whose mean chroma is above the training photos' 99.9th percentile.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.evaluation.metrics import mean_chroma
from colorflow.model.config import FINEST_GRID
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.colors import blow_up_chroma
from colorflow.training.pack import Pack
from colorflow.training.start import Start
from colorflow.training.targets import EVALUATED_HINTS, EVALUATED_PHOTO_SIDE, LevelTask
from colorflow.training.tuning import SAMPLES, energy_score

AT_ONCE = 25


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument("--at", nargs="+", default=["1x1"], metavar="TEMPERATURExGAIN")
    parser.add_argument("--photos", type=int, default=400)
    options = parser.parse_args()
    torch.set_num_threads(1)
    models_of = {
        source: [load(Path(path)) for path in source.split("+")] for source in options.sources
    }
    pack = Pack(options.pack)
    rows = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    limit = blow_up_chroma(pack)
    print(
        "| source | dev | with hints | at | energy score | best of 8 | one | mean of 8 | chroma "
        "| blow-ups |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    first: dict[str, Tensor] = {}
    for source, models in models_of.items():
        nats = [likelihood(models, pack, rows, points) for points in (0, EVALUATED_HINTS)]
        for at in options.at:
            temperature, gain = (float(number) for number in at.split("x"))
            drawn = np.random.default_rng(11).permutation(rows)[: options.photos]
            scores, table = quality(models, pack, drawn, temperature, gain, limit)
            first.setdefault(at, scores)
            different = (scores - first[at]).std() / math.sqrt(len(scores))
            print(
                f"| {source} | {nats[0]:.2f} | {nats[1]:.2f} | {at} | {scores.mean():.3f} ± "
                f"{different:.3f} | " + " | ".join(table) + " |",
                flush=True,
            )


def load(path: Path) -> ChromaPyramid:
    """A pyramid of which the coarsest level alone is that of a run or a weights file."""
    start = Start(path)
    pyramid = ChromaPyramid(start.shape)
    start.give_late_blocks(pyramid)
    pyramid.levels[0].load_state_dict(start.weights(start.shape.levels[0].grid))
    return pyramid.eval()


def likelihood(models: list[ChromaPyramid], pack: Pack, rows: np.ndarray, points: int) -> float:
    """Nats a photo of the mixture; without hints if a model takes none."""
    parts = []
    for model in models:
        task, noise = LevelTask(model, 0, points), torch.Generator().manual_seed(1)
        found = [
            -task.loss(model.levels[0], *pack.batch(part), noise)
            for part in np.array_split(rows, -(-len(rows) // 250))
        ]
        parts.append(torch.cat(found))
    mixed = torch.logsumexp(torch.stack(parts), 0) - math.log(len(models))
    return -float(mixed.mean())


def quality(
    models: list[ChromaPyramid],
    pack: Pack,
    rows: np.ndarray,
    temperature: float,
    gain: float,
    limit: float,
) -> tuple[Tensor, list[str]]:
    """Energy score of each photo, and the other columns."""
    grid = models[0].config.levels[0].grid
    generator = torch.Generator().manual_seed(12)
    energy, best, one, middle, gray, ours, true, blown = ([] for _ in range(8))
    for part in np.array_split(rows, -(-len(rows) // AT_ONCE)):
        ab, condition = pack.batch(part)
        truth = F.avg_pool2d(ab, FINEST_GRID // grid)
        which = torch.randint(len(models), (len(ab), SAMPLES), generator=generator)
        latent = temperature * torch.randn(len(ab) * SAMPLES, 2, grid, grid, generator=generator)
        draws = truth.new_zeros(len(ab), SAMPLES, *truth.shape[1:])
        for index, model in enumerate(models):
            level = model.levels[0]
            assert isinstance(level, Level)
            photo = level.context.of_photo(model.refine(condition)).repeat_interleave(SAMPLES, 0)
            u = gain * level.decode(latent, photo, None)[0]
            drawn = model.bounded.inverse(u)[0].unflatten(0, (len(ab), SAMPLES))
            draws[which == index] = drawn[which == index]
        errors = (draws - truth[:, None]).square().flatten(2).mean(2)
        energy.append(energy_score(draws, truth))
        best.append(errors.min(1).values)
        one.append(errors[:, 0])
        middle.append((draws.mean(1) - truth).square().flatten(1).mean(1))
        gray.append(truth.square().flatten(1).mean(1))
        ours.append(mean_chroma(draws.flatten(0, 1)))
        true.append(mean_chroma(truth))
        blown.append((ours[-1] > limit).float())
    scale = torch.cat(gray).mean()
    columns = [f"{float((torch.cat(x).mean() / scale).sqrt()):.3f}" for x in (best, one, middle)]
    columns.append(f"{float(torch.cat(ours).mean() / torch.cat(true).mean()):.3f}")
    columns.append(f"{float(torch.cat(blown).mean()):.4f}")
    return torch.cat(energy), columns


if __name__ == "__main__":
    main()
