"""`colorflow train` and `export`: from packs to weights files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from colorflow.cli.options import (
    POSITIVE,
    Number,
    Whole,
    file_option,
    numbers,
    output_option,
    path_argument,
    seed_option,
)

if TYPE_CHECKING:
    from colorflow.training.trainer import Training

PARTS = (
    *("mean", "likeness", "skin", "segmentation", "teacher"),
    *("repair-finder", "repair-mean", "repair-fill"),
    *(f"enlarge-{name}{half}" for name in ("last", "first", "restore") for half in ("-mean", "")),
)
"""Names of parts: of the training, and of the part where it has several."""
_say = partial(print, flush=True)


def trainings() -> dict[str, Training]:
    """The trainings of weights whose parts learn by themselves, by their names."""
    from colorflow.enlarge.train import ENLARGE
    from colorflow.repair.train import REPAIR
    from colorflow.training.heads import LIKENESS, MEAN, SEGMENTATION, SKIN, TEACHER

    every = (MEAN, LIKENESS, SKIN, SEGMENTATION, TEACHER, ENLARGE, REPAIR)
    return {training.name: training for training in every}


@click.command(short_help="train on a pack made by data_prep")
@path_argument("pack", "PACK", "training pack")
@output_option("RUN", "folder for the run")
@click.option(
    "--part",
    type=click.Choice(PARTS),
    metavar="NAME",
    help=f"train this in place of the levels of the model of colors: {', '.join(PARTS)} (see "
    "docs/training.md)",
)
@click.option(
    "--minutes",
    type=POSITIVE,
    help="training time of each level; levels that learn together share it; of a part, minutes of "
    "one core without evaluations",
)
@click.option("--steps", type=Whole(1), help="training steps of each level, counted likewise")
@click.option(
    "--batch", type=Whole(1), help="photos per step (default: 128, or what suits the part)"
)
@click.option("--rate", "peak_rate", type=POSITIVE, default=1e-3, help="peak learning rate")
@seed_option("seed of initial weights, order and noise")
@click.option(
    "--evaluate-every",
    type=POSITIVE,
    default=240.0,
    help="seconds between evaluations and checkpoints, or steps if the budget is in steps",
)
@click.option("--threads", type=Whole(1), help="CPU threads (default: all)")
@click.option(
    "--levels",
    type=numbers(int),
    metavar="4,8,...",
    help="chroma grids to train, in this order (default: all); the levels 4, 8 and 16 learn "
    "together with the late blocks of the feature network, then each finer level by itself, with "
    "the late blocks frozen",
)
@click.option(
    "--dropout",
    type=Number(0, 1, max_open=True),
    metavar="SHARE",
    help="share of units dropped in training, in every level (default: that of the weights to "
    "start from, or 0.2 to 0 from coarse to fine; use less for 100,000 photos and more)",
)
@file_option(
    "--start",
    exists=True,
    metavar="WEIGHTS",
    help="weights file to start from: its shape and its weights (give it again to go on); the "
    "model of a head",
)
def train(pack: Path, output: Path, part: str | None, threads: int | None, **options: Any) -> None:
    """Train on a pack made by `python -m data_prep`; run again to go on."""
    minutes, steps, batch = (options.pop(name) for name in ("minutes", "steps", "batch"))
    settings = {name: options.pop(name) for name in ("peak_rate", "seed", "evaluate_every")}
    start = options.pop("start")
    if (minutes is None) == (steps is None):
        raise click.UsageError("expected either --minutes or --steps")
    if part and options != {"levels": None, "dropout": None}:
        raise click.UsageError("--levels and --dropout do not go with --part")
    import torch

    from colorflow.training import levels
    from colorflow.training.trainer import Budget, TrainConfig, train_part

    if threads:
        torch.set_num_threads(threads)
    budget = Budget(steps=steps, minutes=minutes)
    if part is None:
        config = TrainConfig(batch=batch or 128, **settings)
        levels.train(pack, output, start=start, config=config, budget=budget, say=_say, **options)
    else:
        name, _, of_several = part.partition("-")
        training = trainings()[name]
        config = TrainConfig(
            batch=batch or training.batch, dev_photos=training.dev_photos, **settings
        )
        name = of_several or name
        train_part(
            training, name, pack, output, start=start, config=config, budget=budget, say=_say
        )


@click.command(short_help="write a run's weights file")
@path_argument("run", "RUN", "folder of the run")
@path_argument("weights", "WEIGHTS", "NAME.safetensors", exists=False)
@file_option(
    "--pack",
    "pack_folder",
    exists=True,
    metavar="PACK",
    help="pack to measure bits/dim on, for levels, or the tones of skin, for its head",
)
@click.option(
    "--temperatures",
    type=numbers(float),
    metavar="0.9,0.5,...",
    help="std of each level's latents, coarse to fine (default: those of the shipped weights)",
)
@click.option(
    "--gain",
    type=POSITIVE,
    help="factor of the chroma of samples on the coarsest grid; more than 1 restores the vividness "
    "that temperatures below 1 take away (default: that of the shipped weights)",
)
@file_option(
    "--start",
    exists=True,
    metavar="WEIGHTS",
    help="weights file that supplies what the run has not trained: levels and late blocks, the "
    "model of a head, the other parts",
)
def export(
    run: Path, weights: Path, pack_folder: Path | None, start: Path | None, **options: Any
) -> None:
    """Write the weights file of a training run."""
    from colorflow.training import export
    from colorflow.training.run_folder import read_config

    of_levels = {name: value for name, value in options.items() if value is not None}
    given: dict[str, Any] = {"pack_folder": pack_folder, "start": start, "say": _say}
    if "pyramid" in read_config(run):
        if pack_folder is None:
            raise click.UsageError("expected --pack")
        export.export(run, weights, **given, **of_levels)
    elif of_levels:
        raise click.UsageError("--temperatures and --gain are for levels")
    else:
        export.export_part(trainings().values(), run, weights, **given)
