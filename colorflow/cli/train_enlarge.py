"""`colorflow train-enlarge`: trains what enlarges photos."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_training, positive_number, train_config_of

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

_NAMES = ("last", "first", "restore")
_DEV_PATCHES = 256
"""Dev patches of an evaluation, at most."""
_say = partial(print, flush=True)


def add_train_enlarge(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "train-enlarge",
        help="train what enlarges photos, on a pack of patches",
        description="Train one doubling on a pack made by `python -m data_prep --patches`; run "
        "again to go on.",
    )
    parser.add_argument(
        "name",
        choices=_NAMES,
        metavar="NAME",
        help="last: to twice the resolution, or the second step to four times; first: the first "
        "step to four times; restore: a first step that takes damage out",
    )
    add_training(parser, one_pack=True)
    parser.set_defaults(batch=8, evaluate_every=240.0)
    parser.add_argument(
        "--minutes",
        type=positive_number,
        required=True,
        help="training time in minutes of one core, without evaluations",
    )
    parser.add_argument(
        "--start",
        type=a_path,
        metavar="WEIGHTS",
        help="begin with this doubling of a weights file, or with what fits of `last` if the file "
        "has none of this name",
    )
    parser.set_defaults(command=_train)


def _train(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from colorflow.enlarge.train import train_doubling
    from colorflow.training.schedule import Budget

    train_doubling(
        arguments.name,
        arguments.packs[0],
        arguments.output,
        start=arguments.start,
        config=replace(train_config_of(arguments), dev_photos=_DEV_PATCHES),
        budget=Budget(minutes=arguments.minutes),
        say=_say,
    )
    return 0
