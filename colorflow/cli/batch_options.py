"""Options of the commands that work on many photos, and their plan."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, not_empty, whole_number
from colorflow.errors import WritePhotoError
from colorflow.limits import EXTENSIONS

if TYPE_CHECKING:
    from colorflow.batch import BatchSettings

EXIT_CODES = (
    "The same command continues where it was stopped: photos that are done are skipped. Exit code: "
    "0 all done or skipped, 1 some failed, 2 wrong usage, 130 interrupted."
)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Adds what every batch needs: photos, and a folder for the results."""
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


def add_restoring(parser: argparse.ArgumentParser) -> None:
    """Adds the choice between an exact enlargement and one that restores."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--clean",
        dest="restore",
        action="store_const",
        const=False,
        default=False,
        help="while enlarging, keep the photo exactly: reduced again, the result is the photo "
        "(default)",
    )
    choice.add_argument(
        "--restore",
        action="store_true",
        help="while enlarging, take blur, noise and compression out",
    )


def add_result_options(parser: argparse.ArgumentParser, *, labels: str, report: str) -> None:
    """Adds where and how results are written.

    Args:
        parser: of the command.
        labels: what the labels in names are.
        report: what a report says of each result.
    """
    parser.add_argument(
        "-r",
        "--recursive",
        action="store_true",
        help="also take photos in the folders inside IN; results keep their relative paths in OUT",
    )
    parser.add_argument(
        "--ext",
        choices=EXTENSIONS,
        default="auto",
        help="format of the results; auto: jpg for a JPEG, otherwise png (default: %(default)s)",
    )
    parser.add_argument(
        "--name",
        default="{stem}_{label}.{ext}",
        metavar="TEMPLATE",
        help=f"names of the results (default: %(default)s); {labels}",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument(
        "--report",
        type=a_path,
        metavar="FILE",
        help=f"write a JSON report: the outcome of each file{report}",
    )
    parser.add_argument(
        "--contact-sheet",
        type=a_path,
        metavar="FILE",
        help="write a contact sheet: each photo beside its results, as a picture (.jpg, .png or "
        ".webp) or as a page with links to the results (.html)",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Adds how the batch is run."""
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
        "--device",
        default="cpu",
        help="where to compute: cpu, cuda, cuda:1, or auto for a GPU if there is one (default: "
        "%(default)s)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and do nothing")
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what failed")


def run_batch(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    settings: BatchSettings,
    weights: Mapping[str, Path | None],
    hints: Path | None = None,
    treat_as_gray: Sequence[str] = (),
) -> int:
    """Plans and runs a batch, or prints its plan; returns the exit code.

    Args:
        parser: of the command, for its errors of usage.
        arguments: from all of the above.
        settings: what is done to the photos.
        weights: the files that were given, by model.
        hints: a file of color hints.
        treat_as_gray: patterns for photos that are colored even if they have colors.
    """
    from colorflow.batch import Naming, location_of, make_plan, read_hints
    from colorflow.batch.settings import digests_of, weights_files
    from colorflow.cli.batch import BatchCommand, print_plan

    output = location_of(arguments.output)
    if os.path.exists(str(output)) and not os.path.isdir(str(output)):
        raise WritePhotoError(str(output), "is a file, but -o names a folder for the results")
    try:
        naming = Naming(arguments.name, arguments.ext)
        naming.check_fits(settings)
    except ValueError as error:
        parser.error(f"argument --{error}")
    files = weights_files(settings, weights)
    plan = make_plan(
        arguments.inputs,
        output,
        settings,
        naming=naming,
        recursive=arguments.recursive,
        hints=read_hints(hints) if hints else None,
        hints_source=str(hints),
        treat_as_gray=treat_as_gray,
        weights=digests_of(files),
    )
    return print_plan(plan) if arguments.dry_run else BatchCommand(plan, files, arguments).run()
