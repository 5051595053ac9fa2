"""`colorflow colorize`, `enlarge`, `repair`, `restore`: what is done to photos and folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from colorflow.cli.options import (
    WEIGHTS,
    Name,
    Number,
    Options,
    Whole,
    file_option,
    seed_option,
    together,
)
from colorflow.limits import (
    DETAIL_TEMPERATURE,
    EXTENSIONS,
    LARGEST_DETAIL_TEMPERATURE,
    LARGEST_TEMPERATURE,
    MOST_PRINCIPAL,
    MOST_SAMPLES,
    QUALITY,
    REFERENCE_STRENGTH,
    SCALES,
    SENSITIVITIES,
)
from colorflow.worker import worker_ahead

_EXIT_CODES = (
    "The same command continues where it was stopped: photos that are done are skipped. Exit code: "
    "0 all done or skipped, 1 some failed, 2 wrong usage, 130 interrupted."
)


def _with_worker_ahead(command: Callable[..., Any]) -> Callable[..., Any]:
    """Starts the first worker before the command imports anything: it takes longest to begin."""

    @wraps(command)
    def begun(**given: Any) -> Any:
        with worker_ahead() if given["engine"] == "local" else nullcontext():
            return command(**given)

    return begun


def _batch_options(report: str) -> Options:
    """The options of all these commands.

    Args:
        report: what a report says of each result.
    """
    return together(
        click.argument(
            "inputs",
            nargs=-1,
            required=True,
            type=Name(),
            metavar="IN...",
            help="photos, folders, zips, or patterns such as 'album/*'",
        ),
        click.option(
            "-o",
            "--output",
            type=Name(),
            required=True,
            metavar="OUT",
            help="folder for the results",
        ),
        click.option(
            "-r",
            "--recursive",
            is_flag=True,
            help="also take photos in the folders inside IN; results keep their relative paths in "
            "OUT",
        ),
        click.option(
            "--ext",
            type=click.Choice(EXTENSIONS),
            default="auto",
            help="format of the results; auto: jpg for a JPEG, otherwise png",
        ),
        click.option(
            "--quality",
            type=Whole(1, 100),
            default=QUALITY,
            help="of results that are jpg or webp: 100 is the best and largest",
        ),
        click.option("--overwrite", is_flag=True, help="replace existing results"),
        click.option(
            "--sensitivity",
            type=Whole(SENSITIVITIES[0], SENSITIVITIES[-1]),
            default=0,
            help="what repair takes for damage: -2 what surely is, 2 all that may be",
        ),
        file_option(
            "--report",
            help="write a report, as JSON (.json) or as a table (.csv): the outcome of each file"
            + report,
        ),
        file_option(
            "--contact-sheet",
            help="write a contact sheet: a page (.html) with each photo beside its results, and "
            "links to them",
        ),
        click.option(
            "--workers",
            type=Whole(1, 1024),
            help="largest number of worker processes, about 0.5 GB each, or 1 GB to repair "
            "(default: one per core, at most 4, or 2 to repair; 1 on a GPU; as many as a cluster "
            "has room for)",
        ),
        click.option(
            "--engine",
            type=click.Choice(("local", "ray")),
            default="local",
            help="local uses processes of this machine; ray uses the Ray cluster at RAY_ADDRESS, "
            "or one that is started here for this run, and needs the package ray",
        ),
        click.option(
            "--device",
            default="cpu",
            metavar="DEVICE",
            help="where to compute: cpu, cuda, cuda:1, or auto for a GPU if there is one",
        ),
        click.option("-q", "--quiet", is_flag=True, help="print only what failed"),
        WEIGHTS,
        _with_worker_ahead,
    )


_PREPARING = together(
    click.option(
        "--crop",
        type=click.Choice(("none", "auto")),
        default="none",
        help="auto: first cut prints out of their scan, and straighten them; several prints on one "
        "scan give several results, whose names have _print2, _print3, ... behind the photo's",
    ),
    click.option(
        "--fading", is_flag=True, help="first bring the tones of a faded print back, gently"
    ),
)
_SCALING = click.option(
    "--scale",
    type=click.Choice((1, *SCALES)),
    default=1,
    help="how many times larger each side becomes; all colorings of a photo get the same detail, "
    "the mean that `colorflow enlarge` gives first",
)
_TREAT_AS_GRAY = click.option(
    "--treat-as-gray",
    multiple=True,
    type=Name(),
    metavar="PATTERN",
    help="color photos that fit from their lightness even if they have colors, which are otherwise "
    "left as they are: a name, a path below IN, or a pattern such as 'scan*.jpg', '*' for all; "
    "may be given several times",
)
_RESTORE = click.option(
    "--restore",
    is_flag=True,
    help="while enlarging, take blur, noise and compression out; otherwise the result, reduced "
    "again, is the photo",
)
_REPAIRING = click.option(
    "--repair",
    is_flag=True,
    help="first find cracks, scratches and spots, and fill them, as `colorflow repair` does",
)


def _frame(text: str) -> tuple[float, ...]:
    """A type: x and y of corners, separated by commas."""
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise click.BadParameter(f"expected x,y,x,y,x,y,x,y, got {text!r}") from error


def _without(step: str, help: str) -> Options:
    """The option that leaves out a step."""
    return click.option(
        f"--no-{step}", step, flag_value=False, default=True, show_default=False, help=help
    )


@click.command(short_help="color photos and folders of photos", epilog=_EXIT_CODES)
@click.option(
    "-n",
    type=Whole(1, MOST_SAMPLES),
    default=1,
    help=f"number of principal colorings of each photo, at most {MOST_PRINCIPAL}: the first is the "
    "mean of all colorings, the others show what the largest clusters of samples change in it",
)
@seed_option("seed of the first sample; each further sample adds 1")
@click.option(
    "--temperature",
    type=Number(0, LARGEST_TEMPERATURE),
    default=1.0,
    help="spread of the samples; 0 gives the same calm colors each time, 1 is as trained, "
    f"{LARGEST_TEMPERATURE:g} is the most",
)
@click.option(
    "--samples", is_flag=True, help=f"make N independent samples instead, at most {MOST_SAMPLES}"
)
@click.option(
    "--skin/--no-skin",
    default=True,
    help="give skin the color of skin, or leave it to the model, for photos in which something "
    "else is taken for skin (default: --skin)",
)
@_TREAT_AS_GRAY
@file_option(
    "--hints",
    help='color hints: JSON such as {"photo.jpg": [{"row": 9, "column": 9, "a": 0, "b": -30}]}, in '
    "pixels and CIELAB units; names a photo by its name or its path below IN",
)
@file_option(
    "--reference",
    multiple=True,
    metavar="PHOTO",
    help="a color photo that shows the same people, clothes, house or place: what looks alike in "
    "all photos gets its colors there, and nothing else changes; may be given several times",
)
@click.option(
    "--alike",
    is_flag=True,
    help="color an album in its own colors: first the photos with hints, and at most eight others "
    "that stand for it, then all others with these as references",
)
@click.option(
    "--strength",
    type=Number(0, 1),
    default=REFERENCE_STRENGTH,
    help="how far what looks alike gets the colors of the references; 0 gives the same as no "
    "reference",
)
@_SCALING
@_RESTORE
@_REPAIRING
@_PREPARING
@_batch_options(
    report=" and the likelihood of each coloring",
)
def colorize(**given: Any) -> int:
    """Color photos and folders of photos. A photo that cannot be colored is named at the end; the
    others are colored."""
    from colorflow.batch import Settings
    from colorflow.cli.batch import run_batch, settings_of

    options = SimpleNamespace(**given)
    if options.hints and options.crop == "auto":
        raise click.UsageError("--crop auto: not allowed with --hints, which are for whole scans")
    return run_batch(options, settings_of(Settings, options))


@click.command(short_help="enlarge photos and folders of photos", epilog=_EXIT_CODES)
@click.option(
    "--scale",
    type=click.Choice(SCALES),
    default=SCALES[0],
    help="how many times larger each side becomes",
)
@click.option(
    "-n",
    type=Whole(1, MOST_SAMPLES),
    default=1,
    help="number of results of each photo: the mean, then samples",
)
@click.option(
    "--temperature",
    type=Number(0, LARGEST_DETAIL_TEMPERATURE),
    help="make samples alone: share of the sampled detail that is added to the mean; 0 gives the "
    "mean itself, 1 all of the model's grain and texture, "
    f"{LARGEST_DETAIL_TEMPERATURE:g} at most (default: the mean first, then samples at "
    f"{DETAIL_TEMPERATURE})",
)
@seed_option("seed of the first result; each further result adds 1")
@_RESTORE
@_REPAIRING
@_PREPARING
@_batch_options(
    report="",
)
def enlarge(**given: Any) -> int:
    """Enlarge photos and folders of photos, two or four times on each side. The detail that a photo
    lacks is predicted: its mean first, then samples of it. A photo that cannot be enlarged is named
    at the end; the others are enlarged."""
    from colorflow.batch import EnlargeSettings
    from colorflow.cli.batch import run_batch, settings_of

    options = SimpleNamespace(**given)
    return run_batch(options, settings_of(EnlargeSettings, options))


@click.command(short_help="repair scans of damaged prints", epilog=_EXIT_CODES)
@_PREPARING
@_batch_options(
    report=", with the share of its pixels that was repaired",
)
def repair(**given: Any) -> int:
    """Find cracks, folds, scratches and spots of prints, and fill them. Nothing else of a photo
    changes, and one without damage stays as it is. A photo that cannot be repaired is named at the
    end; the others are repaired."""
    from colorflow.batch import RepairSettings
    from colorflow.cli.batch import run_batch, settings_of

    options = SimpleNamespace(**given, repair=True)
    return run_batch(options, settings_of(RepairSettings, options))


@click.command(short_help="restore an album of scans", epilog=_EXIT_CODES)
@_without("crop", "take each scan as a whole; otherwise prints are cut out of it")
@_without("repair", "fill no damage")
@_without("fading", "leave the tones as they are")
@_without("color", "color nothing")
@_SCALING
@click.option(
    "--frame",
    multiple=True,
    type=_frame,
    metavar="X,Y,X,Y,X,Y,X,Y",
    help="for one scan: where its print is, instead of where it is found: the corners clockwise "
    "from the upper left, in pixels of the upright scan, as reports have them; may be given "
    "several times, once for each print",
)
@_TREAT_AS_GRAY
@_batch_options(
    report=", with the share of its pixels that was repaired, and where each print is in its scan",
)
def restore(**given: Any) -> int:
    """Restore albums of scans: cut each print out of its bed, without a blank border, repair it,
    bring its tones back, and color it, unless it is in color. A scan that is named alone is
    restored anew; of several, those that have results stay as they are. A scan or a print that
    cannot be restored is named at the end; the others are restored."""
    from colorflow.batch import RestoreSettings
    from colorflow.batch.find import is_zip
    from colorflow.cli.batch import run_batch, settings_of

    options = SimpleNamespace(**given)
    settings = settings_of(RestoreSettings, options)
    (*others, alone) = options.inputs
    if options.frame or (not others and os.path.isfile(alone) and not is_zip(Path(alone))):
        settings = replace(settings, overwrite=True)
    return run_batch(options, settings)
