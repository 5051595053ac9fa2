"""Sharper draws by choosing among many, on dev: by density, and by density against no condition.

    python benchmarks/sharpening.py PACK WEIGHTS [--photos 300] [--candidates 256]

Of the candidates that the coarsest level draws at std 1, 8 are chosen without replacement with
chances proportional to p(x | L)^power / p(x)^guidance: a power sharpens the density as no
temperature of the latents can, and guidance prefers what the photo speaks for (in the manner of
classifier-free guidance, Ho & Salimans 2022). p(x) is the normal distribution with the mean and
covariance of the training photos. Beside them draws at other temperatures. Columns are those of
`coarse_level.py`. The pack may be a coarse one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal
from torch.nn import functional as F

from colorflow.evaluation.metrics import mean_chroma
from colorflow.flows.density import standard_normal_log_prob
from colorflow.model.config import FINEST_GRID
from colorflow.model.level import Level
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import load_weights
from colorflow.training.pack import Pack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE, with_noise
from colorflow.training.tuning import SAMPLES, energy_score

POWERS = ((0.1, 0), (0.2, 0), (0.5, 0), (1, 0), (0.1, 0.1), (0.2, 0.1), (0.3, 0.2), (0.5, 0.5))
TEMPERATURES = (0.9, 0.8, 0.7)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--candidates", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pyramid = load_weights(options.weights).pyramid
    pack = Pack(options.pack)
    level = pyramid.levels[0]
    assert isinstance(level, Level)
    rows = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    rows = np.random.default_rng(11).permutation(rows)[: options.photos]
    unconditional = normal(pack, pyramid)
    generator = torch.Generator().manual_seed(5)
    sets: dict[str, list[Tensor]] = {}
    truth = []
    for row in rows:
        ab, condition = pack.batch(np.array([row]))
        truth.append(F.avg_pool2d(ab, FINEST_GRID // level.grid))
        photo = level.context.of_photo(pyramid.refine(condition))

        def drawn(n: int, temperature: float, photo: Tensor = photo) -> tuple[Tensor, Tensor]:
            shape = (n, level.channels, level.grid, level.grid)
            z = temperature * torch.randn(shape, generator=generator)
            x, ladj = level.decode(z, photo.expand(n, -1, -1, -1), None)
            return x, standard_normal_log_prob(z) - ladj

        x, log_prob = drawn(options.candidates, 1.0)
        without = unconditional.log_prob(x.flatten(1))
        uniform = torch.rand(len(POWERS), len(x), generator=generator)
        chances = torch.stack([power * log_prob - guide * without for power, guide in POWERS])
        chosen = (chances - (-uniform.log()).log()).topk(SAMPLES, 1).indices
        sets.setdefault("std 1", []).append(x[:SAMPLES])
        for (power, guide), indices in zip(POWERS, chosen, strict=True):
            sets.setdefault(f"power {power:g}, guidance {guide:g}", []).append(x[indices])
        for temperature in TEMPERATURES:
            sets.setdefault(f"temperature {temperature:g}", []).append(
                drawn(SAMPLES, temperature)[0]
            )
    print(
        f"{len(rows)} photos, {options.candidates} candidates\n\n"
        "| draws | energy score | best of 8 | one | mean of 8 | chroma |\n|---|---|---|---|---|---|"
    )
    for name, u in sets.items():
        draws = pyramid.bounded.inverse(torch.cat(u))[0].unflatten(0, (len(rows), SAMPLES))
        print(f"| {name} | " + " | ".join(columns(draws, torch.cat(truth))) + " |")


def normal(pack: Pack, pyramid: ChromaPyramid) -> MultivariateNormal:
    """The distribution of the noisy means of training photos."""
    noise = torch.Generator().manual_seed(4)
    rows = pack.rows("train", variant="whole")
    means = []
    for part in np.array_split(rows, -(-len(rows) // 256)):
        u = pyramid.bounded(pack.batch(part, maps=())[0])[0]
        means.append(with_noise(F.avg_pool2d(u, FINEST_GRID // pyramid.levels[0].grid), noise))
    x = torch.cat(means).flatten(1)
    return MultivariateNormal(x.mean(0), torch.cov(x.T))


def columns(draws: Tensor, truth: Tensor) -> list[str]:
    """The table's numbers of (B, n, 2, g, g) draws beside (B, 2, g, g) true means of ab."""
    errors = (draws - truth[:, None]).square().flatten(2).mean(2)
    middle = (draws.mean(1) - truth).square().flatten(1).mean(1)
    gray = truth.square().mean()
    shares = [(x.mean() / gray).sqrt() for x in (errors.min(1).values, errors[:, 0], middle)]
    chroma = mean_chroma(draws.flatten(0, 1)).mean() / mean_chroma(truth).mean()
    return [f"{float(x):.3f}" for x in (energy_score(draws, truth).mean(), *shares, chroma)]


if __name__ == "__main__":
    main()
