"""Compares settings of principal colorings by error, colorfulness and seams.

    python -m benchmarks.principal PHOTOS [--photos 60] [--weights FILE]

Colorizes color photos from their lightness, with one setting of `colorflow.model.principal` changed
at a time. Use photos that nothing was trained or chosen on. Errors are RMSE over gray's (sRGB on
the 64x64 grid, root of the mean over photos): of the first principal coloring, of the best of four,
and of one sample. Colorfulness is over the truth's. Seams are the steps at the borders of the
coarsest cells over those elsewhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.measuring import SEED, print_machine, print_table
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.metrics import colorfulness, colors, seam_steps, squared_errors
from colorflow.evaluation.subject import NotColoredError, Subject, SubjectReader
from colorflow.files import default_weights
from colorflow.model import principal
from colorflow.model.weights import LoadedWeights, load_weights

PRINCIPAL = 4
SETTINGS: dict[str, dict[str, float]] = {
    "as shipped": {},
    "32 samples": {"POOL": 32},
    "128 samples": {"POOL": 128},
    "samples on three levels": {"POOL_LEVELS": 3},
    "tint weighs 1": {"TINT_WEIGHT": 1.0},
    "tint weighs 0": {"TINT_WEIGHT": 0.0},
    "no gain": {"LARGEST_GAIN": 1.0},
    "as vivid as samples": {"VIVIDNESS": 1.0},
    "vividness 1.35": {"VIVIDNESS": 1.35},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--weights", type=Path, default=default_weights())
    options = parser.parse_args()
    weights = load_weights(options.weights)
    reader = SubjectReader(SEED, degraded=False)
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in ["sample", *SETTINGS]}
    for path in photos_of(options.folder, options.photos):
        try:
            subject = reader.read(path)
        except NotColoredError:
            continue
        with torch.no_grad():
            found["sample"].append(_row(subject, _samples(weights, subject, SEED)))
            for name, changes in SETTINGS.items():
                found[name].append(_row(subject, _principal(weights, subject, SEED, changes)))
    print_machine()
    print(f"{len(found['sample'])} photos, weights {weights.digest}")
    print_table(
        ["setting", "first", "best of 4", "colorfulness", "of the first", "seams", "of the first"],
        [[name, *_summary(rows)] for name, rows in found.items()],
    )


def _summary(rows: list[NDArray[np.float64]]) -> list[str]:
    gray, first, best, colorful, colorful1, true, *seams = np.mean(rows, 0)
    numbers = [(first / gray) ** 0.5, (best / gray) ** 0.5, colorful / true, colorful1 / true]
    numbers += [seams[0] / seams[1], seams[2] / seams[3]]
    return [f"{number:.3f}" for number in numbers]


def _samples(weights: LoadedWeights, subject: Subject, seed: int) -> Tensor:
    generator = subject.generator(seed, "samples")
    temperatures, gain = weights.temperatures, weights.gain
    return weights.pyramid.sample(subject.condition, PRINCIPAL, temperatures, generator, gain)[0]


def _principal(
    weights: LoadedWeights, subject: Subject, seed: int, changes: dict[str, float]
) -> Tensor:
    before = {name: getattr(principal, name) for name in changes}
    for name, value in changes.items():
        setattr(principal, name, value)
    generator = subject.generator(seed, "principal")
    latents = [
        std * torch.randn(principal.POOL, *shape, generator=generator)
        for shape, std in zip(weights.pyramid.latent_shapes(), weights.temperatures, strict=True)
    ]
    ab, _ = principal.principal_colorings(
        weights.pyramid, latents, subject.both, PRINCIPAL, weights.gain
    )
    for name, value in before.items():
        setattr(principal, name, value)
    return ab


def _row(subject: Subject, ab: Tensor) -> NDArray[np.float64]:
    """Squared errors of gray, first and best; colorfulness of all, first, truth; seam steps."""
    rgb = colors(subject.lightness, ab)
    errors = squared_errors(rgb, subject.rgb)
    gray = squared_errors(colors(subject.lightness, torch.zeros_like(subject.ab)), subject.rgb)
    colorful = [colorfulness(x) for x in (rgb, rgb[:1], subject.rgb[None])]
    steps = [*seam_steps(ab), *seam_steps(ab[:1])]
    return np.array([gray[0], errors[0], errors.min(), *colorful, *steps], np.float64)


if __name__ == "__main__":
    main()
