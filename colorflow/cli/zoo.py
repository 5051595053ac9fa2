"""`colorflow zoo`: published architectures, trained and compared on one task."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_seed, positive_number, whole_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

_say = partial(print, flush=True)


def add_zoo(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "zoo",
        help="train and compare published architectures",
        description="Train published architectures on one task and compare them.",
    )
    parts = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_train(parts)
    _add_table(parts)
    _add_toys(parts)


def _add_train(commands: Commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train one architecture",
        description=(
            "Train one architecture to model the density of a photo's chroma on a 16x16 grid, "
            "given its lightness. All architectures of a RUN share their settings; several "
            "processes may train different architectures at the same time. Run again to continue."
        ),
    )
    parser.add_argument("name", metavar="NAME", help="the architecture, such as glow")
    parser.add_argument("pack", type=a_path, metavar="PACK", help="training pack")
    parser.add_argument(
        "-o", "--output", required=True, type=a_path, metavar="RUN", help="folder for the run"
    )
    parser.add_argument(
        "--minutes",
        type=positive_number,
        required=True,
        help="minutes of training; on a CPU they are processor time of the training steps divided "
        "by the threads, so that other programs change nothing; on CUDA they are wall time",
    )
    parser.add_argument(
        "--batch",
        type=whole_number(least=1),
        default=64,
        help="rows per step (default: %(default)s)",
    )
    parser.add_argument(
        "--rate",
        type=positive_number,
        default=1e-3,
        help="peak learning rate (default: %(default)s)",
    )
    add_seed(parser, "seed of initial weights, order and noise")
    parser.add_argument(
        "--threads",
        type=whole_number(least=1),
        default=1,
        help="CPU threads (default: %(default)s)",
    )
    parser.set_defaults(command=_train)


def _add_table(commands: Commands) -> None:
    parser = commands.add_parser(
        "table",
        help="measure the trained architectures: zoo.json, zoo.md and zoo.jpg",
        description=(
            "Measure every trained architecture of a run, one after the other on one thread, and "
            "write zoo.json, zoo.md (text around its table stays) and zoo.jpg. Timings need an "
            "idle machine."
        ),
    )
    parser.add_argument("run", type=a_path, metavar="RUN", help="folder of `colorflow zoo train`")
    parser.add_argument("pack", type=a_path, metavar="PACK", help="training pack")
    parser.add_argument(
        "-o", "--output", required=True, type=a_path, metavar="DOCS", help="folder for the files"
    )
    add_seed(parser, "seed of the figure's samples")
    parser.set_defaults(command=_table)


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


def _train(arguments: argparse.Namespace) -> int:
    import torch

    from colorflow.evaluation.zoo.train import train_architecture, zoo_config

    torch.set_num_threads(arguments.threads)
    train_architecture(
        arguments.name,
        arguments.pack,
        arguments.output,
        config=zoo_config(batch=arguments.batch, rate=arguments.rate, seed=arguments.seed),
        minutes=arguments.minutes,
        say=_say,
    )
    return 0


def _table(arguments: argparse.Namespace) -> int:
    import torch

    from colorflow.evaluation.zoo.table import write_table

    torch.set_num_threads(1)
    write_table(arguments.run, arguments.pack, arguments.output, seed=arguments.seed, say=_say)
    return 0


def _toys(arguments: argparse.Namespace) -> int:
    import torch

    from colorflow.evaluation.zoo.toys import write_toys

    torch.set_num_threads(1)
    write_toys(arguments.output, steps=arguments.steps, seed=arguments.seed, say=_say)
    return 0
