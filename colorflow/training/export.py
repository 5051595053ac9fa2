"""`colorflow export`: weights files from the best weights of a run.

Levels are measured as they are stored. Interval factors, chosen on dev photos, make the coverage
of intervals nominal. Statistics of the training photos' colors go along for the evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from colorflow.errors import OptionError, PackError, TrainingError
from colorflow.model.config import HEADS, PyramidConfig
from colorflow.model.intervals import NOMINAL_LEVELS, in_half_widths
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import (
    FORMAT,
    check_weights_destination,
    load_weights,
    save_weights,
)
from colorflow.training.levels import JOINT, level_folder, with_noise
from colorflow.training.pack import EVALUATED_PHOTO_SIDE
from colorflow.training.pixels import PixelPack, training_colors
from colorflow.training.run_folder import (
    as_json,
    best_of,
    has_state,
    history_of,
    part_of,
    read_best,
    read_config,
    read_state,
)
from colorflow.training.trainer import Training

TEMPERATURES, GAIN = (0.85, 0.8, 0.7, 0.5, 0.2), 1.18
"""Those of the shipped weights."""

State = dict[str, Tensor]
"""Weights of a module, by their names in it."""


def export(
    run_folder: Path,
    weights: Path,
    *,
    pack_folder: Path,
    temperatures: Sequence[float] = TEMPERATURES,
    gain: float = GAIN,
    start: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Writes the inference file of a run of levels.

    Args:
        run_folder: of `colorflow train`; every level must have been evaluated at least once, or be
            in `start`.
        weights: NAME.safetensors.
        pack_folder: the pack to measure on.
        temperatures: std of the latents, one a level, coarse to fine.
        gain: factor of the chroma of samples on the coarsest grid.
        start: weights file with the same grids, planes and hint settings, for the levels and the
            late blocks that the run has not trained, and for the heads, if it has not trained late
            blocks.
        say: gets the report, line by line.

    Raises:
        OptionError: if the number of temperatures is another one.
        TrainingError: if a level is missing, or `start` does not fit.
        WeightsError: if `start` cannot be read, or the file must not be written.
        PackError: if the pack cannot be read or has no large photo in a split.
    """
    check_weights_destination(weights, FORMAT)  # before the long work
    pack, config = PixelPack(pack_folder), read_config(run_folder)
    pyramid, levels = _put_together(run_folder, config, start)
    names = pyramid.config.chroma_grids
    if len(temperatures) != len(names):
        raise OptionError(
            f"--temperatures: expected {len(names)} numbers, one a level, got {len(temperatures)}"
        )
    shipped = pyramid.eval().requires_grad_(False).half().float()
    bits = {
        "dev": bits_per_dim(shipped, pack, "dev"),
        "train": bits_per_dim(shipped, pack, "train"),
        "dev_degraded": bits_per_dim(shipped, pack, "dev", variant="whole_degraded"),
    }
    for split, of_split in bits.items():
        text = ", ".join(f"{name} {value:.3f}" for name, value in of_split.items())
        say(f"bits/dim, {split}: {text}")
    training = {"levels": levels, "bits_per_dim": bits, "colors": asdict(training_colors(pack))}
    say(f"colors of the training photos: {training['colors']}")
    if "start" in config:
        training["start"] = config["start"]
    factors = calibrate(shipped, pack, say=say)
    save_weights(
        weights, shipped, tuple(temperatures), training, interval_factors=factors, gain=gain
    )
    size = weights.stat().st_size / 1e6
    say(f"{weights}: {size:.1f} MB, temperatures {tuple(temperatures)}, gain {gain:g}")


def _put_together(
    run_folder: Path, config: Mapping[str, Any], start: Path | None
) -> tuple[ChromaPyramid, list[dict[str, Any]]]:
    """The model of a run, completed by that of `start`, and how each level was trained."""
    shape, other = _shape(run_folder, config), load_weights(start) if start else None
    state, theirs = (other.pyramid.state_dict(), other.pyramid.config) if other else ({}, shape)
    heads = [name for name in HEADS if getattr(theirs, name)] if other else []
    alike = replace(theirs, levels=shape.levels, late_blocks=shape.late_blocks).with_heads(())
    if alike != shape.with_heads(()) or theirs.chroma_grids != shape.chroma_grids:
        raise TrainingError(
            f"{start}: a model of other grids, planes or hint settings than {run_folder}"
        )
    if late := best_of(run_folder, JOINT, "late_blocks."):
        for name in heads:  # they do not fit late blocks that the run has trained
            state = _replaced(state, f"{name}.", {})
        heads, state = [], _replaced(state, "late_blocks.", late)
    elif not theirs.late_blocks or other is None:
        raise TrainingError(
            f"{run_folder}: its late blocks came from elsewhere; name the weights file that has "
            "them with --start"
        )
    told = {entry["level"]: entry for entry in other.training.get("levels", [])} if other else {}
    joint, levels, histories = _joint_grids(run_folder), list(theirs.levels), []
    for index, grid in enumerate(shape.chroma_grids):
        if other and not (has_state(run_folder, level_folder(grid)) or grid in joint):
            histories.append({"level": grid, **told.get(grid, {}), "from": other.digest})
            continue
        best, history = _best_level(run_folder, grid, joint)
        histories.append(history)
        state, levels[index] = _replaced(state, f"levels.{index}.", best), shape.levels[index]
    pyramid = ChromaPyramid(replace(shape, levels=tuple(levels)).with_heads(heads))
    try:
        pyramid.load_state_dict(state)
    except RuntimeError as error:
        raise TrainingError(
            f"{run_folder}: its weights do not fit the model as it is now; train it again"
        ) from error
    return pyramid, histories


