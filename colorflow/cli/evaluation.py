"""`colorflow evaluate`, which measures colorings, and `blind`, pairs of pictures for judges who do
not know how they were made."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import click

from colorflow.cli.options import (
    WEIGHTS,
    Whole,
    file_option,
    output_option,
    path_argument,
    seed_option,
    wrong_usage,
)
from colorflow.errors import EvaluationError, printable
from colorflow.files import FileKind, check_replaceable, json_kind, write_whole

EVALUATION = json_kind("evaluation", "colorflow evaluate")
"""Kind of the file of numbers."""
SCORE = json_kind("score of a blind test", "colorflow blind score")
BASELINES = "baselines"
"""Folder beside the shipped weights."""


@click.command(short_help="measure colorings on a folder of color photos")
@path_argument("folder", "FOLDER", "color photos")
@file_option("--json", "json_file", required=True, help="file for the numbers")
@click.option(
    "--limit", type=Whole(1), help="number of photos, evenly spread over the folder (default: all)"
)
@click.option(
    "--samples",
    "n",
    type=Whole(2),
    default=8,
    help="samples of each photo, for the best of n and the like",
)
@seed_option("seed of samples and of the degradation")
@WEIGHTS
@click.option(
    "--degrade",
    "degraded",
    is_flag=True,
    help="show the model the lightness of an old, damaged print",
)
def evaluate(folder: Path, json_file: Path, weights: Path | None, **options: Any) -> int:
    """Color the photos of a folder as if they were gray, and compare the results with their own
    colors and with simpler ways of coloring; print a table in Markdown. Unreadable photos and
    photos without colors are named and left out. The same seed gives the same numbers."""
    from colorflow.colorizer import default_weights
    from colorflow.evaluation.report import run_evaluation

    given = {"--json": json_file, "--limit": options["limit"], "--weights": weights}
    given |= {"--samples": options["n"], "--seed": options["seed"]}
    words = [[option, str(value)] for option, value in given.items() if value is not None]
    words += [["--degrade"]] * options["degraded"]
    with wrong_usage("--json"), _writing(json_file):
        check_replaceable(json_file, EVALUATION)  # before the long work
    report = run_evaluation(
        folder,
        weights=weights or default_weights(),
        baselines=default_weights().parent / BASELINES,
        command=shlex.join(["colorflow", "evaluate", str(folder), *chain(*words)]),
        **options,
    )
    _write_json(json_file, report.values, EVALUATION)
    print(report.text)
    return int(any(item.why != "not colored" for item in report.left_out))


@click.group(
    short_help="blind test: which of two colorings looks better, or which one is the truth?",
    no_args_is_help=False,
)
def blind() -> None:
    """Show judges photos in two colorings side by side, and count which way of coloring they choose
    and what they call broken."""


@blind.command(short_help="make pairs of two ways of coloring")
@click.argument("first", metavar="A", help="a way of coloring")
@click.argument("second", metavar="B", help="another one")
@path_argument("folders", "FOLDER...", "photos", nargs=-1)
@output_option("DIR", "a new folder for the test")
@click.option(
    "--pairs",
    type=Whole(1),
    help="number of photos, chosen at random, one pair each (default: all)",
)
@seed_option("seed of choice, order, sides and samples")
def compare(first: str, second: str, folders: Sequence[Path], output: Path, **choice: Any) -> int:
    """Write DIR/pairs/001.jpg and so on, each one photo in two colorings side by side, at most
    420 x 620 pixels each; DIR/instructions.txt for the judges; and DIR/answers-1.csv and
    answers-2.csv for two judges. The key, DIR.key.json, is written beside the folder, so that
    you can give the folder to judges. Photos that lack one of the two colorings are named and
    left out. The same seed gives the same test.

    A and B are ways of coloring: 'truth', the photo's own chroma through the same 64x64 grid;
    'samples', one sample; an option, such as 'temperature=0.8'; a weights file; several of
    these, joined by commas; or a folder of finished pictures with the names of the photos. If
    one of them is 'truth', judges are asked which side is true, otherwise which one looks better.
    """
    from functools import cache

    from colorflow.colorizer import Colorizer
    from colorflow.quiz.blind_test import make_blind_test
    from colorflow.quiz.pictures import parse_method

    if first == second:
        raise click.UsageError(f"{first}: is compared with itself; give two ways")
    load = cache(Colorizer.load)
    with wrong_usage():
        methods = parse_method(first, load), parse_method(second, load)
    left_out = make_blind_test(
        folders,
        output,
        methods,
        say=lambda line: print(printable(line), flush=True),
        warn=_warn,
        **choice,
    )
    return 1 if any(item.why == "unreadable" for item in left_out) else 0


@blind.command(short_help="count the answers of judges")
@path_argument("directory", "DIR", "folder of the test", exists=False)  # its key is beside it
@path_argument("answers", "ANSWERS...", "filled-in sheets, one per judge", nargs=-1)
@file_option("--json", "json_file", help="file for the numbers")
def score(directory: Path, answers: Sequence[Path], json_file: Path | None) -> int:
    """Print how often each way of coloring was chosen and how often it was called plainly broken,
    over all judges and for each judge, with 95 % intervals; on how many pairs judges agree; and the
    pairs. Against the truth a coloring can reach at most half: judges then only guess. Lines that
    cannot be counted are named."""
    from colorflow.quiz.score import as_text, read_key, read_sheets, score

    with wrong_usage():
        key = read_key(directory)
    sheets = read_sheets(answers, key)
    for sheet in sheets:
        for number, reason in sheet.bad_lines.items():
            _warn(f"{sheet.judge}, line {number}: not counted ({reason})")
    result = score(key, sheets)
    for line in as_text(result).splitlines():
        print(printable(line))
    if json_file:
        _write_json(json_file, result, SCORE)
    return 1 if any(sheet.bad_lines for sheet in sheets) else 0


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Makes the folder of a file; errors within the context become an EvaluationError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be written ({error.strerror})") from error


def _write_json(path: Path, values: Any, kind: FileKind) -> None:
    text = json.dumps(values, indent=1, allow_nan=False) + "\n"
    with _writing(path):
        write_whole(path, text.encode(), kind)


def _warn(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)
