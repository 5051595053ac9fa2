"""`colorflow train`: trains levels of the pyramid."""

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
        help="training time of each level; levels that learn together share it",
    )
    length.add_argument(
        "--steps", type=whole_number(least=1), help="training steps of each level, counted likewise"
    )
    parser.add_argument(
        "--levels",
        type=numbers(int),
        metavar="4,8,...",
        help="chroma grids to train, in this order (default: all, coarse to fine); on a pixel pack "
        "the levels 4, 8 and 16 learn together with the late blocks of the feature network, then "
        "each finer level by itself, with the late blocks frozen",
    )
    parser.add_argument(
        "--mean-head",
        action="store_true",
        help="train the head that predicts the mean of the colors, and no level; the late blocks "
        "of --start stay as they are",
    )
    parser.add_argument(
        "--hints", action="store_true", help="train a model that also takes color hints"
    )
    parser.add_argument(
        "--dropout",
        type=share,
        metavar="SHARE",
        help="share of units dropped in training, in every level (default: that of the weights to "
        "start from, or 0.2 to 0 from coarse to fine; use less for 100,000 photos and more)",
    )
    parser.add_argument(
        "--context-layers",
        type=whole_number(least=1),
        metavar="N",
        help="context layers of the trained levels (default: unchanged; new layers start as the "
        "identity)",
    )
    parser.add_argument(
        "--couplings",
        type=whole_number(least=1),
        metavar="N",
        help="couplings of the trained levels (default: unchanged; new ones start as the identity)",
    )
    parser.add_argument(
        "--start",
        type=a_path,
        metavar="RUN|WEIGHTS",
        help="run folder or weights file to start from: its shape and its weights "
        "(give it again to go on); a pixel pack needs one",
    )
    parser.set_defaults(command=_train)


def _train(arguments: argparse.Namespace) -> int:
    from colorflow.training.loop import train
    from colorflow.training.schedule import Budget

    changes = {"context_layers": arguments.context_layers, "couplings": arguments.couplings}
    train(
        arguments.packs,
        arguments.output,
        hints=arguments.hints,
        dropout=arguments.dropout,
        level_changes={name: value for name, value in changes.items() if value},
        start=arguments.start,
        config=train_config_of(arguments),
        budget=Budget(steps=arguments.steps, minutes=arguments.minutes),
        levels=arguments.levels,
        mean_head=arguments.mean_head,
        say=lambda line: print(line, flush=True),
    )
    return 0
