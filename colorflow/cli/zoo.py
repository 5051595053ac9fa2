"""`colorflow zoo`: published architectures, trained and compared on densities in the plane."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_seed, whole_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

_say = partial(print, flush=True)


def add_zoo(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "zoo",
        help="train and compare published architectures",
        description="Train published architectures on densities in the plane and compare them.",
    )
    parts = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_toys(parts)


def _add_toys(commands: Commands) -> None:
    parser = commands.add_parser(
        "toys",
        help="train every architecture on densities in the plane",
        description=(
            "Train every architecture on two moons, eight Gaussians and a pinwheel. Write a figure "
            "of densities and samples, and the numbers beside it as JSON."
        ),
    )
    parser.add_argument(
        "-o", "--output", required=True, type=a_path, metavar="FIGURE", help="NAME.jpg"
    )
    parser.add_argument(
        "--steps",
        type=whole_number(least=1),
        default=1500,
        help="training steps of each architecture (default: %(default)s)",
    )
    add_seed(parser, "seed of weights and points")
    parser.set_defaults(command=_toys)


def _toys(arguments: argparse.Namespace) -> int:
    import torch

    from colorflow.evaluation.toys import write_toys

    torch.set_num_threads(1)
    write_toys(arguments.output, steps=arguments.steps, seed=arguments.seed, say=_say)
    return 0
