"""`colorflow app`: the web page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.cli.arguments import add_weights, whole_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands


def add_app(commands: Commands) -> None:
    """Adds the command to the program's."""
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
        type=whole_number(least=1, most=65535),
        default=7860,
        help="(default: %(default)s)",
    )
    add_weights(parser)
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="FOLDER",
        help="colour photos for the quiz, none of which the weights were trained on "
        "(default: those that the installed packages bring)",
    )
    parser.add_argument(
        "--quiz-db",
        type=Path,
        metavar="FILE",
        help="where the quiz keeps its answers, SQLite (default: in your data folder)",
    )
    parser.set_defaults(command=_app)


def _app(arguments: argparse.Namespace) -> int:
    from colorflow.ui import serve

    serve(
        host=arguments.host,
        port=arguments.port,
        weights=arguments.weights,
        photos=arguments.photos,
        quiz_db=arguments.quiz_db,
    )
    return 0
