"""The command line: ``colorflow colorize | train | export | app``.

Each command imports what it needs when it runs, so that ``--help`` answers at once.

Exit codes: 0 done; 1 something failed and is named on stderr; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow import __version__
from colorflow.errors import ColorflowError, WritePhotoError

if TYPE_CHECKING:
    from colorflow.colorize import Record

    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_LARGEST_SEED = 2**32 - 1
_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what follows the program's name; ``sys.argv`` by default.

    Returns:
        The exit code.

    Raises:
        SystemExit: after ``--help`` and ``--version`` (0) and on wrong usage (2).
    """
    _print_any_file_name()
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        return command(parsed)
    except ColorflowError as error:
        print(f"colorflow: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("colorflow: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="colorflow", description="Several plausible colourings for a grey photo."
    )
    parser.add_argument("--version", action="version", version=f"colorflow {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_colorize(commands)
    _add_app(commands)
    _add_train(commands)
    _add_export(commands)
    return parser


# colorize


def _add_colorize(commands: _Commands) -> None:
    parser = commands.add_parser(
        "colorize",
        help="colour photos and folders of photos",
        description=(
            "Colour photos. The results are named {stem}_s{seed}: JPEG for a JPEG, otherwise PNG. "
            "A photo that cannot be coloured is named, and the others go on."
        ),
    )
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="photos and folders")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT", help="folder for the results"
    )
    parser.add_argument(
        "-n",
        type=_whole_number(least=1),
        default=1,
        metavar="N",
        help="colourings of each photo (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=_whole_number(least=0, most=_LARGEST_SEED),
        default=0,
        help="seed of the first colouring, the next ones count on (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=_number_from_zero,
        default=1.0,
        help="0: the same calm colours each time; 1: as trained (default: %(default)s)",
    )
    parser.add_argument(
        "--diverse", action="store_true", help="the N most different among many draws"
    )
    parser.add_argument(
        "--force", action="store_true", help="also colour photos that already have colours"
    )
    _add_weights(parser)
    parser.set_defaults(command=_colorize)


def _colorize(arguments: argparse.Namespace) -> int:
    if arguments.output.exists() and not arguments.output.is_dir():
        raise WritePhotoError(arguments.output, "is a file, but -o names a folder for the results")

    from colorflow.colorize import Colorizer

    started = time.perf_counter()
    colorizer = Colorizer.load(arguments.weights)
    counts: Counter[str] = Counter()
    for record in colorizer.colorize_many(
        arguments.inputs,
        arguments.output,
        n=arguments.n,
        temperature=arguments.temperature,
        seed=arguments.seed,
        diverse=arguments.diverse,
        force=arguments.force,
    ):
        counts[record.status] += 1
        _print_record(record)
    summary = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    print(f"{summary} in {time.perf_counter() - started:.1f} s")
    return 1 if counts["failed"] else 0


def _print_record(record: Record) -> None:
    if record.status == "done":
        outputs = ", ".join(map(str, record.outputs))
        print(f"{record.path} -> {outputs} ({record.seconds:.1f} s)", flush=True)
    elif record.status == "already-coloured":
        print(f"{record.path}: already coloured; --force colours it again", flush=True)
    else:
        print(f"{record.path}: {record.reason}", file=sys.stderr, flush=True)


# app


def _add_app(commands: _Commands) -> None:
    parser = commands.add_parser(
        "app", help="serve the web page", description="Serve the web page until interrupted."
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 for the whole network (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=_whole_number(least=1, most=65535),
        default=7860,
        help="(default: %(default)s)",
    )
    _add_weights(parser)
    parser.set_defaults(command=_app)


def _app(arguments: argparse.Namespace) -> int:
    from colorflow.ui import serve

    serve(host=arguments.host, port=arguments.port, weights=arguments.weights)
    return 0


# train


def _add_train(commands: _Commands) -> None:
    parser = commands.add_parser(
        "train",
        help="train on a pack made by data_prep",
        description="Train on a pack made by `python -m data_prep`; run again to go on.",
    )
    parser.add_argument("pack", type=Path, metavar="PACK", help="training pack")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="RUN", help="folder for the run"
    )
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=_positive_number, help="time for each level")
    length.add_argument("--steps", type=_whole_number(least=1), help="steps for each level")
    parser.add_argument(
        "--levels",
        type=_numbers(int),
        metavar="4,8,...",
        help="chroma grids to train, in this order (default: all, coarse to fine)",
    )
    parser.add_argument("--batch", type=_whole_number(least=1), default=128, help="rows a step")
    parser.add_argument("--rate", type=_positive_number, default=1e-3, help="peak learning rate")
    parser.add_argument("--seed", type=_whole_number(least=0, most=_LARGEST_SEED), default=0)
    parser.add_argument(
        "--evaluate-every",
        type=_positive_number,
        default=120.0,
        metavar="N",
        help="seconds, or with --steps steps, between evaluations and checkpoints "
        "(default: %(default)s)",
    )
    parser.add_argument("--threads", type=_whole_number(least=1), help="CPU threads (default: all)")
    parser.set_defaults(command=_train)


def _train(arguments: argparse.Namespace) -> int:
    import torch

    from colorflow.training.loop import train
    from colorflow.training.schedule import Budget
    from colorflow.training.trainer import TrainConfig

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    train(
        arguments.pack,
        arguments.output,
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


# export


def _add_export(commands: _Commands) -> None:
    parser = commands.add_parser(
        "export",
        help="write a run's weights file",
        description="Write the weights file of a training run: all that colouring needs.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("weights", type=Path, metavar="WEIGHTS", help="NAME.safetensors")
    parser.add_argument(
        "--pack", type=Path, required=True, help="the pack, for bits/dim and temperatures"
    )
    parser.add_argument(
        "--temperatures",
        type=_numbers(float),
        metavar="0.9,0.5,...",
        help="std of each level's latents, coarse to fine (default: tuned on the dev photos)",
    )
    parser.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> int:
    from colorflow.training.export import export

    export(
        arguments.run,
        arguments.weights,
        pack_folder=arguments.pack,
        temperatures=arguments.temperatures,
        say=lambda line: print(line, flush=True),
    )
    return 0


# shared by the commands


def _add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="weights file (default: the shipped one)"
    )


def _whole_number(*, least: int, most: int | None = None) -> Callable[[str], int]:
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


def _number_from_zero(text: str) -> float:
    """An argparse type: a finite number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return number


def _positive_number(text: str) -> float:
    """An argparse type: a finite number above 0."""
    number = _number_from_zero(text)
    if number == 0:
        raise argparse.ArgumentTypeError("expected a number above 0, got 0")
    return number


def _numbers(kind: Callable[[str], float]) -> Callable[[str], list[float]]:
    """An argparse type: numbers from 0 on, separated by commas."""

    def parse(text: str) -> list[float]:
        try:
            numbers = [kind(part) for part in text.split(",")]
        except ValueError:
            numbers = [-1]
        if not all(0 <= number < math.inf for number in numbers):
            raise argparse.ArgumentTypeError(f"expected numbers such as 4,8, got {text!r}")
        return numbers

    return parse


def _print_any_file_name() -> None:
    """Let stdout show names that its encoding cannot, as stderr does, instead of raising."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
