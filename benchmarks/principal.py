"""Compares settings of principal colorings and of what assigns them to things.

    python -m benchmarks.principal PHOTOS [--photos 60] [--weights FILE]

Colorizes color photos from their lightness, with one setting changed at a time. Use photos that
nothing was trained or chosen on. Errors are RMSE over gray's (sRGB on the 64x64 grid, root of the
mean over photos): of the first principal coloring, of the best of four, and of samples.
Colorfulness is over the truth's. Flat and true steps are those of
`colorflow.evaluation.metrics.thing_steps`, of the first.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.measuring import SEED, print_machine, print_table
from colorflow import photo_model
from colorflow.coloring import ColoringSpec
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.metrics import colorfulness, colors, squared_errors, thing_steps
from colorflow.evaluation.subject import NotColoredError, Subject, SubjectReader
from colorflow.files import default_weights
from colorflow.model import principal, spatial
from colorflow.model.condition import Condition
from colorflow.model.weights import LoadedWeights, load_weights
from colorflow.photo_model import PhotoModel

PRINCIPAL = 4
Changes = Sequence[tuple[Any, str, Any]]
SETTINGS: dict[str, Changes] = {
    "as shipped": [],
    "no operator": [(spatial.SpatialOperator, "assigned", lambda _, ab: ab)],
    "non-local mean alone": [(spatial.WeightedLeastSquares, "__call__", lambda _, ab: ab)],
    "weighted least squares alone": [(spatial.SpatialOperator, "_alike", lambda _, ab: ab)],
    "strength 100": [(spatial, "STRENGTH", 100.0)],
    "edge 3 L*": [(spatial, "EDGE", 3.0)],
    "all of the large photo": [(photo_model, "LARGE_SCALE", 1000.0)],
    "no gain": [(principal, "LARGEST_GAIN", 1.0)],
    "vividness 1": [(principal, "VIVIDNESS", 1.0)],
    "vividness 1.3": [(principal, "VIVIDNESS", 1.3)],
    "32 samples": [(photo_model, "MEAN_POOL", 32)],
    "8 samples": [(photo_model, "MEAN_POOL", 8)],
    "modes half as strong": [(principal, "MODE_GAIN", 0.8)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="PHOTOS")
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--weights", type=Path, default=default_weights())
    options = parser.parse_args()
    weights = load_weights(options.weights)
    reader = SubjectReader(SEED, degraded=False)
    ways: dict[str, Callable[[Subject], Tensor]] = {
        "samples": lambda subject: _samples(weights, subject),
        "samples, quick": lambda subject: _samples(weights, subject, quick=True),
        "samples without skin": lambda subject: _samples(weights, subject, skin=False),
        "samples of the model": lambda subject: _samples(weights, subject, painted=False),
        "quick": lambda subject: _principal(weights, subject, quick=True),
        "without skin": lambda subject: _principal(weights, subject, skin=False),
        **{
            name: lambda subject, changes=changes: _principal(weights, subject, changes)
            for name, changes in SETTINGS.items()
        },
    }
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in ways}
    for path in photos_of(options.folder, options.photos):
        try:
            subject = reader.read(path)
        except NotColoredError:
            continue
        with torch.no_grad():
            for name, way in ways.items():
                found[name].append(_row(subject, way(subject)))
    print_machine()
    print(f"{len(found['samples'])} photos, weights {weights.digest}")
    columns = ["first", "best of 4", "colorfulness", "of the first", "flat steps", "true steps"]
    print_table(["setting", *columns], [[name, *_summary(rows)] for name, rows in found.items()])


def _summary(rows: list[NDArray[np.float64]]) -> list[str]:
    gray, first, best, colorful, colorful1, true = np.mean([row[:6] for row in rows], 0)
    steps = np.nanmean([row[6:] for row in rows], 0)
    numbers = [(first / gray) ** 0.5, (best / gray) ** 0.5, colorful / true, colorful1 / true]
    return [f"{number:.3f}" for number in [*numbers, *steps]]


def _samples(
    weights: LoadedWeights, subject: Subject, *, painted: bool = True, **way: bool
) -> Tensor:
    """Four samples as people see them, or as the model gives them; `way` is of their specs."""
    model = _model(weights, subject)
    first = ColoringSpec(seeds=(SEED,) * len(weights.temperatures), **way)
    specs = [first.sample_spec(seed) for seed in range(SEED, SEED + PRINCIPAL)]
    ab = model.decode([model.sample(spec) for spec in specs])
    return torch.from_numpy(model.paint(ab, specs) if painted else ab)


def _principal(
    weights: LoadedWeights, subject: Subject, changes: Changes = (), **way: bool
) -> Tensor:
    first = ColoringSpec(seeds=(SEED,) * len(weights.temperatures), **way)
    with _changed(changes):
        model = _model(weights, subject)
        ab, _ = model.principal(first, PRINCIPAL)
        specs = [first.principal_spec(number, PRINCIPAL) for number in range(PRINCIPAL)]
        return torch.from_numpy(model.paint(ab, specs))


def _model(weights: LoadedWeights, subject: Subject) -> PhotoModel:
    def condition(*, mirrored: bool) -> Condition:
        return subject.mirrored if mirrored else subject.condition

    return PhotoModel(weights, subject.condition.lightness, condition, lambda: subject.large)


@contextmanager
def _changed(changes: Changes) -> Iterator[None]:
    with ExitStack() as stack:
        for where, name, value in changes:
            stack.enter_context(mock.patch.object(where, name, value))
        yield


def _row(subject: Subject, ab: Tensor) -> NDArray[np.float64]:
    """Squared errors of gray, first and best; colorfulness of all, first, truth; steps."""
    rgb = colors(subject.lightness, ab)
    errors = squared_errors(rgb, subject.rgb)
    gray = squared_errors(colors(subject.lightness, torch.zeros_like(subject.ab)), subject.rgb)
    colorful = [colorfulness(x) for x in (rgb, rgb[:1], subject.rgb[None])]
    steps = thing_steps(ab[0], subject.ab[0])
    return np.array([gray[0], errors[0], errors.min(), *colorful, *steps], np.float64)


if __name__ == "__main__":
    main()
