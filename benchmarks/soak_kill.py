"""A batch is killed at random moments, again and again, and goes on each time (Linux).

    python -m benchmarks.soak_kill --kills 20 --photos 100

Every time the command is killed with SIGKILL after a random number of photos and a random moment
more, alone or with its workers. What lies in the output folder then is read: every file must be a
whole picture that says what made it. In the end the command runs to its end, and the results must
be those of a run that nobody killed, within 1/255. The photos are pieces of scikit-image's
astronaut, in gray.
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
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from colorflow.photo import read_photo, read_provenance

_MOST_SECONDS = 600
"""For a batch to show a sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a campaign came to."""

    kills: int
    half_written_names: int
    """Temporary files that killed runs left; hidden, and removed by a later run."""
    largest_difference: int
    """From the run that nobody killed, in steps of 8 bits."""


def soak(
    folder: Path,
    *,
    kills: int,
    photos: int,
    size: tuple[int, int] = (400, 300),
    weights: Path | None = None,
    seed: int = 0,
) -> Outcome:
    """Runs a campaign.

    Args:
        folder: an empty one.
        kills: how often the command is killed.
        photos: how many it has to color.
        size: of each, width and height in pixels.
        weights: file; None for the shipped ones.
        seed: of the random moments.

    Raises:
        AssertionError: if a file is not whole, or a result is not what it should be.
    """
    chance = random.Random(seed)
    _make_photos(folder / "in", photos, size)
    out = folder / "out"
    for kill in range(kills):
        if len(_results(out)) > photos - 2:  # too little is left for a kill in the middle
            for path in _results(out):
                path.unlink()
        process = _start(folder / "in", out, weights)
        wanted = min(
            len(_results(out)) + chance.randint(0, max(1, photos // (kills + 1))), photos - 1
        )
        _wait_for(process, out, wanted)
        time.sleep(chance.uniform(0, 0.5))
        _kill(process, with_workers=kill % 2 == 0)
        for path in _results(out):
            assert read_photo(path).width == size[0], path
            assert read_provenance(path) is not None, path
    left = sum(1 for path in out.iterdir() if path.name.startswith("."))
    for result in (out, folder / "undisturbed"):
        assert _start(folder / "in", result, weights).wait() == 0
        assert len(_results(result)) == photos, result
    differences = [_difference(path, folder / "undisturbed" / path.name) for path in _results(out)]
    assert max(differences) <= 1
    return Outcome(kills=kills, half_written_names=left, largest_difference=max(differences))


def _make_photos(folder: Path, photos: int, size: tuple[int, int]) -> None:
    folder.mkdir(parents=True)
    gray = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
    for number in range(photos):
        shifted = np.roll(gray, (7 * number, 13 * number), (0, 1))
        assert cv2.imwrite(str(folder / f"{number:04}.png"), cv2.resize(shifted, size))


def _start(photos: Path, out: Path, weights: Path | None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "colorflow.cli", "colorize", str(photos), "-o", str(out)]
    command += ["--workers", "2", "--quiet"]
    return subprocess.Popen(command + (["--weights", str(weights)] if weights else []))


def _wait_for(process: subprocess.Popen[bytes], out: Path, results: int) -> None:
    until = time.monotonic() + _MOST_SECONDS
    while len(_results(out)) < results or not out.exists():
        assert process.poll() is None, "the batch ended by itself"
        assert time.monotonic() < until, "the batch does nothing"
        time.sleep(0.02)


def _kill(process: subprocess.Popen[bytes], *, with_workers: bool) -> None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    for child in children:
        if with_workers:
            os.kill(int(child), signal.SIGKILL)
    process.wait()
    while any(_alive(int(child)) for child in children):  # they finish what they have in hand
        time.sleep(0.02)


def _alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def _results(out: Path) -> list[Path]:
    return sorted(path for path in out.glob("*") if not path.name.startswith("."))


def _difference(one: Path, other: Path) -> int:
    first, second = (read_photo(path).pixels.astype(int) for path in (one, other))
    return int(np.abs(first - second).max())


def main() -> None:
    """Runs a campaign and prints what it came to."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = soak(
            Path(folder),
            kills=options.kills,
            photos=options.photos,
            weights=options.weights,
            seed=options.seed,
        )
    print(
        f"{date.today()}: {options.photos} photos, killed {outcome.kills} times; all results "
        f"whole, at most {outcome.largest_difference}/255 from an undisturbed run; "
        f"{outcome.half_written_names} hidden temporary files left behind"
    )


if __name__ == "__main__":
    main()
