"""The command line, on click: ``colorflow COMMAND``, see `COMMANDS`.

Only the module of the command in use is imported, and it imports what it needs when it runs, so
that ``--help`` answers at once.

Exit codes: 0 done; 1 something failed and is named on stderr; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from difflib import SequenceMatcher
from importlib import import_module

import click

from colorflow import __version__
from colorflow.errors import ColorflowError, OptionError, printable

_MODULES = {
    "photos": ("colorize", "enlarge", "repair", "restore"),
    "app": ("app",),
    "evaluation": ("evaluate", "blind"),
    "training": ("train", "export"),
}
COMMANDS = {command: module for module, commands in _MODULES.items() for command in commands}
"""The module of each command; it has a function of the command's name."""
INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
_ALIKE = 0.7
"""Share of the letters that a word has in common with one that is suggested instead; click's 0.6
counts dashes, too, and suggests --crop for --wrong."""


class _Commands(click.Group):
    """Imports the module of a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"colorflow.cli.{COMMANDS[cmd_name]}")
        return getattr(module, cmd_name.replace("-", "_"))


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
)
@click.version_option(__version__, message="colorflow %(version)s")
def program() -> None:
    """Several plausible colorings for a gray photo."""
    try:
        os.getcwd()
    except OSError as error:  # the folder was deleted; even PyTorch cannot be loaded then
        raise ColorflowError(
            f"the current folder cannot be used ({error.strerror}); change to one that is there"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: what follows the program's name; ``sys.argv`` by default.

    Returns:
        The exit code.

    Raises:
        SystemExit: with code 1, if the reader of stdout, such as ``head``, has enough.
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
        if not isinstance(error, BrokenPipeError):
            print(f"colorflow: nothing more can be printed ({error.strerror})", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # no error at exit
        return 1


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code: int | None = program.main(
            arguments, "colorflow", standalone_mode=False, windows_expand_args=False
        )
        return code or 0
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "colorflow"
        message = " ".join(_message_of(error).split())
        said = f"{command}: {message.rstrip('.')}; see '{command} --help'"
        print(printable(said), file=sys.stderr)
        return error.exit_code
    except ColorflowError as error:
        print(f"colorflow: {error}", file=sys.stderr)
        return click.UsageError.exit_code if isinstance(error, OptionError) else 1
    except click.Abort:
        print("colorflow: interrupted", file=sys.stderr)
        return INTERRUPTED
    finally:
        sys.stdout.flush()


def _message_of(error: click.UsageError) -> str:
    """What is wrong; of an unknown name, with those that may have been meant."""
    if isinstance(error, click.NoSuchOption):
        name, known = error.option_name, error.possibilities or []
    elif isinstance(error, click.NoSuchCommand) and error.ctx:
        group = error.ctx.command
        assert isinstance(group, click.Group)
        name, known = error.command_name, group.list_commands(error.ctx)
    else:
        return error.format_message()
    meant = [repr(one) for one in known if _may_be_meant(name.lstrip("-"), one.lstrip("-"))]
    said = f", did you mean {' or '.join(meant)}?" if meant else ""
    return f"{error.message.rstrip('.')}{said}"


def _may_be_meant(name: str, known: str) -> bool:
    is_alike = SequenceMatcher(None, name, known).ratio() >= _ALIKE
    return is_alike or (bool(name) and known.startswith(name))


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
