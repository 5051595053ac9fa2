"""The command line: ``colorflow colorize | enlarge | app | train | export | evaluate |
blind | zoo | train-enlarge | export-enlarge``, with one file for each command.

Only the module of the command in use is imported, and it imports what it needs when it runs, so
that ``--help`` answers at once.

Exit codes: 0 done; 1 something failed and is named on stderr; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from colorflow import __version__
from colorflow.errors import ColorflowError

COMMANDS = (
    "colorize", "enlarge", "app", "train", "export", "evaluate", "blind", "zoo", "train-enlarge",
    "export-enlarge",
)  # fmt: skip
"""Each has a module of its name, with a function ``add_NAME`` that adds it to the parser."""
_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: what follows the program's name; ``sys.argv`` by default.

    Returns:
        The exit code.

    Raises:
        SystemExit: after ``--help`` and ``--version`` (0) and on wrong usage (2).
    """
    # NumPy's products are small: several threads of OpenBLAS only wait for each other, and busily.
    # It reads this when NumPy is imported, which no module before this line does.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _open_missing_streams()
    _print_any_file_name()
    try:
        return _run(arguments)
    except OSError as error:
        if not _cannot_print():
            raise
        if not isinstance(error, BrokenPipeError):  # the reader, such as `head`, has enough
            print(f"colorflow: nothing more can be printed ({error.strerror})", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # no error at exit
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    try:
        arguments = sys.argv[1:] if arguments is None else arguments
        parsed = _parser(arguments).parse_args(arguments)
        command: Callable[[argparse.Namespace], int] = parsed.command
        _check_working_folder()
        return command(parsed)
    except ColorflowError as error:
        print(f"colorflow: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("colorflow: interrupted", file=sys.stderr)
        return _INTERRUPTED
    finally:
        sys.stdout.flush()


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Makes the parser; if the arguments begin with a command, with that command only."""
    parser = argparse.ArgumentParser(
        prog="colorflow", description="Several plausible colorings for a gray photo."
    )
    parser.add_argument("--version", action="version", version=f"colorflow {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS:
        stem = name.replace("-", "_")
        getattr(import_module(f"colorflow.cli.{stem}"), f"add_{stem}")(commands)
    return parser


def _check_working_folder() -> None:
    """Refuses to start in a folder that was deleted, where even PyTorch cannot be loaded."""
    try:
        os.getcwd()
    except OSError as error:
        raise ColorflowError(
            f"the current folder cannot be used ({error.strerror}); change to one that is there"
        ) from error


def _open_missing_streams() -> None:
    """Opens the null device where the shell has closed stdin, stdout or stderr.

    Otherwise the next file that is opened would get that descriptor, and what libraries print.
    """
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


def _cannot_print() -> bool:
    """Whether stdout takes nothing more, tested with an empty line."""
    try:
        print(flush=True)
    except OSError:
        return True
    return False


def _print_any_file_name() -> None:
    """Makes stdout escape characters that its encoding lacks, as stderr does."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
