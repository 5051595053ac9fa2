"""`colorflow enlarge`: photos with two or four times as many pixels on each side."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from colorflow.cli.arguments import add_seed, add_weights, number_up_to, whole_number
from colorflow.cli.batch_options import (
    EXIT_CODES,
    add_inputs,
    add_restoring,
    add_result_options,
    add_run_options,
    run_batch,
)
from colorflow.limits import DETAIL_TEMPERATURE, LARGEST_DETAIL_TEMPERATURE, MOST_SAMPLES, SCALES

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_enlarge(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "enlarge",
        help="enlarge photos and folders of photos",
        description=(
            "Enlarge photos and folders of photos, two or four times on each side. The detail that "
            "a photo lacks is predicted: its mean first, then samples of it. A photo that cannot "
            f"be enlarged is named at the end; the others are enlarged. {EXIT_CODES}"
        ),
    )
    add_inputs(parser)
    parser.add_argument(
        "--scale",
        type=int,
        choices=SCALES,
        default=SCALES[0],
        help="how many times larger each side becomes (default: %(default)s)",
    )
    parser.add_argument(
        "-n",
        type=whole_number(least=1, most=MOST_SAMPLES),
        default=1,
        metavar="N",
        help="number of results of each photo: the mean, then samples (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=number_up_to(LARGEST_DETAIL_TEMPERATURE),
        help="make samples alone: share of the sampled detail that is added to the mean; 0 gives "
        "the mean itself, 1 all of the model's grain and texture, "
        f"{LARGEST_DETAIL_TEMPERATURE:g} at most (default: the mean first, then samples at "
        f"{DETAIL_TEMPERATURE})",
    )
    add_restoring(parser)
    add_seed(parser, "seed of the first result; each further result adds 1")
    add_result_options(
        parser,
        labels="{label} is the scale and the mean or the seed, such as x2_mean or x2_s1, and "
        "{seed} the seed alone, with --temperature",
        report="",
    )
    add_run_options(parser)
    add_weights(parser)
    parser.set_defaults(command=partial(_enlarge, parser))


def _enlarge(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    from colorflow.batch import DETAIL, EnlargeSettings

    settings = EnlargeSettings(
        scale=arguments.scale,
        n=arguments.n,
        seed=arguments.seed,
        temperature=arguments.temperature,
        restore=arguments.restore,
        overwrite=arguments.overwrite,
    )
    return run_batch(parser, arguments, settings, {DETAIL: arguments.weights})
