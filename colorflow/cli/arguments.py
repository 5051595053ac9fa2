"""Argument types and options that several commands share."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.limits import LARGEST_SEED

if TYPE_CHECKING:
    from colorflow.training.trainer import TrainConfig

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Adds the option for a weights file."""
    parser.add_argument(
        "--weights", type=a_path, metavar="FILE", help="weights file (default: the shipped one)"
    )


def add_seed(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Adds the option for a seed, with what it is the seed of."""
    parser.add_argument(
        "--seed",
        type=whole_number(least=0, most=LARGEST_SEED),
        default=0,
        help=f"{meaning} (default: %(default)s)",
    )


def add_training(parser: argparse.ArgumentParser, *, one_pack: bool = False) -> None:
    """Adds what every training on packs takes: packs, the run's folder, and its settings."""
    parser.add_argument(
        "packs",
        type=a_path,
        nargs=1 if one_pack else "+",
        metavar="PACK",
        help="training pack"
        if one_pack
        else "training packs; the dev photos of the first one choose the best weights",
    )
    parser.add_argument(
        "-o", "--output", required=True, type=a_path, metavar="RUN", help="folder for the run"
    )
    parser.add_argument("--batch", type=whole_number(least=1), default=128, help="photos per step")
    parser.add_argument("--rate", type=positive_number, default=1e-3, help="peak learning rate")
    add_seed(parser, "seed of initial weights, order and noise")
    parser.add_argument(
        "--evaluate-every",
        type=positive_number,
        default=120.0,
        metavar="N",
        help="seconds between evaluations and checkpoints, or steps if the budget is in steps "
        "(default: %(default)s)",
    )
    parser.add_argument("--threads", type=whole_number(least=1), help="CPU threads (default: all)")


def train_config_of(arguments: argparse.Namespace) -> TrainConfig:
    """The configuration from the options of `add_training`; also sets the number of threads."""
    import torch

    from colorflow.training.trainer import TrainConfig

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return TrainConfig(
        batch=arguments.batch,
        peak_rate=arguments.rate,
        evaluate_every=arguments.evaluate_every,
        seed=arguments.seed,
    )


def not_empty(text: str) -> str:
    """An argparse type: a file, folder, pattern or URL; never empty."""
    if not text:
        raise argparse.ArgumentTypeError("expected a name, got ''")
    return text


def a_path(text: str) -> Path:
    """An argparse type: a path of this machine; never empty."""
    return Path(not_empty(text))


def whole_number(*, least: int, most: int | None = None) -> Callable[[str], int]:
    """An argparse type: a whole number of at least `least` and at most `most`."""
    wanted = f"a whole number from {least}" + ("" if most is None else f" to {most}")

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"expected {wanted}, got {text!r}")
        return number

    return parse


def number_from_zero(text: str) -> float:
    """An argparse type: a finite number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return number


def number_up_to(most: float) -> Callable[[str], float]:
    """An argparse type: a number from 0 to `most`."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 <= number <= most:
            raise argparse.ArgumentTypeError(f"expected a number from 0 to {most:g}, got {text!r}")
        return number

    return parse


def positive_number(text: str) -> float:
    """An argparse type: a finite number above 0."""
    number = number_from_zero(text)
    if number == 0:
        raise argparse.ArgumentTypeError("expected a number above 0, got 0")
    return number


def share(text: str) -> float:
    """An argparse type: a number of at least 0 and below 1."""
    number = number_from_zero(text)
    if number >= 1:
        raise argparse.ArgumentTypeError(f"expected a number below 1, got {text!r}")
    return number


def numbers(kind: Callable[[str], float]) -> Callable[[str], list[float]]:
    """An argparse type: numbers of at least 0, separated by commas."""

    def parse(text: str) -> list[float]:
        try:
            parsed = [kind(part) for part in text.split(",")]
        except ValueError:
            parsed = [-1]
        if not all(0 <= number < math.inf for number in parsed):
            raise argparse.ArgumentTypeError(f"expected numbers such as 4,8, got {text!r}")
        return parsed

    return parse
