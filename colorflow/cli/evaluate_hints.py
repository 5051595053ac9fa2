"""`colorflow evaluate-hints`: measures the benefit of color hints on a folder of color photos."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path
from colorflow.cli.evaluate import add_what_to_measure, command_again

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_evaluate_hints(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "evaluate-hints",
        help="measure the benefit of color hints on a folder of color photos",
        description=(
            "Color the photos of a folder as if they were gray, with 0 to 16 points of their own "
            "colors as hints, and measure how far the results are from the photos and from the "
            "hints. Unreadable photos and photos without colors are named and left out. The same "
            "seed gives the same numbers."
        ),
    )
    add_what_to_measure(parser, samples_of="each photo and number of hints")
    parser.add_argument(
        "--plot", type=a_path, metavar="FILE", help="file for the curve (.png, .svg)"
    )
    parser.set_defaults(command=_evaluate_hints)


def _evaluate_hints(arguments: argparse.Namespace) -> int:
    from colorflow.colorizer import default_weights
    from colorflow.evaluation.hint_report import run_hint_curve

    curve = run_hint_curve(
        arguments.folder,
        json_file=arguments.json,
        plot_file=arguments.plot,
        weights=arguments.weights or default_weights(),
        limit=arguments.limit,
        n=arguments.samples,
        seed=arguments.seed,
        command=shlex.join(command_again("evaluate-hints", arguments)),
    )
    return int(any(item.why != "not colored" for item in curve.left_out))
