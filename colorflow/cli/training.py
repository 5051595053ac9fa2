"""`colorflow train`, `export` and those for enlarging and repair: from packs to weights files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from colorflow.cli.options import (
    POSITIVE,
    Number,
    Options,
    Whole,
    file_option,
    numbers,
    output_option,
    path_argument,
    seed_option,
    together,
)

_DEV_PATCHES = 256
"""Dev patches of an evaluation, at most."""
_DEV_PAIRS = 100
"""Dev photos of an evaluation of likeness, which sees each at two sizes, with a reference."""
_say = partial(print, flush=True)
_RUN = path_argument("run", "RUN", "folder of the run")
_MADE = path_argument("weights", "WEIGHTS", "NAME.safetensors")


def _training_options(*, batch: int, evaluate_every: float) -> Options:
    """What every training takes; all are those of `_run_of`."""
    return together(
        output_option("RUN", "folder for the run"),
        click.option("--batch", type=Whole(1), default=batch, help="photos per step"),
        click.option("--rate", type=POSITIVE, default=1e-3, help="peak learning rate"),
        seed_option("seed of initial weights, order and noise"),
        click.option(
            "--evaluate-every",
            type=POSITIVE,
            default=evaluate_every,
            help="seconds between evaluations and checkpoints, or steps if the budget is in steps",
        ),
        click.option("--threads", type=Whole(1), help="CPU threads (default: all)"),
    )


def _module_training_options(*, batch: int) -> Options:
    """What trainings of single modules take."""
    return together(
        path_argument("pack", "PACK", "training pack"),
        _training_options(batch=batch, evaluate_every=240.0),
        click.option(
            "--minutes",
            type=POSITIVE,
            required=True,
            help="training time in minutes of one core, without evaluations",
        ),
    )


def _run_of(options: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """What every training needs to know, from its options, which are taken out.

    Also sets the number of threads.

    Args:
        options: of the command.
        settings: further ones of `TrainConfig`.
    """
    import torch

    from colorflow.training.schedule import Budget
    from colorflow.training.trainer import TrainConfig

    if threads := options.pop("threads"):
        torch.set_num_threads(threads)
    settings |= {name: options.pop(name) for name in ("batch", "evaluate_every", "seed")}
    return {
        "run_folder": options.pop("output"),
        "config": TrainConfig(peak_rate=options.pop("rate"), **settings),
        "budget": Budget(steps=options.pop("steps", None), minutes=options.pop("minutes")),
        "say": _say,
    }


@click.command(short_help="train on a pack made by data_prep")
@path_argument("pack", "PACK", "training pack")
@_training_options(batch=128, evaluate_every=120.0)
@click.option(
    "--minutes",
    type=POSITIVE,
    help="training time of each level; levels that learn together share it",
)
@click.option("--steps", type=Whole(1), help="training steps of each level, counted likewise")
@click.option(
    "--levels",
    type=numbers(int),
    metavar="4,8,...",
    help="chroma grids to train, in this order (default: all); the levels 4, 8 and 16 learn "
    "together with the late blocks of the feature network, then each finer level by itself, with "
    "the late blocks frozen",
)
@click.option(
    "--mean-head",
    is_flag=True,
    help="train the head that predicts the mean of the colors, and no level; the late blocks of "
    "--start stay as they are",
)
@click.option("--hints", is_flag=True, help="train a model that also takes color hints")
@click.option(
    "--dropout",
    type=Number(0, 1, max_open=True),
    metavar="SHARE",
    help="share of units dropped in training, in every level (default: that of the weights to "
    "start from, or 0.2 to 0 from coarse to fine; use less for 100,000 photos and more)",
)
@file_option(
    "--start",
    metavar="RUN|WEIGHTS",
    help="run folder or weights file to start from: its shape and its weights (give it again to go "
    "on)",
)
def train(pack: Path, **options: Any) -> None:
    """Train on a pack made by `python -m data_prep`; run again to go on."""
    from colorflow.training import loop

    if (options["minutes"] is None) == (options["steps"] is None):
        raise click.UsageError("expected either --minutes or --steps")
    run = _run_of(options)
    loop.train(pack, **run, **options)


@click.command(short_help="write a run's weights file")
@_RUN
@_MADE
@file_option(
    "--pack",
    "pack_folder",
    required=True,
    metavar="PACK",
    help="pack to measure bits/dim on",
)
@click.option(
    "--temperatures",
    type=numbers(float),
    metavar="0.9,0.5,...",
    default="0.85,0.8,0.7,0.5,0.2",
    help="std of each level's latents, coarse to fine (default: those of the shipped weights)",
)
@click.option(
    "--gain",
    type=POSITIVE,
    default=1.18,
    help="factor of the chroma of samples on the coarsest grid; more than 1 restores the vividness "
    "that temperatures below 1 take away (default: that of the shipped weights)",
)
@file_option(
    "--other-levels",
    "fallback",
    metavar="WEIGHTS",
    help="weights file that supplies the levels and late blocks that the run has not trained",
)
def export(run: Path, weights: Path, **options: Any) -> None:
    """Write the weights file of a training run, which is all that coloring needs."""
    from colorflow.training import export

    export.export(run, weights, **options, say=_say)


@click.command(short_help="train what enlarges photos, on a pack of patches")
@click.argument(
    "name",
    type=click.Choice(("last", "first", "restore")),
    metavar="NAME",
    help="last: to twice the resolution, or the second step to four times; first: the first step "
    "to four times; restore: a first step that takes damage out",
)
@_module_training_options(batch=8)
@file_option(
    "--start",
    metavar="WEIGHTS",
    help="begin with this doubling of a weights file, or with what fits of `last` if the file has "
    "none of this name",
)
def train_enlarge(name: str, pack: Path, start: Path | None, **options: Any) -> None:
    """Train one doubling on a pack made by `python -m data_prep --patches`; run again to go on."""
    from colorflow.enlarge.train import train_doubling

    train_doubling(name, pack, start=start, **_run_of(options, dev_photos=_DEV_PATCHES))


@click.command(short_help="write the weights file that enlarges photos")
@_RUN
@_MADE
@file_option(
    "--other-doublings",
    metavar="WEIGHTS",
    help="weights file with the doublings that the run has not trained",
)
def export_enlarge(run: Path, weights: Path, other_doublings: Path | None) -> None:
    """Write a weights file from the best weights of a run of `train-enlarge`."""
    from colorflow.enlarge.train import export_doublings

    export_doublings(run, weights, others=other_doublings, say=_say)


@click.command(short_help="train what repairs prints, on a pack of patches")
@click.argument(
    "name",
    type=click.Choice(("finder", "mean", "fill")),
    metavar="NAME",
    help="finder: finds damage; mean: predicts the mean of what it hides; fill: the flow over what "
    "the mean leaves, and needs it trained",
)
@_module_training_options(batch=16)
def train_repair(name: str, pack: Path, **options: Any) -> None:
    """Train one part on a pack made by `python -m data_prep --patches`; run again to go on."""
    from colorflow.repair.train import train_part

    train_part(name, pack, **_run_of(options, dev_photos=_DEV_PATCHES))


@click.command(short_help="write the weights file that repairs prints")
@_RUN
@_MADE
@file_option("--others", help="weights file of the parts that the run has not trained")
def export_repair(run: Path, weights: Path, others: Path | None) -> None:
    """Write a weights file from the best weights of a run of `train-repair`."""
    from colorflow.repair.train import export_repair

    export_repair(run, weights, others, say=_say)


@click.command(short_help="train what finds skin, on a pack with marks of skin")
@click.argument(
    "name",
    type=click.Choice(("teacher", "student")),
    metavar="NAME",
    help="teacher: sees color, and marks skin for `python -m data_prep --teacher`; student: the "
    "skin head of a model",
)
@_module_training_options(batch=24)
@file_option("--start", metavar="WEIGHTS", help="the model that the student is a part of")
def train_skin(name: str, pack: Path, start: Path | None, **options: Any) -> None:
    """Train on a pack made by `python -m data_prep --skin`; run again to go on."""
    from colorflow.training.skin import train_skin

    train_skin(name, pack, start=start, **_run_of(options))


@click.command(short_help="write the weights of what finds skin")
@_RUN
@_MADE
@file_option(
    "--start",
    "model",
    metavar="WEIGHTS",
    help="the model that the student is a part of; without one, the run is that of a teacher",
)
@file_option(
    "--pack", "pack_folder", metavar="PACK", help="the pack that the student was trained on"
)
def export_skin(run: Path, weights: Path, model: Path | None, pack_folder: Path | None) -> None:
    """Write a weights file from the best weights of a run of `train-skin`."""
    from colorflow.training import skin

    if model is None:
        skin.export_teacher(run, weights, say=_say)
    elif pack_folder is None:
        raise click.UsageError("expected --pack beside --start")
    else:
        skin.export_skin(run, weights, model=model, pack_folder=pack_folder, say=_say)


@click.command(short_help="train what finds the same things in a reference")
@_module_training_options(batch=8)
@file_option(
    "--start",
    metavar="WEIGHTS",
    required=True,
    help="the model whose features describe photos, with a mean head",
)
def train_likeness(pack: Path, start: Path, **options: Any) -> None:
    """Train on a pack made by `python -m data_prep --skin`; run again to go on."""
    from colorflow.training.likeness import train_likeness

    train_likeness(pack, start=start, **_run_of(options, dev_photos=_DEV_PAIRS))


@click.command(short_help="write the weights of what finds the same things in a reference")
@_RUN
@_MADE
@file_option(
    "--start", "model", metavar="WEIGHTS", required=True, help="the model that the run started from"
)
def export_likeness(run: Path, weights: Path, model: Path) -> None:
    """Write a weights file from the best weights of a run of `train-likeness`."""
    from colorflow.training.likeness import export_likeness

    export_likeness(run, weights, model=model, say=_say)
