"""`colorflow export`: writes the weights file of a run."""

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
        description="Write the weights file of a training run, which is all that coloring needs.",
    )
    parser.add_argument("run", type=a_path, metavar="RUN", help="folder of the run")
    parser.add_argument("weights", type=a_path, metavar="WEIGHTS", help="NAME.safetensors")
    parser.add_argument(
        "--pack", type=a_path, required=True, help="pack to measure bits/dim and temperatures on"
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
        help="factor of the chroma of samples on the coarsest grid; more than 1 restores the "
        "vividness that temperatures below 1 take away (default: %(default)g)",
    )
    parser.add_argument(
        "--other-levels",
        type=a_path,
        metavar="WEIGHTS",
        help="weights file that supplies the levels and late blocks that the run has not trained",
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
        fallback=arguments.other_levels,
        say=lambda line: print(line, flush=True),
    )
    return 0
