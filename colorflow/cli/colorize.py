"""`colorflow colorize`: photos and folders of photos."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.cli.arguments import LARGEST_SEED, add_weights, number_from_zero, whole_number
from colorflow.errors import WritePhotoError

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands
    from colorflow.colorize import Record


def add_colorize(commands: Commands) -> None:
    """Adds the command to the program's."""
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
        type=whole_number(least=1),
        default=1,
        metavar="N",
        help="colourings of each photo (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(least=0, most=LARGEST_SEED),
        default=0,
        help="seed of the first colouring, the next ones count on (default: %(default)s)",
    )
    parser.add_argument(
        "--temperature",
        type=number_from_zero,
        default=1.0,
        help="0: the same calm colours each time; 1: as trained (default: %(default)s)",
    )
    parser.add_argument(
        "--diverse", action="store_true", help="the N most different among many draws"
    )
    parser.add_argument(
        "--force", action="store_true", help="also colour photos that already have colours"
    )
    add_weights(parser)
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
