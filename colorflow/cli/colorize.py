"""`colorflow colorize`: colors photos, and enlarges them in one go if asked for."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from colorflow.cli.arguments import (
    a_path,
    add_seed,
    add_weights,
    not_empty,
    number_up_to,
    whole_number,
)
from colorflow.cli.batch_options import (
    EXIT_CODES,
    add_inputs,
    add_restoring,
    add_result_options,
    add_run_options,
    run_batch,
)
from colorflow.limits import LARGEST_TEMPERATURE, MOST_LOOKS, MOST_PRINCIPAL, MOST_SAMPLES, SCALES

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_colorize(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "colorize",
        help="color photos and folders of photos",
        description=(
            "Color photos and folders of photos. A photo that cannot be colored is named at the "
            f"end; the others are colored. {EXIT_CODES}"
        ),
    )
    add_inputs(parser)
    _add_coloring_options(parser)
    _add_size_options(parser)
    add_result_options(
        parser,
        labels="{label} is a, b, ... for principal colorings and s{seed} for samples; samples may "
        "use {seed} instead",
        report=" and the likelihood of each coloring",
    )
    add_run_options(parser)
    add_weights(parser)
    parser.set_defaults(command=partial(_colorize, parser))


def _add_coloring_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n",
        type=whole_number(least=1, most=MOST_SAMPLES),
        default=1,
        metavar="N",
        help=f"number of principal colorings of each photo, at most {MOST_PRINCIPAL}: the first is "
        "the mean of 16 samples, the others show what their largest modes change in it (default: "
        "%(default)s)",
    )
    add_seed(parser, "seed of the first sample; each further sample adds 1")
    parser.add_argument(
        "--temperature",
        type=number_up_to(LARGEST_TEMPERATURE),
        default=1.0,
        help="spread of the samples; 0 gives the same calm colors each time, 1 is as trained, "
        f"{LARGEST_TEMPERATURE:g} is the most (default: %(default)s)",
    )
    parser.add_argument(
        "--samples",
        action="store_true",
        help=f"make N independent samples instead, at most {MOST_SAMPLES}",
    )
    parser.add_argument(
        "--looks",
        type=int,
        choices=(1, MOST_LOOKS),
        default=1,
        help=f"how often the model looks at each photo: once, or {MOST_LOOKS} times, at four crops "
        "besides, which show small faces and clothes better and take longer (default: %(default)s)",
    )
    parser.add_argument(
        "--treat-as-gray",
        action="append",
        type=not_empty,
        default=[],
        metavar="PATTERN",
        help="color photos that fit from their lightness even if they have colors, which are "
        "otherwise left as they are: a name, a path below IN, or a pattern such as 'scan*.jpg'; "
        "may be given several times",
    )
    parser.add_argument(
        "--force",
        dest="treat_as_gray",
        action="append_const",
        const="*",
        help="the same as --treat-as-gray '*': recolors all photos",
    )
    parser.add_argument(
        "--hints",
        type=a_path,
        metavar="FILE",
        help='color hints: JSON such as {"photo.jpg": [{"row": 9, "column": 9, "a": 0, '
        '"b": -30}]}, in pixels and CIELAB units; names a photo by its name or its path below IN',
    )


def _add_size_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scale",
        type=int,
        choices=(1, *SCALES),
        default=1,
        help="how many times larger each side becomes; all colorings of a photo get the same "
        "detail, the mean that `colorflow enlarge` gives first (default: %(default)s)",
    )
    add_restoring(parser)
    parser.add_argument(
        "--enlarge-weights",
        type=a_path,
        metavar="FILE",
        help="weights file for --scale (default: the shipped one)",
    )


def _colorize(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    from colorflow.batch import COLORS, DETAIL, Settings

    if arguments.n > MOST_PRINCIPAL and not arguments.samples:
        parser.error(
            f"argument -n: expected at most {MOST_PRINCIPAL} principal colorings, "
            f"got {arguments.n}; with --samples there may be {MOST_SAMPLES}"
        )
    if arguments.restore and arguments.scale == 1:
        parser.error("argument --restore: needs --scale 2 or 4, because it enlarges, too")
    settings = Settings(
        n=arguments.n,
        seed=arguments.seed,
        temperature=arguments.temperature,
        samples=arguments.samples,
        looks=arguments.looks,
        overwrite=arguments.overwrite,
        likelihood=arguments.report is not None,
        scale=arguments.scale,
        restore=arguments.restore,
    )
    weights = {COLORS: arguments.weights, DETAIL: arguments.enlarge_weights}
    return run_batch(parser, arguments, settings, weights, arguments.hints, arguments.treat_as_gray)
