"""`colorflow blind`: can people tell a photo's own colours from drawn ones?"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from colorflow.cli.arguments import LARGEST_SEED, a_path, add_weights, whole_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

_DEFAULT_SIZE = 384


def add_blind(commands: Commands) -> None:
    """Adds the command to the program's."""
    parser = commands.add_parser(
        "blind",
        help="a blind test: can people tell true colours from drawn ones?",
        description=(
            "Show people a photo in its own colours beside one in drawn colours, and count how "
            "often they take the drawn ones for real."
        ),
    )
    parts = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_make(parts)
    _add_score(parts)


def _add_make(commands: Commands) -> None:
    parser = commands.add_parser(
        "make",
        help="make the pairs of pictures and an empty answer sheet",
        description=(
            "Write DIR/pairs/001.png and so on, each a photo in its own colours and in one draw, "
            "side by side; DIR/answers.csv, in which a judge writes left or right for the picture "
            "taken for real; and DIR/key.json, which says which one is and is not for judges. True "
            "colours go through the same 64x64 grid as drawn ones, so nothing but the colours "
            "tells them apart. Photos that cannot be read, and those without colours, are named "
            "and left out. The same seed gives the same test."
        ),
    )
    parser.add_argument("folders", nargs="+", type=a_path, metavar="FOLDER", help="colour photos")
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
        help="so many photos, chosen at random (default: all), each in one pair",
    )
    parser.add_argument(
        "--size",
        type=whole_number(least=16, most=4096),
        default=_DEFAULT_SIZE,
        metavar="PIXELS",
        help="longer side of each picture at most (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(least=0, most=LARGEST_SEED),
        default=0,
        help="of choice, order, sides and draws (default: %(default)s)",
    )
    add_weights(parser)
    parser.set_defaults(command=_make)


def _make(arguments: argparse.Namespace) -> int:
    from colorflow.colorize import Colorizer
    from colorflow.quiz.make import make_blind_test

    choice = make_blind_test(
        arguments.folders,
        arguments.output,
        Colorizer.load(arguments.weights),
        pairs=arguments.pairs,
        size=arguments.size,
        seed=arguments.seed,
        say=lambda line: print(line, flush=True),
        warn=_warn,
    )
    return 1 if any(item.why == "unreadable" for item in choice.left_out) else 0


def _add_score(commands: Commands) -> None:
    parser = commands.add_parser(
        "score",
        help="count wrong answers",
        description=(
            "Print how often each judge took the drawn colours for real, with a 95 % interval; "
            "the same over all judges; and which pairs fooled most. Half is the most that there is "
            "to reach: judges then only guess. Lines that cannot be counted are named."
        ),
    )
    parser.add_argument("directory", type=a_path, metavar="DIR", help="of `colorflow blind make`")
    parser.add_argument(
        "answers", nargs="+", type=a_path, metavar="ANSWERS", help="filled-in sheets, one a judge"
    )
    parser.add_argument("--judge-note", metavar="TEXT", help="who judged, to be kept beside it")
    parser.add_argument("--json", type=a_path, metavar="FILE", help="where the numbers go")
    parser.set_defaults(command=_score)


def _score(arguments: argparse.Namespace) -> int:
    from colorflow.evaluation.report import to_text, write_text
    from colorflow.evaluation.run import check_place
    from colorflow.quiz.answers import read_sheets
    from colorflow.quiz.key import read_key
    from colorflow.quiz.report import SCORE, as_json, as_text
    from colorflow.quiz.score import score

    check_place(arguments.json, SCORE)
    key = read_key(arguments.directory)
    sheets = read_sheets(arguments.answers, key)
    for sheet in sheets:
        for bad in sheet.bad_lines:
            _warn(f"{sheet.judge}, line {bad.line}: not counted ({bad.reason})")
    result = score(key, sheets)
    print(as_text(result, key, arguments.judge_note))
    if arguments.json:
        write_text(arguments.json, to_text(as_json(result, key, arguments.judge_note)), SCORE)
    return 1 if any(sheet.bad_lines for sheet in sheets) else 0


def _warn(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
