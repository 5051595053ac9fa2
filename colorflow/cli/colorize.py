"""`colorflow colorize`: photos and folders of photos."""

from __future__ import annotations

import argparse
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.cli.arguments import (
    LARGEST_SEED,
    MOST_PRINCIPAL,
    MOST_SAMPLES,
    a_path,
    add_weights,
    not_empty,
    number_from_zero,
    whole_number,
)
from colorflow.cli.colorize_session import Session, say_plan
from colorflow.errors import WritePhotoError
from colorflow.files import default_weights, digest_of

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_colorize(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "colorize",
        help="color photos and folders of photos",
        description=(
            "Color photos, files and folders of them. A photo that cannot be colored is named at "
            "the end, and the others go on. The same command goes on where it was stopped: what is "
            "done is skipped. Exit code: 0 all done or skipped, 1 some failed, 2 wrong usage, "
            "130 interrupted."
        ),
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        type=not_empty,
        metavar="IN",
        help="photos, folders, patterns such as 'album/*', and URLs of such, as s3://bucket/album",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=not_empty,
        required=True,
        metavar="OUT",
        help="folder for the results, or the URL of one",
    )
    _add_what(parser)
    _add_results(parser)
    _add_running(parser)
    parser.set_defaults(command=partial(_colorize, parser))


def _add_what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n",
        type=whole_number(least=1, most=MOST_SAMPLES),
        default=1,
        metavar="N",
        help="principal colorings of each photo, at most "
        f"{MOST_PRINCIPAL}: first the mean of 64 samples, then the means of their largest modes "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(least=0, most=LARGEST_SEED),
        default=0,
        help="seed of the first sample, the next ones count on (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=number_from_zero,
        default=1.0,
        help="0: the same calm colors each time; 1: as trained (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        action="store_true",
        help=f"N independent samples instead, at most {MOST_SAMPLES}",
    )
    parser.add_argument("--diverse", action="store_true", help="the N most different of 8N samples")
    parser.add_argument(
        "--force", action="store_true", help="also color photos that already have colors"
    )
    parser.add_argument(
        "--hints",
        type=a_path,
        metavar="FILE",
        help='colors of points: JSON such as {"photo.jpg": [{"row": 9, "column": 9, "a": 0, '
        '"b": -30}]}, in pixels and CIELAB units; a photo\'s name or its place below IN',
    )


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-r",
        "--recursive",
        action="store_true",
        help="also the folders inside IN; results get the same places below OUT",
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
        "colorings and s{seed} for samples, which may have {seed} instead",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="make results anew that are there already"
    )
    parser.add_argument(
        "--report",
        type=a_path,
        metavar="FILE",
        help="JSON: what became of each file, and likelihood",
    )
    parser.add_argument(
        "--contact-sheet",
        type=a_path,
        metavar="FILE",
        help="a picture of all results, .jpg, .png or .webp",
    )


def _add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=whole_number(least=1, most=1024),
        metavar="N",
        help="processes that color, about 0.5 GB each (default: one a core, at most 4; GPU: 1; "
        "on a cluster all that it has room for)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local: processes of this machine; ray: the Ray cluster at the environment's "
        "RAY_ADDRESS, or one that is started here for this run; needs colorflow[ray] "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--device", default="cpu", help="where to compute: cpu, cuda, cuda:1 (default: %(default)s)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and do nothing"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")
    add_weights(parser)


def _colorize(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    from colorflow.batch import Naming, Settings, make_plan, place_of, read_hints

    output = place_of(arguments.output)
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
    return say_plan(plan) if arguments.dry_run else Session(plan, arguments).run()


def _digest(weights: Path | None) -> str | None:
    """Of the weights; None for a file that cannot be read, which whoever loads it says."""
    try:
        return digest_of(weights or default_weights())
    except OSError:
        return None


def _check_sheet(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """A sheet shows what is on this machine; it would fetch everything again."""
    from colorflow.batch import Url, place_of

    if arguments.contact_sheet:
        for given in (*arguments.inputs, arguments.output):
            if isinstance(place_of(given), Url):
                parser.error(f"argument --contact-sheet: cannot show {given}, which is a URL")
