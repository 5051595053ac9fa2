"""`colorflow baseline`: the models that ours is compared with."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_training, positive_number, train_config_of

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

_NAMES = ("deterministic", "cinn2019")

_say = partial(print, flush=True)


def add_baseline(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "baseline",
        help="train the models that ours is compared with",
        description="Train and export the models that `colorflow evaluate` compares with.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_train(actions)
    _add_export(actions)


def _add_train(actions: Commands) -> None:
    parser = actions.add_parser(
        "train",
        help="train a baseline on packs made by data_prep",
        description="Train a baseline on packs; run again to continue.",
    )
    parser.add_argument("name", choices=_NAMES, metavar="NAME", help=", ".join(_NAMES))
    add_training(parser)
    parser.add_argument(
        "--minutes", type=positive_number, required=True, help="as in `colorflow zoo train`"
    )
    parser.add_argument(
        "--contexts",
        type=a_path,
        metavar="RUN|WEIGHTS",
        help="a trained pyramid; the deterministic network starts from its context networks and "
        "late blocks (repeat the option to continue)",
    )
    parser.set_defaults(command=_train)


def _add_export(actions: Commands) -> None:
    parser = actions.add_parser(
        "export",
        help="write a trained baseline's weights file",
        description="Write a baseline's weights file from the best weights of its run.",
    )
    parser.add_argument("name", choices=_NAMES, metavar="NAME", help=", ".join(_NAMES))
    parser.add_argument("run", type=a_path, metavar="RUN", help="folder of the run")
    parser.add_argument("weights", type=a_path, metavar="WEIGHTS", help="NAME.safetensors")
    parser.add_argument(
        "--pack",
        type=a_path,
        required=True,
        help="training pack; its dev photos choose the temperature of samples",
    )
    parser.set_defaults(command=_export)


def _train(arguments: argparse.Namespace) -> int:
    from colorflow.evaluation.baselines.train import train_baseline
    from colorflow.training.schedule import Budget

    train_baseline(
        arguments.name,
        arguments.packs,
        arguments.output,
        config=train_config_of(arguments),
        budget=Budget(minutes=arguments.minutes),
        contexts=arguments.contexts,
        say=_say,
    )
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from colorflow.evaluation.baselines.train import export_baseline

    export_baseline(
        arguments.name, arguments.run, arguments.weights, pack_folder=arguments.pack, say=_say
    )
    return 0
