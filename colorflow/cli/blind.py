"""`colorflow blind`: pairs of pictures for judges who do not know how they were made."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_seed, add_weights, whole_number
from colorflow.errors import EvaluationError, printable

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

_FILES = (
    "Write DIR/pairs/001.jpg and so on, each one photo in two colorings side by side, at most "
    "420 x 620 pixels each; DIR/instructions.txt for the judges; and DIR/answers-1.csv and "
    "answers-2.csv for two judges. The key, DIR.key.json, is written beside the folder, so that "
    "you can give the folder to judges. Photos that lack one of the two colorings are named and "
    "left out. The same seed gives the same test."
)


def add_blind(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "blind",
        help="blind test: which of two colorings looks better, or which one is the truth?",
        description=(
            "Show judges photos in two colorings side by side, and count which way of coloring "
            "they choose and what they call broken."
        ),
    )
    parts = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_compare(parts)
    _add_make(parts)
    _add_score(parts)


def _add_compare(commands: Commands) -> None:
    parser = commands.add_parser(
        "compare",
        help="make pairs of two ways of coloring",
        description=_FILES,
        epilog=(
            "A and B are ways of coloring: 'truth', the photo's own chroma through the same 64x64 "
            "grid; 'samples', one sample; an option, such as 'temperature=0.8'; a weights file; "
            "several of these, joined by commas; or a folder of finished pictures with the names "
            "of the photos. If one of them is 'truth', judges are asked which side is true, "
            "otherwise which one looks better."
        ),
    )
    parser.add_argument("first", metavar="A", help="a way of coloring")
    parser.add_argument("second", metavar="B", help="another one")
    _add_what_to_show(parser)


def _add_make(commands: Commands) -> None:
    parser = commands.add_parser(
        "make",
        help="make pairs of the truth and a sample",
        description=f"As `colorflow blind compare truth samples`. {_FILES}",
    )
    _add_what_to_show(parser)
    parser.set_defaults(first="truth", second="samples")


def _add_what_to_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", type=a_path, metavar="FOLDER", help="photos")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=a_path,
        metavar="DIR",
        help="a new folder for the test",
    )
    parser.add_argument(
        "--pairs",
        type=whole_number(least=1),
        metavar="N",
        help="number of photos, chosen at random, one pair each (default: all)",
    )
    add_seed(parser, "seed of choice, order, sides and samples")
    add_weights(parser)
    parser.set_defaults(command=_make)


def _make(arguments: argparse.Namespace) -> int:
    from functools import cache

    from colorflow.colorizer import Colorizer
    from colorflow.quiz.blind_test import make_blind_test
    from colorflow.quiz.methods import parse_method

    if arguments.first == arguments.second:
        raise EvaluationError(f"{arguments.first}: is compared with itself; give two ways")
    load = cache(Colorizer.load)
    choice = make_blind_test(
        arguments.folders,
        arguments.output,
        (
            parse_method(arguments.first, arguments.weights, load),
            parse_method(arguments.second, arguments.weights, load),
        ),
        pairs=arguments.pairs,
        seed=arguments.seed,
        say=lambda line: print(printable(line), flush=True),
        warn=_warn,
    )
    return 1 if any(item.why == "unreadable" for item in choice.left_out) else 0


def _add_score(commands: Commands) -> None:
    parser = commands.add_parser(
        "score",
        help="count the answers of judges",
        description=(
            "Print how often each way of coloring was chosen and how often it was called plainly "
            "broken, over all judges and for each judge, with 95 % intervals; on how many pairs "
            "judges agree; and the pairs. Against the truth a coloring can reach at most half: "
            "judges then only guess. Lines that cannot be counted are named."
        ),
    )
    parser.add_argument("directory", type=a_path, metavar="DIR", help="folder of the test")
    parser.add_argument(
        "answers", nargs="+", type=a_path, metavar="ANSWERS", help="filled-in sheets, one per judge"
    )
    parser.add_argument("--judge-note", metavar="TEXT", help="who judged; kept with the numbers")
    parser.add_argument("--json", type=a_path, metavar="FILE", help="file for the numbers")
    parser.set_defaults(command=_score)


def _score(arguments: argparse.Namespace) -> int:
    from colorflow.evaluation.report import check_destination, json_text, write_text
    from colorflow.quiz.answer_key import read_key
    from colorflow.quiz.answer_sheets import read_sheets
    from colorflow.quiz.report import SCORE, as_json, as_text
    from colorflow.quiz.score import score

    check_destination(arguments.json, SCORE)
    key = read_key(arguments.directory)
    sheets = read_sheets(arguments.answers, key)
    for sheet in sheets:
        for bad in sheet.bad_lines:
            _warn(f"{sheet.judge}, line {bad.line}: not counted ({bad.reason})")
    result = score(key, sheets)
    for line in as_text(result, key, arguments.judge_note).splitlines():
        print(printable(line))
    if arguments.json:
        write_text(arguments.json, json_text(as_json(result, key, arguments.judge_note)), SCORE)
    return 1 if any(sheet.bad_lines for sheet in sheets) else 0


def _warn(line: str) -> None:
    print(printable(line), file=sys.stderr, flush=True)
