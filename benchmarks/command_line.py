"""Time of the command line, from process start to files on disk, of this and other checkouts.

    python -m benchmarks.command_line [CHECKOUT...]

Colors one photo and a folder with each checkout's code and shipped weights, in a new process each
time, imports included; the checkouts take turns, so that they run under equal conditions. Prints a
Markdown table with the median and range of the seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import print_machine, print_table, side_by_side, spread
from benchmarks.photos import gray_photo, save_gray, size_of

HERE = Path(__file__).parent.parent


def main() -> None:
    """Runs the commands and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="*", type=Path, help="beside this one")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--photos", type=int, default=40, help="of the folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small, large, many = (Path(folder) / name for name in ("small.jpg", "large.jpg", "many"))
        save_gray(small, gray_photo(*size_of(1)))
        save_gray(large, gray_photo(*size_of(12)))
        many.mkdir()
        for number in range(options.photos):
            save_gray(many / f"{number:03}.jpg", gray_photo(*size_of(1), number))
        tasks = {
            "4 principal colorings of 1 megapixel": [str(small), "-n", "4"],
            "4 samples of 1 megapixel": [str(small), "-n", "4", "--samples"],
            "1 coloring of 12 megapixels": [str(large), "-n", "1"],
            f"folder of {options.photos} photos of 1 megapixel": [str(many), "-n", "1"],
        }
        print_machine()
        rows = []
        for task, arguments in tasks.items():
            steps = {
                str(turn): _command(checkout.resolve(), arguments, Path(folder) / "out")
                for turn, checkout in enumerate((HERE, *options.checkouts))
            }
            timings = side_by_side(steps, options.repetitions)
            rows.append([task, *(spread(times.wall) for times in timings.values())])
        names = [checkout.resolve().name for checkout in options.checkouts]
        print_table(["process start to files, seconds", "this checkout", *names], rows)


def _command(checkout: Path, arguments: list[str], out: Path) -> Callable[[], None]:
    """Runs `colorflow colorize` of a checkout; its results are deleted."""
    command = [sys.executable, "-m", "colorflow.cli", "colorize", *arguments, "-o", str(out)]

    def run() -> None:
        environment = os.environ | {"PYTHONPATH": str(checkout)}
        subprocess.run(command, check=True, capture_output=True, env=environment, cwd=checkout)
        shutil.rmtree(out)

    return run


if __name__ == "__main__":
    main()
