"""Kills a batch at random moments, again and again, and lets it continue each time (Linux).

    python -m benchmarks.soak_kill --kills 20 --photos 100

The command is killed with SIGKILL after a random number of photos and a random delay, alone or with
its workers. Every file in the output folder must then be a whole picture that says how it was made.
At last the command runs to its end, and its results must be those of an undisturbed run, within
1/255.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.measuring import SEED, family_of, gray_photo, save_gray
from colorflow.photo import read_photo, read_statements

_MOST_SECONDS = 600
"""Longest wait for a result of a batch."""


def soak(
    folder: Path,
    *,
    kills: int,
    photos: int,
    size: tuple[int, int] = (400, 300),
    weights: Path | None = None,
) -> tuple[int, int]:
    """Runs a campaign.

    Args:
        folder: an empty folder.
        kills: number of kills.
        photos: number of photos to color.
        size: width and height of each photo in pixels.
        weights: file; None for the shipped weights.

    Returns:
        How many hidden temporary files killed runs left, which a later run removes; and the largest
        difference from the undisturbed run, in steps of 1/255.

    Raises:
        AssertionError: if a file is not whole, or a result differs.
    """
    chance = random.Random(SEED)
    (folder / "in").mkdir()
    for number in range(photos):
        save_gray(folder / "in" / f"{number:04}.png", gray_photo(*size, number))
    out = folder / "out"
    for kill in range(kills):
        if len(_results(out)) > photos - 2:  # too few are left for a kill in the middle
            for path in _results(out):
                path.unlink()
        process = _start(folder / "in", out, weights)
        more = chance.randint(0, max(1, photos // (kills + 1)))
        _wait_for(process, out, min(len(_results(out)) + more, photos - 1))
        time.sleep(chance.uniform(0, 0.5))
        _kill(process, with_workers=kill % 2 == 0)
        for path in _results(out):
            assert read_photo(path).width == size[0], path
            assert read_statements(path), path
    left = sum(1 for path in out.iterdir() if path.name.startswith("."))
    for result in (out, folder / "undisturbed"):
        assert _start(folder / "in", result, weights).wait() == 0
        assert len(_results(result)) == photos, result
    differences = [_difference(path, folder / "undisturbed" / path.name) for path in _results(out)]
    assert max(differences) <= 1
    return left, max(differences)


def _start(photos: Path, out: Path, weights: Path | None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "colorflow.cli", "colorize", str(photos), "-o", str(out)]
    command += ["--workers", "2", "--quiet"]
    return subprocess.Popen(command + (["--weights", str(weights)] if weights else []))


def _wait_for(process: subprocess.Popen[bytes], out: Path, results: int) -> None:
    until = time.monotonic() + _MOST_SECONDS
    while len(_results(out)) < results or not out.exists():
        assert process.poll() is None, "the batch ended by itself"
        assert time.monotonic() < until, "the batch makes no progress"
        time.sleep(0.02)


def _kill(process: subprocess.Popen[bytes], *, with_workers: bool) -> None:
    family = family_of(process.pid).keys() - {process.pid}
    process.kill()
    for child in family if with_workers else ():
        with suppress(ProcessLookupError):  # it ended with another one
            os.kill(child, signal.SIGKILL)
    process.wait()
    while any(family_of(child) for child in family):  # they end by themselves
        time.sleep(0.02)


def _results(out: Path) -> list[Path]:
    return sorted(path for path in out.glob("*") if not path.name.startswith("."))


def _difference(one: Path, other: Path) -> int:
    first, second = (read_photo(path).pixels.astype(int) for path in (one, other))
    return int(np.abs(first - second).max())


def main() -> None:
    """Runs a campaign and prints its result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--photos", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        left, difference = soak(Path(folder), kills=options.kills, photos=options.photos)
    print(
        f"{date.today()}: {options.photos} photos, killed {options.kills} times; all results "
        f"whole, at most {difference}/255 from an undisturbed run; "
        f"{left} hidden temporary files left behind"
    )


if __name__ == "__main__":
    main()
