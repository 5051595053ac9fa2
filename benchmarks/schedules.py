"""Compares schedules of temperatures on dev photos.

    python -m benchmarks.schedules PACK WEIGHTS 0.8,0.8,0.7,0.5,0.2x1.2 1,1,1,1,1 [--photos 100]
        [--true-levels 1]

A number after an x is the gain. `--true-levels` gives the first levels the latents of the true
colors, which shows the error of the others. For each schedule, 8 samples per photo give the energy
score; the RMSE of the best sample, of the first one and of the mean over gray's (sRGB on the 64x64
grid, root of the mean over photos); colorfulness over the truth's; and the share of samples whose
mean chroma is above the 99.9th percentile of the training photos', as stored in the weights. The
pack may hold photos of another collection than the training photos.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.measuring import print_machine, print_table
from colorflow.evaluation.columns import training_colors_of
from colorflow.evaluation.metrics import colorfulness, colors, mean_chroma, squared_errors
from colorflow.model.condition import FEATURE_CHANNELS
from colorflow.model.config import FINEST_GRID
from colorflow.model.weights import load_weights
from colorflow.training.pixels import PixelPack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE
from colorflow.training.tuning import energy_score

SAMPLES = 8


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("schedules", nargs="+", metavar="SCHEDULE")
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--true-levels", type=int, default=0, metavar="K")
    options = parser.parse_args()
    pack, weights = PixelPack(options.pack), load_weights(options.weights)
    rows = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    rows = np.random.default_rng(11).permutation(rows)[: options.photos]
    limit = training_colors_of(weights).blow_up_chroma
    table = []
    for text in options.schedules:
        listed, _, gain = text.partition("x")
        temperatures = [float(number) for number in listed.split(",")]
        generator = torch.Generator().manual_seed(12)
        found = []
        for row in rows:
            ab, condition = pack.batch(np.array([row]), tuple(FEATURE_CHANNELS))
            factor = condition.lightness.shape[-1] // FINEST_GRID
            lightness = F.avg_pool2d(condition.lightness, factor)[0, 0].numpy()
            latents = [
                temperature * torch.randn(SAMPLES, *shape, generator=generator)
                for shape, temperature in zip(
                    weights.pyramid.latent_shapes(), temperatures, strict=True
                )
            ]
            true = weights.pyramid.encode(ab, condition, float(gain or 1))
            for index in range(options.true_levels):
                latents[index] = true[index].expand_as(latents[index])
            samples = weights.pyramid.decode(latents, condition, float(gain or 1))
            mean = colors(lightness, samples.mean(0, keepdim=True))
            truth, rgb = colors(lightness, ab)[0], colors(lightness, samples)
            errors = squared_errors(rgb, truth)
            gray = squared_errors(colors(lightness, torch.zeros_like(ab)), truth)[0]
            found.append(
                (
                    float(energy_score(samples[None], ab)),
                    errors.min(),
                    errors[0],
                    squared_errors(mean, truth)[0],
                    gray,
                    colorfulness(rgb),
                    colorfulness(truth[None]),
                    float((mean_chroma(samples) > limit).float().mean()),
                )
            )
        energy, best, one, middle, gray, ours, true, blown = np.mean(found, 0)
        errors = [f"{np.sqrt(error / gray):.3f}" for error in (best, one, middle)]
        table.append([text, f"{energy:.3f}", *errors, f"{ours / true:.3f}", f"{blown:.4f}"])
    print_machine()
    print(f"{len(rows)} photos, weights {weights.digest}\n")
    print_table(
        ["schedule", "energy score", "best of 8", "one", "mean of 8", "colorfulness", "blow-ups"],
        table,
    )


if __name__ == "__main__":
    main()
