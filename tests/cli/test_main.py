"""The command line: help, usage, exit codes, and streams that are closed or full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from colorflow import __version__
from colorflow.cli import COMMANDS, main, program
from tests.cli.fake_run import usage_error

_PROGRAM = """
import os, sys
import click
from colorflow import cli
def command():
    {}
cli.program = click.Command('x', callback=command)
sys.exit(cli.main([]))
"""
_THREADS_OF_BLAS = """
import os, sys
from colorflow.cli import main
main(["--version"])
import numpy as np
square = np.ones((600, 600), np.float32)
square @ square
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
@pytest.mark.skipif(os.cpu_count() == 1, reason="one core has one thread")
def test_numpy_multiplies_in_one_thread() -> None:
    """Several threads of a small product wait for each other, 20 times as long as it takes."""
    environment = {name: value for name, value in os.environ.items() if "THREADS" not in name}
    command = [sys.executable, "-c", _THREADS_OF_BLAS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == "1"


def test_help_names_and_explains_every_command_and_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["-h"]) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert set(COMMANDS) <= {line.split()[0] for line in listed.splitlines() if line}
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: colorflow {name} ")
        command = program.get_command(click.Context(program), name)
        assert command
        assert command.short_help
        assert all(one.help for one in command.params), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "colorflow: Missing command"),
        (["paint"], "colorflow: No such command 'paint'; see"),
        (["blind"], "colorflow blind: Missing command"),
        (["colorize"], "colorflow colorize: Missing argument 'IN...'"),
        (["colorize", "a.png"], "colorflow colorize: Missing option '-o' / '--output'"),
        (["colorize", "a.png", "--diverse"], "colorflow colorize: No such option '--diverse'; see"),
        (["colorize", "a.png", "--wrong"], "colorflow colorize: No such option '--wrong'; see"),
        (["colorize", "a.png", "--sampels"], "option '--sampels', did you mean '--samples'?; see"),
        (["colorize", "a.png", "--temp"], "option '--temp', did you mean '--temperature'?; see"),
        (["colorise"], "colorflow: No such command 'colorise', did you mean 'colorize'?; see"),
        (["re"], "colorflow: No such command 're', did you mean 'repair' or 'restore'?; see"),
        (["blind", "comapre"], "No such command 'comapre', did you mean 'compare'?; see"),
        (["train", ".", "-o", "r"], "colorflow train: expected either --minutes or --steps"),
        (
            ["train", ".", "-o", "r", "--part", "nose"],
            "Invalid value for '--part': 'nose' is not one of 'mean', 'likeness', 'seg",
        ),
        (["evaluate", "absent", "--json", "e.json"], "'FOLDER': Path 'absent' does not exist; see"),
        (["evaluate", ".", "--json", "pyproject.toml"], "--json: pyproject.toml: cannot be wri"),
        (["train", "absent", "-o", "r", "--steps", "1"], "'PACK': Path 'absent' does not exist"),
        (["train", ".", "-o", "README.md", "--steps", "1"], "Directory 'README.md' is a file"),
        (["train", ".", "-o", "r", "--start", "absent"], "'--start': Path 'absent' does not exi"),
        (["export", "absent", "w.safetensors"], "'RUN': Path 'absent' does not exist"),
        (["blind", "compare", "samples", "nonsense", ".", "-o", "r"], "no way of coloring, weig"),
        (["blind", "score", "absent", "README.md"], "absent: is no blind test, for there is no"),
        (["app", "--weights", "absent"], "Invalid value for '--weights': Path 'absent' does not"),
        (["app", "--photos", "absent"], "Invalid value for '--photos': Path 'absent' does not"),
        (["app", "--auth", "\x1b[31m\u202e"], ": \\x1b[31m\\u202e: cannot be read (No such file"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    assert message in usage_error(arguments, capsys)


@pytest.mark.parametrize("module", ["colorflow", "colorflow.cli"])
def test_the_package_runs_as_a_module(module: str) -> None:
    command = [sys.executable, "-m", module, "--version"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"colorflow {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["colorize", "a.png", "-o", ""], ["colorize", "", "-o", "out"],
        ["train", ".", "-o", ""], ["train", "", "-o", "run"], ["app", "--weights", ""],
    ],
)  # fmt: skip
def test_nothing_is_no_name_of_a_folder(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "expected a name, got ''" in usage_error(arguments, capsys)


@pytest.mark.skipif(sys.platform != "linux", reason="a device that is always full")
@pytest.mark.parametrize("printed", ["print('x')", "print('x' * 10**6)"])
def test_a_stdout_that_takes_nothing_is_told(printed: str) -> None:
    command = [sys.executable, "-c", _PROGRAM.format(printed)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "colorflow: nothing more can be printed (No space left on device)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize("closed", ["1>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_gets_nobody_elses_file(closed: str, tmp_path: Path) -> None:
    program = _PROGRAM.format(
        """
    with open('opened', 'wb') as file:
        os.write(1, b'noise')
        os.write(2, b'noise')
        print('x', file=sys.stderr)
        file.write(b'done')
"""
    )
    shell = ["bash", "-c", f'"$0" -c "$1" {closed}', sys.executable, program]
    subprocess.run(
        shell,
        cwd=tmp_path,
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (tmp_path / "opened").read_bytes() == b"done"


def test_a_reader_that_has_seen_enough_is_no_traceback() -> None:
    program = _PROGRAM.format("for _ in range(100): print('x' * 100_000)")
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 1
