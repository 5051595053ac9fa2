"""`colorflow evaluate-enlarge`: measures enlarging on a folder of photos."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_seed, add_weights, whole_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_evaluate_enlarge(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "evaluate-enlarge",
        help="measure enlarging on a folder of photos",
        description=(
            "Reduce the middle of each photo by area averaging, enlarge it again in several ways, "
            "and compare the lightness with that of the photo."
        ),
    )
    parser.add_argument("folder", type=a_path, metavar="FOLDER", help="photos")
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2, help="(default: 2)")
    parser.add_argument(
        "--json", type=a_path, required=True, metavar="FILE", help="file for the numbers"
    )
    parser.add_argument(
        "--sheet",
        type=a_path,
        metavar="FILE",
        help="contact sheet (.jpg, .png) at 100 %%: what was given, the columns, the truth",
    )
    compared = parser.add_mutually_exclusive_group()
    compared.add_argument(
        "--damaged",
        action="store_true",
        help="blur the reduced photo, add noise and compress it, and measure what --restore makes "
        "of it",
    )
    compared.add_argument(
        "--srflow",
        type=a_path,
        metavar="RUN",
        help="run of `train-enlarge srflow`, to compare with SRFlow's architecture",
    )
    parser.add_argument(
        "--limit",
        type=whole_number(least=1),
        metavar="N",
        help="number of photos, evenly spread over the folder (default: all)",
    )
    add_seed(parser, "seed of samples")
    add_weights(parser)
    parser.set_defaults(command=_evaluate_enlarge)


def _evaluate_enlarge(arguments: argparse.Namespace) -> int:
    from colorflow.evaluation.enlarge.run import run_enlarge_evaluation
    from colorflow.files import ENLARGE_WEIGHTS, default_weights

    words = ["colorflow", "evaluate-enlarge", str(arguments.folder)]
    for name in ("scale", "json", "sheet", "srflow", "limit", "seed", "weights"):
        if (value := getattr(arguments, name)) is not None:
            words += [f"--{name}", str(value)]
    if arguments.damaged:
        words.append("--damaged")
    run_enlarge_evaluation(
        arguments.folder,
        scale=arguments.scale,
        json_file=arguments.json,
        sheet_file=arguments.sheet,
        weights=arguments.weights or default_weights(ENLARGE_WEIGHTS),
        srflow_run=arguments.srflow,
        damaged=arguments.damaged,
        limit=arguments.limit,
        seed=arguments.seed,
        command=shlex.join(words),
    )
    return 0
