"""`colorflow export`: a run's weights file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, numbers, positive_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_export(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "export",
        help="write a run's weights file",
        description="Write the weights file of a training run: all that coloring needs.",
    )
    parser.add_argument("run", type=a_path, metavar="RUN", help="folder of the run")
    parser.add_argument("weights", type=a_path, metavar="WEIGHTS", help="NAME.safetensors")
    parser.add_argument(
        "--pack", type=a_path, required=True, help="the pack, for bits/dim and temperatures"
    )
    parser.add_argument(
        "--temperatures",
        type=numbers(float),
        metavar="0.9,0.5,...",
        help="std of each level's latents, coarse to fine (default: tuned on the dev photos)",
    )
    parser.add_argument(
        "--gain",
        type=positive_number,
        default=1.0,
        help="what draws multiply the chroma on the coarsest grid with; more than 1 gives back the "
        "vividness that temperatures below 1 take (default: %(default)g)",
    )
    parser.add_argument(
        "--rest",
        type=a_path,
        metavar="WEIGHTS",
        help="weights file for what the run has not trained: levels, and late blocks",
    )
    parser.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> int:
    from colorflow.training.export import export

    export(
        arguments.run,
        arguments.weights,
        pack_folder=arguments.pack,
        temperatures=arguments.temperatures,
        gain=arguments.gain,
        rest=arguments.rest,
        say=lambda line: print(line, flush=True),
    )
    return 0
