"""Trains every architecture of `colorflow.zoo` on three densities in the plane (docs/zoo.md).

    python -m benchmarks.toys -o docs/zoo_toys.jpg --steps 2000

writes the figure, and the numbers beside it as JSON. One flow per architecture learns all three
densities, conditioned on which one is meant. A point is an image of two channels and one cell, so
the architectures are those of docs/zoo.md; scales and convolutions have no effect at one cell. In
the plane maximum likelihood trains even the inverse-autoregressive flow: its slow direction takes
two evaluations per layer.

The points come without a pack, photos or a run's folder, so the training is a loop of its own.

The pinwheel is that of Johnson et al. 2016; two moons and a ring of Gaussians are folklore.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from colorflow.evaluation.report import hardware
from colorflow.flows import Flow, InversionError
from colorflow.training.trainer import learning_rate
from colorflow.zoo import ARCHITECTURES, Architecture

POINT = (2, 1, 1)
BATCH_EACH = 128
"""Points of each data set per step."""
TEST_POINTS = 4000
SHOWN_POINTS = 1500
RATE = 2e-3
CLIP = 5.0
LIMIT = 3.2
"""The figure shows [-LIMIT, LIMIT] along both axes."""
_JPEG_QUALITY = 90
CELLS = 96
"""Cells of the density's grid along an axis."""

Points = NDArray[np.float64]
Panel = tuple[NDArray[Any], NDArray[Any]]
"""The density on the grid and samples (N, 2)."""


def two_moons(count: int, rng: np.random.Generator) -> Points:
    """Two interleaved half circles, (count, 2)."""
    angle = np.pi * rng.random(count)
    upper = rng.random(count) < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle)) - 0.5
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
    return 1.6 * np.stack([x, y], 1) + rng.normal(0, 0.12, (count, 2))


def eight_gaussians(count: int, rng: np.random.Generator) -> Points:
    """Eight normal distributions on a circle, (count, 2)."""
    angle = 2 * np.pi / 8 * rng.integers(0, 8, count)
    return 2.2 * np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.2, (count, 2))


def pinwheel(count: int, rng: np.random.Generator) -> Points:
    """Five arms that bend more the further out they are, (count, 2)."""
    along, across = 1 + 0.3 * rng.normal(size=count), 0.1 * rng.normal(size=count)
    angle = 2 * np.pi / 5 * rng.integers(0, 5, count) + 0.25 * np.exp(along)
    x = along * np.cos(angle) - across * np.sin(angle)
    y = along * np.sin(angle) + across * np.cos(angle)
    return 1.6 * np.stack([x, y], 1)


DATA: dict[str, Callable[[int, np.random.Generator], Points]] = {
    "two moons": two_moons,
    "eight Gaussians": eight_gaussians,
    "pinwheel": pinwheel,
}


