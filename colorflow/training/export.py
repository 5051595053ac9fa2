"""`colorflow export`: the best weights of a run's levels, measured as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from colorflow.errors import PackError, TrainingError
from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import FORMAT, check_weights_destination, save_weights
from colorflow.training.pixels import PixelPack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE, with_noise
from colorflow.training.trained import Trained, read_start
from colorflow.training.tuning import calibrate, training_colors


def export(
    run_folder: Path,
    weights: Path,
    *,
    pack_folder: Path,
    temperatures: Sequence[float],
    gain: float,
    fallback: Path | None = None,
    photos: int = 500,
    say: Callable[[str], None] = print,
) -> None:
    """Writes the inference file of a run.

    Args:
        run_folder: of `colorflow train`; every level must have been evaluated at least once, or be
            in `fallback`.
        weights: NAME.safetensors.
        pack_folder: the pack to measure on.
        temperatures: std of the latents, one a level, coarse to fine.
        gain: factor of the chroma of samples on the coarsest grid.
        fallback: weights file with the same grids, planes and hint settings, for the levels and the
            late blocks that the run has not trained.
        photos: most photos of a split to measure bits/dim on.
        say: gets the report, line by line.

    Raises:
        TrainingError: if a level is missing, or the temperatures or `fallback` do not fit.
        WeightsError: if `fallback` cannot be read, or the file must not be written.
        PackError: if the pack cannot be read or has no large photo in a split.
    """
    check_weights_destination(weights, FORMAT)  # before the long work
    pack = PixelPack(pack_folder)
    if not run_folder.is_dir():
        raise TrainingError(f"{run_folder}: no training run here")
    run, other = Trained(run_folder), Trained(fallback) if fallback else None
    heads = run.heads()
    if other is not None and run.late_blocks() is None:
        heads = other.heads() | heads  # they do not fit late blocks that the run has trained
    pyramid = ChromaPyramid(_shape(run, other).with_heads(heads))
    names = pyramid.config.chroma_grids
    if len(temperatures) != len(names):
        raise TrainingError(
            f"--temperatures: expected {len(names)} numbers, one a level, got {len(temperatures)}"
        )
    _load_late_blocks(run, pyramid, other)
    for name, weights_of_head in heads.items():
        getattr(pyramid, name).load_state_dict(weights_of_head)
    training: dict[str, Any] = {"levels": _load_levels(run, pyramid, other)}
    if start := read_start(run_folder):
        training["start"] = start
    shipped = pyramid.eval().requires_grad_(False).half().float()
    training["bits_per_dim"] = {
        "dev": bits_per_dim(shipped, pack, "dev", photos),
        "train": bits_per_dim(shipped, pack, "train", photos),
        "dev_degraded": bits_per_dim(shipped, pack, "dev", photos, "whole_degraded"),
    }
    for split, bits in training["bits_per_dim"].items():
        text = ", ".join(f"{name} {value:.3f}" for name, value in bits.items())
        say(f"bits/dim, {split}: {text}")
    training["colors"] = asdict(training_colors(pack))
    say(f"colors of the training photos: {training['colors']}")
    factors = calibrate(shipped, pack, say=say)
    save_weights(
        weights, shipped, tuple(temperatures), training, interval_factors=factors, gain=gain
    )
    size = weights.stat().st_size / 1e6
    say(f"{weights}: {size:.1f} MB, temperatures {tuple(temperatures)}, gain {gain:g}")


@torch.no_grad()
def bits_per_dim(
    pyramid: ChromaPyramid, pack: PixelPack, split: str, photos: int, variant: str = "whole"
) -> dict[str, float]:
    """Bits per dimension of ab on the 64x64 grid, density per CIELAB unit, without hints.

    Gaussian noise of std 1 CIELAB unit falls on every pixel, and no other. A level's value counts
    the bits of its own numbers, with the log-determinant of the Haar step that made them.

    Args:
        pyramid: the model.
        pack: the photos.
        split: ``train`` or ``dev``.
        photos: at most so many.
        variant: of the photos.

    Returns:
        By the name of the level (``4``, ``8``, ...), and ``all`` for the whole model.

    Raises:
        PackError: if there is no such photo.
    """
    rows = pack.rows(split, variant=variant, larger_than=EVALUATED_PHOTO_SIDE)
    if len(rows) == 0:
        raise PackError(f"{pack.folder}: no large photo among {split} ({variant}) to measure on")
    rows = np.random.default_rng(4).permutation(rows)[:photos]
    noise = torch.Generator().manual_seed(5)
    totals = np.zeros(len(pyramid.levels))
    for part in np.array_split(rows, -(-len(rows) // 50)):
        ab, condition = pack.batch(part)
        ab = with_noise(ab, noise)
        totals += [-float(x.sum()) for x in pyramid.level_log_probs(ab, condition)]
    return pyramid.bits_by_level(list(totals / len(rows)))


def _shape(run: Trained, other: Trained | None) -> PyramidConfig:
    """The run's configuration, with the other model's for levels that the run has not begun."""
    shape = run.shape
    if other is None:
        return shape
    theirs = other.shape
    # Levels that have learned on maps of late blocks would see others without them.
    same = replace(
        theirs,
        levels=shape.levels,
        late_blocks=theirs.late_blocks or shape.late_blocks,
    )
    if same.with_heads(()) != shape.with_heads(()) or theirs.chroma_grids != shape.chroma_grids:
        raise TrainingError(
            f"{other.path}: a model of other grids, planes or hint settings, or with other "
            f"late blocks, than {run.path}"
        )
    levels = (
        own if run.has_level(name) else its
        for name, own, its in zip(shape.chroma_grids, shape.levels, theirs.levels, strict=True)
    )
    return replace(shape, levels=tuple(levels))


def _load_late_blocks(run: Trained, pyramid: ChromaPyramid, other: Trained | None) -> None:
    """Loads the late blocks of the run, or else of the other weights, if the model has some."""
    if pyramid.late_blocks is None:
        return
    weights = run.late_blocks() or (other.late_blocks() if other else None)
    if weights is None:
        raise TrainingError(
            f"{run.path}: its late blocks came from elsewhere; name the weights file that has "
            "them with --other-levels"
        )
    with run.must_fit("the late blocks"):
        pyramid.late_blocks.load_state_dict(weights)


def _load_levels(
    run: Trained, pyramid: ChromaPyramid, other: Trained | None
) -> list[dict[str, Any]]:
    """Loads the levels of the run, or else of the other weights; returns their training history."""
    found = []
    for name, level in zip(pyramid.config.chroma_grids, pyramid.levels, strict=True):
        source = run if other is None or run.has_level(name) else other
        weights, history = source.level(name)
        with source.must_fit(f"level {name}"):
            level.load_state_dict(weights)
        found.append(history)
    return found
