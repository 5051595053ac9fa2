"""`colorflow app`: the web page."""

from __future__ import annotations

import argparse
import os
import stat
from typing import TYPE_CHECKING

from colorflow.cli.arguments import a_path, add_weights, positive_number, whole_number

if TYPE_CHECKING:
    from colorflow.cli.arguments import Commands

_MAX_MEGABYTES = 100_000
_MAX_STORED_MEGABYTES = 100_000_000
_MAX_MEGAPIXELS = 10_000


def add_app(commands: Commands) -> None:
    """Add the command to the program's."""
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
        help="port to listen on (default: %(default)s)",
    )
    add_weights(parser)
    parser.add_argument(
        "--photos",
        type=a_path,
        metavar="FOLDER",
        help="color photos for the quiz, none of which the weights were trained on "
        "(default: photos of the installed packages)",
    )
    parser.add_argument(
        "--quiz-db",
        type=a_path,
        metavar="FILE",
        help="SQLite file for the quiz's answers (default: a file in your data folder)",
    )
    _add_access(parser)
    _add_limits(parser)
    parser.set_defaults(command=_app)


def _add_access(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--auth",
        type=_accounts,
        metavar="FILE",
        help="ask visitors for a name and a password: a text file with one user:password a line, "
        "which nobody but you may read (default: everybody may use the page)",
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        dest="allowed_hosts",
        metavar="NAME",
        help="a name under which the page is served, such as photos.example.org, with the port if "
        "browsers show one that a proxy leaves out; may be given several times (default: this "
        "machine's own names and addresses alone)",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Options for the fields of `colorflow.ui.limits.Limits`."""
    parser.add_argument(
        "--max-file-size",
        type=whole_number(least=1, most=_MAX_MEGABYTES),
        default=200,
        metavar="MB",
        help="size of the largest upload, in megabytes (default: %(default)s)",
    )
    parser.add_argument(
        "--max-pixels",
        type=_megapixels,
        default=80.0,
        metavar="MEGAPIXELS",
        help="size of the largest photo, and of all photos in memory at the same time, width times "
        "height in millions of pixels; each million may take 24 MB of memory (default: 80)",
    )
    parser.add_argument(
        "--max-stored",
        type=whole_number(least=1, most=_MAX_STORED_MEGABYTES),
        default=4000,
        metavar="MB",
        help="size of all stored photos and results, in megabytes; one visitor may have as much as "
        "is then left for all others (default: %(default)s)",
    )
    parser.add_argument(
        "--queue",
        type=whole_number(least=1),
        default=64,
        metavar="N",
        help="requests that may wait for their turn; more are asked to come again later "
        "(default: %(default)s)",
    )


def _megapixels(text: str) -> float:
    """An argparse type: millions of pixels, at least one pixel."""
    number = positive_number(text)
    if not 1e-6 <= number <= _MAX_MEGAPIXELS:
        raise argparse.ArgumentTypeError(
            f"expected a number from 0.000001 to {_MAX_MEGAPIXELS}, got {text!r}"
        )
    return number


def _accounts(text: str) -> dict[str, str]:
    """An argparse type: the password of each user, from a file that others may not read."""
    accounts: dict[str, str] = {}
    for number, line in enumerate(_private_lines(text), 1):
        user, _, password = line.partition(":")
        user = user.strip()
        if not line.strip():
            continue
        if not user or not password:
            raise argparse.ArgumentTypeError(f"{text}: line {number}: expected user:password")
        if user in accounts:
            raise argparse.ArgumentTypeError(f"{text}: line {number}: {user!r} is there already")
        accounts[user] = password
    if not accounts:
        raise argparse.ArgumentTypeError(f"{text}: holds no line with user:password")
    return accounts


def _private_lines(text: str) -> list[str]:
    try:
        with open(text, encoding="utf-8-sig") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = file.read().split("\n")
    except (OSError, ValueError) as error:  # ValueError: of UTF-8, or a null character in the name
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise argparse.ArgumentTypeError(f"{text}: cannot be read ({reason})") from error
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        raise argparse.ArgumentTypeError(
            f"{text}: other users of this machine may read the passwords in it; "
            f"forbid that with chmod 600 {text}"
        )
    return lines


def _app(arguments: argparse.Namespace) -> int:
    from colorflow.ui import serve
    from colorflow.ui.limits import Limits

    serve(
        host=arguments.host,
        port=arguments.port,
        weights=arguments.weights,
        photos=arguments.photos,
        quiz_db=arguments.quiz_db,
        accounts=arguments.auth,
        allowed_hosts=arguments.allowed_hosts,
        limits=Limits(
            megabytes=arguments.max_file_size,
            megapixels=arguments.max_pixels,
            waiting=arguments.queue,
            stored_megabytes=arguments.max_stored,
        ),
    )
    return 0
