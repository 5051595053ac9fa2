"""`colorflow colorize`: plans, runs, and reports a batch of photos."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.cli.arguments import (
    a_path,
    add_weights,
    not_empty,
    number_from_zero,
    whole_number,
)
from colorflow.cli.colorize_batch import BatchCommand, print_plan
from colorflow.errors import WritePhotoError
from colorflow.files import default_weights, digest_of
from colorflow.limits import LARGEST_SEED, MOST_PRINCIPAL, MOST_SAMPLES

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_colorize(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "colorize",
        help="color photos and folders of photos",
        description=(
            "Color photos and folders of photos. A photo that cannot be colored is named at the "
            "end; the others are colored. The same command continues where it was stopped: photos "
            "that are done are skipped. Exit code: 0 all done or skipped, 1 some failed, 2 wrong "
            "usage, 130 interrupted."
        ),
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        type=not_empty,
        metavar="IN",
        help="photos, folders, patterns such as 'album/*', or URLs such as s3://bucket/album",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=not_empty,
        required=True,
        metavar="OUT",
        help="folder for the results, or its URL",
    )
    _add_coloring_options(parser)
    _add_result_options(parser)
    _add_run_options(parser)
    parser.set_defaults(command=partial(_colorize, parser))


def _add_coloring_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n",
        type=whole_number(least=1, most=MOST_SAMPLES),
        default=1,
        metavar="N",
        help=f"number of principal colorings of each photo, at most {MOST_PRINCIPAL}: the first is "
        "the mean of 64 samples, the others are the means of their largest modes (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(least=0, most=LARGEST_SEED),
        default=0,
        help="seed of the first sample; each further sample adds 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=number_from_zero,
        default=1.0,
        help="spread of the samples; 0 gives the same calm colors each time, 1 is as trained "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        action="store_true",
        help=f"make N independent samples instead, at most {MOST_SAMPLES}",
    )
    parser.add_argument(
        "--diverse", action="store_true", help="make the N most different of 8N samples instead"
    )
    parser.add_argument(
        "--force", action="store_true", help="also recolor photos that already have color"
    )
    parser.add_argument(
        "--hints",
        type=a_path,
        metavar="FILE",
        help='color hints: JSON such as {"photo.jpg": [{"row": 9, "column": 9, "a": 0, '
        '"b": -30}]}, in pixels and CIELAB units; names a photo by its name or its path below IN',
    )


def _add_result_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-r",
        "--recursive",
        action="store_true",
        help="also color photos in the folders inside IN; results keep their relative paths in OUT",
    )
    parser.add_argument(
        "--ext",
        choices=("auto", "jpg", "png", "webp", "tiff"),
        default="auto",
        help="format of the results; auto: jpg for a JPEG, otherwise png (default: %(default)s)",
    )
    parser.add_argument(
        "--name",
        default="{stem}_{label}.{ext}",
        metavar="TEMPLATE",
        help="names of the results (default: %(default)s); {label} is a, b, ... for principal "
        "colorings and s{seed} for samples; samples may use {seed} instead",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument(
        "--report",
        type=a_path,
        metavar="FILE",
        help="write a JSON report: the outcome of each file and the likelihood of each coloring",
    )
    parser.add_argument(
        "--contact-sheet",
        type=a_path,
        metavar="FILE",
        help="write a picture of all results (.jpg, .png or .webp)",
    )


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=whole_number(least=1, most=1024),
        metavar="N",
        help="number of worker processes, about 0.5 GB each (default: one per core, at most 4; 1 "
        "on a GPU; as many as a cluster has room for)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local uses processes of this machine; ray uses the Ray cluster at RAY_ADDRESS, or "
        "one that is started here for this run, and needs the package ray (default: %(default)s)",
    )
    parser.add_argument(
        "--device", default="cpu", help="where to compute: cpu, cuda, cuda:1 (default: %(default)s)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and do nothing")
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what failed")
    add_weights(parser)


def _colorize(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    from colorflow.batch import Naming, Settings, location_of, make_plan, read_hints

    output = location_of(arguments.output)
    if isinstance(output, Path) and os.path.exists(output) and not os.path.isdir(output):
        raise WritePhotoError(output, "is a file, but -o names a folder for the results")
    samples = arguments.samples or arguments.diverse
    if arguments.n > MOST_PRINCIPAL and not samples:
        parser.error(
            f"argument -n: expected at most {MOST_PRINCIPAL} principal colorings, "
            f"got {arguments.n}; with --samples there may be {MOST_SAMPLES}"
        )
    settings = Settings(
        n=arguments.n,
        seed=arguments.seed,
        temperature=arguments.temperature,
        samples=samples,
        diverse=arguments.diverse,
        force=arguments.force,
        overwrite=arguments.overwrite,
        likelihood=arguments.report is not None,
    )
    try:
        naming = Naming(arguments.name, arguments.ext)
        naming.check_fits(settings)
    except ValueError as error:
        parser.error(f"argument --{error}")
    _check_sheet(parser, arguments)
    plan = make_plan(
        arguments.inputs,
        output,
        settings,
        naming=naming,
        recursive=arguments.recursive,
        hints=read_hints(arguments.hints) if arguments.hints else None,
        hints_source=str(arguments.hints),
        weights=_digest(arguments.weights),
    )
    return print_plan(plan) if arguments.dry_run else BatchCommand(plan, arguments).run()


def _digest(weights: Path | None) -> str | None:
    """The weights' digest; None if they cannot be read, which loading them reports."""
    try:
        return digest_of(weights or default_weights())
    except OSError:
        return None


def _check_sheet(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuses a sheet of URLs, for which every result would be downloaded again."""
    from colorflow.batch import location_of

    if arguments.contact_sheet:
        for given in (*arguments.inputs, arguments.output):
            if not isinstance(location_of(given), Path):
                parser.error(f"argument --contact-sheet: cannot show {given}, which is a URL")
