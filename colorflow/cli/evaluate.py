"""`colorflow evaluate`: measures colorings on a folder of color photos."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_seed, add_weights, whole_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

BASELINES = "baselines"
"""Folder beside the shipped weights."""


def add_evaluate(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "evaluate",
        help="measure colorings on a folder of color photos",
        description=(
            "Color the photos of a folder as if they were gray, and compare the results with "
            "their own colors and with simpler ways of coloring. Unreadable photos and photos "
            "without colors are named and left out. The same seed gives the same numbers."
        ),
    )
    parser.add_argument("folder", type=a_path, metavar="FOLDER", help="color photos")
    parser.add_argument(
        "--json", type=a_path, required=True, metavar="FILE", help="file for the numbers"
    )
    parser.add_argument(
        "--limit",
        type=whole_number(least=1),
        metavar="N",
        help="number of photos, evenly spread over the folder (default: all)",
    )
    parser.add_argument(
        "--samples",
        "--draws",  # the name of earlier versions
        type=whole_number(least=2),
        default=8,
        metavar="N",
        help="samples of each photo, for the best of n and the like (default: %(default)s)",
    )
    add_seed(parser, "seed of samples and of the degradation")
    add_weights(parser)
    parser.add_argument("--markdown", type=a_path, metavar="FILE", help="the same as a table")
    parser.add_argument(
        "--sheet",
        type=a_path,
        metavar="FILE",
        help="contact sheet (.jpg, .png): gray, truth, six samples, their mean and their spread",
    )
    parser.add_argument(
        "--degrade",
        action="store_true",
        help="show the model the lightness of an old, damaged print",
    )
    parser.set_defaults(command=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    from colorflow.colorizer import default_weights
    from colorflow.evaluation.run import run_evaluation

    words = ["colorflow", "evaluate", str(arguments.folder), "--json", str(arguments.json)]
    if arguments.limit:
        words += ["--limit", str(arguments.limit)]
    if arguments.weights:
        words += ["--weights", str(arguments.weights)]
    words += ["--samples", str(arguments.samples), "--seed", str(arguments.seed)]
    words += ["--degrade"] * arguments.degrade
    evaluation = run_evaluation(
        arguments.folder,
        json_file=arguments.json,
        markdown_file=arguments.markdown,
        sheet_file=arguments.sheet,
        weights=arguments.weights or default_weights(),
        baselines=default_weights().parent / BASELINES,
        limit=arguments.limit,
        n=arguments.samples,
        seed=arguments.seed,
        degraded=arguments.degrade,
        command=shlex.join(words),
    )
    return int(any(item.why != "not colored" for item in evaluation.left_out))
