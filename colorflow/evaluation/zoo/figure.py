"""The figure of the zoo: likelihood, speed, and samples on pictures that scikit-image ships.

It never shows photos of the training pack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.color.grid import square_lightness, to_grid
from colorflow.errors import EvaluationError
from colorflow.evaluation.densities import ConditionalDensity
from colorflow.evaluation.report import figure_class, save_figure
from colorflow.evaluation.zoo.measure import Row
from colorflow.evaluation.zoo.train import GRID
from colorflow.files import picture_kind
from colorflow.flows import InversionError
from colorflow.model.condition import Condition, Conditioner
from colorflow.training.pictures import paint

PICTURES = ("astronaut", "chelsea", "coffee", "rocket")
"""Functions of `skimage.data` that need no download."""
SAMPLES = 2
ARCHITECTURES_A_BLOCK = 5
"""Architectures side by side in a block of samples."""
FIGURE = picture_kind("figure of the zoo")
_WIDTH_INCHES = 11.0


def write_figure(
    rows: Sequence[Row],
    densities: Mapping[str, ConditionalDensity],
    path: Path,
    *,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Writes the figure.

    Args:
        rows: of the table, in order.
        densities: by the architecture's name, in the same order.
        path: JPEG file.
        seed: of the samples.
        say: gets a line for each architecture that could not sample.

    Raises:
        EvaluationError: if Matplotlib or scikit-image is missing, or the file cannot be written.
    """
    figure_of = figure_class()
    ab, condition = shipped_pictures()
    samples = {
        name: _samples(name, density, condition, seed, say) for name, density in densities.items()
    }
    blocks = _blocks(list(samples))
    block_inches = _WIDTH_INCHES * len(PICTURES) / (1 + SAMPLES * ARCHITECTURES_A_BLOCK) + 0.3
    heights = [0.8 + 0.3 * len(rows), *[block_inches] * len(blocks)]
    figure = figure_of(figsize=(_WIDTH_INCHES, sum(heights)), layout="constrained")
    panels = np.atleast_1d(figure.subfigures(len(heights), 1, height_ratios=heights))
    _plot_numbers(panels[0], rows)
    truth = paint(condition.lightness, F.avg_pool2d(ab, ab.shape[-1] // GRID)[:, None])
    for panel, names in zip(panels[1:], blocks, strict=True):
        _show_block(panel, truth, {name: samples[name] for name in names})
    save_figure(figure, path, FIGURE, dpi=110)


@torch.no_grad()
def shipped_pictures() -> tuple[Tensor, Condition]:
    """Chroma (N, 2, 64, 64) and condition of scikit-image's pictures.

    Raises:
        EvaluationError: if scikit-image is missing.
    """
    try:
        import skimage.data
    except ImportError as error:
        raise EvaluationError(
            "scikit-image, whose pictures the figure shows, is missing; "
            "install it with `pip install scikit-image`"
        ) from error
    pixels = [getattr(skimage.data, name)() for name in PICTURES]
    ab = torch.from_numpy(np.stack([to_grid(picture) for picture in pixels]))
    lightness = torch.from_numpy(np.stack([square_lightness(picture) for picture in pixels]))
    return ab, Conditioner()(lightness[:, None])


@torch.no_grad()
def _samples(
    name: str,
    density: ConditionalDensity,
    condition: Condition,
    seed: int,
    say: Callable[[str], None],
) -> Tensor | None:
    """Samples as sRGB (N * SAMPLES, 3, 128, 128), grouped by picture; None if there are none."""
    generator = torch.Generator().manual_seed(seed)
    device = next(density.parameters()).device
    try:
        ab = density.sample(condition.to(device), SAMPLES, generator).cpu()
    except InversionError as error:
        say(f"{name}: no samples, {error}")
        return None
    return paint(condition.lightness, ab.nan_to_num(0.0).clamp(-128, 128))


def _clip_axis(axis: Any, values: NDArray[np.float64], positions: Iterable[int]) -> None:
    """Ends the axis at twice the best value; writes values beyond it at the edge."""
    end = 2 * float(np.nanmin(values))
    if not np.nanmax(values) > end:
        return
    axis.set_xlim(right=end)
    for value, position in zip(values, positions, strict=True):
        if value > end:
            axis.annotate(f"{value:.1f} →", (end, position), ha="right", va="center")


def _plot_numbers(panel: Any, rows: Sequence[Row]) -> None:
    """Plots likelihood and speed, one line per architecture."""
    left, right = panel.subplots(1, 2, sharey=True)
    positions = np.arange(len(rows))
    dev = np.array([r.bits_per_dim_dev for r in rows], float)  # None becomes NaN
    train = np.array([r.bits_per_dim_train for r in rows], float)
    error = np.array([r.standard_error_dev or 0.0 for r in rows])
    left.errorbar(
        dev, positions, xerr=error, fmt="o", color="#1b6ca8", label="dev ± standard error"
    )
    left.plot(train, positions, "|", color="#d1495b", markersize=10, label="train")
    left.set_yticks(positions, [row.name for row in rows])
    left.invert_yaxis()
    _clip_axis(left, dev, positions)
    left.set_xlabel("bits/dim of ab at 16x16 (lower is better)")
    left.legend(fontsize="small")
    right.plot([row.seconds_per_sample for row in rows], positions, "s", color="#5b8c5a")
    right.set_xscale("log")
    right.xaxis.set_major_formatter("{x:g}")
    right.set_xlabel("seconds a sample")
    for axis in (left, right):
        axis.grid(axis="x", alpha=0.3)


def _show_block(panel: Any, truth: Tensor, samples: Mapping[str, Tensor | None]) -> None:
    """Shows one row per picture: the truth and the samples of some architectures."""
    blank = torch.ones(len(truth) * SAMPLES, *truth.shape[1:])
    shown = [blank if one is None else one for one in samples.values()]
    shown += [blank] * (ARCHITECTURES_A_BLOCK - len(shown))
    cells = torch.cat([truth[:, None], *(x.unflatten(0, (-1, SAMPLES)) for x in shown)], 1)
    rows, columns, _, height, width = cells.shape
    mosaic = cells.permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width, 3)
    axis = panel.subplots()
    axis.imshow(mosaic.clamp(0, 1).numpy())
    axis.set_axis_off()
    axis.text(width / 2, -8, "truth", ha="center", fontsize="small")
    for index, name in enumerate(samples):
        center = width * (1 + SAMPLES * (index + 0.5))
        axis.text(center, -8, name, ha="center", fontsize="small")


def _blocks(names: Sequence[str]) -> list[Sequence[str]]:
    size = ARCHITECTURES_A_BLOCK
    return [names[start : start + size] for start in range(0, len(names), size)]
