"""How strongly, and how far, a hint should pull: likelihood and errors on dev by the settings.

    python benchmarks/hint_pull.py PACK WEIGHTS [--photos 60]

For every setting of `PyramidConfig.hint_looseness`, `hint_reach` and `hint_likeness`, with 4 true
hints of one cell: bits/dim of the truth given them, the energy score of 8 draws at the shipped
schedule, and the share of the cells at most two away from a hint whose color is within 5 CIELAB
units of it, beside the truth's own share; and of the hints around which all of the truth's own
cells are, as on an even surface, the share around which all cells of a draw are, and of all draws.
The first line is without the pull.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.flows import KrigingUpdate
from colorflow.model.hints import REACH_CELLS
from colorflow.model.weights import load_weights
from colorflow.training.hints import true_points
from colorflow.training.pack import Pack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE, NOISE
from colorflow.training.tuning import energy_score

POINTS, DRAWS, CLOSE = 4, 8, 5.0
OFF = 1e6
"""Looseness at which nothing is pulled."""
SETTINGS = [
    (OFF, 3.0, 12.0),
    *((looseness, 3.0, 12.0) for looseness in (0.05, 0.1, 0.15, 0.3, 0.6)),
    *((0.15, reach, 12.0) for reach in (1.5, 4.0, 6.0, 8.0)),
    *((0.15, 3.0, likeness) for likeness in (6.0, 25.0)),
    *((looseness, 6.0, 18.0) for looseness in (0.1, 0.15)),
    (0.1, 8.0, 18.0),
    *((0.05, 8.0, likeness) for likeness in (12.0, 25.0)),
]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--photos", type=int, default=60)
    options = parser.parse_args()
    pack, weights = Pack(options.pack), load_weights(options.weights)
    pyramid = weights.pyramid
    rows = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    rows = np.random.default_rng(8).permutation(rows)[: options.photos]
    batches = []
    for part in np.array_split(rows, -(-len(rows) // 20)):
        ab, condition = pack.batch(part)
        points = true_points(ab, POINTS, torch.Generator().manual_seed(int(part[0])))
        batches.append((ab, replace(condition, planes=points)))
    print(
        "| looseness | reach | likeness | bits/dim | energy score | within 5 | of the truth "
        "| even: kept by a draw | by all |\n|---|---|---|---|---|---|---|---|---|"
    )
    for looseness, reach, likeness in SETTINGS:
        pyramid.pull = KrigingUpdate(reach, likeness, looseness)
        noise, drawing = torch.Generator().manual_seed(5), torch.Generator().manual_seed(6)
        bits, scores, close, best, kept, by_all = ([] for _ in range(6))
        for ab, condition in batches:
            noisy = ab + NOISE * torch.randn(ab.shape, generator=noise)
            dims = ab[0].numel()
            bits.append(-pyramid.log_prob(noisy, condition) / (dims * math.log(2)))
            draws = pyramid.sample(condition, DRAWS, weights.temperatures, drawing, weights.gain)
            scores.append(energy_score(draws, ab))
            assert condition.planes is not None
            of_draws = torch.stack([_close(draw, condition.planes) for draw in draws.unbind(1)])
            of_truth = _close(ab, condition.planes)
            close.append(of_draws[of_draws.isfinite()])
            best.append(of_truth[of_truth.isfinite()])
            even = _all(of_truth)
            kept.append(_all(of_draws)[:, even].flatten())
            by_all.append(_all(of_draws).all(0)[even])
        columns = (bits, scores, close, best, kept, by_all)
        numbers = [float(torch.cat(x).float().mean()) for x in columns]
        name = "none" if looseness == OFF else f"{looseness:g}"
        print(
            f"| {name} | {reach:g} | {likeness:g} | {numbers[0]:.4f} | {numbers[1]:.3f} | "
            + " | ".join(f"{number:.3f}" for number in numbers[2:])
            + " |",
            flush=True,
        )


def _close(ab: Tensor, planes: Tensor) -> Tensor:
    """Whether the colors near each hint are that of the hint: (hints, cells), nan outside."""
    side = 2 * REACH_CELLS + 1
    near = F.unfold(F.pad(ab, [REACH_CELLS] * 4, value=torch.nan), side)
    near = near.unflatten(1, (2, side**2)).unflatten(3, ab.shape[2:])
    distance = (near - planes[:, 1:, None]).norm(dim=1)
    found = distance.movedim(1, -1)[planes[:, 0] > 0.5]
    return torch.where(found.isfinite(), (found <= CLOSE).float(), torch.nan)


def _all(close: Tensor) -> Tensor:
    """Whether all cells near a hint are close: (..., hints)."""
    return (close.nan_to_num(1.0) > 0).all(-1)


if __name__ == "__main__":
    main()
