"""`colorflow app`: the web page."""

from __future__ import annotations

import os
import stat
from typing import Any

import click

from colorflow.cli.options import WEIGHTS, Number, Whole, file_option

_MAX_MEGABYTES = 100_000
_MAX_STORED_MEGABYTES = 100_000_000
_MAX_MEGAPIXELS = 10_000


def _accounts(text: str) -> dict[str, str]:
    """A type: the password of each user, from a file that others may not read."""
    accounts: dict[str, str] = {}
    for number, line in enumerate(_private_lines(text), 1):
        user, _, password = line.partition(":")
        user = user.strip()
        if not line.strip():
            continue
        if not user or not password:
            raise click.BadParameter(f"{text}: line {number}: expected user:password")
        if user in accounts:
            raise click.BadParameter(f"{text}: line {number}: {user!r} is there already")
        accounts[user] = password
    if not accounts:
        raise click.BadParameter(f"{text}: holds no line with user:password")
    return accounts


def _private_lines(text: str) -> list[str]:
    try:
        with open(text, encoding="utf-8-sig") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = file.read().split("\n")
    except (OSError, ValueError) as error:  # ValueError: of UTF-8, or a null character in the name
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise click.BadParameter(f"{text}: cannot be read ({reason})") from error
    if os.name == "posix" and mode & (stat.S_IRGRP | stat.S_IROTH):
        raise click.BadParameter(
            f"{text}: other users of this machine may read the passwords in it; "
            f"forbid that with chmod 600 {text}"
        )
    return lines


@click.command(short_help="serve the web page")
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="HOST",
    help="address to listen on; 0.0.0.0 for the whole network",
)
@click.option("--port", type=Whole(1, 65535), default=7860, help="port to listen on")
@WEIGHTS
@file_option(
    "--photos",
    exists=True,
    metavar="FOLDER",
    help="color photos for the quiz, none of which the weights were trained on (default: the "
    "shipped ones)",
)
@file_option(
    "--quiz-db", help="SQLite file for the quiz's answers (default: a file in your data folder)"
)
@click.option(
    "--auth",
    "accounts",
    type=_accounts,
    metavar="FILE",
    help="ask visitors for a name and a password: a text file with one user:password a line, which "
    "nobody but you may read (default: everybody may use the page)",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="a name under which the page is served, such as photos.example.org, with the port if "
    "browsers show one that a proxy leaves out; may be given several times (default: this "
    "machine's own names and addresses alone)",
)
@click.option(
    "--max-file-size",
    "megabytes",
    type=Whole(1, _MAX_MEGABYTES),
    default=200,
    metavar="MB",
    help="size of the largest upload, in megabytes",
)
@click.option(
    "--max-pixels",
    "megapixels",
    type=Number(1e-6, _MAX_MEGAPIXELS),
    default=80,
    metavar="MEGAPIXELS",
    help="size of the largest photo, and of all large photos in memory at the same time, width "
    "times height in millions of pixels; each million may take 24 MB of memory, and smaller photos "
    "a third of that besides",
)
@click.option(
    "--max-stored",
    "stored_megabytes",
    type=Whole(1, _MAX_STORED_MEGABYTES),
    default=4000,
    metavar="MB",
    help="size of all stored photos and results, in megabytes",
)
@click.option(
    "--queue",
    "waiting",
    type=Whole(1),
    default=64,
    help="requests that may wait for their turn; more are asked to come again later",
)
def app(
    megabytes: int, megapixels: float, stored_megabytes: int, waiting: int, **server: Any
) -> None:
    """Serve the web page until interrupted."""
    from colorflow import ui
    from colorflow.ui.limits import Limits

    limits = Limits(
        megabytes=megabytes,
        megapixels=megapixels,
        waiting=waiting,
        stored_megabytes=stored_megabytes,
    )
    ui.serve(**server, limits=limits)
