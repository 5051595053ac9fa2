"""The table as a figure: likelihood, speed, and samples on pictures that scikit-image ships.

Photos of the training pack are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.comparison.measure import Row
from colorflow.comparison.task import means
from colorflow.errors import TrainingError
from colorflow.files import FileKind, picture_kind, statement_of, whole_file
from colorflow.flows import InversionError
from colorflow.model.condition import Condition, Conditioner
from colorflow.model.density import ConditionalDensity
from colorflow.training.grids import paint

PICTURES = ("astronaut", "chelsea", "coffee", "rocket")
"""Functions of `skimage.data` that need no download."""
SAMPLES = 2
ARCHITECTURES_A_BLOCK = 5
"""Side by side in a block of samples."""
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
        rows: of the table, in their order.
        densities: by the architecture's name, in the same order.
        path: JPEG file.
        seed: of the samples.
        say: is told which architecture could not draw.

    Raises:
        TrainingError: if matplotlib or scikit-image is missing.
    """
    figure_of = figure_class()
    ab, condition = shipped_pictures()
    cells = {
        name: _samples(name, density, condition, seed, say) for name, density in densities.items()
    }
    blocks = _blocks(list(cells))
    block_inches = _WIDTH_INCHES * len(PICTURES) / (1 + SAMPLES * ARCHITECTURES_A_BLOCK) + 0.3
    heights = [0.8 + 0.3 * len(rows), *[block_inches] * len(blocks)]
    figure = figure_of(figsize=(_WIDTH_INCHES, sum(heights)), layout="constrained")
    panels = figure.subfigures(len(heights), 1, height_ratios=heights)
    parts = np.atleast_1d(panels)
    _plot_numbers(parts[0], rows)
    truth = paint(condition.lightness, means(ab)[:, None])
    for part, names in zip(parts[1:], blocks, strict=True):
        _show_block(part, truth, {name: cells[name] for name in names})
    save_figure(figure, path, FIGURE, dpi=110, quality=90)


def save_figure(figure: Any, path: Path, kind: FileKind, *, dpi: int, quality: int) -> None:
    """Writes a figure of matplotlib's as JPEG, as `whole_file` does."""
    options = {"quality": quality, "comment": statement_of(kind)}
    with whole_file(path, kind) as file:
        figure.savefig(file, format="jpg", dpi=dpi, pil_kwargs=options)


@torch.no_grad()
def shipped_pictures() -> tuple[Tensor, Condition]:
    """Chroma (N, 2, 64, 64) and condition of scikit-image's pictures.

    Raises:
        TrainingError: if scikit-image is missing.
    """
    try:
        import skimage.data
    except ImportError as error:
        raise TrainingError(
            "scikit-image is missing, whose pictures the figure shows; "
            "install it with `pip install scikit-image`"
        ) from error
    from colorflow.color.grid import square_lightness, to_grid

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
    """(N * SAMPLES, 3, 128, 128) sRGB, a picture's samples together; None if there are none."""
    generator = torch.Generator().manual_seed(seed)
    device = next(density.parameters()).device
    try:
        ab = density.sample(condition.to(device), SAMPLES, generator).cpu()
    except InversionError as error:
        say(f"{name}: no samples, {error}")
        return None
    return paint(condition.lightness, ab.nan_to_num(0.0).clamp(-128, 128))


def _leave_out_the_farthest(axis: Any, values: NDArray[np.float64], places: Iterable[int]) -> None:
    """Ends the axis at twice the best; a number beyond is written at the edge."""
    end = 2 * float(np.nanmin(values))
    if not np.nanmax(values) > end:
        return
    axis.set_xlim(right=end)
    for value, place in zip(values, places, strict=True):
        if value > end:
            axis.annotate(f"{value:.1f} →", (end, place), ha="right", va="center")


def _plot_numbers(panel: Any, rows: Sequence[Row]) -> None:
    """Likelihood and speed, a line an architecture."""
    left, right = panel.subplots(1, 2, sharey=True)
    places = np.arange(len(rows))
    dev = np.array([np.nan if r.bits_per_dim_dev is None else r.bits_per_dim_dev for r in rows])
    train = [np.nan if r.bits_per_dim_train is None else r.bits_per_dim_train for r in rows]
    error = np.array([r.standard_error_dev or 0.0 for r in rows])
    left.errorbar(dev, places, xerr=error, fmt="o", color="#1b6ca8", label="dev ± standard error")
    left.plot(train, places, "|", color="#d1495b", markersize=10, label="train")
    left.set_yticks(places, [row.name for row in rows])
    left.invert_yaxis()
    _leave_out_the_farthest(left, dev, places)
    left.set_xlabel("bits/dim of ab at 16x16 (lower is better)")
    left.legend(fontsize="small")
    right.plot([row.seconds_per_sample for row in rows], places, "s", color="#5b8c5a")
    right.set_xscale("log")
    right.xaxis.set_major_formatter("{x:g}")
    right.set_xlabel("seconds a sample")
    for axis in (left, right):
        axis.grid(axis="x", alpha=0.3)


def _show_block(panel: Any, truth: Tensor, cells: Mapping[str, Tensor | None]) -> None:
    """Rows are pictures; columns are the truth and the samples of some architectures."""
    blank = torch.ones(len(truth) * SAMPLES, *truth.shape[1:])
    columns = [truth[:, None]]
    for samples in cells.values():
        shown = blank if samples is None else samples
        columns.append(shown.unflatten(0, (len(truth), SAMPLES)))
    missing = ARCHITECTURES_A_BLOCK - len(cells)
    columns += [blank.unflatten(0, (len(truth), SAMPLES))] * missing
    mosaic = _mosaic(torch.cat(columns, 1))
    axis = panel.subplots()
    axis.imshow(mosaic)
    axis.set_axis_off()
    side = truth.shape[-1]
    axis.text(side / 2, -8, "truth", ha="center", fontsize="small")
    for index, name in enumerate(cells):
        center = side * (1 + SAMPLES * (index + 0.5))
        axis.text(center, -8, name, ha="center", fontsize="small")


def _mosaic(cells: Tensor) -> NDArray[np.float32]:
    """(rows, columns, 3, h, w) -> (rows * h, columns * w, 3)."""
    rows, columns, _, height, width = cells.shape
    joined = cells.permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width, 3)
    return joined.clamp(0, 1).numpy()


def _blocks(names: Sequence[str]) -> list[Sequence[str]]:
    size = ARCHITECTURES_A_BLOCK
    return [names[start : start + size] for start in range(0, len(names), size)]


def figure_class() -> Any:
    """Matplotlib's `Figure`, which draws without a screen and without global state.

    Raises:
        TrainingError: if matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise TrainingError(
            "matplotlib is missing, which draws the figure; "
            "install it with `pip install 'colorflow[train]'`"
        ) from error
    return Figure