def _shape(run_folder: Path, config: Mapping[str, Any]) -> PyramidConfig:
    try:
        return PyramidConfig.from_dict(config["pyramid"])
    except (ValueError, LookupError, TypeError) as error:
        raise TrainingError(f"{run_folder}: no training run of levels here ({error})") from error


def _replaced(state: State, prefix: str, new: State) -> State:
    """Other weights of a submodule, in the weights of the whole."""
    kept = {key: x for key, x in state.items() if not key.startswith(prefix)}
    return kept | {prefix + key: x for key, x in new.items()}


def _joint_grids(run_folder: Path) -> list[int]:
    """Chroma grids of the levels that learned together in a run, ascending."""
    state = read_state(run_folder, JOINT) or {"level": {}}
    return sorted({int(name.split(".")[1]) for name in state["level"] if name.startswith("levels")})


def _best_level(run_folder: Path, grid: int, joint: list[int]) -> tuple[State, dict[str, Any]]:
    """The best weights of a level, and how they were trained.

    They were chosen by `dev_nats`: with color hints, the mean over dev with and without hints.
    Levels that learned together share one value; `joint` lists them. If such a level was also
    trained by itself, that counts.

    Raises:
        TrainingError: if the run has no evaluated weights of the level, or is damaged.
    """
    is_joint = grid in joint and not has_state(run_folder, level_folder(grid))
    folder, prefix = (JOINT, f"levels.{grid}.") if is_joint else (level_folder(grid), "")
    command = f"colorflow train PACK -o {run_folder} --levels {grid}"
    state = read_best(run_folder, folder, f"level {grid}", command)
    history = {
        "level": grid,
        **history_of(state),
        "dev_nats": round(state["best_dev"], 3),
        **({"joint": joint} if is_joint else {}),
    }
    return part_of(state["best"], prefix), history


@torch.no_grad()
def bits_per_dim(
    pyramid: ChromaPyramid, pack: PixelPack, split: str, photos: int = 500, variant: str = "whole"
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


@torch.no_grad()
def calibrate(
    pyramid: ChromaPyramid,
    pack: PixelPack,
    photos: int = 300,
    samples: int = 64,
    say: Callable[[str], None] = print,
) -> dict[float, float]:
    """Factors of the half-widths of central intervals that make their coverage nominal on dev.

    The intervals are those of samples at std 1, for every number of the 64x64 grid; the coverage
    is the share of all numbers of all photos.

    Args:
        pyramid: trained model.
        pack: whose dev split is used, large whole photos, clean.
        photos: number of dev photos.
        samples: samples of each photo, at least 64 for stable ends of the intervals.
        say: gets a line an interval.

    Returns:
        By nominal coverage; above 1 where the model is overconfident.
    """
    rows = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    rows = np.random.default_rng(8).permutation(rows)[:photos]
    generator = torch.Generator().manual_seed(9)
    std1 = [1.0] * len(pyramid.levels)
    distances: dict[float, list[Tensor]] = {level: [] for level in NOMINAL_LEVELS}
    for row in rows:
        ab, condition = pack.batch(np.array([row]))
        sampled = pyramid.sample(condition, samples, std1, generator)[0]
        for level, found in distances.items():
            found.append(in_half_widths(sampled, ab[0], level))
    factors = {}
    for level, found in distances.items():
        values = torch.stack(found).numpy()
        factors[level] = round(float(np.quantile(values, level)), 4)
        say(
            f"central {level:.0%} interval at std 1: covers {(values <= 1).mean():.3f} of dev, "
            f"factor {factors[level]:g}"
        )
    return factors


def export_part(
    trainings: Iterable[Training],
    run_folder: Path,
    weights: Path,
    *,
    start: Path | None = None,
    pack_folder: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Writes a weights file from the best weights of a run, in float16.

    Args:
        trainings: one of which is that of the run.
        run_folder: of `train_part`.
        weights: NAME.safetensors.
        start: weights file with all that the run has not trained.
        pack_folder: that the run was trained on, for a part that measures something there.
        say: gets the report, line by line.

    Raises:
        PackError: if the pack cannot be read.
        TrainingError: if the run is by none of them, lacks a part, or more is needed.
        WeightsError: if a file cannot be read, or must not or cannot be written.
    """
    config = read_config(run_folder).items()
    training = next((x for x in trainings if as_json(x.settings).items() <= config), None)
    if training is None:
        raise TrainingError(f"{run_folder}: its parts have another shape here; train them again")
    check_weights_destination(weights, training.format)
    for name, history in training.write(run_folder, weights, start, pack_folder).items():
        say(f"{name}: {history}")
    say(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB")
