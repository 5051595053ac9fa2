"""`colorflow train`: the levels of the pyramid."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.cli.arguments import LARGEST_SEED, numbers, positive_number, whole_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_train(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "train",
        help="train on a pack made by data_prep",
        description="Train on a pack made by `python -m data_prep`; run again to go on.",
    )
    parser.add_argument(
        "packs",
        type=Path,
        nargs="+",
        metavar="PACK",
        help="training pack; of several, the first one's dev photos choose the best weights",
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="RUN", help="folder for the run"
    )
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=positive_number, help="time for each level")
    length.add_argument("--steps", type=whole_number(least=1), help="steps for each level")
    parser.add_argument(
        "--levels",
        type=numbers(int),
        metavar="4,8,...",
        help="chroma grids to train, in this order (default: all, coarse to fine)",
    )
    parser.add_argument(
        "--hints", action="store_true", help="train a model that takes colour hints, too"
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="RUN|WEIGHTS",
        help="a run's folder or a weights file: its shape, and its weights to start from "
        "(give it again to go on)",
    )
    parser.add_argument("--batch", type=whole_number(least=1), default=128, help="rows a step")
    parser.add_argument("--rate", type=positive_number, default=1e-3, help="peak learning rate")
    parser.add_argument("--seed", type=whole_number(least=0, most=LARGEST_SEED), default=0)
    parser.add_argument(
        "--evaluate-every",
        type=positive_number,
        default=120.0,
        metavar="N",
        help="seconds, or with --steps steps, between evaluations and checkpoints "
        "(default: %(default)s)",
    )
    parser.add_argument("--threads", type=whole_number(least=1), help="CPU threads (default: all)")
    parser.set_defaults(command=_train)


def _train(arguments: argparse.Namespace) -> int:
    import torch

    from colorflow.training.loop import train
    from colorflow.training.schedule import Budget
    from colorflow.training.trainer import TrainConfig

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    train(
        arguments.packs,
        arguments.output,
        hints=arguments.hints,
        start=arguments.start,
        config=TrainConfig(
            batch=arguments.batch,
            peak_rate=arguments.rate,
            evaluate_every=arguments.evaluate_every,
            seed=arguments.seed,
        ),
        budget=Budget(steps=arguments.steps, minutes=arguments.minutes),
        levels=arguments.levels,
        say=lambda line: print(line, flush=True),
    )
    return 0
