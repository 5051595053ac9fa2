"""`colorflow train`: the levels of the pyramid."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from colorflow.cli.arguments import (
    a_path,
    add_training,
    numbers,
    positive_number,
    share,
    train_config_of,
    whole_number,
)

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_train(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "train",
        help="train on a pack made by data_prep",
        description="Train on a pack made by `python -m data_prep`; run again to go on.",
    )
    add_training(parser)
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument(
        "--minutes",
        type=positive_number,
        help="time for each level, or for all that learn together",
    )
    length.add_argument("--steps", type=whole_number(least=1), help="steps, likewise")
    parser.add_argument(
        "--levels",
        type=numbers(int),
        metavar="4,8,...",
        help="chroma grids to train, in this order (default: all, coarse to fine); on a pixel pack "
        "4, 8 and 16 learn together with the feature network's late blocks, and finer ones after "
        "them, each by itself, while the late blocks stay as they are",
    )
    parser.add_argument(
        "--hints", action="store_true", help="train a model that takes color hints, too"
    )
    parser.add_argument(
        "--dropout",
        type=share,
        metavar="SHARE",
        help="units dropped in training, in every level (default: as the weights to start from "
        "have it, or 0.2 to 0 from coarse to fine; fewer for 100,000 photos and more)",
    )
    parser.add_argument(
        "--last-blocks",
        action="store_true",
        help="give the trained levels (4, 8 and 16 can have them) the last blocks of the feature "
        "network to themselves, to be trained with them; they need a run's folder of their own",
    )
    parser.add_argument(
        "--context-layers",
        type=whole_number(least=1),
        metavar="N",
        help="layers of the context of the trained levels (default: as many as before; new ones "
        "begin as the identity)",
    )
    parser.add_argument(
        "--couplings",
        type=whole_number(least=1),
        metavar="N",
        help="couplings of the trained levels, likewise",
    )
    parser.add_argument(
        "--start",
        type=a_path,
        metavar="RUN|WEIGHTS",
        help="a run's folder or a weights file: its shape, and its weights to start from "
        "(give it again to go on); a pixel pack needs one",
    )
    parser.set_defaults(command=_train)


def _train(arguments: argparse.Namespace) -> int:
    from colorflow.training.loop import train
    from colorflow.training.schedule import Budget

    train(
        arguments.packs,
        arguments.output,
        hints=arguments.hints,
        dropout=arguments.dropout,
        growth=_growth(arguments),
        start=arguments.start,
        config=train_config_of(arguments),
        budget=Budget(steps=arguments.steps, minutes=arguments.minutes),
        levels=arguments.levels,
        say=lambda line: print(line, flush=True),
    )
    return 0


def _growth(arguments: argparse.Namespace) -> dict[str, int | bool]:
    """Fields of the trained levels that the command names."""
    names = ("last_blocks", "context_layers", "couplings")
    return {name: value for name in names if (value := getattr(arguments, name))}
