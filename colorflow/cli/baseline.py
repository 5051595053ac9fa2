"""`colorflow baseline`: the models that ours is compared with."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_training, positive_number, train_config_of

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

_NAMES = ("deterministic", "cinn2019")


def add_baseline(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "baseline",
        help="train what the model is compared with",
        description="The models that `colorflow evaluate` compares with: train and export them.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_train(actions)
    _add_export(actions)


def _add_train(actions: Commands) -> None:
    parser = actions.add_parser(
        "train",
        help="train one on a pack made by data_prep",
        description="Train a baseline on a pack; run again to go on.",
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
        help="of a trained pyramid, whose context networks the deterministic network begins with "
        "(give it again to go on)",
    )
    parser.set_defaults(command=_train)


def _add_export(actions: Commands) -> None:
    parser = actions.add_parser(
        "export",
        help="write a trained one's weights file",
        description="Write a baseline's weights file from the best weights of its run.",
    )
    parser.add_argument("name", choices=_NAMES, metavar="NAME", help=", ".join(_NAMES))
    parser.add_argument("run", type=a_path, metavar="RUN", help="folder of the run")
    parser.add_argument("weights", type=a_path, metavar="WEIGHTS", help="NAME.safetensors")
    parser.add_argument(
        "--pack", type=a_path, required=True, help="whose dev photos choose the draws' temperature"
    )
    parser.set_defaults(command=_export)


def _train(arguments: argparse.Namespace) -> int:
    from colorflow.baselines.train import train_baseline
    from colorflow.training.schedule import Budget

    train_baseline(
        arguments.name,
        arguments.packs,
        arguments.output,
        config=train_config_of(arguments),
        budget=Budget(minutes=arguments.minutes),
        contexts=arguments.contexts,
        say=lambda line: print(line, flush=True),
    )
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from colorflow.baselines.train import export_baseline

    export_baseline(
        arguments.name,
        arguments.run,
        arguments.weights,
        pack_folder=arguments.pack,
        say=lambda line: print(line, flush=True),
    )
    return 0
