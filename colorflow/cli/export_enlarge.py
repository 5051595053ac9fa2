"""`colorflow export-enlarge`: the weights file that enlarges photos."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_export_enlarge(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "export-enlarge",
        help="write the weights file that enlarges photos",
        description="Write a weights file from the best weights of a run of `train-enlarge`.",
    )
    parser.add_argument("run", type=a_path, metavar="RUN", help="folder of the run")
    parser.add_argument("weights", type=a_path, metavar="WEIGHTS", help="NAME.safetensors")
    parser.add_argument(
        "--other-doublings",
        type=a_path,
        metavar="WEIGHTS",
        help="weights file with the doublings that the run has not trained",
    )
    parser.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> int:
    from colorflow.enlarge.train import export_doublings

    export_doublings(
        arguments.run,
        arguments.weights,
        others=arguments.other_doublings,
        say=partial(print, flush=True),
    )
    return 0