def main() -> None:
    """Trains all architectures, and writes the figure and the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="NAME.jpg")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    path, steps, seed = options.output, options.steps, options.seed
    about = {
        "steps": steps,
        "seed": seed,
        "command": f"python -m benchmarks.toys -o {path} --steps {steps} --seed {seed}",
        "date": datetime.date.today().isoformat(),
        "hardware": hardware(),
    }
    results: list[dict[str, Any]] = []
    panels: dict[str, dict[str, Panel]] = {}
    for key, architecture in ARCHITECTURES.items():
        began = time.perf_counter()
        try:
            flow = train_toy(architecture, steps=steps, seed=seed)
        except ValueError as error:
            print(f"{key}: not for data in the plane, left out ({error})")
            continue
        nats = {name: nats_of_test_points(flow, name, seed) for name in DATA}
        result: dict[str, Any] = {
            "name": architecture.name,
            "nats": {name: round(value, 4) for name, value in nats.items()},
            "parameters": sum(parameter.numel() for parameter in flow.parameters()),
            "key": key,
            "seconds": round(time.perf_counter() - began, 1),
        }
        results.append(result | about)
        panels[architecture.name] = {name: _panel(flow, name, seed) for name in DATA}
        print(f"{key}: " + ", ".join(f"{name} {value:.3f} nats" for name, value in nats.items()))
    path.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    _write_figure(results, panels, path, seed)


def train_toy(architecture: Architecture, *, steps: int, seed: int) -> Flow:
    """Trains one flow on all three data sets, conditioned on which one, by maximum likelihood.

    Args:
        architecture: of the zoo.
        steps: of AdamW; a step that is not finite is skipped.
        seed: of weights and points.

    Raises:
        ValueError: if the architecture cannot be built for points.
    """
    torch.manual_seed(seed)
    flow = Flow(architecture.build(POINT, len(DATA)), (2,)).train()
    optimizer = torch.optim.AdamW(flow.parameters(), lr=RATE, weight_decay=0.0)
    rng = np.random.default_rng([seed, 0])
    contexts = torch.cat([_context(name, BATCH_EACH) for name in DATA])
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(RATE, step, step / steps)
        points = np.concatenate([sample(BATCH_EACH, rng) for sample in DATA.values()])
        loss = -flow(_tensor(points), contexts).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
        if bool(torch.isfinite(loss) & torch.isfinite(norm)):
            optimizer.step()
    return flow.eval()


@torch.no_grad()
def nats_of_test_points(flow: Flow, name: str, seed: int) -> float:
    """Mean negative log-likelihood of test points of a data set, nats."""
    points = DATA[name](TEST_POINTS, np.random.default_rng([seed, 1]))
    torch.manual_seed(seed)  # of log-determinants that are estimated
    return float(-flow(_tensor(points), _context(name, TEST_POINTS)).double().mean())


@torch.no_grad()
def density_on_grid(flow: Flow, name: str) -> NDArray[np.float32]:
    """Density at the cell centers of a grid, (CELLS, CELLS), rows from bottom to top."""
    centers = LIMIT * ((2 * np.arange(CELLS) + 1) / CELLS - 1)
    y, x = np.meshgrid(centers, centers, indexing="ij")
    points = _tensor(np.stack([x.ravel(), y.ravel()], 1))
    parts = [flow(part, _context(name, len(part))) for part in points.split(4096)]
    return torch.cat(parts).exp().reshape(CELLS, CELLS).numpy()


@torch.no_grad()
def _panel(flow: Flow, name: str, seed: int) -> Panel:
    """Makes the figure's part of one data set; no samples if an inverse does not converge."""
    generator = torch.Generator().manual_seed(seed)
    try:
        points = flow.sample(SHOWN_POINTS, _context(name, SHOWN_POINTS), generator=generator)
        samples = points.flatten(1).numpy()
    except InversionError as error:
        print(f"{name}: no samples, {error}")
        samples = np.empty((0, 2), np.float32)
    return density_on_grid(flow, name), samples


def _write_figure(
    results: list[dict[str, Any]],
    panels: Mapping[str, Mapping[str, Panel]],
    path: Path,
    seed: int,
) -> None:
    """Plots density and samples of each data set, the truth first, one row per architecture."""
    rows = 1 + len(results)
    figure = Figure(figsize=(9.5, 1.62 * rows), layout="constrained")
    axes = figure.subplots(rows, 2 * len(DATA), squeeze=False)
    for column, (name, sample) in enumerate(DATA.items()):
        truth = sample(200_000, np.random.default_rng([seed, 2]))
        edges = np.linspace(-LIMIT, LIMIT, CELLS + 1)
        histogram = np.histogram2d(truth[:, 1], truth[:, 0], [edges, edges], density=True)[0]
        brightest = float(histogram.max())
        shown: list[tuple[str, str, NDArray[Any], NDArray[Any]]] = [
            ("truth", name, histogram, truth[:SHOWN_POINTS])
        ]
        for result in results:
            title = f"{result['nats'][name]:.2f} nats"
            shown.append((result["name"], title, *panels[result["name"]][name]))
        for row, (label, title, density, samples) in enumerate(shown):
            left, right = axes[row, 2 * column], axes[row, 2 * column + 1]
            square = (-LIMIT, LIMIT, -LIMIT, LIMIT)
            left.imshow(
                density, origin="lower", extent=square, vmin=0, vmax=brightest, cmap="magma"
            )
            right.scatter(*samples.T, s=0.4, color="black", linewidths=0)
            right.set(xlim=square[:2], ylim=square[2:], aspect="equal")
            left.set_title(title, fontsize=8, loc="left")
            if column == 0:
                left.set_ylabel(label, fontsize=8)
            for axis in (left, right):
                axis.set_xticks([])
                axis.set_yticks([])
    figure.savefig(path, dpi=100, pil_kwargs={"quality": _JPEG_QUALITY})


def _context(name: str, count: int) -> Tensor:
    """One-hot context of a data set, (count, 3, 1, 1)."""
    index = torch.tensor(list(DATA).index(name))
    one_hot = torch.nn.functional.one_hot(index, len(DATA)).float()
    return one_hot[None, :, None, None].expand(count, -1, -1, -1)


def _tensor(points: Points) -> Tensor:
    """(N, 2) -> (N, 2, 1, 1) float32."""
    return torch.from_numpy(points).float()[:, :, None, None]


if __name__ == "__main__":
    main()
